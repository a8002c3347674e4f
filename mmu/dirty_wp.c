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

static void wp_arm_masked(struct mmu *mmu, struct memslot *slot, const struct gfn_mask *m,
			  struct flush_batch *b)
{
	tdp_wrprot_masked(mmu, m, b);
	for (u64 i = 0; mmu->nested_used && i < ARRAY_SIZE(m->words); i++)
		shadow_wrprot_masked(mmu, slot, m->base + i * 64, m->words[i], b);
}

const struct dirty_tracker dirty_tracker_wp = {
	.name = "write protection",
	.arm_range = wp_arm_range,
	.arm_masked = wp_arm_masked,
};
