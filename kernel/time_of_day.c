// SPDX-License-Identifier: MIT
/* The machine's own clock with battery, an MC146818 behind ports 70h and 71h. */
#include "kernel/cpu.h"
#include "kernel/time.h"
#include "lib/calendar.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71
#define REG_A	   0x0a
#define REG_B	   0x0b
#define A_UPDATING 0x80
#define B_BINARY   0x04
#define B_24_HOURS 0x02
#define HOUR_PM	   0x80
/* An update takes 2 ms; where there is no clock the bit may be set for ever. */
#define TRIES 100000

static u8 cmos(u8 reg)
{
	outb(CMOS_INDEX, reg);
	return inb(CMOS_DATA);
}

static u32 number(u8 v, bool binary)
{
	return binary ? v : (v >> 4) * 10u + (v & 15);
}

/* Seconds since 1970; 0 when it shows no date. */
static u64 read_once(void)
{
	bool binary, twelve;
	u8 b = cmos(REG_B), hour;
	struct calendar c;

	for (int i = 0; i < TRIES && cmos(REG_A) & A_UPDATING; i++)
		;
	binary = b & B_BINARY;
	twelve = !(b & B_24_HOURS);
	hour = cmos(4);
	c = (struct calendar){
		.second = (u8)number(cmos(0), binary),
		.minute = (u8)number(cmos(2), binary),
		.hour = (u8)number(twelve ? hour & (u8)~HOUR_PM : hour, binary),
		.day = (u8)number(cmos(7), binary),
		.month = (u8)number(cmos(8), binary),
		.year = 2000 + number(cmos(9), binary),
	};
	if (twelve)
		c.hour = (u8)(c.hour % 12 + (hour & HOUR_PM ? 12 : 0));
	if (c.month < 1 || c.month > 12 || c.day < 1)
		return 0;
	return calendar_seconds(&c);
}

u64 time_of_day(void)
{
	u64 before = read_once(), again = read_once();

	/* Read in the middle of an update they differ. */
	for (int i = 0; i < 5 && before != again; i++) {
		before = again;
		again = read_once();
	}
	return again;
}
