/* SPDX-License-Identifier: MIT */
/*
 * Eager splitting of huge pages mapped by the nested MMU, through the rmaps, and its
 * preallocated caches. (The TDP tree's own splitting is in tdp_split.c and takes its pages from
 * the same caches.)
 */
#pragma once

#include "mmu/shadow_page.h"

/*
 * One split needs at most a descriptor for each entry of the new table and one for the link to
 * its parent. The capacity is larger, so that one split does not empty the cache.
 */
#define SPLIT_MIN_DESCS	     (TABLE_ENTRIES + 1)
#define SPLIT_CAPACITY_DESCS (4 * SPLIT_MIN_DESCS)
/* Each time they are filled a flush may be due: for the huge pages that were armed since. */
#define SPLIT_CAPACITY_PAGES CACHE_PAGES

struct dirty_tracker;

struct split_caches {
	struct mmu_caches caches; /* slots_lock to fill; mmu_lock (write) too to take from */
};

/*
 * What the children of the huge leaf @huge at @pos are made from. That is @huge itself: they map
 * the same, what the processor has noted included. But where a slot is logged by dirty bits, and
 * the log has taken W from the huge leaf, its 4K pieces are clean and, if they may be (@writable,
 * and the slot and L1's tables in it do not mind), writable. Neither owes a flush. mmu_lock.
 */
u64 split_fill_from(const struct spte_pos *pos, u64 huge, bool writable);

/*
 * Splits every huge SPTE of @level in the nested tree that maps part of [start, end) of @slot.
 * Requires slots_lock and mmu_lock (write); mmu_lock may be dropped and taken again inside, but not
 * before the first one is split if the caches hold enough. What could not be split stays huge,
 * correct and tracked; the result is 0, or the last -ENOSPC / -ENOMEM, and the statistics count
 * each.
 */
int __must_check nested_split_level(struct mmu *mmu, struct memslot *slot, int level, u64 start,
				    u64 end, struct flush_batch *b);
/* The same down to 4K: every 1G page to 2M, then every 2M page to 4K. */
int __must_check nested_split_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
				    struct flush_batch *b);

/*
 * Splits, where mmu.cfg says so, what either tree maps huge of [start, end) of @slot, from 1G to
 * 4K. Locks and result as above.
 */
int __must_check split_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
			     struct flush_batch *b);
/*
 * The same for all of @slot, which has just got its dirty bitmap, and @tracker begins to track it:
 * each huge page is armed and then split, so that its pieces are tracked from their first moment
 * and need not be visited. What either order leaves for later: a huge page that is not reached yet
 * may be written, and split by a fault, as before; it is armed when it is reached.
 */
int __must_check split_and_arm(struct mmu *mmu, struct memslot *slot,
			       const struct dirty_tracker *tracker, struct flush_batch *b);
/*
 * Joins direct tables under what L1 maps huge back into huge leaves, where nothing inside is
 * tracked or restricted. Requires slots_lock and mmu_lock (write).
 */
void nested_recover_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
			  struct flush_batch *b);

/* Fills with mmu_lock dropped. Requires slots_lock. 0 or -ENOMEM. */
int __must_check split_caches_fill(struct mmu *mmu, int pages, int headers, int descs);
/* Frees what the caches hold. slots_lock. */
void split_caches_release(struct mmu *mmu);
