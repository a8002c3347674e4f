// SPDX-License-Identifier: MIT
/*
 * Loops over a TDP table, which has no rmaps to keep: what spte_changed() comes to for each entry,
 * with what is the same for all taken out. Splitting and the dirty log run through here for every
 * 4K page: a loop that takes 2 instructions for each is worth being unrolled.
 */
#include "lib/bitmap.h"
#include "mmu/env.h"
#include "mmu/spte.h"

void spte_fill_split(const struct mmu *mmu, u64 *table, u64 huge, int level)
{
	u64 child = spte_make_split_child(mmu, huge, level, 0);
	u64 step = LEVEL_SIZE(level - 1);

	for (int i = 0; i < TABLE_ENTRIES; i += 8, child += 8 * step) {
		u64 *at = table + i;

		at[0] = child;
		at[1] = child + step;
		at[2] = child + 2 * step;
		at[3] = child + 3 * step;
		at[4] = child + 4 * step;
		at[5] = child + 5 * step;
		at[6] = child + 6 * step;
		at[7] = child + 7 * step;
	}
}

/* A leaf that lacks one of @bits where it had it grants less; nothing else follows. */
void spte_clear_range(struct mmu *mmu, u64 *sptes, u64 n, u64 bits, struct flush_batch *b)
{
	debug_assert(rwlock_held_write(&mmu->lock));
	if (spte_clear_run(mmu, sptes, n, bits))
		flush_owe(b, BIT(MMU_TREE_TDP));
}

void spte_clear_masked(struct mmu *mmu, u64 *sptes, u64 mask, u64 bits, struct flush_batch *b)
{
	while (mask) {
		int first, n = bitmap_take_run(&mask, &first);

		spte_clear_range(mmu, sptes + first, (u64)n, bits, b);
	}
}

/* Plain loads make it one instruction for each; who sets a bit after its load is late. */
static inline u64 any_of_8(const u64 *p)
{
	return p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7];
}

u64 spte_take_dirty(struct mmu *mmu, u64 *sptes)
{
	u64 any = 0, dirty = mmu->cfg.fmt->dirty;

	debug_assert(rwlock_held_write(&mmu->lock));
	/* Mostly all are clean. */
#pragma GCC unroll 8
	for (int i = 0; i < 64; i += 8)
		any |= any_of_8(sptes + i);
	return any & dirty ? env_pte_take_64(sptes, dirty) : 0;
}

bool spte_clear_run(const struct mmu *mmu, u64 *sptes, u64 n, u64 bits)
{
	if (bits == mmu->cfg.fmt->dirty) {
		for (; n >= 16 && !((any_of_8(sptes) | any_of_8(sptes + 8)) & bits); n -= 16)
			sptes += 16;
	}
	return n && env_pte_clear_run(sptes, n, bits);
}
