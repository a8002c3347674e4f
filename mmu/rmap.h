/* SPDX-License-Identifier: MIT */
/*
 * rmaps: for each memslot, level and gfn, the SPTEs of the nested tree that map it; and for
 * each shadow page, the SPTEs that lead to it. One entry stands inline in the head; more are
 * in a chain of descriptors. All of it: mmu_lock (write).
 */
#pragma once

#include "mmu/memslot.h"

struct mmu;
struct mmu_caches;
struct shadow_page;

/* 0: empty; bit 0 clear: the one SPTE's address; bit 0 set: address of the first descriptor. */
struct rmap_head {
	u64 val;
};

#define RMAP_DESC_ENTRIES 14
struct rmap_desc {
	struct rmap_desc *more; /* older descriptors, all full */
	u32 count;
	u32 total; /* entries in this and all older descriptors: chains are counted in O(1) */
	u64 *sptes[RMAP_DESC_ENTRIES];
};

/* The head for @gfn at @level. The VM must use nested paging (mmu.nested_used). */
static inline struct rmap_head *rmap_get(const struct memslot *slot, gfn_t gfn, int level)
{
	return &slot->rmap[level - 1][memslot_index(slot, gfn, level)];
}

/* True when adding one more entry to @head takes a descriptor out of the cache. */
bool rmap_needs_desc(const struct rmap_head *head);
void rmap_add(struct mmu *mmu, struct rmap_head *head, u64 *sptep, struct mmu_caches *c);
/* Removing what is not there is our own bug: reported with env_warn, and asserted in debug. */
void rmap_remove(struct mmu *mmu, struct rmap_head *head, u64 *sptep);
u32 rmap_count(const struct rmap_head *head);

/* The one entry of a list that holds just one; NULL for empty and longer ones. */
static inline u64 *rmap_single(const struct rmap_head *head)
{
	return head->val & 1 ? NULL : (u64 *)(uintptr_t)head->val;
}

/* rmap_add() to an empty list: takes no descriptor. For loops over many gfns. */
static inline void rmap_add_first(struct rmap_head *head, u64 *sptep)
{
	head->val = (uintptr_t)sptep;
}

/* The first list from @head to @last that holds something, or the one after @last. */
const struct rmap_head *rmap_skip_empty(const struct rmap_head *head, const struct rmap_head *last);

/* Iteration; the current entry may be removed in the body only if the walk restarts after. */
struct rmap_iter {
	struct rmap_desc *desc;
	u32 pos;
};
u64 *rmap_first(const struct rmap_head *head, struct rmap_iter *it);
u64 *rmap_next(struct rmap_iter *it);
#define rmap_for_each(head, it, sptep) \
	for (sptep = rmap_first(head, &it); sptep; sptep = rmap_next(&it))

/* Allocates the heads of all slots; 0 or -ENOMEM. slots_lock. */
int __must_check rmap_alloc_all(struct mmu *mmu);
