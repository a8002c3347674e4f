/* SPDX-License-Identifier: MIT */
/*
 * What the files of the shadow MMU share with each other and with nobody else. Everything here
 * requires mmu_lock for writing.
 */
#pragma once

#include "mmu/mmu.h"
#include "mmu/pt_walk.h"
#include "mmu/shadow_mmu.h"
#include "mmu/shadow_page.h"
#include "mmu/spte.h"

/* So many shadow pages stay free: a fault needs one for each level below the root. */
#define SHADOW_MIN_FREE_PAGES 5
/* The default limit on shadow pages: one for so many guest pages (2 %), at least so many. */
#define SHADOW_PAGES_SHARE 50
#define SHADOW_PAGES_MIN   64

static inline int sptep_index(const struct shadow_page *sp, const u64 *sptep)
{
	return (int)(sptep - sp->spt);
}

/* The position of entry @index of @sp as it was made: with the gfn that it maps now. */
static inline struct spte_pos shadow_pos(struct mmu *mmu, struct shadow_page *sp, int index)
{
	return (struct spte_pos){
		.mmu = mmu,
		.sp = sp,
		.sptep = &sp->spt[index],
		.gfn = shadow_page_gfn(sp, index),
		.level = sp->role.level,
	};
}

/* The level of roots for L1's tables of @fmt: of their own root, or of the processor's. */
static inline u32 shadow_root_level(const struct mmu *mmu, u32 fmt)
{
	return MAX(mmu->cfg.fmt->levels, pt_formats[fmt].levels);
}

/* L1 has a table behind a page of @role; others are direct, or L0's own upper levels. */
static inline bool page_role_has_table(union page_role role)
{
	return !role.direct && role.level <= pt_formats[role.fmt].levels;
}

/* How to read the tables of L1 that @role shadows. */
struct pt_mode page_role_mode(union page_role role);

/* Makes the hash, one list for a shadow page or two. 0 or -ENOMEM. slots_lock; no mmu_lock. */
int __must_check shadow_hash_alloc(struct mmu *mmu, u64 pages);
struct list_head *shadow_hash_bucket(struct mmu *mmu, gfn_t gfn);

/* Notes what entry @index of @sp is to be made from; nothing to note when @sp is direct. */
void shadow_page_note(struct shadow_page *sp, int index, gfn_t gfn, u32 access);

/* Offers mmu_lock to others, flushes paid: true when it was dropped, and anything may be new. */
bool shadow_rest(struct mmu *mmu, struct flush_batch *b);
/*
 * Empties some of the pages that are zapped and wait for it. With them goes what hangs from nothing
 * else: not between shadow_page_get() and the page's first link.
 */
void shadow_zap_some(struct mmu *mmu, struct flush_batch *b);
/* Makes each entry empty that leads to @sp. */
void shadow_unlink_parents(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b);
/* Makes entry @index empty; a child that loses its last parent is zapped. */
void shadow_drop_entry(struct mmu *mmu, struct shadow_page *sp, int index, struct flush_batch *b);
/* The same for the entry at @sptep. */
void shadow_drop_spte(struct mmu *mmu, u64 *sptep, struct flush_batch *b);
/* Frees @sp, which is invalid and no longer anybody's root. */
void shadow_page_free(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b);
/* Moves path[bottom] to path[top], by level, to the recency list's warm end; resets their writes.
 */
void shadow_path_touch(struct mmu *mmu, struct shadow_page *const *path, int bottom, int top);
/*
 * The page that is to go first, not used for longest, or NULL: all are roots in use. @looked: grows
 * by how many were in the way. Owes a flush for accessed bits that it has cleared.
 */
struct shadow_page *shadow_coldest(struct mmu *mmu, u64 *looked, struct flush_batch *b);
/*
 * The same, and makes room for what the path lacks below @bottom: not out of the path, whose other
 * pages would be missing then.
 */
void shadow_path_make_room(struct mmu *mmu, struct shadow_page *const *path, int bottom, int top,
			   struct flush_batch *b);
/*
 * A leaf was added to @head, which took a descriptor; or a way to @sp is to be added. If there are
 * very many by now all of them go.
 */
void shadow_limit_aliases(struct mmu *mmu, struct rmap_head *head, struct flush_batch *b);
void shadow_limit_parents(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b);
/* How many more shadow pages the limit allows. */
u64 shadow_pages_available(const struct mmu *mmu);

/* Starts and ends catching writes to the table that @sp shadows. */
void shadow_track_page(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b);
void shadow_untrack_page(struct mmu *mmu, struct shadow_page *sp);
/* True when writes to @gfn must be caught. */
bool shadow_gfn_tracked(const struct memslot *slot, gfn_t gfn);
/* @sp is out of sync no more, for whatever reason. */
void shadow_unsync_end(struct mmu *mmu, struct shadow_page *sp);
/* Brings @sp, which is unsync, back into sync. Pays what is owed. */
void shadow_sync_page(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b);
/*
 * @child, which was there before, is about to get another place. It must not lead to entries that
 * L1 has changed: no TLB could have kept them for addresses at which nothing was mapped, and L1
 * owes no flush for an entry that becomes present. What is out of sync may be any number of levels
 * below. False: mmu_lock was dropped for that.
 */
bool __must_check shadow_sync_before_link(struct mmu *mmu, struct shadow_page *child,
					  struct flush_batch *b);
/*
 * mmu_nested_fault() for an access that needs @access, by a walk of L1's tables from their root;
 * @level: of the entry where that ended. No lock held, unlike the rest of this file.
 */
int __must_check nested_fault_walk(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr, u32 access,
				   struct nested_fault *out, int *level);
/* Replaces @n's root if it has been zapped meanwhile. Takes a page out of @n's caches. */
void nested_mmu_refresh(struct mmu *mmu, struct nested_mmu *n, struct flush_batch *b);
/* L1's table of @sp, readable in place; NULL when it lies outside of the slots. */
const void *shadow_page_table(struct mmu *mmu, const struct shadow_page *sp);

/*
 * Fills all of @child, which has no entry and is not reachable yet, with 512 leaves that map on
 * from
 * @spte, the first. Its gfns' rmaps are those from @heads on; @unused: all of them are empty. Where
 * an rmap takes a descriptor and only @keep are left in @c the entry becomes empty.
 */
void spte_fill_nested(struct mmu *mmu, struct shadow_page *child, u64 spte, struct rmap_head *heads,
		      bool unused, struct mmu_caches *c, int keep);
/*
 * @sp, which holds leaves only, and to which no entry leads any more, is about to be freed
 * after a flush: takes its entries out of the rmaps and the statistics, and leaves the table as it
 * is. Not where a log wants to know what the processor still notes in it.
 */
void spte_drop_leaves(struct mmu *mmu, struct shadow_page *sp);
/* Clears @bits, W or D or both, in each leaf in the rmaps from @head to @last. */
void spte_clear_heads(struct mmu *mmu, const struct rmap_head *head, const struct rmap_head *last,
		      u64 bits, struct flush_batch *b);

/*
 * Replaces the huge leaf at @pos by a table that leads to @child, the direct page for the same
 * range: fills what @child lacks with what split_fill_from() says, then publishes. Takes
 * descriptors from @c but leaves @keep; an entry that would need one of those stays empty. A flush
 * is owed if
 * @child grants less than the leaf did.
 */
void shadow_split_leaf(const struct spte_pos *pos, struct shadow_page *child, struct mmu_caches *c,
		       int keep, struct flush_batch *b);
