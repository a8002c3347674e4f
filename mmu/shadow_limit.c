// SPDX-License-Identifier: MIT
/*
 * The bound on shadow pages. L1 decides how many it needs, so L0 must be able to take some back:
 * the coldest first, as told by the list that every fault keeps in order.
 */
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

void shadow_path_touch(struct mmu *mmu, struct shadow_page *const *path, int bottom, int top)
{
	/* The upper levels last, so that they are recycled after what they lead to. */
	for (int level = bottom; level <= top; level++) {
		list_move_tail(&path[level]->lru_link, &mmu->shadow_lru);
		path[level]->writes = 0;
	}
}

u64 shadow_pages_available(const struct mmu *mmu)
{
	u64 used = mmu->stats.mmu_shadow_pages;

	return used < mmu->max_shadow_pages ? mmu->max_shadow_pages - used : 0;
}

static struct shadow_page *coldest_page(struct mmu *mmu)
{
	struct shadow_page *sp;

	list_for_each_entry(sp, &mmu->shadow_lru, lru_link)
	{
		if (!sp->root_count)
			return sp;
	}
	return NULL;
}

int shadow_make_room(struct mmu *mmu, u64 needed, struct flush_batch *b)
{
	u64 zapped = 0;
	int r = 0;

	if (shadow_pages_available(mmu) >= needed)
		return 0;
	while (shadow_pages_available(mmu) < needed) {
		struct shadow_page *sp = coldest_page(mmu);

		if (!sp) {
			r = -ENOSPC;
			break;
		}
		shadow_page_zap(mmu, sp, b);
		zapped++;
	}
	mmu_stat_add(&mmu->stats.mmu_recycled, (s64)zapped);
	env_trace(MMU_EV_recycle, needed, zapped, shadow_pages_available(mmu), 0);
	return r;
}
