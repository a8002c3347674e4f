/* SPDX-License-Identifier: MIT */
/*
 * NX huge pages: on processors with the iTLB-multihit erratum nothing huge may be executable. What
 * the guest executes is mapped at 4K; the tables made for that are listed, so that pages that
 * are no longer executed become huge again: of the TDP tree the tables of 4K leaves; of the nested
 * tree each direct shadow page that an instruction fetch went through.
 */
#pragma once

#include "mmu/mmu.h"

struct shadow_page;

struct nx_split {
	struct list_head link; /* mmu.nx_splits, oldest first; mmu.nx_lock */
	gfn_t gfn;	       /* the first that the table maps */
};

/* True when @table is listed. mmu_lock. */
bool nx_split_listed(const void *table);
/* Lists @table with *@n, an env_alloc()ed one, and clears *@n; not if it is already. mmu_lock. */
void nx_split_add(struct mmu *mmu, void *table, gfn_t gfn, struct nx_split **n);
/* @table goes away: takes it off the list if it is there. mmu_lock (write). */
void nx_split_remove(struct mmu *mmu, void *table);
/*
 * The same for @sp, which is direct, below what L1 maps huge, and whose memory could be mapped so:
 * it has been executed. mmu_lock (write).
 */
void nx_shadow_add(struct mmu *mmu, struct shadow_page *sp);
void nx_shadow_remove(struct mmu *mmu, struct shadow_page *sp);
/*
 * Lets the @max oldest of both trees, in proportion, become huge again, not executable, where
 * nothing else forbids that: tables of the TDP tree are joined, shadow pages are zapped, and what
 * faults next is mapped huge. What cannot be goes to the end of its list. Returns how many were
 * taken away. Takes slots_lock and mmu_lock, and drops that in between.
 */
u64 mmu_nx_recover(struct mmu *mmu, u64 max);
