/* SPDX-License-Identifier: MIT */
/*
 * An environment for mmu/ (mmu/env.h) that is as plain as it can be, so that a VM of a terabyte
 * fits: pages come out of one arena, nothing is recorded, nothing fails but for want of room. What
 * it does is count. Counts do not depend on the machine or the time.
 */
#pragma once

#include "mmu/env.h"

struct scale_counts {
	u64 steps;     /* branches taken in mmu/, by the compiler's own instrumentation */
	u64 exchanges; /* of entries that a processor may be walking */
	u64 flushes;
	u64 rests; /* mmu_lock was offered to others */
	u64 warnings;
};
extern struct scale_counts scale_counts;

/* What mmu/ holds: table pages, other objects, bytes in all now and at most. */
struct scale_memory {
	u64 pages, objects, bytes, peak;
};
extern struct scale_memory scale_memory;

/* Instructions in user mode so far; 0 where the kernel does not let us count them. */
u64 scale_instructions(void);
double scale_seconds(void);
/* Bytes of memory that this machine could give us now. */
u64 scale_available(void);
/* Walks as a processor that writes does: sets A on the way, and D. False: it would fault. */
bool scale_walk_and_write(const struct mmu *mmu, u64 *table, u64 addr);
