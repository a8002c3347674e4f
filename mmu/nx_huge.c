// SPDX-License-Identifier: MIT
/* The list of tables that exist because something in them is executed. */
#include "mmu/nx_huge.h"

#include "mmu/env.h"
#include "mmu/shadow_internal.h"
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

void nx_shadow_add(struct mmu *mmu, struct shadow_page *sp)
{
	if (!list_empty(&sp->nx_link))
		return;
	list_add_tail(&sp->nx_link, &mmu->nx_shadow);
	mmu->nr_nx_shadow++;
	mmu_stat_add(&mmu->stats.nx_lpage_splits, 1);
}

void nx_shadow_remove(struct mmu *mmu, struct shadow_page *sp)
{
	if (!sp->role.direct || list_empty(&sp->nx_link))
		return;
	list_del(&sp->nx_link);
	mmu->nr_nx_shadow--;
	mmu_stat_add(&mmu->stats.nx_lpage_splits, -1);
}

static bool recover_table(struct mmu *mmu, struct flush_batch *b)
{
	struct nx_split *n = list_first_entry_or_null(&mmu->nx_splits, struct nx_split, link);

	if (!n)
		return false;
	list_move_tail(&n->link, &mmu->nx_splits);
	return recover_one(mmu, n->gfn, b);
}

/* One that nothing but its being executed has kept from being huge. */
static bool recover_shadow(struct mmu *mmu, struct flush_batch *b)
{
	struct shadow_page *sp =
		list_first_entry_or_null(&mmu->nx_shadow, struct shadow_page, nx_link);
	struct memslot *slot = sp ? memslot_find(mmu, sp->gfn) : NULL;

	if (!sp)
		return false;
	list_move_tail(&sp->nx_link, &mmu->nx_shadow);
	if (!slot || memslot_max_level(mmu, slot, sp->gfn) <= (int)sp->role.level)
		return false;
	shadow_page_zap(mmu, sp, b);
	return true;
}

/* Up to @n times what @one does. */
static u64 recover_some(struct mmu *mmu, u64 n, bool (*one)(struct mmu *, struct flush_batch *))
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 done = 0;

	while (n--) {
		done += one(mmu, &b);
		shadow_rest(mmu, &b);
	}
	flush_pay(mmu, &b);
	return done;
}

u64 mmu_nx_recover(struct mmu *mmu, u64 max)
{
	u64 all, shadow, tables, done;

	mutex_lock(&mmu->slots_lock);
	rwlock_write_lock(&mmu->lock);
	all = mmu->stats.nx_lpage_splits;
	max = MIN(max, all);
	shadow = all ? DIV_ROUND_UP(max * mmu->nr_nx_shadow, all) : 0;
	tables = all ? DIV_ROUND_UP(max * (all - mmu->nr_nx_shadow), all) : 0;
	done = recover_some(mmu, tables, recover_table);
	done += recover_some(mmu, shadow, recover_shadow);
	mmu_stat_add(&mmu->stats.nx_recovered, (s64)done);
	rwlock_write_unlock(&mmu->lock);
	mutex_unlock(&mmu->slots_lock);
	return done;
}
