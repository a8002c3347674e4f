/* SPDX-License-Identifier: MIT */
/*
 * One VM's memory management: its slots, the TDP tree that maps L1's memory, the shadow trees
 * that map L2's, and the two locks that guard them.
 *
 * slots_lock (sleeps): the set of memslots, dirty logging on and off, split_caches. May
 *	allocate under it.
 * mmu_lock (spins): every SPTE and whatever follows from one (rmaps, parent links, hash,
 *	tracking counts, statistics). Faults of the TDP tree hold it for reading; all else for
 *	writing. Nothing allocates or sleeps under it. Taken after slots_lock.
 */
#pragma once

#include "lib/list.h"
#include "lib/lock.h"
#include "mmu/flush.h"
#include "mmu/memslot.h"
#include "mmu/pt_format.h"

enum mmu_tree { MMU_TREE_TDP, MMU_TREE_NESTED, MMU_TREE_NR };

/* Statistics, with KVM's names where KVM has them. Changed with relaxed atomics. */
struct mmu_stats {
	u64 pages[MMU_TREE_NR][3]; /* leaf SPTEs present: pages_4k, pages_2m, pages_1g */
	u64 pf_fixed, pf_spurious, pf_emulate;
	u64 nested_pf_fixed, nested_pf_reflected;
	u64 nested_pf_walked; /* these of both took a walk of L1's tables from the root */
	u64 tdp_pages;	      /* page-table pages of the TDP tree, roots left out */
	u64 mmu_shadow_pages; /* shadow pages that count against the limit */
	u64 mmu_shadow_zapped, mmu_cache_miss, mmu_recycled, mmu_pte_write, mmu_unsync;
	u64 mmu_reclaimed; /* page-table pages given back under memory pressure */
	u64 mmu_synced, mmu_sync_dropped;
	u64 mmu_flooded; /* tables that lost their shadow as they were written again and again */
	u64 rmap_descs;	 /* descriptors in use, parent links included */
	u64 nx_lpage_splits; /* tables that are there for what is executed in them, in both trees */
	u64 nx_recovered;    /* of those that were: taken away again by mmu_nx_recover() */
	u64 remote_tlb_flush;
	u64 split[MMU_TREE_NR][2];    /* eager: [0] 2M to 4K, [1] 1G to 2M */
	u64 fault_split[MMU_TREE_NR]; /* huge pages given up by a write fault while logging */
	u64 split_enospc, split_enomem;
	u64 recovered[MMU_TREE_NR][2]; /* joined again: [0] to 2M, [1] to 1G */
	u64 dirty_faults;	       /* write faults taken only for the dirty log */
	/* Tables that a scan for dirty bits passed: looked through, or skipped with all below. */
	u64 dirty_tables_scanned, dirty_tables_skipped;
};

/* How writes to a logged slot become known; mmu/dirty_log.h. */
enum dirty_tracking {
	DIRTY_WP,   /* by write protection: each first write faults */
	DIRTY_DBIT, /* by scanning the dirty bits that the processor sets: no faults */
};

struct mmu_config {
	const struct pt_format *fmt; /* of the tables that the processor walks for this VM */
	u8 maxphyaddr;		     /* of the host */
	int max_leaf_level;	     /* PG_LEVEL_4K to PG_LEVEL_1G, what CPU and user allow */
	bool eager_page_split;	     /* may be switched at run time: mmu_set_eager_split() */
	bool nx_huge_pages;	     /* no executable huge pages */
	enum dirty_tracking dirty;   /* DIRTY_DBIT needs a format with dirty bits */
	u64 max_shadow_pages;	     /* 0: 2 % of guest pages, at least 64 */
};

/* Some of the 512 gfns from @base on, a multiple of 512: bit n % 64 of word n / 64 for base + n. */
struct gfn_mask {
	u64 base, words[8];
};

struct split_caches;

struct mmu {
	struct mmu_config cfg;
	struct mutex slots_lock;
	struct rwlock lock; /* mmu_lock */

	struct memslot slots[MEMSLOT_MAX]; /* npages 0: free */
	int nr_slots;			   /* slots[0 .. nr_slots-1] may be in use */
	u64 guest_pages;		   /* sum of npages */

	/* TDP tree: one root, made with the VM. mmu_lock. */
	u64 *tdp_root;
	/* mmu/nx_huge.h. mmu_lock (write), or for reading and nx_lock. */
	struct list_head nx_splits; /* tables of the TDP tree */
	struct list_head nx_shadow; /* direct shadow pages, oldest first; mmu_lock (write) */
	u64 nr_nx_shadow;
	struct spinlock nx_lock;

	/* Shadow pages. mmu_lock (write). */
	struct list_head *shadow_hash; /* NULL until nested paging is used; mmu/shadow_hash.c */
	u64 shadow_buckets;	       /* how many lists that are: a power of two, or 0 */
	u64 shadow_hash_key;	       /* odd, and not for the guest to know */
	u64 shadow_events; /* paths touched and writes to tables caught: see shadow_page.touched */
	struct list_head shadow_lru;	    /* all that count against the limit, coldest first */
	struct list_head shadow_leaf_pages; /* all of level 1, the newest first */
	struct list_head shadow_unsync; /* level-1 pages that L1 has written since the last sync */
	u64 nr_unsync;			/* their number */
	struct list_head
		shadow_zapped; /* invalid, with nothing that leads to them, not empty yet */
	u32 shadow_step; /* so many pages are synced or emptied before others may have the lock */
	u64 max_shadow_pages;
	bool nested_used; /* rmaps are allocated; slots_lock + mmu_lock to change */

	/* Eager splitting's preallocated caches. slots_lock. */
	struct split_caches *split;

	/*
	 * Flush generations: grows whenever translations of that tree become stale. A vCPU's
	 * tag that was last flushed at a lower one must be flushed before it runs.
	 * Written under mmu_lock, read with atomic loads.
	 */
	u64 flush_gen[MMU_TREE_NR];

	struct mmu_stats stats;
	void *owner; /* the VM, for env's use only */
};

/* The slot that holds @gfn, or NULL. */
static inline struct memslot *memslot_find(struct mmu *mmu, gfn_t gfn)
{
	struct memslot *slot = mmu->slots;

	/* Mostly the first. One comparison: below the base the difference wraps. */
	if (likely(gfn.v - slot->base.v < slot->npages))
		return slot;
	for (int n = mmu->nr_slots; n > 1; n--) {
		slot++;
		if (gfn.v - slot->base.v < slot->npages)
			return slot;
	}
	return NULL;
}

/* 0 or -ENOMEM / -EINVAL. @mmu is zeroed memory. */
int __must_check mmu_init(struct mmu *mmu, const struct mmu_config *cfg, void *owner);
/* Zaps everything, frees everything, and reports each leak with env_warn; returns how many. */
int mmu_destroy(struct mmu *mmu);
/* Turning it off frees the split caches. Takes slots_lock. */
void mmu_set_eager_split(struct mmu *mmu, bool on);

/* What a fault handler tells the run loop. */
enum fault_result {
	FAULT_FIXED,   /* run the guest again */
	FAULT_REFLECT, /* nested only: the fault belongs to L1, see struct nested_fault */
	FAULT_OUTSIDE, /* no memory there, or a write to a read-only slot */
	FAULT_EMULATE, /* a write to a table of L1's that is shadowed: L0 makes it, or
			  mmu_track_end() */
};

/*
 * An NPT/EPT violation of L1 at @gpa; @error holds PFERR_*. Returns a fault_result,
 * or -ENOMEM (caller reclaims and lets the guest try again). No lock held.
 */
int __must_check mmu_tdp_fault(struct mmu *mmu, gpa_t gpa, u64 error);
/*
 * The store to @gpa, in a table of L1's, cannot be carried out by L0: whatever shadows the table
 * goes, and the guest may make it itself. No lock held.
 */
void mmu_track_end(struct mmu *mmu, gpa_t gpa);
/* hpa of the TDP root, for the VMCB or the EPT pointer. */
hpa_t mmu_tdp_root(const struct mmu *mmu);

/* Atomically adds to a statistic. */
static inline void mmu_stat_add(u64 *stat, s64 n)
{
	__atomic_fetch_add(stat, (u64)n, __ATOMIC_RELAXED);
}
