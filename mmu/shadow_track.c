// SPDX-License-Identifier: MIT
/*
 * Keeping the shadow in step with L1's tables. A table that is shadowed is tracked: writes to it
 * fault. The first write to a last-level table lets it go out of sync, as a TLB may be until L1
 * flushes; it is compared again then. A write to an upper level drops its shadow at once.
 */
#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"
#include "mmu/tdp_mmu.h"

/*
 * So many pages at most are synced with mmu_lock held before a table gets another place: more than
 * one write can let go out of sync, as a table has no more roles at the last level.
 */
#define LINK_SYNC_MAX 64

static u16 *track_count(const struct memslot *slot, gfn_t gfn)
{
	return &slot->write_track[gfn.v - slot->base.v];
}

bool shadow_gfn_tracked(const struct memslot *slot, gfn_t gfn)
{
	return *track_count(slot, gfn) > 0;
}

static void disallow_lpage_add(struct memslot *slot, gfn_t gfn, s32 n)
{
	for (int level = PG_LEVEL_2M; level <= PG_LEVEL_1G; level++)
		slot->disallow_lpage[level - 2][memslot_index(slot, gfn, level)] += (u32)n;
}

void shadow_track_page(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	struct memslot *slot = memslot_find(mmu, sp->gfn);

	/* A table outside of L1's memory reads as all ones, and nobody can write it. */
	if (!slot)
		return;
	sp->tracked = true;
	if ((*track_count(slot, sp->gfn))++)
		return;
	disallow_lpage_add(slot, sp->gfn, 1);
	tdp_write_protect_gfn(mmu, sp->gfn, b);
	shadow_wrprot_gfn(mmu, slot, sp->gfn, b);
}

void shadow_untrack_page(struct mmu *mmu, struct shadow_page *sp)
{
	struct memslot *slot;

	if (!sp->tracked)
		return;
	sp->tracked = false;
	slot = memslot_find(mmu, sp->gfn);
	assert(slot && *track_count(slot, sp->gfn) > 0);
	if (--*track_count(slot, sp->gfn) == 0)
		disallow_lpage_add(slot, sp->gfn, -1);
}

static void shadow_page_unsync(struct mmu *mmu, struct shadow_page *sp)
{
	shadow_untrack_page(mmu, sp);
	sp->unsync = true;
	list_add_tail(&sp->unsync_link, &mmu->shadow_unsync);
	mmu->nr_unsync++;
	mmu_stat_add(&mmu->stats.mmu_unsync, 1);
	env_trace(MMU_EV_unsync, sp->gfn.v, sp->role.word, 0, 0);
}

void shadow_unsync_end(struct mmu *mmu, struct shadow_page *sp)
{
	sp->unsync = false;
	list_del(&sp->unsync_link);
	mmu->nr_unsync--;
}

/* A page that still catches writes to @gfn. Zapping one may take others along, so: one at a time.
 */
static struct shadow_page *tracked_page_of(struct mmu *mmu, gfn_t gfn)
{
	struct list_head *bucket = shadow_hash_bucket(mmu, gfn);
	struct shadow_page *sp;

	list_for_each_entry(sp, bucket, hash_link)
	{
		if (sp->gfn.v == gfn.v && sp->tracked)
			return sp;
	}
	return NULL;
}

void shadow_track_write(struct mmu *mmu, struct memslot *slot, gfn_t gfn, struct flush_batch *b)
{
	struct shadow_page *sp;
	u64 zapped = 0, unsynced = 0;

	debug_assert(rwlock_held_write(&mmu->lock));
	if (!shadow_gfn_tracked(slot, gfn))
		return;
	while ((sp = tracked_page_of(mmu, gfn))) {
		if (sp->role.level == PG_LEVEL_4K) {
			shadow_page_unsync(mmu, sp);
			unsynced++;
		} else {
			shadow_page_zap(mmu, sp, b);
			zapped++;
		}
	}
	mmu_stat_add(&mmu->stats.mmu_pte_write, 1);
	env_trace(MMU_EV_track_write, gfn.v, zapped, unsynced, 0);
}

const void *shadow_page_table(struct mmu *mmu, const struct shadow_page *sp)
{
	struct memslot *slot = memslot_find(mmu, sp->gfn);

	return slot ? env_va(memslot_hpa(slot, sp->gfn, NULL)) : NULL;
}

/* L1's entry that entry @index of the level-1 page @sp was made from, as it is now. */
static u64 l1_entry_now(const struct shadow_page *sp, const void *table, int index)
{
	if (pt_formats[sp->role.fmt].entry_size == 4) {
		const u32 *entries = table;

		return READ_ONCE(entries[sp->role.quadrant * TABLE_ENTRIES + index]);
	}
	return READ_ONCE(((const u64 *)table)[index]);
}

/*
 * What L1's entry grants now through @sp; 0 when the shadow of it must go: not present, malformed,
 * another page, or A cleared, as L1 then wants to see A set again by the next access.
 */
static u32 l1_entry_access_now(const struct shadow_page *sp, const struct pt_mode *mode, u64 entry,
			       gfn_t gfn)
{
	u32 access = sp->role.access & pt_entry_access(mode, entry);

	if (!(entry & mode->fmt->present) || pt_malformed(mode, entry, PG_LEVEL_4K, true))
		return 0;
	if (pt_entry_addr(mode, entry, PG_LEVEL_4K, true) >> PAGE_SHIFT != gfn.v)
		return 0;
	if (mode->ad && !(entry & mode->fmt->accessed))
		return 0;
	if (mode->ad && !(entry & mode->fmt->dirty))
		access &= ~ACC_WRITE;
	return access;
}

/* Compares entry @index with what L1's table says; returns true when it had to go. */
static bool sync_entry(struct mmu *mmu, struct shadow_page *sp, const struct pt_mode *mode,
		       u64 entry, int index, struct flush_batch *b)
{
	gfn_t gfn = shadow_page_gfn(sp, index);
	u32 access = l1_entry_access_now(sp, mode, entry, gfn);
	u32 lost = shadow_page_access(sp, index) & ~access;

	/* Without W the rest may stay; what else was lost is rare enough to be faulted in again. */
	if (!access || (lost & ~ACC_WRITE)) {
		shadow_drop_entry(mmu, sp, index, b);
		return true;
	}
	if (lost & ACC_WRITE) {
		struct spte_pos pos = shadow_pos(mmu, sp, index);

		spte_clear_bits(&pos, mmu->cfg.fmt->write, b);
	}
	shadow_page_note(sp, index, gfn, access);
	return false;
}

static void sync_compare(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	const void *table = shadow_page_table(mmu, sp);
	struct pt_mode mode = page_role_mode(sp->role);
	u64 dropped = 0;

	assert(table);
	for (int i = 0; i < TABLE_ENTRIES; i++) {
		if (spte_present(mmu, sp->spt[i]))
			dropped += sync_entry(mmu, sp, &mode, l1_entry_now(sp, table, i), i, b);
	}
	mmu_stat_add(&mmu->stats.mmu_synced, 1);
	mmu_stat_add(&mmu->stats.mmu_sync_dropped, (s64)dropped);
	env_trace(MMU_EV_sync, sp->gfn.v, sp->role.word, dropped, sp->present);
}

static void sync_begin(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	assert(sp->unsync && sp->role.level == PG_LEVEL_4K);
	shadow_unsync_end(mmu, sp);
	shadow_track_page(mmu, sp, b);
}

/*
 * The order matters: catch writes again, flush, and only then read. A write through a translation
 * that a CPU still holds would otherwise come after the comparison and be missed for good.
 */
void shadow_sync_page(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b)
{
	sync_begin(mmu, sp, b);
	flush_pay(mmu, b);
	sync_compare(mmu, sp, b);
}

/* The first @n of those that are out of sync: one flush for all of them. */
static void sync_batch(struct mmu *mmu, u64 n, struct flush_batch *b)
{
	struct shadow_page *sp;
	LIST_HEAD(pages);

	for (; n && !list_empty(&mmu->shadow_unsync); n--) {
		sp = list_first_entry(&mmu->shadow_unsync, struct shadow_page, unsync_link);
		sync_begin(mmu, sp, b);
		list_add_tail(&sp->unsync_link, &pages);
	}
	flush_pay(mmu, b);
	/* Comparing drops leaves only, so no page of the list goes away meanwhile. */
	while (!list_empty(&pages)) {
		sp = list_first_entry(&pages, struct shadow_page, unsync_link);
		list_del(&sp->unsync_link);
		sync_compare(mmu, sp, b);
	}
}

void shadow_sync_all(struct mmu *mmu, struct flush_batch *b)
{
	/*
	 * What goes out of sync while the lock is dropped comes last: after so many, all that were
	 * there at first have been compared, by us or by another vCPU.
	 */
	u64 left = mmu->nr_unsync, n;

	debug_assert(rwlock_held_write(&mmu->lock));
	for (; left; left -= n) {
		n = MIN(left, (u64)mmu->shadow_step);
		sync_batch(mmu, n, b);
		if (left > n)
			shadow_rest(mmu, b);
	}
}

bool shadow_sync_before_link(struct mmu *mmu, struct shadow_page *child, struct flush_batch *b)
{
	if (child->unsync)
		shadow_sync_page(mmu, child, b);
	if (!mmu->nr_unsync || child->role.level == PG_LEVEL_4K)
		return true;
	if (mmu->nr_unsync > LINK_SYNC_MAX) {
		shadow_sync_all(mmu, b);
		return false;
	}
	/*
	 * At once: the fault that links may be a write that has just let a table go out of sync,
	 * and will again. If the lock was dropped each time, L2 would never get there.
	 */
	sync_batch(mmu, mmu->nr_unsync, b);
	return true;
}
