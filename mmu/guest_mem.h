/* SPDX-License-Identifier: MIT */
/*
 * L0's own access to a guest's memory. Every write that L0 does there on a guest's behalf
 * (A/D bits in L1's tables, vmcb12, devices, loaders) goes through this file: it marks the
 * page dirty and honours the tracking of L1's page tables.
 *
 * All functions: 0, or -EFAULT when any part lies outside of the slots (for writes: or in a
 * read-only slot); then nothing was read or written. Reading takes no lock and may be done under
 * any: slots do not change while the VM runs. For writing no lock may be held but slots_lock; it
 * takes mmu_lock for reading, and when the gfn is tracked for writing.
 */
#pragma once

#include "mmu/flush.h"
#include "mmu/memslot.h"

int __must_check guest_read(struct mmu *mmu, gpa_t gpa, void *dst, size_t len);
int __must_check guest_write(struct mmu *mmu, gpa_t gpa, const void *src, size_t len);
/* One aligned store of 1, 2, 4 or 8 bytes: the guest sees all of it or nothing. */
int __must_check guest_write_entry(struct mmu *mmu, gpa_t gpa, u64 value, int size);
/*
 * Compare-and-exchange of @size bytes (1, 2, 4 or 8, aligned). -EAGAIN when the guest's memory no
 * longer holds @old.
 */
int __must_check guest_cmpxchg(struct mmu *mmu, gpa_t gpa, u64 old, u64 new, int size);
/*
 * The same for setting A and D in an entry of a page table of the guest's: what the tables grant
 * does not shrink by that, so a shadow of them stays right and tracking is left alone.
 */
int __must_check guest_set_ad(struct mmu *mmu, gpa_t gpa, u64 old, u64 new, int size);
/*
 * The same where the entry of 8 bytes is known to be at @entry, in @gfn of @slot. mmu_lock. False:
 * it no longer holds @old, or cannot be written.
 */
bool __must_check guest_set_ad_locked(struct memslot *slot, gfn_t gfn, u64 *entry, u64 old,
				      u64 new);
/* One aligned load of 1, 2, 4 or 8 bytes, atomic against the guest's stores. */
int __must_check guest_read_entry(struct mmu *mmu, gpa_t gpa, u64 *entry, int size);

/*
 * One page, for several accesses: what guest_read() and guest_write() do for each, done once.
 * @page->va is its first byte, as long as the VM lives. Writes to it go between begin and end;
 * mmu_lock is held there.
 */
struct guest_page {
	void *va;
	struct memslot *slot;
	gfn_t gfn;
	bool exclusive; /* mmu_lock is held for writing */
	struct flush_batch b;
};
/* A page that can be written. */
int __must_check guest_page_find(struct mmu *mmu, gfn_t gfn, struct guest_page *page);
void guest_page_write_begin(struct mmu *mmu, struct guest_page *page);
void guest_page_write_end(struct mmu *mmu, struct guest_page *page);
/* For reading, with no lock; NULL outside of the slots. */
const void *guest_page_read(struct mmu *mmu, gfn_t gfn);
