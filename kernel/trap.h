/* SPDX-License-Identifier: MIT */
/* Exceptions and interrupts that L0 itself takes. */
#pragma once

#include "lib/types.h"

/* What kernel/trap_entry.S pushes, from the lowest address up. */
struct trap_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error_code;
	u64 rip, cs, rflags, rsp, ss;
};

/* Interrupt vectors of L0 */
#define VECTOR_PIC	0x20 /* .. 0x2f: the 8259s, masked; spurious ones still come */
#define VECTOR_TIMER	0xec
#define VECTOR_RESCHED	0xed /* to wake an idle processor */
#define VECTOR_SPURIOUS 0xff

/* Builds the table of vectors and loads it; each further processor only loads it. */
void trap_init(void);
void trap_init_cpu(void);

/*
 * Calls @handler for interrupt @vector (32..255). It runs with interrupts off, in the middle of
 * a marked point of whoever runs: it takes no lock, and it acknowledges the APIC itself. At boot
 * only.
 */
void trap_set_handler(u8 vector, void (*handler)(struct trap_frame *f));

/* Called by trap_entry.S. */
void trap_dispatch(struct trap_frame *f);
