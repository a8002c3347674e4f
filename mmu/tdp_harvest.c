// SPDX-License-Identifier: MIT
/*
 * The scan of the TDP tree for dirty bits. What nobody came through since the last scan is skipped,
 * as the accessed bit of the entry above tells. That takes care: paging-structure caches hold
 * entries whose A was set when they were cached, so between clearing A and the flush a processor
 * may set D in leaves without setting A again (SDM 3A 4.10.3.1). So:
 *
 *	A set			clear A and COLD, owe a flush; scan what is below
 *	A clear, COLD clear	A was cleared by an earlier scan, and flushed: what was set in
 *				between is found now. Set COLD; scan what is below
 *	A clear, COLD set	nobody was here since then: skip
 *
 * A leaf with D that L0 made below a cold entry would not be found. In a logged slot it makes none
 * (dirty_log_withheld()), and what was there before is made clean when logging starts, or has its
 * bit set from the start.
 */
#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/tdp_mmu.h"

struct scan {
	struct tdp_iter it;
	struct flush_batch *b;
	/* Where the lock was dropped last: entries above this one had been dealt with. */
	u64 rest_gfn;
	int rest_level;
	u64 scanned, skipped;
};

/* From the first slot's beginning to the last one's end. */
static void slots_extent(const struct mmu *mmu, u64 *start, u64 *end)
{
	*start = ~0ull;
	*end = 0;
	for (int i = 0; i < mmu->nr_slots; i++) {
		const struct memslot *slot = &mmu->slots[i];

		*start = MIN(*start, slot->base.v);
		*end = MAX(*end, slot->base.v + slot->npages);
	}
}

/* Drops the lock for others, with flushes paid. True: the walk comes down from the root again. */
static bool rest(struct scan *s)
{
	struct mmu *mmu = s->it.mmu;

	if (s->it.next_gfn == s->rest_gfn || (!env_need_resched() && !rwlock_contended(&mmu->lock)))
		return false;
	s->rest_gfn = s->it.next_gfn;
	s->rest_level = s->it.level;
	flush_pay(mmu, s->b);
	rwlock_write_unlock(&mmu->lock);
	env_resched();
	rwlock_write_lock(&mmu->lock);
	tdp_iter_restart(&s->it);
	return true;
}

/* Whether to look below the table entry at the iterator; notes in it that this was done. */
static bool table_is_warm(struct scan *s)
{
	struct tdp_iter *it = &s->it;
	struct spte_pos pos = tdp_iter_pos(it);
	u64 accessed = it->mmu->cfg.fmt->accessed, new;

	/* On the way back to where the lock was dropped: A was judged and cleared before that. */
	if (it->next_gfn == s->rest_gfn && it->level > s->rest_level)
		return true;
	do {
		if (it->old & accessed)
			new = it->old & ~(accessed | SPTE_COLD);
		else if (it->old & SPTE_COLD)
			return false;
		else
			new = it->old | SPTE_COLD;
	} while (!spte_cmpxchg(&pos, &it->old, new, NULL, s->b));
	it->old = new;
	return true;
}

static void scan_leaves(struct scan *s)
{
	struct mmu *mmu = s->it.mmu;
	u64 *table = env_va(spte_hpa(mmu, s->it.old));

	for (int i = 0; i < TABLE_ENTRIES; i += 64) {
		u64 dirty = spte_take_dirty(mmu, table + i);

		if (!dirty)
			continue;
		flush_owe(s->b, BIT(MMU_TREE_TDP));
		dirty_log_mark_masked(mmu, (gfn_t){s->it.gfn + (u64)i}, dirty);
	}
}

/* Looks at the current entry. True when what is below it is to be looked at too. */
static bool scan_entry(struct scan *s)
{
	struct tdp_iter *it = &s->it;

	if (!spte_is_table(it->mmu, it->old, it->level))
		return false;
	if (!table_is_warm(s)) {
		s->skipped++;
		return false;
	}
	if (it->level > PG_LEVEL_2M)
		return true;
	scan_leaves(s);
	s->scanned++;
	return false;
}

void tdp_harvest(struct mmu *mmu, struct flush_batch *b)
{
	struct scan s = {.b = b, .rest_gfn = ~0ull};
	u64 start, end;

	debug_assert(rwlock_held_write(&mmu->lock) && mutex_held(&mmu->slots_lock));
	slots_extent(mmu, &start, &end);
	tdp_iter_start(&s.it, mmu, PG_LEVEL_2M, start, end);
	while (s.it.valid) {
		if (rest(&s) || scan_entry(&s))
			tdp_iter_next(&s.it);
		else
			tdp_iter_over(&s.it);
	}
	mmu_stat_add(&mmu->stats.dirty_tables_scanned, (s64)s.scanned);
	mmu_stat_add(&mmu->stats.dirty_tables_skipped, (s64)s.skipped);
}
