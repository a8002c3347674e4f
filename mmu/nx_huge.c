// SPDX-License-Identifier: MIT
/* The list of tables that exist because something in them is executed. */
#include "mmu/nx_huge.h"

#include "mmu/env.h"
#include "mmu/tdp_mmu.h"

/* A TDP table has no header; its private word holds its place on the list. */
static struct nx_split *nx_split_of(const void *table)
{
	return env_page_private(env_hpa(table));
}

bool nx_split_listed(const void *table)
{
	return nx_split_of(table);
}

void nx_split_add(struct mmu *mmu, void *table, gfn_t gfn, struct nx_split **n)
{
	spin_lock(&mmu->nx_lock);
	if (!nx_split_of(table)) {
		(*n)->gfn = gfn;
		list_add_tail(&(*n)->link, &mmu->nx_splits);
		env_page_set_private(env_hpa(table), *n);
		mmu_stat_add(&mmu->stats.nx_lpage_splits, 1);
		*n = NULL;
	}
	spin_unlock(&mmu->nx_lock);
}

void nx_split_remove(struct mmu *mmu, void *table)
{
	struct nx_split *n = nx_split_of(table);

	if (!n)
		return;
	env_page_set_private(env_hpa(table), NULL);
	list_del(&n->link);
	mmu_stat_add(&mmu->stats.nx_lpage_splits, -1);
	env_free(n);
}

/* Joins the listed table that maps @gfn, and what is above it if that is possible then. */
static bool recover_one(struct mmu *mmu, gfn_t gfn, struct flush_batch *b)
{
	bool joined = false;

	for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++) {
		struct tdp_iter it;

		tdp_for_each (it, mmu, level, gfn.v, gfn.v + 1)
			if (it.level == level && spte_is_table(mmu, it.old, level))
				joined |= tdp_join_spte(&it, true, b);
	}
	return joined;
}

u64 mmu_nx_recover(struct mmu *mmu, u64 max)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 joined = 0;

	mutex_lock(&mmu->slots_lock);
	rwlock_write_lock(&mmu->lock);
	max = MIN(max, mmu->stats.nx_lpage_splits);
	while (max--) {
		struct nx_split *n = list_first_entry(&mmu->nx_splits, struct nx_split, link);

		list_move_tail(&n->link, &mmu->nx_splits);
		joined += recover_one(mmu, n->gfn, &b);
	}
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
	mutex_unlock(&mmu->slots_lock);
	return joined;
}
