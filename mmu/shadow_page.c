// SPDX-License-Identifier: MIT
/*
 * Shadow pages: found by (gfn, role) or made, linked below their parents, zapped with all that
 * hangs from them alone. Zapping works off a list, as L1 decides how deep its tables go.
 */
#include "mmu/shadow_page.h"

#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

union page_role page_role_child(union page_role parent, u32 access, bool direct, u32 index)
{
	union page_role role = parent;

	role.level = parent.level - 1;
	role.access = access;
	role.direct = direct;
	role.quadrant = 0;
	if (role.level < 3)
		role.pdpt = 0;
	/* A table of 1024 4-byte entries needs several of ours: four at level 2, two at level 1. */
	if (!direct && pt_formats[role.fmt].entry_size == 4 && role.level <= 2)
		role.quadrant = index & (role.level == 2 ? 3 : 1);
	return role;
}

struct pt_mode page_role_mode(union page_role role)
{
	return (struct pt_mode){
		.fmt = &pt_formats[role.fmt],
		.maxphyaddr = role.maxphy,
		.nx = role.nx,
		.huge_1g = role.huge_1g,
		.pse = role.pse,
		.wp = true,
		.ad = role.ad,
	};
}

struct shadow_page *sptep_to_sp(const u64 *sptep)
{
	const void *table = (const void *)((uintptr_t)sptep & PAGE_MASK);

	return env_page_private(env_hpa(table));
}

struct shadow_page *spte_child(const struct mmu *mmu, u64 spte)
{
	return env_page_private(spte_hpa(mmu, spte));
}

gfn_t shadow_page_gfn(const struct shadow_page *sp, int index)
{
	if (sp->role.direct)
		return (gfn_t){sp->gfn.v + (u64)index * LEVEL_PAGES(sp->role.level)};
	return (gfn_t){sp->shadowed[index] >> PAGE_SHIFT};
}

u32 shadow_page_access(const struct shadow_page *sp, int index)
{
	if (sp->role.direct)
		return sp->role.access;
	return sp->shadowed[index] & ACC_ALL;
}

void shadow_page_note(struct shadow_page *sp, int index, gfn_t gfn, u32 access)
{
	if (!sp->role.direct)
		sp->shadowed[index] = gfn.v << PAGE_SHIFT | access;
}

struct shadow_page *shadow_page_find(struct mmu *mmu, gfn_t gfn, union page_role role)
{
	struct list_head *bucket = shadow_hash_bucket(mmu, gfn);
	struct shadow_page *sp;

	list_for_each_entry(sp, bucket, hash_link)
	{
		if (sp->gfn.v == gfn.v && sp->role.word == role.word)
			return sp;
	}
	return NULL;
}

static struct shadow_page *shadow_page_take(struct mmu_caches *c, bool direct)
{
	struct shadow_page *sp;

	/* Whoever gets a page filled the cache first. */
	assert(c->nr_pages > 0 && c->nr_headers > 0 && (direct || c->nr_shadowed > 0));
	sp = c->headers[--c->nr_headers];
	sp->spt = c->pages[--c->nr_pages];
	sp->shadowed = direct ? NULL : c->shadowed[--c->nr_shadowed];
	env_page_set_private(env_hpa(sp->spt), sp);
	list_init(&sp->hash_link);
	list_init(&sp->lru_link);
	list_init(&sp->leaf_link);
	list_init(&sp->unsync_link);
	return sp;
}

struct shadow_page *shadow_page_get(struct mmu *mmu, gfn_t gfn, union page_role role,
				    struct mmu_caches *c, bool *created, struct flush_batch *b)
{
	struct shadow_page *sp = shadow_page_find(mmu, gfn, role);

	debug_assert(rwlock_held_write(&mmu->lock));
	*created = !sp;
	if (sp)
		return sp;
	sp = shadow_page_take(c, role.direct);
	sp->role = role;
	sp->gfn = gfn;
	list_add(&sp->hash_link, shadow_hash_bucket(mmu, gfn));
	list_add_tail(&sp->lru_link, &mmu->shadow_lru);
	if (role.level == PG_LEVEL_4K)
		list_add(&sp->leaf_link, &mmu->shadow_leaf_pages);
	mmu_stat_add(&mmu->stats.mmu_shadow_pages, 1);
	mmu_stat_add(&mmu->stats.mmu_cache_miss, 1);
	if (page_role_has_table(role))
		shadow_track_page(mmu, sp, b);
	env_trace(MMU_EV_shadow_get, gfn.v, role.word, 1, mmu->stats.mmu_shadow_pages);
	return sp;
}

void shadow_page_free(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	(void)mmu;
	assert(!sp->root_count && !sp->parents.val && !sp->present);
	env_page_set_private(env_hpa(sp->spt), NULL);
	flush_defer_free(b, sp->spt, BIT(MMU_TREE_NESTED));
	env_free(sp->shadowed);
	env_free(sp);
}

/*
 * From here on nobody finds @sp any more, its table is not tracked, and it waits on @work. That a
 * page is on its way out shows in its role.
 */
static void zap_begin(struct mmu *mmu, struct shadow_page *sp, struct list_head *work)
{
	env_trace(MMU_EV_shadow_zap, sp->gfn.v, sp->role.word, sp->unsync, sp->root_count);
	mmu_stat_add(&mmu->stats.mmu_shadow_pages, -1);
	mmu_stat_add(&mmu->stats.mmu_shadow_zapped, 1);
	list_del(&sp->lru_link);
	list_del(&sp->leaf_link);
	list_del(&sp->unsync_link);
	sp->unsync = false;
	shadow_untrack_page(mmu, sp);
	sp->role.invalid = 1;
	list_move_tail(&sp->hash_link, work);
}

/* Empties entry @index of @sp; a child that nothing leads to any more joins @work. */
static void zap_entry(struct mmu *mmu, struct shadow_page *sp, int index, struct list_head *work,
		      struct flush_batch *b)
{
	struct spte_pos pos = shadow_pos(mmu, sp, index);
	u64 old = spte_set(&pos, 0, NULL, b);
	struct shadow_page *child;

	if (!spte_present(mmu, old) || spte_is_leaf(mmu, old, pos.level))
		return;
	child = spte_child(mmu, old);
	if (!child->parents.val && !child->root_count && !child->role.invalid)
		zap_begin(mmu, child, work);
}

static void zap_unlink_parents(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	struct rmap_iter it;
	u64 *sptep;

	while ((sptep = rmap_first(&sp->parents, &it))) {
		struct shadow_page *parent = sptep_to_sp(sptep);
		struct spte_pos pos = shadow_pos(mmu, parent, sptep_index(parent, sptep));

		spte_set(&pos, 0, NULL, b);
	}
}

/* Does a log want to know what the processor still notes in the leaves that go away? */
static bool zap_is_logged(const struct mmu *mmu)
{
	bool logged = false;

	for (int i = 0; i < mmu->nr_slots; i++)
		logged |= mmu->slots[i].dirty_bitmap != NULL;
	return logged && mmu->cfg.dirty == DIRTY_DBIT;
}

static void zap_run(struct mmu *mmu, struct list_head *work, struct flush_batch *b)
{
	while (!list_empty(work)) {
		struct shadow_page *sp = list_first_entry(work, struct shadow_page, hash_link);

		list_del(&sp->hash_link);
		zap_unlink_parents(mmu, sp, b);
		if (sp->present && sp->role.level == PG_LEVEL_4K && !zap_is_logged(mmu))
			spte_drop_leaves(mmu, sp);
		for (int i = 0; i < TABLE_ENTRIES && sp->present; i++) {
			if (spte_present(mmu, sp->spt[i]))
				zap_entry(mmu, sp, i, work, b);
		}
		if (!sp->root_count)
			shadow_page_free(mmu, sp, b);
	}
}

void shadow_page_zap(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	LIST_HEAD(work);

	debug_assert(rwlock_held_write(&mmu->lock));
	assert(!sp->role.invalid);
	zap_begin(mmu, sp, &work);
	zap_run(mmu, &work, b);
}

void shadow_drop_entry(struct mmu *mmu, struct shadow_page *sp, int index, struct flush_batch *b)
{
	LIST_HEAD(work);

	zap_entry(mmu, sp, index, &work, b);
	zap_run(mmu, &work, b);
}

void shadow_drop_spte(struct mmu *mmu, u64 *sptep, struct flush_batch *b)
{
	struct shadow_page *sp = sptep_to_sp(sptep);

	shadow_drop_entry(mmu, sp, sptep_index(sp, sptep), b);
}

void shadow_zap_all(struct mmu *mmu, struct flush_batch *b)
{
	while (!list_empty(&mmu->shadow_lru))
		shadow_page_zap(
			mmu, list_first_entry(&mmu->shadow_lru, struct shadow_page, lru_link), b);
}
