// SPDX-License-Identifier: MIT
/*
 * Taking write permission, or everything, from whatever maps a gfn in the nested tree: the rmaps
 * say where that is. A gfn may be mapped at any level, and at several L2 addresses.
 */
#include "mmu/shadow_internal.h"

void shadow_wrprot_spte(struct mmu *mmu, u64 *sptep, struct flush_batch *b)
{
	u64 old = READ_ONCE(*sptep);
	struct shadow_page *sp;
	struct spte_pos pos;

	if (!spte_writable(mmu, old))
		return;
	sp = sptep_to_sp(sptep);
	pos = shadow_pos(mmu, sp, sptep_index(sp, sptep));
	spte_clear_bits(&pos, old & ~spte_wrprot(mmu, old), b);
}

static void wrprot_head(struct mmu *mmu, const struct rmap_head *head, struct flush_batch *b)
{
	struct rmap_iter it;
	u64 *sptep;

	rmap_for_each(head, it, sptep)
		shadow_wrprot_spte(mmu, sptep, b);
}

void shadow_wrprot_gfn(struct mmu *mmu, struct memslot *slot, gfn_t gfn, struct flush_batch *b)
{
	if (!mmu->nested_used)
		return;
	for (int level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++)
		wrprot_head(mmu, rmap_get(slot, gfn, level), b);
}

/* The heads of @level whose pages overlap the gfns [start, end), which is not empty. */
static struct rmap_head *rmap_range(const struct memslot *slot, u64 start, u64 end, int level,
				    struct rmap_head **last)
{
	*last = rmap_get(slot, (gfn_t){end - 1}, level);
	return rmap_get(slot, (gfn_t){start}, level);
}

void shadow_wrprot_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
			 struct flush_batch *b)
{
	struct rmap_head *head, *last;

	if (!mmu->nested_used || start >= end)
		return;
	for (int level = PG_LEVEL_4K; level <= PG_LEVEL_1G; level++) {
		for (head = rmap_range(slot, start, end, level, &last); head <= last; head++) {
			if (head->val)
				wrprot_head(mmu, head, b);
		}
	}
}

void shadow_wrprot_masked(struct mmu *mmu, struct memslot *slot, u64 base, u64 mask,
			  struct flush_batch *b)
{
	if (!mmu->nested_used || !mask)
		return;
	/* The 64 pages may straddle huge pages where the slot's base is not aligned. */
	for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++) {
		u64 first = base + (u64)__builtin_ctzll(mask);
		u64 end = base + 64 - (u64)__builtin_clzll(mask);
		struct rmap_head *head, *last;

		for (head = rmap_range(slot, first, end, level, &last); head <= last; head++)
			wrprot_head(mmu, head, b);
	}
	for (; mask; mask &= mask - 1) {
		gfn_t gfn = {base + (u64)__builtin_ctzll(mask)};

		wrprot_head(mmu, rmap_get(slot, gfn, PG_LEVEL_4K), b);
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
