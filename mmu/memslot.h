/* SPDX-License-Identifier: MIT */
/*
 * Memslots: ranges of a VM's physical memory (gfns), the host memory behind them, and what
 * the MMU keeps for each page: dirty bitmap, write tracking, rmaps.
 *
 * The set of slots changes only under slots_lock and mmu_lock (write) together, and in
 * practice only before the VM runs and at its end; either lock is enough to read it.
 */
#pragma once

#include "lib/assert.h"
#include "mmu/pt_format.h"

#define MEMSLOT_MAX	 8
#define MEMSLOT_READONLY BIT(0)

struct mmu;
struct rmap_head;

struct memslot {
	u16 id;
	u32 flags; /* MEMSLOT_*; constant */
	gfn_t base;
	u64 npages;

	/*
	 * Host memory: one word for each 2M of gfns (aligned), either the hpa of that 2M piece
	 * with the level of the piece it belongs to (2 or 3) in the low bits, or the address of
	 * an array of 512 hpas (level 1). Constant while the VM runs.
	 */
	u64 *pieces;

	/* Dirty log, by mmu/dirty_log.c. NULL: off. Bits are set with atomic OR. */
	u64 *dirty_bitmap;
	bool dirty_initially_set; /* protect on clear, not at enable */

	/*
	 * For each gfn, how many shadow pages shadow it and want its writes caught; and for
	 * levels 2 and 3, how many reasons there are not to map a huge page there (tracked
	 * gfns inside, ends of the slot). Protected by mmu_lock (write to change).
	 */
	u16 *write_track;
	u32 *disallow_lpage[2]; /* [level - 2] */

	/* rmap heads for level 1 to 3; NULL until nested paging is first used. mmu_lock. */
	struct rmap_head *rmap[3]; /* [level - 1] */
};

/*
 * Adds a slot of @npages at @base. The memory behind it is then given with
 * memslot_set_piece(), piece by piece, until each page has one.
 * Returns 0, -EEXIST (overlap, no free slot), -EINVAL, -ENOMEM. Takes the locks itself.
 */
int __must_check memslot_add(struct mmu *mmu, u16 id, gfn_t base, u64 npages, u32 flags,
			     struct memslot **out);
/*
 * A piece of host memory of @level (naturally aligned in hpa and gfn).
 * 0, -EINVAL (alignment, outside, twice), -ENOMEM.
 */
int __must_check memslot_set_piece(struct memslot *slot, gfn_t gfn, hpa_t hpa, int level);
/* Frees the slots' arrays (not the host memory). Only when no SPTE is left. */
void memslot_free_all(struct mmu *mmu);

/* memslot_find(): mmu/mmu.h. */

/* Index of @gfn's entry in a per-level array of @slot; works for slots of any alignment. */
static inline u64 memslot_index(const struct memslot *slot, gfn_t gfn, int level)
{
	int shift = 9 * (level - 1);

	return (gfn.v >> shift) - (slot->base.v >> shift);
}

#define PIECE_PAGES LEVEL_PAGES(PG_LEVEL_2M)
#define PIECE_LEVEL 3ull /* the level, in a piece's low bits; 0: an array of 4K pages */
#define PAGE_GIVEN  1ull /* in an entry of such an array */

/*
 * Host address of @gfn in @slot. @level, if not NULL, receives the largest level at which host
 * memory is contiguous and aligned and the slot covers the whole page.
 */
static inline hpa_t memslot_hpa(const struct memslot *slot, gfn_t gfn, int *level)
{
	u64 piece = slot->pieces[memslot_index(slot, gfn, PG_LEVEL_2M)];
	u64 offset = gfn.v % PIECE_PAGES, page;

	if (likely(piece & PIECE_LEVEL)) {
		if (level)
			*level = piece & PIECE_LEVEL;
		return (hpa_t){(piece & ~PIECE_LEVEL) + offset * PAGE_SIZE};
	}
	assert(piece);
	page = ((const u64 *)piece)[offset];
	assert(page & PAGE_GIVEN);
	if (level)
		*level = PG_LEVEL_4K;
	return (hpa_t){page & ~PAGE_GIVEN};
}

/* Number of entries of such an array. */
u64 memslot_entries(const struct memslot *slot, int level);
/* Largest level that may map @gfn at all: host memory, slot ends, tracking, dirty log. */
int memslot_max_level(const struct mmu *mmu, const struct memslot *slot, gfn_t gfn);
/* True when writes to any gfn within the page of @level that holds @gfn are caught. mmu_lock. */
bool memslot_tracked_inside(const struct memslot *slot, gfn_t gfn, int level);
