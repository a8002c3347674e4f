// SPDX-License-Identifier: MIT
/*
 * Dirty logging. The order that loses no write: a page is tracked again (by write protection: made
 * read-only; by dirty bits: made clean) and the flush paid before anybody may rely on its bit being
 * clear, and bits are taken before that, all under mmu_lock.
 */
#include "mmu/dirty_log.h"

#include "lib/bitmap.h"
#include "mmu/env.h"
#include "mmu/split.h"
#include "mmu/tdp_mmu.h"

/* So many words are cleared before the lock is offered to others. */
#define CLEAR_WORDS 64
/* Where L1 maps pages at many addresses, of which it may be a thousand for each. */
#define CLEAR_WORDS_ALIASED 8

void dirty_log_mark_range(struct memslot *slot, gfn_t gfn, u64 npages)
{
	u64 *map = __atomic_load_n(&slot->dirty_bitmap, __ATOMIC_ACQUIRE);
	u64 first = gfn.v - slot->base.v, last = first + npages - 1;

	if (!map || !npages)
		return;
	for (u64 w = first / 64; w <= last / 64; w++)
		__atomic_fetch_or(&map[w], bitmap_word_mask(w, first, last), __ATOMIC_RELAXED);
}

/* True when the whole word of 64 gfns is in @slot. It may begin below gfn 0. */
static bool slot_has_word(const struct memslot *slot, gfn_t gfn)
{
	u64 offset = gfn.v - slot->base.v;

	return offset < slot->npages && slot->npages - offset >= 64;
}

void dirty_log_mark_masked(struct mmu *mmu, gfn_t gfn, u64 mask)
{
	while (mask) {
		gfn_t first = {gfn.v + (u64)__builtin_ctzll(mask)};
		struct memslot *slot = memslot_find(mmu, first);
		u64 *map = slot ? __atomic_load_n(&slot->dirty_bitmap, __ATOMIC_ACQUIRE) : NULL;

		if (slot && slot_has_word(slot, gfn)) {
			u64 i = gfn.v - slot->base.v, shift = i % 64;

			if (map && mask << shift)
				__atomic_fetch_or(&map[i / 64], mask << shift, __ATOMIC_RELAXED);
			if (map && shift && mask >> (64 - shift))
				__atomic_fetch_or(&map[i / 64 + 1], mask >> (64 - shift),
						  __ATOMIC_RELAXED);
			return;
		}
		if (slot)
			dirty_log_mark(slot, first);
		mask &= mask - 1;
	}
}

static const struct dirty_tracker *tracker_of(const struct mmu *mmu)
{
	static const struct dirty_tracker *const trackers[] = {
		[DIRTY_WP] = &dirty_tracker_wp,
		[DIRTY_DBIT] = &dirty_tracker_dbit,
	};

	return trackers[mmu->cfg.dirty];
}

/* --- on and off --------------------------------------------------------------------------- */

static u64 *alloc_bitmap(const struct memslot *slot, enum dirty_log_mode mode)
{
	u64 *map = env_alloc(BITMAP_WORDS(slot->npages) * sizeof(u64));

	if (map && mode == DIRTY_INITIALLY_SET)
		bitmap_set_range(map, 0, slot->npages);
	return map;
}

static int enable_locked(struct mmu *mmu, struct memslot *slot, enum dirty_log_mode mode)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 *map;
	int split = 0;

	if (slot->dirty_bitmap)
		return -EEXIST;
	map = alloc_bitmap(slot, mode);
	if (!map)
		return -ENOMEM;
	rwlock_write_lock(&mmu->lock);
	slot->dirty_initially_set = mode == DIRTY_INITIALLY_SET;
	/* From now on faults map 4K and mark what they make writable. */
	__atomic_store_n(&slot->dirty_bitmap, map, __ATOMIC_RELEASE);
	if (mode == DIRTY_PROTECT_ALL)
		split = split_and_arm(mmu, slot, tracker_of(mmu), &b);
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
	env_trace(MMU_EV_log, slot->id, 1, mode, (u64)split);
	return 0;
}

int dirty_log_enable(struct mmu *mmu, struct memslot *slot, enum dirty_log_mode mode)
{
	int err;

	mutex_lock(&mmu->slots_lock);
	err = enable_locked(mmu, slot, mode);
	mutex_unlock(&mmu->slots_lock);
	return err;
}

void dirty_log_disable(struct mmu *mmu, struct memslot *slot)
{
	u64 start = slot->base.v, end = start + slot->npages;
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 *map;

	mutex_lock(&mmu->slots_lock);
	rwlock_write_lock(&mmu->lock);
	map = slot->dirty_bitmap;
	/* Whoever marks holds mmu_lock: after this nobody has the pointer any more. */
	__atomic_store_n(&slot->dirty_bitmap, NULL, __ATOMIC_RELEASE);
	if (map) {
		tdp_recover_range(mmu, start, end, &b);
		if (mmu->nested_used)
			nested_recover_range(mmu, slot, start, end, &b);
	}
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
	env_free(map);
	env_trace(MMU_EV_log, slot->id, 0, slot->dirty_initially_set, 0);
	mutex_unlock(&mmu->slots_lock);
}

/* --- read and clear ------------------------------------------------------------------------- */

/* What the walk over the bitmap has taken and not armed yet: the pages of one last-level table. */
struct taken {
	struct mmu *mmu;
	struct memslot *slot;
	struct gfn_mask mask;
	bool any;
	struct flush_batch b;
};

static void taken_arm(struct taken *t)
{
	if (t->any)
		tracker_of(t->mmu)->arm_masked(t->mmu, t->slot, &t->mask, &t->b);
	t->mask = (struct gfn_mask){0};
	t->any = false;
}

/* Adds the 64 pages from @gfn on, a multiple of 64, for which @mask has bits. */
static void taken_add(struct taken *t, u64 gfn, u64 mask)
{
	u64 base = ALIGN_DOWN(gfn, LEVEL_PAGES(PG_LEVEL_2M));

	if (!mask)
		return;
	if (base != t->mask.base)
		taken_arm(t);
	t->mask.base = base;
	t->mask.words[(gfn - base) / 64] |= mask;
	t->any = true;
}

/* Arms what was taken and pays; nobody may rely on the bits before that. */
static void taken_settle(struct taken *t)
{
	taken_arm(t);
	flush_pay(t->mmu, &t->b);
}

/* Takes bitmap word @word. Its gfns are not aligned by 64 where the slot is not. */
static u64 take_word(struct taken *t, u64 word)
{
	u64 bits = bitmap_take_word_atomic(t->slot->dirty_bitmap, word);
	u64 gfn = t->slot->base.v + word * 64, shift = gfn % 64;

	taken_add(t, gfn - shift, bits << shift);
	if (shift)
		taken_add(t, gfn - shift + 64, bits >> (64 - shift));
	return bits;
}

static u64 clear_words(struct mmu *mmu, struct memslot *slot, u64 word, u64 count, u64 *out)
{
	struct taken t = {.mmu = mmu, .slot = slot};
	u64 dirty = 0, offer = mmu->stats.rmap_descs ? CLEAR_WORDS_ALIASED : CLEAR_WORDS;

	for (u64 i = 0; i < count; i++) {
		out[i] = take_word(&t, word + i);
		dirty += popcount64(out[i]);
		if (i % offer == offer - 1 &&
		    (env_need_resched() || rwlock_contended(&mmu->lock))) {
			taken_settle(&t);
			rwlock_write_unlock(&mmu->lock);
			env_resched();
			rwlock_write_lock(&mmu->lock);
		}
	}
	taken_settle(&t);
	return dirty;
}

/* In initially-set mode pages are still huge where nothing was cleared yet. */
static void split_before_clear(struct mmu *mmu, struct memslot *slot, u64 first, u64 npages)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 start = slot->base.v + first;

	/* What stays huge is write-protected as a whole when it is armed. */
	(void)!split_range(mmu, slot, start, start + npages, &b);
	flush_pay(mmu, &b);
}

u64 dirty_log_read_clear(struct mmu *mmu, struct memslot *slot, u64 first, u64 npages, u64 *out)
{
	u64 words = BITMAP_WORDS(npages), dirty = 0;

	assert(first % 64 == 0 && first + npages <= slot->npages &&
	       (npages % 64 == 0 || first + npages == slot->npages));
	for (u64 i = 0; i < words; i++)
		out[i] = 0;
	mutex_lock(&mmu->slots_lock);
	rwlock_write_lock(&mmu->lock);
	if (slot->dirty_bitmap) {
		if (slot->dirty_initially_set)
			split_before_clear(mmu, slot, first, npages);
		dirty = clear_words(mmu, slot, first / 64, words, out);
	}
	rwlock_write_unlock(&mmu->lock);
	env_trace(MMU_EV_log_clear, slot->id, first, npages, dirty);
	mutex_unlock(&mmu->slots_lock);
	return dirty;
}

static bool any_logged(const struct mmu *mmu)
{
	for (int i = 0; i < mmu->nr_slots; i++)
		if (mmu->slots[i].dirty_bitmap)
			return true;
	return false;
}

void dirty_log_sync(struct mmu *mmu)
{
	const struct dirty_tracker *tracker = tracker_of(mmu);
	struct flush_batch b = FLUSH_BATCH_INIT;

	if (!tracker->sync)
		return;
	mutex_lock(&mmu->slots_lock);
	rwlock_write_lock(&mmu->lock);
	if (any_logged(mmu))
		tracker->sync(mmu, &b);
	flush_pay(mmu, &b);
	rwlock_write_unlock(&mmu->lock);
	mutex_unlock(&mmu->slots_lock);
}

u64 dirty_log_count(struct mmu *mmu, struct memslot *slot)
{
	u64 n = 0;

	mutex_lock(&mmu->slots_lock);
	if (slot->dirty_bitmap)
		n = bitmap_count(slot->dirty_bitmap, slot->npages);
	mutex_unlock(&mmu->slots_lock);
	return n;
}
