// SPDX-License-Identifier: MIT
/*
 * Loops over many entries of the nested tree: what spte_changed() comes to for each, with what is
 * the same for all taken out. Splitting and the dirty log run through here for every 4K page.
 */
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

void spte_fill_nested(struct mmu *mmu, struct shadow_page *child, u64 spte, struct rmap_head *heads,
		      struct mmu_caches *c, int keep)
{
	u64 step = LEVEL_SIZE(child->role.level), *sptep = child->spt;
	u32 filled = TABLE_ENTRIES;

	for (int i = 0; i < TABLE_ENTRIES; i++, sptep++, spte += step) {
		if (likely(!heads[i].val)) {
			rmap_add_first(&heads[i], sptep);
		} else if (rmap_needs_desc(&heads[i]) && c->nr_descs <= keep) {
			filled--;
			continue;
		} else {
			rmap_add(mmu, &heads[i], sptep, c);
		}
		*sptep = spte;
	}
	child->present = (u16)filled;
	mmu_stat_add(&mmu->stats.pages[MMU_TREE_NESTED][child->role.level - 1], filled);
}

/* So many heads from @head to @last, 1 at least, hold SPTEs that lie side by side. */
static u64 heads_in_a_row(const struct rmap_head *head, const struct rmap_head *last)
{
	u64 n = 1;

	while (head + n <= last && head[n].val == head->val + n * sizeof(u64))
		n++;
	return n;
}

/* The first head from @head to @last that holds something, or the one after @last. */
static const struct rmap_head *heads_skip_empty(const struct rmap_head *head,
						const struct rmap_head *last)
{
	for (; last - head >= 7; head += 8)
		if (head[0].val | head[1].val | head[2].val | head[3].val | head[4].val |
		    head[5].val | head[6].val | head[7].val)
			break;
	while (head <= last && !head->val)
		head++;
	return head;
}

void spte_clear_heads(struct mmu *mmu, const struct rmap_head *head, const struct rmap_head *last,
		      u64 bits, struct flush_batch *b)
{
	bool less = false;
	u64 n;

	debug_assert(rwlock_held_write(&mmu->lock));
	while ((head = heads_skip_empty(head, last)) <= last) {
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
