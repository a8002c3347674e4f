// SPDX-License-Identifier: MIT
/*
 * Tracking by the dirty bits that the processor sets in 4K leaves: a page costs no fault once it is
 * mapped. All leaves of a logged slot start out clean (dirty_log_withheld()); a scan of both trees
 * moves D from the leaves into the bitmaps. Huge leaves are tracked by write protection here too,
 * as one D would stand for all of their pages: none is writable unless all of its bits are set.
 *
 * The order: clear D, flush, and only then read the memory. While a processor holds a translation
 * with D set it writes without setting D again, so a page that is read before the flush may be
 * written behind its reader's back.
 */
#include "mmu/dirty_log.h"
#include "mmu/shadow_mmu.h"
#include "mmu/tdp_mmu.h"

/*
 * No skipping here: what faulted in while the slot was not logged has D from L0, which no accessed
 * bit tells of.
 */
static void dbit_arm_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
			   struct flush_batch *b)
{
	tdp_arm_range(mmu, start, end, mmu->cfg.fmt->dirty, b);
	if (mmu->nested_used)
		shadow_arm_range(mmu, slot, start, end, mmu->cfg.fmt->dirty, b);
}

/*
 * A page written again since the last scan need not be sent twice: its D goes with its bit, before
 * it is read.
 */
static void dbit_arm_masked(struct mmu *mmu, struct memslot *slot, const struct gfn_mask *m,
			    struct flush_batch *b)
{
	u64 dirty = mmu->cfg.fmt->dirty;

	tdp_arm_masked(mmu, m, dirty, b);
	for (u64 i = 0; mmu->nested_used && i < ARRAY_SIZE(m->words); i++)
		shadow_arm_masked(mmu, slot, m->base + i * 64, m->words[i], dirty, b);
}

static void dbit_sync(struct mmu *mmu, struct flush_batch *b)
{
	tdp_harvest(mmu, b);
	if (mmu->nested_used)
		shadow_harvest(mmu, b);
}

const struct dirty_tracker dirty_tracker_dbit = {
	.name = "dirty bits",
	.arm_range = dbit_arm_range,
	.arm_masked = dbit_arm_masked,
	.sync = dbit_sync,
};
