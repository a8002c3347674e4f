/* SPDX-License-Identifier: MIT */
/* A local APIC for tests, and the processor and machine around it. */
#pragma once

#include "devices/lapic.h"

#define NEVER (~0ull)

extern struct lapic apic;
extern u64 apic_ns, apic_tsc; /* the clocks; the TSC has two ticks a nanosecond */
extern u32 apic_cr8;
extern int apic_rearms;
/* The IPIs that it has sent, and the EOIs that it has told. */
extern int apic_sent, apic_eois;
extern struct apic_message apic_last;
extern u32 apic_shorthand;
extern u8 apic_eoi_vector;

/* As after a reset, and switched on by software. */
int apic_setup(void **state);
u32 apic_get(u32 offset);
void apic_set(u32 offset, u32 val);
void apic_raise(u8 vector, bool level);
void apic_to_x2(void);
