/* SPDX-License-Identifier: MIT */
/*
 * A PC's clock with battery, Motorola's MC146818: its registers, and how they hold the time. For
 * who reads one (kernel/time_of_day.c) and for who is one (devices/rtc.c).
 */
#pragma once

#include "lib/types.h"

#define RTC_PORT 0x70 /* the register's number; its content is at the next port */

enum {
	RTC_SECOND,
	RTC_ALARM_SECOND,
	RTC_MINUTE,
	RTC_ALARM_MINUTE,
	RTC_HOUR,
	RTC_ALARM_HOUR,
	RTC_WEEKDAY,
	RTC_DAY,
	RTC_MONTH,
	RTC_YEAR,
	RTC_A,
	RTC_B,
	RTC_C,
	RTC_D,
};

#define RTC_A_UPDATING 0x80
#define RTC_B_BINARY   0x04
#define RTC_B_24_HOURS 0x02
#define RTC_HOUR_PM    0x80

/* The number that @v holds when register B is @b. */
static inline u32 rtc_number(u8 b, u8 v)
{
	return b & RTC_B_BINARY ? v : (v >> 4) * 10u + (v & 15);
}

/* The same for an hour: from 0 on. */
static inline u32 rtc_hour(u8 b, u8 v)
{
	if (b & RTC_B_24_HOURS)
		return rtc_number(b, v);
	return rtc_number(b, v & (u8)~RTC_HOUR_PM) % 12 + (v & RTC_HOUR_PM ? 12 : 0);
}
