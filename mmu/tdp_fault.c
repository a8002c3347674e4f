// SPDX-License-Identifier: MIT
/*
 * Faults of L1. Many vCPUs run here at once under the read side of mmu_lock, so each step is a
 * compare-and-exchange that only ever grants more; who loses looks again. Taking rights away is
 * for the write side.
 */
#include "lib/string.h"
#include "mmu/dirty_log.h"
#include "mmu/env.h"
#include "mmu/nx_huge.h"
#include "mmu/pt_walk.h"
#include "mmu/shadow_mmu.h"
#include "mmu/tdp_mmu.h"

/* Tracking that comes back at once: let the guest run in between. */
#define TRACK_RETRIES 4

#define STEP_DOWN 100 /* beyond every fault_result: the entry leads to a table */

struct tdp_fault {
	struct mmu *mmu;
	gfn_t gfn;
	bool write, exec;

	struct memslot *slot;
	int max_level;
	u32 access;   /* what a new leaf grants */
	u64 withheld; /* bits that it lacks for the log's sake */
	/* Allocated while no lock is held: a zeroed page for a new table, a place on the list. */
	void *page;
	struct nx_split *nx;
	bool no_memory; /* there is none to be had */
	int level;	/* where it ended, for the trace */
	struct flush_batch b;
};

static u32 needed_access(const struct tdp_fault *f)
{
	return ACC_READ | (f->write ? ACC_WRITE : 0) | (f->exec ? ACC_EXEC : 0);
}

static bool grants(const struct tdp_fault *f, u64 spte)
{
	return spte_present(f->mmu, spte) && !(needed_access(f) & ~spte_access(f->mmu, spte));
}

static bool page_is_dirty(const struct memslot *slot, gfn_t gfn)
{
	u64 i = gfn.v - slot->base.v;

	return READ_ONCE(slot->dirty_bitmap[i / 64]) & BIT(i % 64);
}

/* For the log's sake: a page that is dirty already may as well be written. */
static u64 fault_withheld(const struct tdp_fault *f)
{
	return dirty_log_withheld(
		f->mmu, f->slot,
		f->write || (f->slot->dirty_bitmap && page_is_dirty(f->slot, f->gfn)));
}

static u32 fault_access(const struct tdp_fault *f)
{
	const struct memslot *slot = f->slot;
	u32 access = ACC_ALL;

	/* Only what is executed, so that the rest can be huge again. */
	if (f->mmu->cfg.nx_huge_pages && !f->exec)
		access &= ~ACC_EXEC;
	if ((slot->flags & MEMSLOT_READONLY) || slot->write_track[f->gfn.v - slot->base.v] ||
	    (f->withheld & f->mmu->cfg.fmt->write))
		access &= ~ACC_WRITE;
	return access;
}

static int spurious(struct tdp_fault *f)
{
	mmu_stat_add(&f->mmu->stats.pf_spurious, 1);
	return FAULT_FIXED;
}

/* The table at hand is there for what is executed in it. False: memory for the list is needed. */
static bool list_nx_split(struct tdp_fault *f, const struct tdp_iter *it)
{
	void *table = it->tables[PG_LEVEL_4K];
	int level;

	/* Not where the memory behind it is in small pieces anyway. */
	memslot_hpa(f->slot, f->gfn, &level);
	if (MIN(level, f->mmu->cfg.max_leaf_level) == PG_LEVEL_4K || nx_split_listed(table))
		return true;
	if (!f->nx)
		return false;
	nx_split_add(f->mmu, table, (gfn_t){ALIGN_DOWN(it->gfn, TABLE_ENTRIES)}, &f->nx);
	return true;
}

/* Maps at the iterator's level. -EAGAIN when the entry changed first. */
static int map_leaf(struct tdp_fault *f, struct tdp_iter *it)
{
	const struct pt_format *fmt = f->mmu->cfg.fmt;
	struct spte_pos pos = tdp_iter_pos(it);
	u64 new, keep = 0, size = LEVEL_SIZE(it->level);
	hpa_t hpa = memslot_hpa(f->slot, f->gfn, NULL);
	bool log = f->write && dirty_log_by_faults(f->mmu, f->slot);
	u32 access = f->access;

	if (grants(f, it->old))
		return spurious(f);
	if (f->exec && f->mmu->cfg.nx_huge_pages && !list_nx_split(f, it))
		return -ENOMEM;
	if (spte_present(f->mmu, it->old)) {
		access |= spte_access(f->mmu, it->old);
		keep = it->old & (fmt->accessed | fmt->dirty);
	}
	if (log)
		dirty_log_mark(f->slot, f->gfn);
	hpa.v &= ~(size - 1);
	new = (spte_make_leaf(f->mmu, hpa, it->level, access) & ~f->withheld) | keep;
	if (!spte_cmpxchg(&pos, &it->old, new, NULL, &f->b))
		return -EAGAIN;
	if (keep && log)
		mmu_stat_add(&f->mmu->stats.dirty_faults, 1);
	mmu_stat_add(&f->mmu->stats.pf_fixed, 1);
	return FAULT_FIXED;
}

static int install_table(struct tdp_fault *f, struct tdp_iter *it)
{
	struct spte_pos pos = tdp_iter_pos(it);
	u64 new;

	if (!f->page)
		return -ENOMEM;
	new = spte_make_table(f->mmu, f->page);
	if (spte_cmpxchg(&pos, &it->old, new, NULL, &f->b)) {
		f->page = NULL;
		it->old = new;
	}
	return -EAGAIN;
}

/*
 * No memory to split the huge leaf of a logged slot for this write: then all of it counts as dirty
 * and becomes writable. Not where L1's tables inside must stay protected.
 */
static int keep_huge(struct tdp_fault *f, struct tdp_iter *it)
{
	struct spte_pos pos = tdp_iter_pos(it);
	u64 new;

	if (!f->write || f->exec || !f->slot->dirty_bitmap ||
	    memslot_tracked_inside(f->slot, f->gfn, it->level))
		return -ENOMEM;
	dirty_log_mark_range(f->slot, (gfn_t){it->gfn}, LEVEL_PAGES(it->level));
	new = spte_make_leaf(f->mmu, spte_hpa(f->mmu, it->old & ~(LEVEL_SIZE(it->level) - 1)),
			     it->level, spte_access(f->mmu, it->old) | ACC_WRITE);
	if (!spte_cmpxchg(&pos, &it->old, new, NULL, &f->b))
		return -EAGAIN;
	mmu_stat_add(&f->mmu->stats.dirty_faults, 1);
	mmu_stat_add(&f->mmu->stats.pf_fixed, 1);
	return FAULT_FIXED;
}

/* A huge leaf where only smaller ones may be now. */
static int split_leaf(struct tdp_fault *f, struct tdp_iter *it)
{
	struct spte_pos pos = tdp_iter_pos(it);
	u64 huge = it->old;

	if (grants(f, it->old))
		return spurious(f);
	if (!f->page)
		return f->no_memory ? keep_huge(f, it) : -ENOMEM;
	if (!tdp_split_spte(&pos, &it->old, f->page, &f->b)) {
		memset(f->page, 0, PAGE_SIZE);
		return -EAGAIN;
	}
	it->old = spte_make_table(f->mmu, f->page);
	f->page = NULL;
	if (f->slot->dirty_bitmap && f->write)
		mmu_stat_add(&f->mmu->stats.fault_split[MMU_TREE_TDP], 1);
	env_trace(MMU_EV_tdp_split, it->gfn, huge, (u64)it->level, 0);
	return -EAGAIN;
}

static int fault_step(struct tdp_fault *f, struct tdp_iter *it)
{
	int r;

	f->level = it->level;
	do {
		if (spte_is_table(f->mmu, it->old, it->level))
			return STEP_DOWN;
		if (it->level <= f->max_level)
			r = map_leaf(f, it);
		else if (spte_present(f->mmu, it->old))
			r = split_leaf(f, it);
		else
			r = install_table(f, it);
	} while (r == -EAGAIN);
	return r;
}

/*
 * The usual fault while the log is on: a small page is there, and has lost W to it. Where a write
 * is allowed at all, nothing else takes W from a leaf of this tree. mmu_lock (read).
 */
static bool regain_write(struct mmu *mmu, gfn_t gfn)
{
	const struct pt_format *fmt = mmu->cfg.fmt;
	struct memslot *slot = memslot_find(mmu, gfn);
	u64 *sptep, old;

	if (!slot || (slot->flags & MEMSLOT_READONLY) || slot->write_track[gfn.v - slot->base.v])
		return false;
	sptep = spte_last_table(mmu, mmu->tdp_root, fmt->levels, gfn_to_gpa(gfn).v);
	if (!sptep)
		return false;
	sptep += gfn.v % TABLE_ENTRIES;
	old = READ_ONCE(*sptep);
	if (!(old & fmt->present) || (old & fmt->write))
		return false;
	/* Before anybody can write: who takes the bit meanwhile takes W again. */
	if (dirty_log_by_faults(mmu, slot)) {
		dirty_log_mark(slot, gfn);
		mmu_stat_add(&mmu->stats.dirty_faults, 1);
	}
	spte_grant(sptep, old, (fmt->write | fmt->dirty) & ~dirty_log_withheld(mmu, slot, true));
	mmu_stat_add(&mmu->stats.pf_fixed, 1);
	return true;
}

/* mmu_lock (read). -ENOMEM: memory is needed; -EBUSY: the write is to a tracked gfn. */
static int fault_locked(struct tdp_fault *f)
{
	struct tdp_iter it;

	f->slot = memslot_find(f->mmu, f->gfn);
	if (!f->slot || (f->write && (f->slot->flags & MEMSLOT_READONLY)))
		return FAULT_OUTSIDE;
	if (f->write && f->slot->write_track[f->gfn.v - f->slot->base.v])
		return -EBUSY;
	f->withheld = fault_withheld(f);
	f->access = fault_access(f);
	f->max_level = memslot_max_level(f->mmu, f->slot, f->gfn);
	if (f->exec && f->mmu->cfg.nx_huge_pages)
		f->max_level = PG_LEVEL_4K;
	tdp_for_each (it, f->mmu, PG_LEVEL_4K, f->gfn.v, f->gfn.v + 1) {
		int r = fault_step(f, &it);

		if (r != STEP_DOWN)
			return r;
	}
	return FAULT_OUTSIDE; /* beyond what the root can map; no slot reaches there */
}

static int get_memory(struct tdp_fault *f)
{
	if (!f->page)
		f->page = env_page_alloc();
	if (f->exec && f->mmu->cfg.nx_huge_pages && !f->nx)
		f->nx = env_alloc(sizeof(*f->nx));
	f->no_memory = !f->page || (!f->nx && f->exec && f->mmu->cfg.nx_huge_pages);
	return -EAGAIN;
}

/* L1 writes one of its nested tables: the shadow of a last-level one goes out of sync. */
static int write_tracked(struct tdp_fault *f)
{
	struct mmu *mmu = f->mmu;
	bool emulate;

	rwlock_write_lock(&mmu->lock);
	emulate = shadow_track_fault(mmu, f->slot, f->gfn, &f->b);
	flush_pay(mmu, &f->b);
	rwlock_write_unlock(&mmu->lock);
	return emulate ? FAULT_EMULATE : -EAGAIN;
}

static int fault(struct mmu *mmu, gpa_t gpa, u64 error)
{
	struct tdp_fault f = {.mmu = mmu,
			      .gfn = gpa_to_gfn(gpa),
			      .write = error & PFERR_W,
			      .exec = error & PFERR_I};
	int r, tracked = 0;

	do {
		rwlock_read_lock(&mmu->lock);
		r = fault_locked(&f);
		rwlock_read_unlock(&mmu->lock);
		debug_assert(!f.b.owed);
		if (r == -ENOMEM && !f.no_memory)
			r = get_memory(&f);
		else if (r == -EBUSY)
			r = tracked++ < TRACK_RETRIES ? write_tracked(&f) : FAULT_FIXED;
	} while (r == -EAGAIN);
	if (f.page)
		env_page_free(f.page);
	env_free(f.nx);
	env_trace(MMU_EV_tdp_fault, gpa.v, error, (u64)r, (u64)f.level);
	return r;
}

int mmu_tdp_fault(struct mmu *mmu, gpa_t gpa, u64 error)
{
	bool done;

	if (error & PFERR_W) {
		rwlock_read_lock(&mmu->lock);
		done = regain_write(mmu, gpa_to_gfn(gpa));
		rwlock_read_unlock(&mmu->lock);
		if (likely(done)) {
			env_trace(MMU_EV_tdp_fault, gpa.v, error, FAULT_FIXED, PG_LEVEL_4K);
			return FAULT_FIXED;
		}
	}
	return fault(mmu, gpa, error);
}
