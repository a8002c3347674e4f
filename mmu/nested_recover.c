// SPDX-License-Identifier: MIT
/*
 * Joining what was split for the dirty log: a direct table is what L0 put below a huge page of
 * L1's, so its parents' entries become huge leaves again, in place. The table is freed after the
 * flush.
 */
#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"
#include "mmu/split.h"

struct join {
	struct mmu *mmu;
	struct memslot *slot;
	gfn_t gfn; /* of the huge page */
	int level; /* that it will have */
	struct flush_batch *b;
};

/* Can the entries of @sp become one? */
static bool joinable(const struct join *j, const struct shadow_page *sp)
{
	/* What a 4K table has is leaves. */
	if (sp->role.level == PG_LEVEL_4K && !j->mmu->cfg.nx_huge_pages)
		return sp->present;
	for (int i = 0; i < TABLE_ENTRIES; i++) {
		u64 spte = READ_ONCE(sp->spt[i]);

		if (!spte_present(j->mmu, spte))
			continue;
		if (!spte_is_leaf(j->mmu, spte, sp->role.level))
			return false;
		if (j->mmu->cfg.nx_huge_pages && (spte_access(j->mmu, spte) & ACC_EXEC))
			return false;
	}
	return sp->present;
}

/* A direct page for the range that leads nowhere else and may become a leaf in its parents. */
static struct shadow_page *find_joinable(const struct join *j)
{
	struct list_head *bucket = shadow_hash_bucket(j->mmu, j->gfn);
	struct shadow_page *sp;

	list_for_each_entry(sp, bucket, hash_link)
	{
		if (sp->gfn.v == j->gfn.v && sp->role.direct &&
		    sp->role.level == (u32)j->level - 1 && joinable(j, sp))
			return sp;
	}
	return NULL;
}

static bool join_has_desc(const struct join *j)
{
	return j->mmu->split && j->mmu->split->caches.nr_descs;
}

/* One descriptor for the rmap entry of the leaf; with mmu_lock dropped when that must be got. */
static int join_fill(const struct join *j)
{
	int r;

	flush_pay(j->mmu, j->b);
	rwlock_write_unlock(&j->mmu->lock);
	r = split_caches_fill(j->mmu, 0, 0, SPLIT_MIN_DESCS);
	rwlock_write_lock(&j->mmu->lock);
	return join_has_desc(j) ? 0 : r;
}

/* Makes each entry that leads to @sp a huge leaf; with the last one @sp goes away. */
static void join_parents(const struct join *j, struct shadow_page *sp)
{
	u32 access = sp->role.access;
	hpa_t hpa = memslot_hpa(j->slot, j->gfn, NULL);
	struct mmu_caches *c = j->mmu->split ? &j->mmu->split->caches : NULL;
	struct rmap_head *head = rmap_get(j->slot, j->gfn, j->level);
	struct rmap_iter it;
	u64 *sptep, leaf;

	if (j->slot->flags & MEMSLOT_READONLY)
		access &= ~ACC_WRITE;
	if (j->mmu->cfg.nx_huge_pages)
		access &= ~ACC_EXEC;
	leaf = spte_make_leaf(j->mmu, hpa, j->level, access);
	while ((sptep = rmap_first(&sp->parents, &it))) {
		struct shadow_page *parent = sptep_to_sp(sptep);
		struct spte_pos pos = shadow_pos(j->mmu, parent, sptep_index(parent, sptep));

		if (rmap_needs_desc(head) && !join_has_desc(j))
			return;
		spte_set(&pos, leaf, c, j->b);
		mmu_stat_add(&j->mmu->stats.recovered[MMU_TREE_NESTED][j->level - 2], 1);
		env_trace(MMU_EV_recover, j->gfn.v, leaf, (u64)j->level, MMU_TREE_NESTED);
	}
	spte_drop_leaves(j->mmu, sp); /* of any level; and no log is on */
	shadow_page_zap(j->mmu, sp, j->b);
}

/* To be asked again after the lock was dropped: somebody may have begun to track a table inside. */
static bool join_allowed(const struct join *j)
{
	return memslot_find(j->mmu, j->gfn) == j->slot &&
	       memslot_max_level(j->mmu, j->slot, j->gfn) >= j->level;
}

static void join_gfn(const struct join *j)
{
	struct shadow_page *sp;

	while (join_allowed(j) && (sp = find_joinable(j))) {
		const struct rmap_head *head = rmap_get(j->slot, j->gfn, j->level);

		if (!rmap_needs_desc(head) || join_has_desc(j))
			join_parents(j, sp);
		else if (join_fill(j))
			return;
	}
}

void nested_recover_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
			  struct flush_batch *b)
{
	struct join j = {.mmu = mmu, .slot = slot, .b = b};

	debug_assert(mutex_held(&mmu->slots_lock) && rwlock_held_write(&mmu->lock));
	if (!mmu->nested_used || start >= end)
		return;
	for (j.level = PG_LEVEL_2M; j.level <= mmu->cfg.max_leaf_level; j.level++) {
		u64 pages = LEVEL_PAGES(j.level);

		for (j.gfn.v = start & ~(pages - 1); j.gfn.v < end; j.gfn.v += pages) {
			join_gfn(&j);
			if (rwlock_contended(&mmu->lock) || env_need_resched()) {
				flush_pay(mmu, b);
				rwlock_write_unlock(&mmu->lock);
				env_resched();
				rwlock_write_lock(&mmu->lock);
			}
		}
	}
}
