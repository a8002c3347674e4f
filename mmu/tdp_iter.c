// SPDX-License-Identifier: MIT
/* The walk over the TDP tree: depth first, each table's entry before its contents. */
#include "mmu/env.h"
#include "mmu/tdp_mmu.h"

static void iter_load(struct tdp_iter *it)
{
	u32 index = it->next_gfn >> (9 * (it->level - 1)) & (TABLE_ENTRIES - 1);

	it->gfn = ALIGN_DOWN(it->next_gfn, LEVEL_PAGES(it->level));
	it->sptep = &it->tables[it->level][index];
	it->old = READ_ONCE(*it->sptep);
}

void tdp_iter_start(struct tdp_iter *it, struct mmu *mmu, int min_level, u64 start, u64 end)
{
	int levels = mmu->cfg.fmt->levels;

	*it = (struct tdp_iter){.mmu = mmu, .next_gfn = start, .min_level = min_level};
	it->end = MIN(end, (u64)LEVEL_PAGES(levels + 1));
	it->level = levels;
	it->tables[levels] = mmu->tdp_root;
	it->valid = start < it->end;
	if (it->valid)
		iter_load(it);
}

void tdp_iter_restart(struct tdp_iter *it)
{
	it->level = it->mmu->cfg.fmt->levels;
	iter_load(it);
	it->restarted = true;
}

void tdp_iter_over(struct tdp_iter *it)
{
	int levels = it->mmu->cfg.fmt->levels;

	it->next_gfn = it->gfn + LEVEL_PAGES(it->level);
	it->valid = it->next_gfn < it->end;
	if (!it->valid)
		return;
	while (it->level < levels && IS_ALIGNED(it->next_gfn, LEVEL_PAGES(it->level + 1)))
		it->level++;
	iter_load(it);
}

void tdp_iter_next(struct tdp_iter *it)
{
	if (it->restarted) {
		/* The root's entry is the current one and has not been visited since. */
		it->restarted = false;
		return;
	}
	if (it->level > it->min_level && spte_is_table(it->mmu, it->old, it->level)) {
		it->level--;
		it->tables[it->level] = env_va(spte_hpa(it->mmu, it->old));
		iter_load(it);
		return;
	}
	tdp_iter_over(it);
}
