// SPDX-License-Identifier: MIT
/* Seconds since 1970 and dates of the Gregorian calendar, each from the other. */
#include "lib/calendar.h"

#define DAY 86400u

/* Days from the first of March of year 0 to 1970. A year that starts in March ends with the leap
 * day. */
#define DAYS_TO_1970 719468

static u64 days_to_march(u64 year)
{
	return year * 365 + year / 4 - year / 100 + year / 400;
}

/* Days from the first of March to the first of a month, which counts from there: 0 is March. */
static u32 days_to_month(u32 from_march)
{
	return (153 * from_march + 2) / 5;
}

u64 calendar_seconds(const struct calendar *c)
{
	u32 from_march = (c->month + 9) % 12;
	u64 year = c->year - (from_march >= 10), days;

	days = days_to_march(year) + days_to_month(from_march) + c->day - 1 - DAYS_TO_1970;
	return ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
}

struct calendar calendar_of(u64 seconds)
{
	u64 since_1970 = seconds / DAY, days = since_1970 + DAYS_TO_1970, year = days / 365;
	u32 in_day = (u32)(seconds % DAY), day, from_march = 11;

	/* The guess is never too low, as years have 365 days at least. */
	while (days_to_march(year) > days)
		year--;
	day = (u32)(days - days_to_march(year));
	while (days_to_month(from_march) > day)
		from_march--;
	return (struct calendar){
		.year = (u32)year + (from_march >= 10),
		.month = (u8)((from_march + 2) % 12 + 1),
		.day = (u8)(day - days_to_month(from_march) + 1),
		.hour = (u8)(in_day / 3600),
		.minute = (u8)(in_day / 60 % 60),
		.second = (u8)(in_day % 60),
		.weekday = (u8)((since_1970 + 4) % 7 + 1),
	};
}
