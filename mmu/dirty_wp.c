// SPDX-License-Identifier: MIT
/*
 * Tracking by write protection: nothing of a logged slot is writable unless its bit is set, so the
 * first write to each page faults, and the fault marks it.
 */
#include "mmu/dirty_log.h"
#include "mmu/shadow_mmu.h"
#include "mmu/tdp_mmu.h"

static void wp_arm_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
			 struct flush_batch *b)
{
	tdp_wrprot_range(mmu, start, end, b);
	if (mmu->nested_used)
		shadow_wrprot_range(mmu, slot, start, end, b);
}

static void wp_arm_masked(struct mmu *mmu, struct memslot *slot, u64 base, u64 mask,
			  struct flush_batch *b)
{
	tdp_wrprot_masked(mmu, base, mask, b);
	if (mmu->nested_used)
		shadow_wrprot_masked(mmu, slot, base, mask, b);
}

const struct dirty_tracker dirty_tracker_wp = {
	.name = "write protection",
	.arm_range = wp_arm_range,
	.arm_masked = wp_arm_masked,
};
