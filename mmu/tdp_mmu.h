/* SPDX-License-Identifier: MIT */
/*
 * The TDP MMU: the one tree that maps L1's own memory. No rmaps (a gfn has one place), no
 * headers for its page-table pages: they are counted in stats.tdp_pages, roots left out.
 */
#pragma once

#include "mmu/spte.h"

/*
 * Walks the entries of the tree that map [start, end), from the root down, skipping nothing:
 * tdp_for_each(it, mmu, min_level, start, end) visits each entry of level >= min_level, present
 * or not, a table's entry before its contents. The body may change the entry (then it must
 * set it.old to the new value). After the lock was dropped it calls tdp_iter_restart() and
 * continues: the walk comes down from the root again to the same gfn.
 */
struct tdp_iter {
	struct mmu *mmu;
	u64 *tables[PT_MAX_LEVEL + 1];
	u64 gfn;      /* first gfn of the current entry */
	u64 next_gfn; /* where the walk goes on */
	u64 end;
	u64 *sptep;
	u64 old;
	int level;
	int min_level;
	bool valid;
	bool restarted;
};
void tdp_iter_start(struct tdp_iter *it, struct mmu *mmu, int min_level, u64 start, u64 end);
void tdp_iter_next(struct tdp_iter *it);
/* The same, but leaves out what is below the current entry. */
void tdp_iter_over(struct tdp_iter *it);
void tdp_iter_restart(struct tdp_iter *it);
#define tdp_for_each(it, mmu, min_level, start, end) \
	for (tdp_iter_start(&it, mmu, min_level, start, end); it.valid; tdp_iter_next(&it))

int __must_check tdp_init(struct mmu *mmu); /* makes the root: 0 or -ENOMEM */
void tdp_destroy(struct mmu *mmu);	    /* zaps all, frees the root; mmu_lock taken inside */

/* All below require mmu_lock for writing, and note what they owe in @b. */

/* Unmaps every leaf that overlaps [start, end) gfns. Empty tables stay. */
void tdp_zap_range(struct mmu *mmu, u64 start, u64 end, struct flush_batch *b);
/*
 * Makes sure that no write by L1 to @gfn goes unseen: removes W from its 4K leaf, zaps a huge
 * leaf that covers it. Called by write tracking, after write_track and disallow_lpage were raised.
 */
void tdp_write_protect_gfn(struct mmu *mmu, gfn_t gfn, struct flush_batch *b);
/*
 * Clear @bits, W or D or both, in each 4K leaf of the pages given; W in each huge one over them.
 * The pages: [start, end); or those of @m, of which there are some.
 */
void tdp_arm_range(struct mmu *mmu, u64 start, u64 end, u64 bits, struct flush_batch *b);
void tdp_arm_masked(struct mmu *mmu, const struct gfn_mask *m, u64 bits, struct flush_batch *b);
static inline void tdp_wrprot_range(struct mmu *mmu, u64 start, u64 end, struct flush_batch *b)
{
	tdp_arm_range(mmu, start, end, mmu->cfg.fmt->write, b);
}
static inline void tdp_wrprot_masked(struct mmu *mmu, const struct gfn_mask *m,
				     struct flush_batch *b)
{
	tdp_arm_masked(mmu, m, mmu->cfg.fmt->write, b);
}
/*
 * Moves D of 4K leaves into the bitmaps of the slots. Tables that were not used since the last time
 * are skipped. slots_lock besides; mmu_lock may be dropped inside, with flushes paid.
 */
void tdp_harvest(struct mmu *mmu, struct flush_batch *b);

/*
 * Replaces the huge leaf *@old at @pos by @page, filled with what split_fill_from() says: no flush
 * is owed. False: *@old, as it is now, is a leaf no more, and @page is not zero any more. mmu_lock
 * (read) is enough.
 */
bool tdp_split_spte(const struct spte_pos *pos, u64 *old, u64 *page, struct flush_batch *b);
/*
 * Replaces the table at @it by a huge leaf where memslot_max_level() allows and it holds nothing
 * but leaves, and some. Executable leaves prevent it if nothing huge may be executable, unless
 * @drop_exec. The table is freed with @b. True when it was joined. mmu_lock (write).
 */
bool tdp_join_spte(struct tdp_iter *it, bool drop_exec, struct flush_batch *b);
/* Where the iterator stands. */
static inline struct spte_pos tdp_iter_pos(const struct tdp_iter *it)
{
	return (struct spte_pos){
		.mmu = it->mmu, .sptep = it->sptep, .gfn = {it->gfn}, .level = it->level};
}

/*
 * Splits each huge leaf of @level that overlaps [start, end). Requires slots_lock and mmu_lock for
 * writing; mmu_lock may be dropped and taken again inside, to fill the cache, for a waiter, to
 * reschedule, but not before the first leaf is split if the cache has a page. Returns 0, or -ENOMEM
 * when some stayed huge.
 */
int __must_check tdp_split_level(struct mmu *mmu, int level, u64 start, u64 end,
				 struct flush_batch *b);
/* The same down to 4K, first 1G then 2M. */
int __must_check tdp_split_range(struct mmu *mmu, u64 start, u64 end, struct flush_batch *b);
/*
 * Joins 4K leaves to 2M and 2M leaves to 1G in place where memslot_max_level() allows. Same locks.
 */
void tdp_recover_range(struct mmu *mmu, u64 start, u64 end, struct flush_batch *b);

struct audit;
void tdp_audit(struct mmu *mmu, struct audit *a);
