// SPDX-License-Identifier: MIT
/*
 * Loops over many entries of the nested tree: what spte_changed() comes to for each, with what is
 * the same for all taken out. Splitting and the dirty log run through here for every 4K page.
 */
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

/* Leaves that nothing else maps: no list is looked at. */
static void fill_unused(u64 *sptep, u64 spte, u64 step, struct rmap_head *heads)
{
#pragma GCC unroll 8
	for (int i = 0; i < TABLE_ENTRIES; i++, spte += step) {
		sptep[i] = spte;
		rmap_add_first(&heads[i], &sptep[i]);
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

/* So many heads from @head to @last, 1 at least, hold SPTEs that lie side by side. */
static u64 heads_in_a_row(const struct rmap_head *head, const struct rmap_head *last)
{
	const struct rmap_head *at = head;
	u64 next = head->val;

	/* Eight at a time, as there is one for each 4K page. */
	for (; last - at >= 7; at += 8, next += 8 * sizeof(u64)) {
		u64 differ = 0;

#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			differ |= at[i].val ^ (next + (u64)i * sizeof(u64));
		if (differ)
			break;
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
			n = heads_in_a_row(head, last);
			less |= env_pte_clear_run(sptep, n, bits);
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
