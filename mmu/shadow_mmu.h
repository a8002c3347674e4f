/* SPDX-License-Identifier: MIT */
/*
 * The shadow MMU: maps L2's memory by combining L1's nested tables with where L1's memory
 * really is.
 */
#pragma once

#include "mmu/pt_walk.h"
#include "mmu/shadow_page.h"

/* One vCPU's view of the nested tree. Owned by the vCPU's task. */
struct nested_mmu {
	const struct mmu *mmu;	   /* whose tree it is, once a root is loaded */
	bool deeper;		   /* L1's tables have a level more than the processor's */
	struct pt_mode mode;	   /* how L1's tables are to be read */
	struct pt_leaf_rules leaf; /* ...and their 4K leaves */
	gpa_t root_gpa;		   /* nCR3 or the EPT pointer's address */
	struct shadow_page *root;  /* NULL: none loaded; else root_count is held */
	struct mmu_caches caches;
};

/*
 * First use of nested paging by this VM: allocates the rmaps. 0 or -ENOMEM. Takes slots_lock.
 */
int __must_check mmu_enable_nested(struct mmu *mmu);

/* Frees the hash of shadow pages, which is empty. At the VM's end. */
void shadow_hash_free(struct mmu *mmu);

/*
 * Makes @n ready to run L2 under the tables at @root_gpa: finds or makes the root. When @sync is
 * true, everything that is out of sync is compared again first (the caller knows when the
 * architecture lets L1 rely on that). 0 or -ENOMEM. No lock held.
 */
int __must_check nested_mmu_load(struct mmu *mmu, struct nested_mmu *n, const struct pt_mode *mode,
				 gpa_t root_gpa, bool sync);
/* Gives the root back (L2 no longer runs on this vCPU, or the VM ends). */
void nested_mmu_unload(struct mmu *mmu, struct nested_mmu *n);
void nested_mmu_free(struct mmu *mmu, struct nested_mmu *n);
/*
 * The root for the processor. L1's tables may have a level more than the processor's: what L2 can
 * address then lies below the first entry of theirs, and so do the processor's tables.
 */
hpa_t nested_mmu_root(const struct nested_mmu *n);

struct nested_fault {
	u64 error; /* PFERR_*, for #NPF's exit_info_1 to L1; the caller keeps FINAL/TABLE bits */
	u64 addr;
	/*
	 * ACC_* that L1's tables grant at the address, none of them where P is clear: bits 5:3 of
	 * an EPT violation's qualification (SDM 3C table 27-7). With RSV in @error the tables are
	 * malformed, which is a misconfiguration of EPT's and says no more than that.
	 */
	u32 granted;
	gpa_t gpa; /* FAULT_EMULATE: what the address is to L1 */
};
/*
 * An NPT/EPT violation of L2. Returns FAULT_FIXED, FAULT_REFLECT with @out filled, FAULT_EMULATE
 * with
 * @out->gpa, or -ENOMEM.
 * A leaf of L1's that leads outside of L1's memory is reflected with P clear. No lock held.
 */
int __must_check mmu_nested_fault(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr, u64 error,
				  struct nested_fault *out);
/*
 * L2-physical to L1-physical for an access that needs @access, as L1's tables say now, for
 * fetching L2's instructions. 0 or -EFAULT.
 */
int __must_check nested_translate(struct mmu *mmu, struct nested_mmu *n, ngpa_t addr, u32 access,
				  gpa_t *out);

/* All below: mmu_lock (write). */

/*
 * L1 (or L0 on its behalf) is about to write @gfn, which is tracked: last-level shadow pages go
 * out of sync, others are zapped; afterwards @gfn is not tracked any more unless -EBUSY.
 */
void shadow_track_write(struct mmu *mmu, struct memslot *slot, gfn_t gfn, struct flush_batch *b);
/*
 * The guest's write to @gfn was caught. True: L0 is to carry it out, as an upper-level table is
 * shadowed there. False: nothing catches it any more.
 */
bool shadow_track_fault(struct mmu *mmu, struct memslot *slot, gfn_t gfn, struct flush_batch *b);
/*
 * L0 is about to write @len bytes at @gpa, within a page and under this lock: what shadows the
 * entries there is dropped, and catching goes on; a table that is written again and again, or
 * a last-level one, is let go as by shadow_track_write().
 */
void shadow_write_entries(struct mmu *mmu, struct memslot *slot, gpa_t gpa, u32 len,
			  struct flush_batch *b);
/*
 * Compares all that is out of sync now; only what differs is dropped. As L1 decides how much that
 * is, this and the next two may drop mmu_lock and take it again.
 */
void shadow_sync_all(struct mmu *mmu, struct flush_batch *b);
/*
 * Waits until no shadow page is zapped but not empty yet. What was written through one is in the
 * dirty log then, if a tracker reads that from the entries.
 */
void shadow_zap_wait(struct mmu *mmu, struct flush_batch *b);
/* Zaps every shadow page. */
void shadow_zap_all(struct mmu *mmu, struct flush_batch *b);
/* Removes W from each SPTE of the nested tree that maps @gfn at 4K, or a huge page over it. */
void shadow_wrprot_gfn(struct mmu *mmu, struct memslot *slot, gfn_t gfn, struct flush_batch *b);
/*
 * Clear @bits, W or D or both, in each 4K leaf of the nested tree that maps part of the range; W in
 * each huge one over it. The pages: [start, end); or base + n for each bit n of @mask, where @base
 * is a multiple of 64.
 */
void shadow_arm_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end, u64 bits,
		      struct flush_batch *b);
void shadow_arm_masked(struct mmu *mmu, struct memslot *slot, u64 base, u64 mask, u64 bits,
		       struct flush_batch *b);
static inline void shadow_wrprot_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
				       struct flush_batch *b)
{
	shadow_arm_range(mmu, slot, start, end, mmu->cfg.fmt->write, b);
}
static inline void shadow_wrprot_masked(struct mmu *mmu, struct memslot *slot, u64 base, u64 mask,
					struct flush_batch *b)
{
	shadow_arm_masked(mmu, slot, base, mask, mmu->cfg.fmt->write, b);
}
/*
 * Moves D of 4K leaves into the bitmaps of the slots. Pages that were not used since the last time
 * are skipped. slots_lock besides; mmu_lock may be dropped inside, with flushes paid.
 */
void shadow_harvest(struct mmu *mmu, struct flush_batch *b);
/* Drops every SPTE of the nested tree that maps [start, end). */
void shadow_zap_range(struct mmu *mmu, struct memslot *slot, u64 start, u64 end,
		      struct flush_batch *b);

struct audit;
void shadow_audit(struct mmu *mmu, struct audit *a);
