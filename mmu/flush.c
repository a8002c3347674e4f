// SPDX-License-Identifier: MIT
/* Paying owed flushes, and telling which tags may hold what a paid flush was to remove. */
#include "mmu/flush.h"

#include "mmu/env.h"
#include "mmu/mmu.h"

void flush_defer_free(struct flush_batch *b, void *page, u32 tree_mask)
{
	/* A processor may still walk @page, and is to find in it what was there. */
	env_page_set_private(env_hpa(page), b->free_pages);
	b->free_pages = page;
	flush_owe(b, tree_mask);
}

void flush_pay(struct mmu *mmu, struct flush_batch *b)
{
	u32 trees = b->owed;

	if (trees) {
		debug_assert(rwlock_held_write(&mmu->lock));
		/*
		 * First the generations: a vCPU that enters the guest after env_flush() looked
		 * for those inside must see that its tag is old.
		 */
		for (int t = 0; t < MMU_TREE_NR; t++)
			if (trees & BIT(t))
				__atomic_fetch_add(&mmu->flush_gen[t], 1, __ATOMIC_SEQ_CST);
		env_flush(mmu, trees);
		mmu_stat_add(&mmu->stats.remote_tlb_flush, 1);
		env_trace(MMU_EV_flush, trees, mmu->flush_gen[MMU_TREE_TDP],
			  mmu->flush_gen[MMU_TREE_NESTED], 0);
	}
	while (b->free_pages) {
		void *page = b->free_pages;

		b->free_pages = env_page_private(env_hpa(page));
		env_page_free(page);
	}
	b->owed = 0;
}

bool tlb_tag_enter(struct mmu *mmu, struct tlb_tag *tag)
{
	bool stale = tag->must_flush;

	for (int t = 0; t < MMU_TREE_NR; t++) {
		u64 gen = __atomic_load_n(&mmu->flush_gen[t], __ATOMIC_SEQ_CST);

		if (tag->kind == TAG_TDP && t != MMU_TREE_TDP)
			continue;
		stale |= tag->seen[t] != gen;
		tag->seen[t] = gen;
	}
	tag->must_flush = false;
	return stale;
}
