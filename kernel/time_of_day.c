// SPDX-License-Identifier: MIT
/* The machine's own clock with battery, an MC146818 behind ports 70h and 71h. */
#include "kernel/cpu.h"
#include "kernel/time.h"
#include "lib/calendar.h"
#include "lib/mc146818.h"

/* An update takes 2 ms; where there is no clock the bit may be set for ever. */
#define TRIES 100000

static u8 cmos(u8 reg)
{
	outb(RTC_PORT, reg);
	return inb(RTC_PORT + 1);
}

/* Seconds since 1970; 0 when it shows no date. */
static u64 read_once(void)
{
	u8 b = cmos(RTC_B);
	struct calendar c;

	for (int i = 0; i < TRIES && cmos(RTC_A) & RTC_A_UPDATING; i++)
		;
	c = (struct calendar){
		.second = (u8)rtc_number(b, cmos(RTC_SECOND)),
		.minute = (u8)rtc_number(b, cmos(RTC_MINUTE)),
		.hour = (u8)rtc_hour(b, cmos(RTC_HOUR)),
		.day = (u8)rtc_number(b, cmos(RTC_DAY)),
		.month = (u8)rtc_number(b, cmos(RTC_MONTH)),
		.year = 2000 + rtc_number(b, cmos(RTC_YEAR)),
	};
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
