// SPDX-License-Identifier: MIT
/*
 * The commonest fault while logging: a write to what is mapped at 4K and lacks W only for the
 * log's sake. What the leaf was made from grants the write, and L1 has not flushed since it last
 * changed that, or it would have been compared: as good as a TLB that holds it, so L1's tables need
 * not be walked.
 */
#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

/* Finds the 4K leaf that maps @addr, and the pages on the way, by level. False: there is none. */
static bool find_4k_leaf(const struct mmu *mmu, struct shadow_page *root, ngpa_t addr,
			 struct shadow_page **path, int *index)
{
	struct shadow_page *sp = root;

	while (sp && !sp->role.invalid) {
		int level = sp->role.level;
		u64 spte;

		path[level] = sp;
		*index = addr.v >> LEVEL_SHIFT(level) & (TABLE_ENTRIES - 1);
		spte = READ_ONCE(sp->spt[*index]);
		if (!spte_present(mmu, spte))
			return false;
		if (level == PG_LEVEL_4K)
			return true;
		if (spte_is_leaf(mmu, spte, level))
			return false;
		sp = spte_child(mmu, spte);
	}
	return false;
}

static bool make_writable(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr)
{
	struct shadow_page *path[PT_MAX_LEVEL + 1], *sp;
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct memslot *slot;
	struct spte_pos pos;
	int index;
	u64 spte, grant;

	if (!find_4k_leaf(mmu, n->root, addr, path, &index))
		return false;
	sp = path[PG_LEVEL_4K];
	if (!(shadow_page_access(sp, index) & ACC_WRITE))
		return false;
	pos = shadow_pos(mmu, sp, index);
	spte = READ_ONCE(*pos.sptep);
	slot = memslot_find(mmu, pos.gfn);
	if (spte_writable(mmu, spte) || !slot->dirty_bitmap || (slot->flags & MEMSLOT_READONLY) ||
	    shadow_gfn_tracked(slot, pos.gfn))
		return false;
	if (dirty_log_by_faults(mmu, slot))
		dirty_log_mark(slot, pos.gfn);
	/* More is granted than before: nothing is owed. */
	grant = (mmu->cfg.fmt->write | mmu->cfg.fmt->dirty) & ~dirty_log_withheld(mmu, slot, true);
	while (!spte_cmpxchg(&pos, &spte, spte | grant, NULL, &b))
		;
	shadow_path_touch(mmu, path, PG_LEVEL_4K, n->root->role.level);
	return true;
}

bool nested_fault_dirty(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr, u64 error)
{
	bool done;

	if ((error & (PFERR_W | PFERR_I)) != PFERR_W)
		return false;
	rwlock_write_lock(&mmu->lock);
	done = make_writable(mmu, n, addr);
	rwlock_write_unlock(&mmu->lock);
	if (!done)
		return false;
	mmu_stat_add(&mmu->stats.dirty_faults, 1);
	mmu_stat_add(&mmu->stats.nested_pf_fixed, 1);
	env_trace(MMU_EV_nested_fault, addr.v, error, FAULT_FIXED, PG_LEVEL_4K);
	return true;
}
