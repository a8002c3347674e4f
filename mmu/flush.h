/* SPDX-License-Identifier: MIT */
/*
 * Flushes are owed, not done. Whatever makes a translation grant less than before (unmapped,
 * write or execute removed, D cleared, a table freed) notes the debt in a flush_batch; the
 * caller pays once, before it drops mmu_lock, and page-table pages that a stale walk could
 * still reach are freed only after that.
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"

struct mmu;

struct flush_batch {
	u32 owed;	  /* BIT(MMU_TREE_*) */
	void *free_pages; /* page-table pages, linked through their private words */
};

#define FLUSH_BATCH_INIT ((struct flush_batch){0})

static inline void flush_owe(struct flush_batch *b, u32 tree_mask)
{
	b->owed |= tree_mask;
}

/* Frees @page (an env page) when the batch is paid; implies that @tree_mask is owed. */
void flush_defer_free(struct flush_batch *b, void *page, u32 tree_mask);
/*
 * Pays: raises the generations of the trees owed, waits for every CPU that may run with an
 * older one, then frees. Requires mmu_lock for writing, unless nothing is owed. @b is empty after.
 */
void flush_pay(struct mmu *mmu, struct flush_batch *b);

/*
 * A tag is one ASID or VPID as a vCPU uses it for one tree. The hardware number is the vendor
 * code's; whether translations under it may be stale is decided here, so that the host proves it.
 * Owned by the vCPU's task.
 */
struct tlb_tag {
	enum { TAG_TDP, TAG_NESTED } kind; /* TAG_NESTED obeys both trees' generations */
	u64 seen[2];	 /* flush_gen[] of each tree when this tag was last flushed */
	bool must_flush; /* L1 asked for it, or the number is new */
};

/*
 * To be called with the guest not running and before it does: true when @tag's
 * translations must be flushed first; the caller then does so. L0 must re-check by calling
 * again if it takes interrupts between this and the entry.
 */
bool tlb_tag_enter(struct mmu *mmu, struct tlb_tag *tag);
