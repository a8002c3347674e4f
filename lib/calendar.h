/* SPDX-License-Identifier: MIT */
/* Seconds since 1970 and dates of the Gregorian calendar, each from the other. */
#pragma once

#include "lib/types.h"

struct calendar {
	u32 year;				      /* 1970 on */
	u8 month, day, hour, minute, second, weekday; /* from 1; Sunday is 1 */
};
struct calendar calendar_of(u64 seconds);
/* Seconds since 1970. What no date can be is carried over into the next larger unit. */
u64 calendar_seconds(const struct calendar *c);
