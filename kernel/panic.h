/* SPDX-License-Identifier: MIT */
/* The end of L0: a bug of ours, never something that a guest can cause. */
#pragma once

#include "kernel/trap.h"
#include "lib/assert.h"
#include "lib/types.h"

/* Says what happened and where from, then ends the machine as exit= says. */
__noreturn __printf(1, 2) void panic(const char *fmt, ...);

/* The same for an exception, with its registers. */
__noreturn void panic_trap(const struct trap_frame *f);

/* Prints the callers found from frame pointer @rbp on, beginning with @rip itself. */
void backtrace(u64 rip, u64 rbp);

/*
 * The function that holds code address @address, and how far inside; NULL when unknown. The
 * table comes from the link itself: kernel/ksyms.sh.
 */
const char *ksym_find(u64 address, u64 *offset);
