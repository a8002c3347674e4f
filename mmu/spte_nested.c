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

/* Without W a leaf grants less, and nothing else follows. */
static inline void wrprot(u64 *sptep, u64 write, struct flush_batch *b)
{
	u64 old = READ_ONCE(*sptep);

	while (old & write) {
		u64 was = env_pte_cmpxchg(sptep, old, old & ~write);

		if (was == old) {
			flush_owe(b, BIT(MMU_TREE_NESTED));
			return;
		}
		old = was;
	}
}

void spte_wrprot_heads(struct mmu *mmu, const struct rmap_head *head, const struct rmap_head *last,
		       struct flush_batch *b)
{
	u64 write = mmu->cfg.fmt->write;

	for (; head <= last; head++) {
		u64 *sptep = rmap_single(head);
		struct rmap_iter it;

		if (likely(sptep)) {
			wrprot(sptep, write, b);
		} else if (head->val) {
			rmap_for_each (head, it, sptep)
				wrprot(sptep, write, b);
		}
	}
}
