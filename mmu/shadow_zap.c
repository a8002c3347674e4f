// SPDX-License-Identifier: MIT
/*
 * How shadow pages go: with all that hangs from them alone. L1 decides how much that is, and one
 * store of its may cut off all of it, so a zapped page is unlinked at once, when nothing leads to
 * it any more, and emptied in its turn: some pages in each operation, with mmu_lock free for others
 * in between. Until then its entries stand in the rmaps like all others.
 */
#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/nx_huge.h"
#include "mmu/shadow_internal.h"

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
 * From here on nobody finds @sp any more, its table is not tracked, and it waits to be emptied.
 * That a page is on its way out shows in its role.
 */
static void zap_begin(struct mmu *mmu, struct shadow_page *sp)
{
	env_trace(MMU_EV_shadow_zap, sp->gfn.v, sp->role.word, sp->unsync, sp->root_count);
	mmu_stat_add(&mmu->stats.mmu_shadow_pages, -1);
	mmu_stat_add(&mmu->stats.mmu_shadow_zapped, 1);
	list_del(&sp->lru_link);
	if (sp->unsync)
		shadow_unsync_end(mmu, sp);
	nx_shadow_remove(mmu, sp);
	shadow_untrack_page(mmu, sp);
	sp->role.invalid = 1;
	list_move_tail(&sp->hash_link, &mmu->shadow_zapped);
}

/* Empties entry @index of @sp; a child that nothing leads to any more is zapped. */
static void zap_entry(struct mmu *mmu, struct shadow_page *sp, int index, struct flush_batch *b)
{
	struct spte_pos pos = shadow_pos(mmu, sp, index);
	u64 old = spte_set(&pos, 0, NULL, b);
	struct shadow_page *child;

	if (!spte_present(mmu, old) || spte_is_leaf(mmu, old, pos.level))
		return;
	child = spte_child(mmu, old);
	if (!child->parents.val && !child->root_count && !child->role.invalid)
		zap_begin(mmu, child);
}

void shadow_unlink_parents(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
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

/* Empties @sp, which is zapped, and frees it unless it is a root in use. */
static void zap_finish(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	list_del(&sp->hash_link);
	/* Until here a scan for dirty bits has looked into it like into all others. */
	list_del(&sp->leaf_link);
	if (sp->present && sp->role.level == PG_LEVEL_4K && !zap_is_logged(mmu))
		spte_drop_leaves(mmu, sp);
	for (int i = 0; i < TABLE_ENTRIES && sp->present; i++) {
		if (spte_present(mmu, sp->spt[i]))
			zap_entry(mmu, sp, i, b);
	}
	if (!sp->root_count)
		shadow_page_free(mmu, sp, b);
}

void shadow_zap_some(struct mmu *mmu, struct flush_batch *b)
{
	debug_assert(rwlock_held_write(&mmu->lock));
	for (u32 n = 0; n < mmu->shadow_step && !list_empty(&mmu->shadow_zapped); n++)
		zap_finish(mmu,
			   list_first_entry(&mmu->shadow_zapped, struct shadow_page, hash_link), b);
}

void shadow_page_zap(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	debug_assert(rwlock_held_write(&mmu->lock));
	assert(!sp->role.invalid);
	zap_begin(mmu, sp);
	shadow_unlink_parents(mmu, sp, b);
	/* A processor may be at work below a root until it is empty. */
	zap_finish(mmu, sp, b);
	shadow_zap_some(mmu, b);
}

void shadow_drop_entry(struct mmu *mmu, struct shadow_page *sp, int index, struct flush_batch *b)
{
	zap_entry(mmu, sp, index, b);
}

void shadow_drop_spte(struct mmu *mmu, u64 *sptep, struct flush_batch *b)
{
	struct shadow_page *sp = sptep_to_sp(sptep);

	shadow_drop_entry(mmu, sp, sptep_index(sp, sptep), b);
}

bool shadow_rest(struct mmu *mmu, struct flush_batch *b)
{
	if (!env_need_resched() && !rwlock_contended(&mmu->lock))
		return false;
	flush_pay(mmu, b);
	rwlock_write_unlock(&mmu->lock);
	env_resched();
	rwlock_write_lock(&mmu->lock);
	return true;
}

void shadow_zap_wait(struct mmu *mmu, struct flush_batch *b)
{
	while (!list_empty(&mmu->shadow_zapped)) {
		shadow_zap_some(mmu, b);
		shadow_rest(mmu, b);
	}
}

void shadow_zap_all(struct mmu *mmu, struct flush_batch *b)
{
	while (!list_empty(&mmu->shadow_lru)) {
		shadow_page_zap(
			mmu, list_first_entry(&mmu->shadow_lru, struct shadow_page, lru_link), b);
		shadow_rest(mmu, b);
	}
	shadow_zap_wait(mmu, b);
}
