// SPDX-License-Identifier: MIT
/*
 * Caught writes to L1's upper-level tables. L0 carries the store out, and only what was made from
 * the entry that it changes goes: dropping the whole table would be quadratic while L1 builds its
 * tables, and would never end where L2 writes the table that maps the write.
 */
#include "lib/assert.h"
#include "mmu/env.h"
#include "mmu/shadow_internal.h"

/*
 * After so many caught writes with no fault through the page in between, it is worth more as
 * plain memory: L1 is building a table there, or has freed it and uses it for something else.
 */
#define FLOOD_WRITES 16

/*
 * Entries [*first, *last] of @sp were made from bytes [@offset, @offset + @len) of L1's table.
 * False: none was. An entry of 4M makes two of ours, and a table of 1024 entries several pages.
 */
static bool entries_of(const struct shadow_page *sp, u32 offset, u32 len, int *first, int *last)
{
	const struct pt_format *fmt = &pt_formats[sp->role.fmt];
	int from = (int)(offset / fmt->entry_size),
	    to = (int)((offset + len - 1) / fmt->entry_size);
	int ours = fmt->entry_size == 4 && sp->role.level == 2 ? 2 : 1;
	int count = TABLE_ENTRIES / ours, start = (int)sp->role.quadrant * count;

	if (fmt->id == PT_FMT_PAE && sp->role.level == fmt->levels) {
		count = 1 << fmt->root_bits;
		start = (int)sp->role.pdpt * count;
	}
	from = MAX(from - start, 0);
	to = MIN(to - start, count - 1);
	*first = from * ours;
	*last = to * ours + ours - 1;
	return from <= to;
}

/* An entry of @sp that comes from there and maps something; -1: none. */
static int entry_to_drop(const struct mmu *mmu, const struct shadow_page *sp, u32 offset, u32 len)
{
	int i, last;

	if (!entries_of(sp, offset, len, &i, &last))
		return -1;
	for (; i <= last; i++) {
		if (spte_present(mmu, sp->spt[i]))
			return i;
	}
	return -1;
}

/* Drops one. Its children may go with it and be in the same bucket, so: one at a time. */
static bool drop_one(struct mmu *mmu, gfn_t gfn, u32 offset, u32 len, struct flush_batch *b)
{
	struct list_head *bucket = shadow_hash_bucket(mmu, gfn);
	struct shadow_page *sp;

	list_for_each_entry(sp, bucket, hash_link)
	{
		int i;

		if (sp->gfn.v != gfn.v || !sp->tracked)
			continue;
		i = entry_to_drop(mmu, sp, offset, len);
		if (i >= 0) {
			shadow_drop_entry(mmu, sp, i, b);
			return true;
		}
	}
	return false;
}

/* A table above the last level is shadowed at @gfn; @writes more are to be counted. */
static bool upper_is_shadowed(struct mmu *mmu, gfn_t gfn, u32 writes, bool *flooded)
{
	struct list_head *bucket = shadow_hash_bucket(mmu, gfn);
	struct shadow_page *sp;
	bool upper = false;

	*flooded = false;
	mmu->shadow_events += writes;
	list_for_each_entry(sp, bucket, hash_link)
	{
		if (sp->gfn.v != gfn.v || !sp->tracked || sp->role.level == PG_LEVEL_4K)
			continue;
		upper = true;
		sp->writes += writes;
		if (sp->writes > FLOOD_WRITES)
			*flooded = true;
	}
	return upper;
}

bool shadow_track_fault(struct mmu *mmu, struct memslot *slot, gfn_t gfn, struct flush_batch *b)
{
	bool flooded;

	debug_assert(rwlock_held_write(&mmu->lock));
	if (!shadow_gfn_tracked(slot, gfn))
		return false;
	if (upper_is_shadowed(mmu, gfn, 0, &flooded))
		return true;
	shadow_track_write(mmu, slot, gfn, b);
	return false;
}

void shadow_write_entries(struct mmu *mmu, struct memslot *slot, gpa_t gpa, u32 len,
			  struct flush_batch *b)
{
	gfn_t gfn = gpa_to_gfn(gpa);
	u32 offset = (u32)(gpa.v % PAGE_SIZE), writes = DIV_ROUND_UP(len, 8);
	u64 dropped = 0;
	bool flooded;

	debug_assert(rwlock_held_write(&mmu->lock));
	if (!len || !shadow_gfn_tracked(slot, gfn))
		return;
	if (!upper_is_shadowed(mmu, gfn, writes, &flooded)) {
		shadow_track_write(mmu, slot, gfn, b);
		return;
	}
	if (flooded) {
		mmu_stat_add(&mmu->stats.mmu_flooded, 1);
		shadow_track_write(mmu, slot, gfn, b);
		return;
	}
	while (drop_one(mmu, gfn, offset, len, b))
		dropped++;
	shadow_zap_some(mmu, b);
	mmu_stat_add(&mmu->stats.mmu_pte_write, 1);
	env_trace(MMU_EV_track_write, gfn.v, 0, 0, dropped);
}

void mmu_track_end(struct mmu *mmu, gpa_t gpa)
{
	struct memslot *slot = memslot_find(mmu, gpa_to_gfn(gpa));
	struct flush_batch b = FLUSH_BATCH_INIT;

	if (!slot)
		return;
	rwlock_write_lock(&mmu->lock);
	shadow_track_write(mmu, slot, gpa_to_gfn(gpa), &b);
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
}
