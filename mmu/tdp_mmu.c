// SPDX-License-Identifier: MIT
/* The TDP tree's life, and what takes rights away from it: zapping and write protection. */
#include "mmu/tdp_mmu.h"

#include "mmu/env.h"
#include "mmu/nx_huge.h"

int tdp_init(struct mmu *mmu)
{
	mmu->tdp_root = env_page_alloc();
	return mmu->tdp_root ? 0 : -ENOMEM;
}

/* Frees @table, whose entries are of @level, and the tables below. Depth: the format's levels. */
static void free_tables(struct mmu *mmu, u64 *table, int level, struct flush_batch *b)
{
	for (int i = 0; i < TABLE_ENTRIES; i++)
		if (spte_is_table(mmu, table[i], level))
			free_tables(mmu, env_va(spte_hpa(mmu, table[i])), level - 1, b);
	nx_split_remove(mmu, table);
	flush_defer_free(b, table, BIT(MMU_TREE_TDP));
}

void tdp_destroy(struct mmu *mmu)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos = {.mmu = mmu, .level = mmu->cfg.fmt->levels};

	if (!mmu->tdp_root)
		return;
	rwlock_write_lock(&mmu->lock);
	for (int i = 0; i < TABLE_ENTRIES; i++) {
		u64 old;

		pos.sptep = &mmu->tdp_root[i];
		old = spte_set(&pos, 0, NULL, &b);
		if (spte_present(mmu, old))
			free_tables(mmu, env_va(spte_hpa(mmu, old)), pos.level - 1, &b);
	}
	flush_defer_free(&b, mmu->tdp_root, BIT(MMU_TREE_TDP));
	mmu->tdp_root = NULL;
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
}

void tdp_zap_range(struct mmu *mmu, u64 start, u64 end, struct flush_batch *b)
{
	struct tdp_iter it;

	debug_assert(rwlock_held_write(&mmu->lock));
	tdp_for_each (it, mmu, PG_LEVEL_4K, start, end) {
		struct spte_pos pos = tdp_iter_pos(&it);

		if (!spte_is_leaf(mmu, it.old, it.level))
			continue;
		spte_set(&pos, 0, NULL, b);
		it.old = 0;
	}
}

void tdp_write_protect_gfn(struct mmu *mmu, gfn_t gfn, struct flush_batch *b)
{
	struct tdp_iter it;

	debug_assert(rwlock_held_write(&mmu->lock));
	tdp_for_each (it, mmu, PG_LEVEL_4K, gfn.v, gfn.v + 1) {
		struct spte_pos pos = tdp_iter_pos(&it);

		if (!spte_is_leaf(mmu, it.old, it.level))
			continue;
		if (it.level == PG_LEVEL_4K) {
			spte_clear_bits(&pos, mmu->cfg.fmt->write, b);
		} else {
			spte_set(&pos, 0, NULL, b);
			it.old = 0;
		}
	}
}

static bool is_table_of_4k(const struct tdp_iter *it)
{
	return it->level == PG_LEVEL_2M && spte_is_table(it->mmu, it->old, it->level);
}

/* A huge leaf takes part in tracking by W, as no bit tells which part of it was written. */
static void arm_huge(const struct spte_pos *pos, struct flush_batch *b)
{
	spte_clear_bits(pos, pos->mmu->cfg.fmt->write, b);
}

void tdp_arm_range(struct mmu *mmu, u64 start, u64 end, u64 bits, struct flush_batch *b)
{
	struct tdp_iter it;

	debug_assert(rwlock_held_write(&mmu->lock));
	tdp_for_each (it, mmu, PG_LEVEL_2M, start, end) {
		struct spte_pos pos = tdp_iter_pos(&it);
		u64 first = MAX(start, it.gfn) - it.gfn;
		u64 last = MIN(end, it.gfn + LEVEL_PAGES(it.level)) - it.gfn - 1;

		if (spte_is_leaf(mmu, it.old, it.level))
			arm_huge(&pos, b);
		else if (is_table_of_4k(&it))
			spte_clear_range(mmu, (u64 *)env_va(spte_hpa(mmu, it.old)) + first,
					 last - first + 1, bits, b);
	}
}

void tdp_arm_masked(struct mmu *mmu, const struct gfn_mask *m, u64 bits, struct flush_batch *b)
{
	struct spte_pos pos = {.mmu = mmu, .gfn = {m->base}, .level = mmu->cfg.fmt->levels};
	u64 *table = mmu->tdp_root;

	debug_assert(rwlock_held_write(&mmu->lock));
	/* One way down for all: they are in one table of 4K leaves, or in one huge page. */
	for (; pos.level > PG_LEVEL_4K; pos.level--) {
		u64 e;

		pos.sptep = &table[m->base >> 9 * (pos.level - 1) & (TABLE_ENTRIES - 1)];
		e = READ_ONCE(*pos.sptep);
		if (!spte_is_table(mmu, e, pos.level)) {
			if (spte_is_leaf(mmu, e, pos.level))
				arm_huge(&pos, b);
			return;
		}
		table = env_va(spte_hpa(mmu, e));
	}
	for (u64 i = 0; i < ARRAY_SIZE(m->words); i++)
		spte_clear_masked(mmu, table + i * 64, m->words[i], bits, b);
}
