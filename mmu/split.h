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
#define SPLIT_CAPACITY_PAGES 8

struct split_caches {
	struct mmu_caches caches; /* slots_lock to fill; mmu_lock (write) too to take from */
};

/*
 * Splits every huge SPTE of the nested tree that maps part of [start, end) of @slot: every 1G page
 * to 2M, then every 2M page to 4K. Requires slots_lock and mmu_lock (write); mmu_lock may be
 * dropped and taken again inside. What could not be split stays huge, correct and tracked; the
 * result is 0, or the last -ENOSPC / -ENOMEM, and the statistics count each.
 */
int __must_check nested_split_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
				    struct flush_batch *b);
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
