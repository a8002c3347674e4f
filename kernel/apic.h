/* SPDX-License-Identifier: MIT */
/*
 * The local APIC: its timer drives the tick. x2APIC mode where the processor has it, else the
 * memory-mapped registers.
 */
#pragma once

#include "lib/types.h"

#define HZ 1000 /* ticks per second */

/*
 * Masks the 8259s, turns the APIC on, measures its timer. 0, or -ENODEV with a line in *@why
 * when the processor has none or the firmware turned it off for good. After time_init and
 * paging_init.
 */
int __must_check apic_init(const char **why);

/* Starts the tick on this processor: need_resched becomes true HZ times a second. */
void apic_timer_start(void);

void apic_eoi(void);
u32 apic_id(void);

/* Sends fixed interrupt @vector to processor @apic_id. */
void apic_send_ipi(u32 apic_id, u8 vector);

/* An APIC register by its xAPIC offset (APIC_* in lib/x86.h); what L1's APIC is made of. */
u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 value);
