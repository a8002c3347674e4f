// SPDX-License-Identifier: MIT
/*
 * Changing the size of the TDP tree's leaves: splitting eagerly, and joining again. A split table
 * maps exactly what the leaf mapped and is complete before it is seen, so it owes no flush.
 */
#include "mmu/env.h"
#include "mmu/nx_huge.h"
#include "mmu/split.h"
#include "mmu/tdp_mmu.h"

bool tdp_split_spte(const struct spte_pos *pos, u64 *old, u64 *page, struct flush_batch *b)
{
	while (spte_is_leaf(pos->mmu, *old, pos->level)) {
		/* Each time anew from what is there now: the processor may have set D. */
		spte_fill_split(pos->mmu, page, split_fill_from(pos, *old, true), pos->level);
		if (spte_split(pos, old, page, TABLE_ENTRIES, false, NULL, b))
			return true;
	}
	return false;
}

/* Drops mmu_lock for @why and comes back to where the walk was. */
static int with_lock_dropped(struct tdp_iter *it, struct flush_batch *b, int (*why)(struct mmu *))
{
	struct mmu *mmu = it->mmu;
	int r;

	flush_pay(mmu, b);
	rwlock_write_unlock(&mmu->lock);
	r = why(mmu);
	rwlock_write_lock(&mmu->lock);
	tdp_iter_restart(it);
	return r;
}

static int let_others_run(struct mmu *mmu)
{
	(void)mmu;
	env_resched();
	return 0;
}

static bool have_page(const struct mmu *mmu)
{
	return mmu->split && mmu->split->caches.nr_pages;
}

static int fill_caches(struct mmu *mmu)
{
	int err = split_caches_fill(mmu, SPLIT_CAPACITY_PAGES, 0, 0);

	return have_page(mmu) ? 0 : err;
}

/* True when the lock was dropped for others; @last keeps the walk from doing so without progress.
 */
static bool yield_to_others(struct tdp_iter *it, struct flush_batch *b, u64 *last)
{
	if (it->next_gfn == *last || (!env_need_resched() && !rwlock_contended(&it->mmu->lock)))
		return false;
	*last = it->next_gfn;
	with_lock_dropped(it, b, let_others_run);
	return true;
}

static void split_one(struct tdp_iter *it, struct flush_batch *b)
{
	struct mmu *mmu = it->mmu;
	struct mmu_caches *c = &mmu->split->caches;
	struct spte_pos pos = tdp_iter_pos(it);
	void *page = c->pages[--c->nr_pages];
	u64 huge = it->old;

	/* Under the write lock a huge leaf stays one. */
	if (!tdp_split_spte(&pos, &it->old, page, b))
		assert(!"a huge leaf vanished under mmu_lock");
	it->old = spte_make_table(mmu, page);
	mmu_stat_add(&mmu->stats.split[MMU_TREE_TDP][it->level - PG_LEVEL_2M], 1);
	env_trace(MMU_EV_tdp_split, it->gfn, huge, (u64)it->level, 0);
}

int tdp_split_level(struct mmu *mmu, int level, u64 start, u64 end, struct flush_batch *b)
{
	u64 last_yield = start, without = ~0ull; /* gfn for which no page could be had */
	struct tdp_iter it;
	int err = 0;

	debug_assert(rwlock_held_write(&mmu->lock) && mutex_held(&mmu->slots_lock));
	if (!mmu->stats.pages[MMU_TREE_TDP][level - 1])
		return 0;
	tdp_for_each (it, mmu, level, start, end) {
		if (yield_to_others(&it, b, &last_yield))
			continue;
		if (it.level != level || !spte_is_leaf(mmu, it.old, level))
			continue;
		if (have_page(mmu)) {
			split_one(&it, b);
		} else if (it.gfn != without) {
			u64 gfn = it.gfn;

			if (with_lock_dropped(&it, b, fill_caches))
				without = gfn;
		} else {
			err = -ENOMEM;
			mmu_stat_add(&mmu->stats.split_enomem, 1);
			env_trace(MMU_EV_tdp_split, it.gfn, it.old, (u64)level, (u64)err);
		}
	}
	return err;
}

int tdp_split_range(struct mmu *mmu, u64 start, u64 end, struct flush_batch *b)
{
	int giant = tdp_split_level(mmu, PG_LEVEL_1G, start, end, b);
	int err = tdp_split_level(mmu, PG_LEVEL_2M, start, end, b);

	return err ? err : giant;
}

/*
 * How many children of the table at @it are to become one leaf: 0 when they may not. All are leaves
 * then, and none is executable where a huge page must not be, unless that goes.
 */
static int joinable(const struct tdp_iter *it, const u64 *table, bool drop_exec)
{
	struct mmu *mmu = it->mmu;
	bool exec_stays = mmu->cfg.nx_huge_pages && !drop_exec;
	u64 present = mmu->cfg.fmt->present;
	int n = 0;

	/* The usual case in a loop of its own, as there is one of these for each 4K page. */
	if (it->level == PG_LEVEL_2M && !exec_stays) {
		for (int i = 0; i < TABLE_ENTRIES; i++)
			n += (READ_ONCE(table[i]) & present) != 0;
		return n;
	}
	for (int i = 0; i < TABLE_ENTRIES; i++) {
		u64 e = READ_ONCE(table[i]);

		if (!spte_present(mmu, e))
			continue;
		if (!spte_is_leaf(mmu, e, it->level - 1) ||
		    (exec_stays && (spte_access(mmu, e) & ACC_EXEC)))
			return 0;
		n++;
	}
	return n;
}

bool tdp_join_spte(struct tdp_iter *it, bool drop_exec, struct flush_batch *b)
{
	struct mmu *mmu = it->mmu;
	struct memslot *slot = memslot_find(mmu, (gfn_t){it->gfn});
	struct spte_pos pos = tdp_iter_pos(it);
	void *table = env_va(spte_hpa(mmu, it->old));
	u32 access = ACC_ALL;
	int leaves;

	if (!slot || memslot_max_level(mmu, slot, pos.gfn) < it->level ||
	    !(leaves = joinable(it, table, drop_exec)))
		return false;
	if (slot->flags & MEMSLOT_READONLY)
		access &= ~ACC_WRITE;
	if (mmu->cfg.nx_huge_pages)
		access &= ~ACC_EXEC;
	it->old = spte_make_leaf(mmu, memslot_hpa(slot, pos.gfn, NULL), it->level, access);
	spte_join(&pos, it->old, leaves, b);
	nx_split_remove(mmu, table);
	flush_defer_free(b, table, BIT(MMU_TREE_TDP));
	mmu_stat_add(&mmu->stats.recovered[MMU_TREE_TDP][it->level - PG_LEVEL_2M], 1);
	env_trace(MMU_EV_recover, it->gfn, it->old, (u64)it->level, MMU_TREE_TDP);
	return true;
}

void tdp_recover_range(struct mmu *mmu, u64 start, u64 end, struct flush_batch *b)
{
	debug_assert(rwlock_held_write(&mmu->lock) && mutex_held(&mmu->slots_lock));
	for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++) {
		u64 last_yield = ~0ull;
		struct tdp_iter it;

		tdp_for_each (it, mmu, level, start, end) {
			if (yield_to_others(&it, b, &last_yield))
				continue;
			if (it.level == level && spte_is_table(mmu, it.old, level))
				tdp_join_spte(&it, false, b);
		}
	}
}
