// SPDX-License-Identifier: MIT
/* Memory pressure; mmu/reclaim.h. */
#include "mmu/reclaim.h"

#include "mmu/env.h"
#include "mmu/shadow_internal.h"
#include "mmu/split.h"

static u64 reclaim_caches(struct mmu *mmu)
{
	u64 pages = 0;

	if (!mutex_trylock(&mmu->slots_lock))
		return 0;
	if (mmu->split)
		pages = (u64)mmu->split->caches.nr_pages;
	split_caches_release(mmu);
	mutex_unlock(&mmu->slots_lock);
	return pages;
}

/* With a page go those that hang from it alone, and they count as well. */
static u64 reclaim_shadow(struct mmu *mmu, u64 pages)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 before, looked = 0;
	struct shadow_page *sp;

	rwlock_write_lock(&mmu->lock);
	before = mmu->stats.mmu_shadow_zapped;
	while (mmu->stats.mmu_shadow_zapped - before < pages) {
		sp = shadow_coldest(mmu, &looked, &b);
		if (!sp)
			break;
		shadow_page_zap(mmu, sp, &b);
		shadow_rest(mmu, &b);
	}
	shadow_zap_wait(mmu, &b);
	flush_pay(mmu, &b);
	pages = mmu->stats.mmu_shadow_zapped - before;
	rwlock_write_unlock(&mmu->lock);
	return pages;
}

u64 mmu_reclaim(struct mmu *mmu, u64 pages)
{
	u64 caches = reclaim_caches(mmu), shadow = 0;

	if (caches < pages)
		shadow = reclaim_shadow(mmu, pages - caches);
	mmu_stat_add(&mmu->stats.mmu_reclaimed, (s64)(caches + shadow));
	env_trace(MMU_EV_reclaim, pages, caches, shadow, mmu->stats.mmu_shadow_pages);
	return caches + shadow;
}
