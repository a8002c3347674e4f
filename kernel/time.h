/* SPDX-License-Identifier: MIT */
/* The clock: the time-stamp counter, measured once against the PIT. */
#pragma once

#include "lib/types.h"

#define NSEC_PER_SEC  1000000000ull
#define NSEC_PER_MSEC 1000000ull
#define NSEC_PER_USEC 1000ull

/* Measures the counter. Ends the machine when neither the PIT nor CPUID can tell its frequency. */
void time_init(void);

/* Nanoseconds since time_init; 0 before. Does not go backwards on one processor. */
u64 time_ns(void);

/* The date and time by the machine's clock with battery now, seconds since 1970. Takes a moment. */
u64 time_of_day(void);

/* The counter's frequency, Hz. */
u64 tsc_hz(void);

/* Waits without letting anybody else run; for devices only. */
void time_spin(u64 ns);
