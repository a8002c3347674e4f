/* SPDX-License-Identifier: MIT */
/*
 * The audit walks every table of a VM and checks each invariant that the rest of mmu/ relies on:
 * rmap entries and their SPTEs in both directions, parent links, roles, write protection of tracked
 * and of logged pages, memory within the slots, counts equal to the statistics.
 */
#pragma once

#include "mmu/mmu.h"

struct audit {
	u64 checked; /* entries looked at */
	u64 errors;
	u64 leaves[MMU_TREE_NR][3];
	u64 tdp_tables, nx_splits, shadow_pages, rmap_descs, rmap_entries;
	char first[160]; /* the first error, in words */
};

/* Notes an error. */
__printf(2, 3) void audit_fail(struct audit *a, const char *fmt, ...);

/*
 * Takes mmu_lock for writing. Returns the number of errors; the first ones are also given to
 * env_warn.
 */
u64 mmu_audit(struct mmu *mmu, struct audit *a);
