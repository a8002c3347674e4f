/* SPDX-License-Identifier: MIT */
/*
 * Shadow pages: the tables of the shadow MMU, found in a hash by (gfn, role), tied to their
 * parents by links, bounded in number.
 */
#pragma once

#include "lib/list.h"
#include "mmu/rmap.h"
#include "mmu/spte.h"

/*
 * What a shadow page shadows. A root's role comes from the vCPU's paging state; a child's is
 * always page_role_child() of its parent's, for faults and for splitting alike.
 */
union page_role {
	u32 word;
	struct {
		u32 level : 4;
		u32 fmt : 3;	  /* enum pt_format_id of L1's tables */
		u32 direct : 1;	  /* maps a contiguous gfn range; no table of L1 behind it */
		u32 access : 4;	  /* ACC_* that the way down to it grants */
		u32 quadrant : 2; /* which part of a table of 4-byte entries */
		u32 ad : 1;	  /* L1's tables use A/D bits */
		u32 nx : 1;	  /* EFER.NXE of L1 */
		u32 maxphy : 6;	  /* L1's MAXPHYADDR: what it treats as reserved */
		u32 huge_1g : 1;
		u32 pse : 1;
		u32 invalid : 1; /* zapped, but still somebody's root */
		u32 pdpt : 7;	 /* where in its page the PDPT of a PAE root lies, in 32 bytes */
	};
};

/*
 * The role of a table below @parent: level minus one, @access and @direct as given, all
 * else inherited. @index: of the parent's entry, which decides the quadrant.
 */
union page_role page_role_child(union page_role parent, u32 access, bool direct, u32 index);

struct shadow_page {
	struct list_head hash_link;
	struct list_head lru_link;
	struct list_head leaf_link; /* in mmu.shadow_leaf_pages, when of level 1 */
	union {
		struct list_head unsync_link; /* in mmu.shadow_unsync while unsync */
		struct list_head nx_link;     /* direct: in mmu.nx_shadow, or nowhere */
	};
	u64 *spt; /* the table: 512 entries */
	union page_role role;
	gfn_t gfn; /* of L1's table; direct: the first gfn that it maps */
	bool unsync;
	bool cold;	/* not used between the last two scans for dirty bits */
	bool tracked;	/* its gfn's write_track is raised on its behalf */
	bool spared;	/* room is being made for what a fault builds below it */
	u32 root_count; /* vCPUs that have it loaded as root: not freed while > 0 */
	u16 present;	/* entries present */
	/*
	 * Writes to L1's table, caught since a fault last went through here; faults that follow
	 * soon after one that did this, by mmu.shadow_events, neither reset it nor touch @lru_link.
	 */
	u32 writes;
	u64 touched;		  /* mmu.shadow_events at that time */
	struct rmap_head parents; /* SPTEs that lead here */
	/*
	 * gfn and access that each entry was made from; direct pages derive them. NULL when
	 * direct. gfn << 12 | ACC_*.
	 */
	u64 *shadowed;
};

/* Header of the table page that @sptep lies in, or that a table SPTE leads to. */
struct shadow_page *sptep_to_sp(const u64 *sptep);
struct shadow_page *spte_child(const struct mmu *mmu, u64 spte);

/* gfn and access (of L1's mapping) of entry @index of @sp. */
gfn_t shadow_page_gfn(const struct shadow_page *sp, int index);
u32 shadow_page_access(const struct shadow_page *sp, int index);

/*
 * What an operation may need while it holds mmu_lock, allocated before. Filled by
 * mmu_caches_fill() without mmu_lock.
 */
#define CACHE_PAGES   64
#define CACHE_HEADERS 64
struct mmu_caches {
	bool raw_pages;		  /* whoever takes a page fills all of it */
	void *pages[CACHE_PAGES]; /* table pages */
	int nr_pages;
	struct shadow_page *headers[CACHE_HEADERS];
	int nr_headers;
	u64 *shadowed[CACHE_HEADERS]; /* arrays for non-direct headers */
	int nr_shadowed;
	struct rmap_desc *descs; /* linked by their more pointer */
	int nr_descs;
};

/* Tops each kind up to the number given. 0 or -ENOMEM (what was filled stays). No mmu_lock. */
int __must_check mmu_caches_fill(struct mmu *mmu, struct mmu_caches *c, int pages, int headers,
				 int shadowed, int descs);
void mmu_caches_free(struct mmu_caches *c);

/*
 * Finds or makes the shadow page for (gfn, role). A page that is made comes out of @c, is empty,
 * counted, hashed, and, unless direct, tracked (write protection of @gfn is owed in @b).
 * *@created tells. Never fails: @c must hold a page, a header and (not direct) an array.
 * Requires mmu_lock (write).
 */
struct shadow_page *shadow_page_get(struct mmu *mmu, gfn_t gfn, union page_role role,
				    struct mmu_caches *c, bool *created, struct flush_batch *b);
/* The existing one or NULL. mmu_lock. */
struct shadow_page *shadow_page_find(struct mmu *mmu, gfn_t gfn, union page_role role);
/*
 * Unlinks @sp from its parents, drops its entries (children that lose their last parent are zapped
 * too, but may have to wait for it: mmu.shadow_zapped), and frees it through @b, or marks it
 * invalid while it is a root in use. mmu_lock (write).
 */
void shadow_page_zap(struct mmu *mmu, struct shadow_page *sp, struct flush_batch *b);
/*
 * Recycles cold shadow pages until @needed more fit under the limit. Never a root in use. 0 or
 * -ENOSPC when that cannot be. mmu_lock (write).
 */
int __must_check shadow_make_room(struct mmu *mmu, u64 needed, struct flush_batch *b);
