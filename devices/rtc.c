// SPDX-License-Identifier: MIT
/* The clock with battery; devices/rtc.h. */
#include "devices/rtc.h"
#include "lib/calendar.h"
#include "lib/string.h"

#define NSEC  1000000000ull
#define NEVER (~0ull)

enum {
	EXTENDED_LOW = 0x17, /* KiB above 1M, and again at 30h; 64K units above 16M at 34h */
	EXTENDED_LOW_2 = 0x30,
	ABOVE_16M = 0x34,
	CENTURY = 0x32
};

#define A_WRITTEN    0x7f
#define A_RATE	     0x0f
#define A_RESET	     0x26 /* 32768 Hz, 1024 Hz */
#define B_SET	     0x80
#define B_PERIODIC   0x40
#define B_ALARM	     0x20
#define B_UPDATE     0x10
#define C_INTERRUPT  0x80
#define D_POWER_GOOD 0x80
#define ALARM_ANY    0xc0      /* in an alarm byte: matches always */
#define UPDATE_NS    244000ull /* before each second: the time is about to change */

#define FIELD(member) STATE_FIELD(struct rtc_state, member)

static const struct state_field fields[] = {
	FIELD(epoch), FIELD(seconds), FIELD(periodic), FIELD(updates),
	FIELD(index), FIELD(halted),  FIELD(mem),
};

const struct state_desc rtc_state_desc = {
	.name = "rtc",
	.version = 1,
	.size = sizeof(struct rtc_state),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

static u64 elapsed(const struct rtc *rtc)
{
	u64 t = rtc->now(rtc->ctx);

	return t > rtc->s.epoch ? t - rtc->s.epoch : 0;
}

/* --- the time of day --- */

static u8 encode(const struct rtc *rtc, u32 v)
{
	return (u8)(rtc->s.mem[RTC_B] & RTC_B_BINARY ? v : v / 10 % 10 << 4 | v % 10);
}

static u8 encode_hour(const struct rtc *rtc, u32 hour)
{
	u32 twelve = (hour + 11) % 12 + 1;

	if (rtc->s.mem[RTC_B] & RTC_B_24_HOURS)
		return encode(rtc, hour);
	return (u8)(encode(rtc, twelve) | (hour >= 12 ? RTC_HOUR_PM : 0));
}

static void show_time(struct rtc *rtc)
{
	struct calendar c = calendar_of(rtc->s.seconds + elapsed(rtc) / NSEC);
	u8 *m = rtc->s.mem;

	if (rtc->s.halted)
		return;
	m[RTC_SECOND] = encode(rtc, c.second);
	m[RTC_MINUTE] = encode(rtc, c.minute);
	m[RTC_HOUR] = encode_hour(rtc, c.hour);
	m[RTC_WEEKDAY] = encode(rtc, c.weekday);
	m[RTC_DAY] = encode(rtc, c.day);
	m[RTC_MONTH] = encode(rtc, c.month);
	m[RTC_YEAR] = encode(rtc, c.year % 100);
	m[CENTURY] = encode(rtc, c.year / 100);
}

/* The bytes are the time from now on. What makes no date is what calendar_seconds() takes it for.
 */
static void take_time(struct rtc *rtc)
{
	const u8 *m = rtc->s.mem;
	u8 b = m[RTC_B];
	u32 century = MAX(rtc_number(b, m[CENTURY]), 19u), month = rtc_number(b, m[RTC_MONTH]);
	struct calendar c = {
		.year = MAX(century * 100 + rtc_number(b, m[RTC_YEAR]) % 100, 1970u),
		.month = (u8)(month >= 1 && month <= 12 ? month : 1),
		.day = (u8)MAX(rtc_number(b, m[RTC_DAY]), 1u),
		.hour = (u8)rtc_hour(b, m[RTC_HOUR]),
		.minute = (u8)rtc_number(b, m[RTC_MINUTE]),
		.second = (u8)rtc_number(b, m[RTC_SECOND]),
	};

	rtc->s.epoch = rtc->now(rtc->ctx);
	rtc->s.seconds = calendar_seconds(&c);
	rtc->s.periodic = rtc->s.updates = 0;
}

void rtc_init(struct rtc *rtc, u64 seconds, u64 extended)
{
	u64 above = extended > 15 << 10 ? MIN((extended - (15 << 10)) / 64, 0xffffull) : 0;
	u8 *m = rtc->s.mem;

	rtc->s = (struct rtc_state){.seconds = seconds};
	extended = MIN(extended, 0xffffull);
	m[RTC_A] = A_RESET;
	m[RTC_B] = RTC_B_24_HOURS;
	m[RTC_D] = D_POWER_GOOD;
	m[EXTENDED_LOW] = m[EXTENDED_LOW_2] = (u8)extended;
	m[EXTENDED_LOW + 1] = m[EXTENDED_LOW_2 + 1] = (u8)(extended >> 8);
	m[ABOVE_16M] = (u8)above;
	m[ABOVE_16M + 1] = (u8)(above >> 8);
	show_time(rtc);
}

/* --- interrupts --- */

/* ns; 0: off. Rates 1 and 2 are those of 8 and 9. */
static u64 period(const struct rtc *rtc)
{
	u32 rate = rtc->s.mem[RTC_A] & A_RATE;

	if (!rate)
		return 0;
	if (rate < 3)
		rate += 7;
	return NSEC * BIT(rate - 1) / 32768;
}

static void raise(struct rtc *rtc, u8 flags)
{
	u8 *c = &rtc->s.mem[RTC_C];

	*c |= flags;
	if (*c & rtc->s.mem[RTC_B] & (B_PERIODIC | B_ALARM | B_UPDATE) && !(*c & C_INTERRUPT)) {
		*c |= C_INTERRUPT;
		rtc->irq(rtc->ctx, true);
	}
}

static bool alarm_matches(const u8 *m)
{
	return (m[RTC_ALARM_SECOND] >= ALARM_ANY || m[RTC_ALARM_SECOND] == m[RTC_SECOND]) &&
	       (m[RTC_ALARM_MINUTE] >= ALARM_ANY || m[RTC_ALARM_MINUTE] == m[RTC_MINUTE]) &&
	       (m[RTC_ALARM_HOUR] >= ALARM_ANY || m[RTC_ALARM_HOUR] == m[RTC_HOUR]);
}

u64 rtc_tick(struct rtc *rtc)
{
	u64 passed = elapsed(rtc), p = period(rtc), due = NEVER;
	u8 b = rtc->s.mem[RTC_B];

	if (p && passed / p != rtc->s.periodic) {
		rtc->s.periodic = passed / p;
		raise(rtc, B_PERIODIC);
	}
	if (!rtc->s.halted && passed / NSEC != rtc->s.updates) {
		rtc->s.updates = passed / NSEC;
		show_time(rtc);
		raise(rtc, (u8)(B_UPDATE | (alarm_matches(rtc->s.mem) ? B_ALARM : 0)));
	}
	if (p && b & B_PERIODIC)
		due = rtc->s.epoch + (rtc->s.periodic + 1) * p;
	if (!rtc->s.halted && b & (B_ALARM | B_UPDATE))
		due = MIN(due, rtc->s.epoch + (rtc->s.updates + 1) * NSEC);
	return due;
}

/* --- registers --- */

static u8 read_byte(struct rtc *rtc)
{
	u8 *m = rtc->s.mem;
	u8 val;

	/* Flags come up whether or not they are to interrupt. */
	(void)rtc_tick(rtc);
	switch (rtc->s.index) {
	case RTC_A:
		return (u8)(m[RTC_A] | (!rtc->s.halted && elapsed(rtc) % NSEC >= NSEC - UPDATE_NS
						? RTC_A_UPDATING
						: 0));
	case RTC_C:
		val = m[RTC_C];
		m[RTC_C] = 0;
		rtc->irq(rtc->ctx, false);
		return val;
	case RTC_D:
		return D_POWER_GOOD;
	}
	show_time(rtc);
	return m[rtc->s.index];
}

static void write_b(struct rtc *rtc, u8 val)
{
	bool set = val & B_SET;

	if (set && !rtc->s.halted)
		show_time(rtc);
	rtc->s.mem[RTC_B] = val;
	if (!set && rtc->s.halted)
		take_time(rtc);
	rtc->s.halted = set;
	show_time(rtc);
	raise(rtc, 0);
}

static bool is_time(u32 index)
{
	return index <= RTC_YEAR ? !(index & 1) || index >= RTC_WEEKDAY : index == CENTURY;
}

static void write_byte(struct rtc *rtc, u8 val)
{
	u32 index = rtc->s.index;

	(void)rtc_tick(rtc);
	switch (index) {
	case RTC_A:
		rtc->s.mem[RTC_A] = val & A_WRITTEN;
		rtc->s.periodic = period(rtc) ? elapsed(rtc) / period(rtc) : 0;
		break;
	case RTC_B:
		write_b(rtc, val);
		break;
	case RTC_C:
	case RTC_D:
		break;
	default:
		show_time(rtc);
		rtc->s.mem[index] = val;
		if (is_time(index) && !rtc->s.halted)
			take_time(rtc);
	}
	rtc->rearm(rtc->ctx);
}

u32 rtc_in(void *dev, u16 offset, int size)
{
	return size == 1 && offset == 1 ? read_byte(dev) : ~0u;
}

void rtc_out(void *dev, u16 offset, int size, u32 val)
{
	struct rtc *rtc = dev;

	if (offset == 0)
		rtc->s.index = val & (RTC_BYTES - 1);
	else
		write_byte(rtc, (u8)val);
	if (offset == 0 && size == 2)
		write_byte(rtc, (u8)(val >> 8));
}

int rtc_load(struct rtc *rtc, const struct rtc_state *s)
{
	if (s->index >= RTC_BYTES || s->halted > 1 || s->epoch >> 63 || s->seconds >> 40 ||
	    !!(s->mem[RTC_B] & B_SET) != s->halted || s->mem[RTC_A] & RTC_A_UPDATING)
		return -EINVAL;
	rtc->s = *s;
	return 0;
}
