/* SPDX-License-Identifier: MIT */
/*
 * Dirty logging of memslots, over both trees. A tracker says how writes become known: by write
 * protection (dirty_wp.c) or by the dirty bits that the processor sets (dirty_dbit.c). PML would
 * fit behind the same interface.
 *
 * All functions but those that mark take slots_lock, and mmu_lock inside; no lock may be held.
 */
#pragma once

#include "mmu/mmu.h"

/*
 * A way to find out what was written. Called with slots_lock and mmu_lock (write) held.
 */
struct dirty_tracker {
	const char *name;
	/* Starts to track [start, end): from now on a write is seen. */
	void (*arm_range)(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
			  struct flush_batch *b);
	/* Tracks the gfns of @m again. */
	void (*arm_masked)(struct mmu *mmu, struct memslot *slot, const struct gfn_mask *m,
			   struct flush_batch *b);
	/*
	 * Brings what the processors have noted into the bitmaps of all slots. May drop mmu_lock,
	 * with flushes paid. NULL: they note nothing, as writes fault.
	 */
	void (*sync)(struct mmu *mmu, struct flush_batch *b);
};
extern const struct dirty_tracker dirty_tracker_wp, dirty_tracker_dbit;

enum dirty_log_mode { DIRTY_PROTECT_ALL, DIRTY_INITIALLY_SET };

/*
 * Turns logging of @slot on. DIRTY_PROTECT_ALL: splits eagerly (when mmu.cfg says so), then
 * protects everything. DIRTY_INITIALLY_SET: every bit starts set; splitting and protecting happen
 * on clear, for the range cleared. Huge pages that cannot be split stay, write-protected.
 * 0, -EEXIST when on already, -ENOMEM for the bitmap (then logging is off).
 */
int __must_check dirty_log_enable(struct mmu *mmu, struct memslot *slot, enum dirty_log_mode mode);
/* Turns it off, frees the bitmap, and joins what was split into huge pages again. */
void dirty_log_disable(struct mmu *mmu, struct memslot *slot);
/*
 * Reads and clears the bits of @npages pages from @slot's page @first (both multiples of 64 or
 * ending at the slot's end) into @out (u64 words, bit 0 = @first), and tracks the pages that were
 * dirty again. When it returns, flushes are paid: what is read from memory after that is no older
 * than the bit. Returns the number of dirty pages.
 */
u64 dirty_log_read_clear(struct mmu *mmu, struct memslot *slot, u64 first, u64 npages, u64 *out);
/*
 * Brings what the processors have noted into the bitmaps of all logged slots; at once for all, as
 * L2's memory may be anybody's. To be called before each round of dirty_log_read_clear() and before
 * the last one with the VM stopped: a write that no sync has seen is in no bitmap. Does nothing
 * where writes fault.
 */
void dirty_log_sync(struct mmu *mmu);
/* Whoever makes a 4K leaf of @slot writable marks the page, as nobody else will. mmu_lock. */
static inline bool dirty_log_by_faults(const struct mmu *mmu, const struct memslot *slot)
{
	return slot->dirty_bitmap && mmu->cfg.dirty == DIRTY_WP;
}

/*
 * What a 4K leaf of @slot that a fault maps or changes now must lack: 0, W or D. By write
 * protection a read gets no W, and a write gets it with the page marked, by the caller. By dirty
 * bits a leaf is writable at once and clean: the processor sets D when it writes, so L0 never
 * makes a leaf of a logged slot with D set. mmu_lock.
 */
static inline u64 dirty_log_withheld(const struct mmu *mmu, const struct memslot *slot, bool write)
{
	if (!slot->dirty_bitmap)
		return 0;
	if (mmu->cfg.dirty == DIRTY_DBIT)
		return mmu->cfg.fmt->dirty;
	return write ? 0 : mmu->cfg.fmt->write;
}
/* Number of bits set in @slot now. */
u64 dirty_log_count(struct mmu *mmu, struct memslot *slot);

/*
 * Marks @gfn dirty if @slot is logged, after the page was written. Atomic. mmu_lock, at least for
 * reading from before the write on: turning the log off frees the bitmap after it held mmu_lock,
 * and whoever clears bits reads the page after that.
 */
static inline void dirty_log_mark(struct memslot *slot, gfn_t gfn)
{
	u64 *map = __atomic_load_n(&slot->dirty_bitmap, __ATOMIC_ACQUIRE);

	if (map) {
		u64 i = gfn.v - slot->base.v;

		__atomic_fetch_or(&map[i / 64], BIT(i % 64), __ATOMIC_RELAXED);
	}
}
/* Marks each of @npages pages from @gfn. mmu_lock as above. */
void dirty_log_mark_range(struct memslot *slot, gfn_t gfn, u64 npages);
/* Marks @gfn + n for each bit n of @mask, in whatever slot that is. mmu_lock as above. */
void dirty_log_mark_masked(struct mmu *mmu, gfn_t gfn, u64 mask);
