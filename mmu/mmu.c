// SPDX-License-Identifier: MIT
/* A VM's memory management from first to last, with the count of what was left over. */
#include "mmu/mmu.h"

#include "mmu/env.h"
#include "mmu/shadow_mmu.h"
#include "mmu/split.h"
#include "mmu/tdp_mmu.h"

/* Some 10 us for each page: 512 entries are looked at, and each may have an rmap. */
#define SHADOW_STEP 32

static bool config_valid(const struct mmu_config *cfg)
{
	return cfg->fmt && cfg->fmt->entry_size == 8 && cfg->fmt->levels >= 4 &&
	       cfg->maxphyaddr >= 36 && cfg->maxphyaddr <= 52 &&
	       cfg->max_leaf_level >= PG_LEVEL_4K && cfg->max_leaf_level <= PG_LEVEL_1G &&
	       (cfg->dirty == DIRTY_WP || cfg->fmt->dirty);
}

int mmu_init(struct mmu *mmu, const struct mmu_config *cfg, void *owner)
{
	if (!config_valid(cfg))
		return -EINVAL;
	mmu->cfg = *cfg;
	mmu->owner = owner;
	list_init(&mmu->shadow_lru);
	list_init(&mmu->shadow_leaf_pages);
	list_init(&mmu->shadow_unsync);
	list_init(&mmu->shadow_zapped);
	mmu->shadow_step = SHADOW_STEP;
	list_init(&mmu->nx_splits);
	list_init(&mmu->nx_shadow);
	return tdp_init(mmu);
}

static int report_leak(const char *what, u64 n)
{
	if (!n)
		return 0;
	env_warn("MMU teardown: %s left: %lld", what, (long long)n);
	return 1;
}

/* What the statistics still count when all is gone. */
static int report_leaks(const struct mmu *mmu)
{
	const struct mmu_stats *s = &mmu->stats;
	int leaks = 0;

	for (int level = 0; level < 3; level++) {
		leaks += report_leak("TDP leaves", s->pages[MMU_TREE_TDP][level]);
		leaks += report_leak("nested leaves", s->pages[MMU_TREE_NESTED][level]);
	}
	leaks += report_leak("TDP tables", s->tdp_pages);
	leaks += report_leak("NX huge page splits", s->nx_lpage_splits);
	leaks += report_leak("NX splits on a list",
			     !list_empty(&mmu->nx_splits) || !list_empty(&mmu->nx_shadow));
	leaks += report_leak("shadow pages", s->mmu_shadow_pages);
	leaks += report_leak("rmap descriptors", s->rmap_descs);
	leaks += report_leak("shadow pages on the recency list", !list_empty(&mmu->shadow_lru));
	leaks += report_leak("last-level shadow pages", !list_empty(&mmu->shadow_leaf_pages));
	leaks += report_leak("shadow pages out of sync", !list_empty(&mmu->shadow_unsync));
	leaks += report_leak("shadow pages out of sync by count", mmu->nr_unsync);
	leaks += report_leak("shadow pages not emptied", !list_empty(&mmu->shadow_zapped));
	for (u64 i = 0; i < mmu->shadow_buckets; i++)
		leaks += report_leak("shadow pages in the hash", !list_empty(&mmu->shadow_hash[i]));
	return leaks;
}

int mmu_destroy(struct mmu *mmu)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	int leaks;

	mutex_lock(&mmu->slots_lock);
	rwlock_write_lock(&mmu->lock);
	/* Nobody reads a log any more, so none wants to know what goes away. */
	for (int i = 0; i < mmu->nr_slots; i++) {
		env_free(mmu->slots[i].dirty_bitmap);
		mmu->slots[i].dirty_bitmap = NULL;
	}
	shadow_zap_all(mmu, &b);
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
	tdp_destroy(mmu);
	split_caches_release(mmu);
	leaks = report_leaks(mmu);
	shadow_hash_free(mmu);
	memslot_free_all(mmu);
	mutex_unlock(&mmu->slots_lock);
	return leaks;
}

void mmu_set_eager_split(struct mmu *mmu, bool on)
{
	mutex_lock(&mmu->slots_lock);
	mmu->cfg.eager_page_split = on;
	if (!on)
		split_caches_release(mmu);
	mutex_unlock(&mmu->slots_lock);
}

hpa_t mmu_tdp_root(const struct mmu *mmu)
{
	return env_hpa(mmu->tdp_root);
}
