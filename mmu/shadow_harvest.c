// SPDX-License-Identifier: MIT
/*
 * The scan of the nested tree for dirty bits. L1 may lead any number of entries to one table, so
 * that there are more ways down from the roots than anybody could walk: the scan goes through the
 * last-level shadow pages themselves, and each is looked at once.
 *
 * A page that nobody came through since the last scan is skipped, as the accessed bits of the
 * entries that lead to it tell (mmu/tdp_harvest.c says why that takes two scans). Its header has
 * the note that a table of the TDP tree has in the entry above it.
 */
#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

/* With more parents than this, 512 leaves are looked at sooner than all of those. */
#define PARENTS_MAX 16

/* Clears A in each entry that leads to @sp. True when one had it. */
static bool take_accessed(struct mmu *mmu, const struct shadow_page *sp, struct flush_batch *b)
{
	u64 accessed = mmu->cfg.fmt->accessed;
	bool any = false;
	struct rmap_iter it;
	u64 *sptep;

	rmap_for_each (&sp->parents, it, sptep) {
		struct shadow_page *parent = sptep_to_sp(sptep);
		struct spte_pos pos;

		if (!(READ_ONCE(*sptep) & accessed))
			continue;
		pos = shadow_pos(mmu, parent, sptep_index(parent, sptep));
		spte_clear_bits(&pos, accessed, b);
		any = true;
	}
	return any;
}

/* Whether to look through @sp; notes in it that this was done. */
static bool page_is_warm(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	bool was_cold = sp->cold, used;

	if (rmap_count(&sp->parents) > PARENTS_MAX)
		return true;
	used = take_accessed(mmu, sp, b);
	sp->cold = !used;
	return used || !was_cold;
}

/*
 * L1's table mostly leads to one page after the other: then its gfns are those of a direct page
 * that begins at *@gfn. All 64 are looked at where all are dirty, which takes 4 instructions for
 * each.
 */
static bool leads_on(const struct shadow_page *sp, int first, u64 mask, gfn_t *gfn)
{
	const u64 *shadowed = sp->shadowed + first;
	u64 n = (u64)__builtin_ctzll(mask), base = (shadowed[n] >> PAGE_SHIFT) - n, off = 0;

	gfn->v = base;
	if (mask == ~0ull) {
#pragma GCC unroll 8
		for (u64 i = 0; i < 64; i++)
			off |= (shadowed[i] >> PAGE_SHIFT) ^ (base + i);
		return !off;
	}
	for (; mask; mask &= mask - 1) {
		n = (u64)__builtin_ctzll(mask);
		off |= (shadowed[n] >> PAGE_SHIFT) ^ (base + n);
	}
	return !off;
}

/* Marks what entries @first + n of @sp map, for each bit n of @mask. */
static void mark_leaves(struct mmu *mmu, const struct shadow_page *sp, int first, u64 mask)
{
	gfn_t start;

	if (sp->role.direct) {
		dirty_log_mark_masked(mmu, shadow_page_gfn(sp, first), mask);
		return;
	}
	if (leads_on(sp, first, mask, &start)) {
		dirty_log_mark_masked(mmu, start, mask);
		return;
	}
	for (; mask; mask &= mask - 1) {
		gfn_t gfn = shadow_page_gfn(sp, first + __builtin_ctzll(mask));
		struct memslot *slot = memslot_find(mmu, gfn);

		if (slot)
			dirty_log_mark(slot, gfn);
	}
}

static void scan_page(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	for (int i = 0; i < TABLE_ENTRIES; i += 64) {
		u64 dirty = spte_take_dirty(mmu, sp->spt + i);

		if (!dirty)
			continue;
		flush_owe(b, BIT(MMU_TREE_NESTED));
		mark_leaves(mmu, sp, i, dirty);
	}
}

static void rest(struct mmu *mmu, struct flush_batch *b)
{
	if (!env_need_resched() && !rwlock_contended(&mmu->lock))
		return;
	flush_pay(mmu, b);
	rwlock_write_unlock(&mmu->lock);
	env_resched();
	rwlock_write_lock(&mmu->lock);
}

void shadow_harvest(struct mmu *mmu, struct flush_batch *b)
{
	u64 scanned = 0, skipped = 0;
	struct list_head place; /* in the list, behind what was looked at: pages come and go */

	debug_assert(rwlock_held_write(&mmu->lock) && mutex_held(&mmu->slots_lock));
	list_add(&place, &mmu->shadow_leaf_pages);
	while (place.next != &mmu->shadow_leaf_pages) {
		struct shadow_page *sp = list_entry(place.next, struct shadow_page, leaf_link);

		list_move(&place, &sp->leaf_link);
		if (page_is_warm(mmu, sp, b)) {
			scan_page(mmu, sp, b);
			scanned++;
		} else {
			skipped++;
		}
		rest(mmu, b);
	}
	list_del(&place);
	mmu_stat_add(&mmu->stats.dirty_tables_scanned, (s64)scanned);
	mmu_stat_add(&mmu->stats.dirty_tables_skipped, (s64)skipped);
}
