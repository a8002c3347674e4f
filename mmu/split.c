// SPDX-License-Identifier: MIT
/* What splitting has in common for both trees, and turning huge pages into tracked small ones. */
#include "mmu/split.h"

#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/tdp_mmu.h"

/* True when nothing but the log may want writes to the pages of the huge page at @gfn to fault. */
static bool writable_owner(const struct memslot *slot, gfn_t gfn, int level)
{
	return !(slot->flags & MEMSLOT_READONLY) &&
	       !slot->disallow_lpage[level - PG_LEVEL_2M][memslot_index(slot, gfn, level)];
}

u64 split_fill_from(const struct spte_pos *pos, u64 huge, bool writable)
{
	const struct pt_format *fmt = pos->mmu->cfg.fmt;
	const struct memslot *slot;

	if (pos->mmu->cfg.dirty != DIRTY_DBIT || (huge & fmt->write))
		return huge;
	slot = memslot_find(pos->mmu, pos->gfn);
	if (!slot || !slot->dirty_bitmap)
		return huge;
	/* Below a 1G page there may be 4K leaves already, by an alias: they get no D from it. */
	if (pos->level == PG_LEVEL_2M && writable && writable_owner(slot, pos->gfn, pos->level))
		huge |= fmt->write;
	return huge & ~fmt->dirty;
}

int split_caches_fill(struct mmu *mmu, int pages, int headers, int descs)
{
	if (!mmu->split)
		mmu->split = env_alloc(sizeof(*mmu->split));
	if (!mmu->split)
		return -ENOMEM;
	mmu->split->caches.raw_pages = true;
	return mmu_caches_fill(mmu, &mmu->split->caches, pages, headers, 0, descs);
}

void split_caches_release(struct mmu *mmu)
{
	if (!mmu->split)
		return;
	mmu_caches_free(&mmu->split->caches);
	env_free(mmu->split);
	mmu->split = NULL;
}

/* 0, or the last error. */
static int split_level(struct mmu *mmu, struct memslot *slot, int level, u64 start, u64 end,
		       struct flush_batch *b)
{
	int tdp = tdp_split_level(mmu, level, start, end, b);
	int nested = nested_split_level(mmu, slot, level, start, end, b);

	return nested ? nested : tdp;
}

int split_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end, struct flush_batch *b)
{
	int err, r = 0;

	for (int level = PG_LEVEL_1G; mmu->cfg.eager_page_split && level > PG_LEVEL_4K; level--) {
		err = split_level(mmu, slot, level, start, end, b);
		r = err ? err : r;
	}
	return r;
}

/* What splitting one huge page in each tree usually takes. */
static bool can_split(const struct mmu *mmu)
{
	const struct mmu_caches *c = mmu->split ? &mmu->split->caches : NULL;

	return c && c->nr_pages >= 1 + mmu->nested_used && c->nr_headers >= mmu->nested_used;
}

/* Fills and rests before a page is armed, not between that and its split. */
static void before_arming(struct mmu *mmu, bool eager, struct flush_batch *b)
{
	bool fill = eager && !can_split(mmu);
	bool rest = env_need_resched() || rwlock_contended(&mmu->lock);

	if (!fill && !rest)
		return;
	flush_pay(mmu, b);
	rwlock_write_unlock(&mmu->lock);
	/* Without memory pages stay huge, which is noticed and counted where they are split. */
	if (fill)
		(void)!split_caches_fill(mmu, SPLIT_CAPACITY_PAGES,
					 mmu->nested_used ? SPLIT_CAPACITY_PAGES : 0, 0);
	if (rest)
		env_resched();
	rwlock_write_lock(&mmu->lock);
}

int split_and_arm(struct mmu *mmu, struct memslot *slot, const struct dirty_tracker *tracker,
		  struct flush_batch *b)
{
	bool eager = mmu->cfg.eager_page_split;
	/* Without splits there is less to do for each, unless L1 maps pages at many addresses. */
	u64 pages = LEVEL_PAGES(PG_LEVEL_2M) * (eager || mmu->stats.rmap_descs ? 1 : 32);
	u64 start = slot->base.v, end = start + slot->npages;
	int err, r = eager ? split_level(mmu, slot, PG_LEVEL_1G, start, end, b) : 0;

	for (u64 gfn = start, next; gfn < end; gfn = next) {
		next = MIN(ALIGN_DOWN(gfn, pages) + pages, end);
		before_arming(mmu, eager, b);
		tracker->arm_range(mmu, slot, gfn, next, b);
		err = eager ? split_level(mmu, slot, PG_LEVEL_2M, gfn, next, b) : 0;
		r = err ? err : r;
	}
	return r;
}
