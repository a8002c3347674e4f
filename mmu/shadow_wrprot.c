// SPDX-License-Identifier: MIT
/*
 * Taking write permission, dirty bits, or everything, from whatever maps a gfn in the nested tree:
 * the rmaps say where that is. A gfn may be mapped at any level, and at several L2 addresses.
 */
#include "lib/bitmap.h"
#include "mmu/shadow_internal.h"

void shadow_wrprot_gfn(struct mmu *mmu, struct memslot *slot, gfn_t gfn, struct flush_batch *b)
{
	shadow_arm_range(mmu, slot, gfn.v, gfn.v + 1, mmu->cfg.fmt->write, b);
}

/* The heads of @level whose pages overlap the gfns [start, end), which is not empty. */
static struct rmap_head *rmap_range(const struct memslot *slot, u64 start, u64 end, int level,
				    struct rmap_head **last)
{
	*last = rmap_get(slot, (gfn_t){end - 1}, level);
	return rmap_get(slot, (gfn_t){start}, level);
}

/* What takes part in tracking: @bits of 4K leaves; of huge ones W, as no bit tells which part. */
static u64 arm_bits(const struct mmu *mmu, int level, u64 bits)
{
	return level == PG_LEVEL_4K ? bits : mmu->cfg.fmt->write;
}

void shadow_arm_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end, u64 bits,
		      struct flush_batch *b)
{
	struct rmap_head *head, *last;

	if (!mmu->nested_used || start >= end)
		return;
	for (int level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++) {
		head = rmap_range(slot, start, end, level, &last);
		spte_clear_heads(mmu, head, last, arm_bits(mmu, level, bits), b);
	}
}

void shadow_arm_masked(struct mmu *mmu, struct memslot *slot, u64 base, u64 mask, u64 bits,
		       struct flush_batch *b)
{
	u64 write = mmu->cfg.fmt->write;

	if (!mmu->nested_used || !mask)
		return;
	/* Aligned by 64: all in one huge page. */
	for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++) {
		const struct rmap_head *head = rmap_get(slot, (gfn_t){base}, level);

		if (head->val)
			spte_clear_heads(mmu, head, head, write, b);
	}
	while (mask) {
		int at, n = bitmap_take_run(&mask, &at);
		const struct rmap_head *head = rmap_get(slot, (gfn_t){base + (u64)at}, PG_LEVEL_4K);

		spte_clear_heads(mmu, head, head + n - 1, bits, b);
	}
}

void shadow_zap_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
		      struct flush_batch *b)
{
	struct rmap_head *head, *last;
	struct rmap_iter it;
	u64 *sptep;

	if (!mmu->nested_used || start >= end)
		return;
	for (int level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++) {
		for (head = rmap_range(slot, start, end, level, &last); head <= last; head++) {
			while ((sptep = rmap_first(head, &it)))
				shadow_drop_spte(mmu, sptep, b);
		}
	}
}
