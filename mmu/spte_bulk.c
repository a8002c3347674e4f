// SPDX-License-Identifier: MIT
/*
 * Loops over a TDP table, which has no rmaps to keep: what spte_changed() comes to for each entry,
 * with what is the same for all taken out. Splitting and the dirty log run through here for every
 * 4K page.
 */
#include "mmu/env.h"
#include "mmu/spte.h"

void spte_fill_split(const struct mmu *mmu, u64 *table, u64 huge, int level)
{
	u64 child = spte_make_split_child(mmu, huge, level, 0);
	u64 step = LEVEL_SIZE(level - 1);

	for (int i = 0; i < TABLE_ENTRIES; i++, child += step)
		table[i] = child;
}

/* What spte_changed() comes to for a leaf that loses W and nothing else: true when it did. */
static inline bool wrprot_leaf(u64 *sptep, u64 write)
{
	u64 old = READ_ONCE(*sptep);

	while (old & write) {
		u64 was = env_pte_cmpxchg(sptep, old, old & ~write);

		if (was == old)
			return true;
		old = was;
	}
	return false;
}

void spte_wrprot_range(struct mmu *mmu, u64 *table, int first, int last, struct flush_batch *b)
{
	u64 write = mmu->cfg.fmt->write;
	bool less = false;

	debug_assert(rwlock_held_write(&mmu->lock));
	for (int i = first; i <= last; i++)
		less |= wrprot_leaf(&table[i], write);
	if (less)
		flush_owe(b, BIT(MMU_TREE_TDP));
}

void spte_wrprot_masked(struct mmu *mmu, u64 *sptes, u64 mask, struct flush_batch *b)
{
	u64 write = mmu->cfg.fmt->write;
	bool less = false;

	debug_assert(rwlock_held_write(&mmu->lock));
	for (; mask; mask &= mask - 1)
		less |= wrprot_leaf(&sptes[__builtin_ctzll(mask)], write);
	if (less)
		flush_owe(b, BIT(MMU_TREE_TDP));
}
