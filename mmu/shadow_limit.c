// SPDX-License-Identifier: MIT
/*
 * The bound on shadow pages. L1 decides how many it needs, so L0 must be able to take some back:
 * the coldest first. A list tells which these are: faults move what they go through to its end.
 * Most accesses do not fault; that a processor has walked through a page shows in the accessed bit
 * of what leads there, and gives the page a second chance.
 */
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

/* So many pages in use are passed for one that is taken, so that the search has an end. */
#define SECOND_CHANCES 32
/* And so many that cannot be taken: a root for each vCPU, and a path that a fault builds. */
#define LOOKS_MAX (SECOND_CHANCES + 32)
/* A page that is reached by more ways than these is cold when these are. */
#define WAYS_LOOKED_AT 16
/*
 * L1 may map one of its pages, or lead to one of its tables, at any number of addresses, and taking
 * one entry out of the list of them costs as much as the list is long: a list of so many ends.
 */
#define LIST_MAX 1000

void shadow_path_touch(struct mmu *mmu, struct shadow_page *const *path, int bottom, int top)
{
	mmu->shadow_events++;
	/* The upper levels last, so that they are recycled after what they lead to. */
	for (int level = bottom; level <= top; level++) {
		list_move_tail(&path[level]->lru_link, &mmu->shadow_lru);
		path[level]->writes = 0;
		path[level]->touched = mmu->shadow_events;
	}
}

u64 shadow_pages_available(const struct mmu *mmu)
{
	u64 used = mmu->stats.mmu_shadow_pages;

	return used < mmu->max_shadow_pages ? mmu->max_shadow_pages - used : 0;
}

/* Has a processor walked through @sp since this was asked last? */
static bool page_used(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	u64 accessed = mmu->cfg.fmt->accessed;
	struct rmap_iter it;
	bool used = false;
	int ways = 0;
	u64 *sptep;

	rmap_for_each (&sp->parents, it, sptep) {
		struct shadow_page *parent = sptep_to_sp(sptep);
		struct spte_pos pos = shadow_pos(mmu, parent, sptep_index(parent, sptep));

		if (ways++ == WAYS_LOOKED_AT)
			break;
		used |= (spte_clear_bits(&pos, accessed, b) & accessed) != 0;
	}
	if (used) {
		sp->cold = false; /* a scan for dirty bits would have to look into it */
		/* A processor that goes on from what it has cached would not set it again. */
		flush_owe(b, BIT(MMU_TREE_NESTED));
	}
	return used;
}

struct shadow_page *shadow_coldest(struct mmu *mmu, u64 *looked, struct flush_batch *b)
{
	for (int looks = 0; looks < LOOKS_MAX && !list_empty(&mmu->shadow_lru); looks++) {
		struct shadow_page *sp =
			list_first_entry(&mmu->shadow_lru, struct shadow_page, lru_link);
		bool busy = sp->root_count || sp->spared;

		if (!busy && (looks >= SECOND_CHANCES || !page_used(mmu, sp, b)))
			return sp;
		list_move_tail(&sp->lru_link, &mmu->shadow_lru);
		++*looked;
	}
	return NULL;
}

int shadow_make_room(struct mmu *mmu, u64 needed, struct flush_batch *b)
{
	u64 zapped = 0, looked = 0;
	int r = 0;

	if (shadow_pages_available(mmu) >= needed)
		return 0;
	while (shadow_pages_available(mmu) < needed) {
		struct shadow_page *sp = shadow_coldest(mmu, &looked, b);

		if (!sp) {
			r = -ENOSPC;
			break;
		}
		shadow_page_zap(mmu, sp, b);
		zapped++;
	}
	mmu_stat_add(&mmu->stats.mmu_recycled, (s64)zapped);
	env_trace(MMU_EV_recycle, needed, zapped, shadow_pages_available(mmu), looked);
	return r;
}

void shadow_path_make_room(struct mmu *mmu, struct shadow_page *const *path, int bottom, int top,
			   struct flush_batch *b)
{
	shadow_path_touch(mmu, path, bottom, top);
	for (int level = bottom; level <= top; level++)
		path[level]->spared = true;
	/* It may exceed the limit, where all else are roots in use. */
	(void)!shadow_make_room(mmu, (u64)(bottom - PG_LEVEL_4K), b);
	for (int level = bottom; level <= top; level++)
		path[level]->spared = false;
}

void shadow_limit_aliases(struct mmu *mmu, struct rmap_head *head, struct flush_batch *b)
{
	struct rmap_iter it;
	u64 *sptep;

	if (rmap_count(head) < LIST_MAX)
		return;
	while ((sptep = rmap_first(head, &it)))
		shadow_drop_spte(mmu, sptep, b);
}

void shadow_limit_parents(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	if (rmap_count(&sp->parents) >= LIST_MAX)
		shadow_unlink_parents(mmu, sp, b);
}
