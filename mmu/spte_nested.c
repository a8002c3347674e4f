// SPDX-License-Identifier: MIT
/*
 * Loops over many entries of the nested tree: what spte_changed() comes to for each, with what is
 * the same for all taken out. Splitting and the dirty log run through here for every 4K page.
 */
#include "lib/string.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

static inline void fill_one(u64 *sptep, u64 spte, struct rmap_head *head)
{
	*sptep = spte;
	rmap_add_first(head, sptep);
}

/* Leaves that nothing else maps: no list is looked at. Eight at a time. */
static void fill_unused(u64 *sptep, u64 spte, u64 step, struct rmap_head *heads)
{
	for (u64 *end = sptep + TABLE_ENTRIES; sptep < end; sptep += 8, heads += 8) {
		fill_one(&sptep[0], spte, &heads[0]);
		fill_one(&sptep[1], spte + step, &heads[1]);
		fill_one(&sptep[2], spte + 2 * step, &heads[2]);
		fill_one(&sptep[3], spte + 3 * step, &heads[3]);
		fill_one(&sptep[4], spte + 4 * step, &heads[4]);
		fill_one(&sptep[5], spte + 5 * step, &heads[5]);
		fill_one(&sptep[6], spte + 6 * step, &heads[6]);
		fill_one(&sptep[7], spte + 7 * step, &heads[7]);
		spte += 8 * step;
	}
}

/* Returns how many entries were filled. */
static int fill_used(struct mmu *mmu, u64 *sptep, u64 spte, u64 step, struct rmap_head *heads,
		     struct mmu_caches *c, int keep)
{
	int filled = 0;

	for (int i = 0; i < TABLE_ENTRIES; i++, sptep++, spte += step) {
		*sptep = 0;
		if (rmap_needs_desc(&heads[i]) && c->nr_descs <= keep)
			continue;
		rmap_add(mmu, &heads[i], sptep, c);
		*sptep = spte;
		filled++;
	}
	return filled;
}

void spte_fill_nested(struct mmu *mmu, struct shadow_page *child, u64 spte, struct rmap_head *heads,
		      bool unused, struct mmu_caches *c, int keep)
{
	u64 step = LEVEL_SIZE(child->role.level);
	int filled = TABLE_ENTRIES;

	if (unused)
		fill_unused(child->spt, spte, step, heads);
	else
		filled = fill_used(mmu, child->spt, spte, step, heads, c, keep);
	child->present = (u16)filled;
	mmu_stat_add(&mmu->stats.pages[MMU_TREE_NESTED][child->role.level - 1], filled);
}

/* Do these eight hold the SPTEs at @sptep and side by side from there on? */
static inline bool eight_in_a_row(const struct rmap_head *h, u64 sptep)
{
	u64 differ = h[0].val ^ sptep;

	differ |= h[1].val ^ (sptep + 8);
	differ |= h[2].val ^ (sptep + 16);
	differ |= h[3].val ^ (sptep + 24);
	differ |= h[4].val ^ (sptep + 32);
	differ |= h[5].val ^ (sptep + 40);
	differ |= h[6].val ^ (sptep + 48);
	differ |= h[7].val ^ (sptep + 56);
	return !differ;
}

/*
 * Are the heads that follow the one of @sptep by up to @more as its table says? So it is when no
 * list of the VM is longer than one entry, and the table is full of leaves and maps gfns in order:
 * each of its entries then is its gfn's one and only.
 */
static bool one_name_each(const struct mmu *mmu, const u64 *sptep, u64 more)
{
	const struct shadow_page *sp;

	if (mmu->stats.rmap_descs || !more)
		return false;
	sp = sptep_to_sp(sptep);
	return sp->role.direct && sp->role.level == PG_LEVEL_4K && sp->present == TABLE_ENTRIES &&
	       (u64)sptep_index(sp, sptep) + more < TABLE_ENTRIES;
}

/* So many heads from @head to @last, 1 at least, hold SPTEs that lie side by side. */
static u64 heads_in_a_row(const struct mmu *mmu, const struct rmap_head *head,
			  const struct rmap_head *last)
{
	const struct rmap_head *at = head;
	u64 next = head->val;

	if (one_name_each(mmu, (const u64 *)(uintptr_t)next, (u64)(last - head)))
		return (u64)(last - head) + 1;
	while (last - at >= 7 && eight_in_a_row(at, next)) {
		at += 8;
		next += 8 * sizeof(u64);
	}
	for (; at <= last && at->val == next; at++)
		next += sizeof(u64);
	return (u64)(at - head);
}

void spte_clear_heads(struct mmu *mmu, const struct rmap_head *head, const struct rmap_head *last,
		      u64 bits, struct flush_batch *b)
{
	bool less = false;
	u64 n;

	debug_assert(rwlock_held_write(&mmu->lock));
	while ((head = rmap_skip_empty(head, last)) <= last) {
		u64 *sptep = rmap_single(head);
		struct rmap_iter it;

		n = 1;
		if (likely(sptep)) {
			n = heads_in_a_row(mmu, head, last);
			less |= spte_clear_run(mmu, sptep, n, bits);
		} else {
			rmap_for_each (head, it, sptep)
				less |= env_pte_clear_run(sptep, 1, bits);
		}
		head += n;
	}
	/* What lacks W or D where it had it grants less, and nothing else follows. */
	if (less)
		flush_owe(b, BIT(MMU_TREE_NESTED));
}

/* The entries of a direct page, whose lists lie side by side. Returns how many there were. */
static int drop_direct(struct mmu *mmu, struct shadow_page *sp)
{
	struct rmap_head *heads = rmap_get(memslot_find(mmu, sp->gfn), sp->gfn, sp->role.level);
	int n = 0;

	if (one_name_each(mmu, sp->spt, TABLE_ENTRIES - 1)) {
		memset(heads, 0, TABLE_ENTRIES * sizeof(*heads));
		return TABLE_ENTRIES;
	}
	for (int i = 0; i < TABLE_ENTRIES; i++) {
		u64 *sptep = &sp->spt[i];

		if (!spte_present(mmu, *sptep))
			continue;
		n++;
		if (likely(rmap_single(&heads[i]) == sptep))
			heads[i].val = 0;
		else
			rmap_remove(mmu, &heads[i], sptep);
	}
	return n;
}

/* Those of any page, one by one. */
static int drop_shadowed(struct mmu *mmu, struct shadow_page *sp)
{
	int n = 0;

	for (int i = 0; i < TABLE_ENTRIES; i++) {
		gfn_t gfn = shadow_page_gfn(sp, i);

		if (!spte_present(mmu, sp->spt[i]))
			continue;
		n++;
		rmap_remove(mmu, rmap_get(memslot_find(mmu, gfn), gfn, sp->role.level),
			    &sp->spt[i]);
	}
	return n;
}

/* L1 may map what is huge across the end of a slot, or from one slot into the next. */
static bool in_one_slot(struct mmu *mmu, const struct shadow_page *sp)
{
	const struct memslot *slot = memslot_find(mmu, sp->gfn);
	u64 end = sp->gfn.v + LEVEL_PAGES(sp->role.level + 1);

	return slot && end <= slot->base.v + slot->npages;
}

void spte_drop_leaves(struct mmu *mmu, struct shadow_page *sp)
{
	int n = sp->role.direct && in_one_slot(mmu, sp) ? drop_direct(mmu, sp)
							: drop_shadowed(mmu, sp);

	debug_assert(rwlock_held_write(&mmu->lock) && n == sp->present);
	mmu_stat_add(&mmu->stats.pages[MMU_TREE_NESTED][sp->role.level - 1], -n);
	sp->present = 0;
}
