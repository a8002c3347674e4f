/* SPDX-License-Identifier: MIT */
/*
 * Pages of the guest's code that L0 has read. A walk of the guest's page tables (both dimensions,
 * for L2) costs more than all else that a short exit does, so each walk is remembered as the
 * entries that it went through: while all of them hold what they held, it would go the same way
 * again. fetch.c remembers; what is here only looks, and is in each exit's way.
 */
#pragma once

#include "lib/x86.h"
#include "mmu/pt_format.h"

#define SVM_CODE_PAGES 4
/* Of L2's walk: nested ones to each of its tables, its own entries, and a nested one to the page.
 */
#define SVM_CODE_PATH (PT_MAX_LEVEL * (PT_MAX_LEVEL + 2))
/* So many are compared at once; a path has its last one again where it has fewer. */
#define SVM_CODE_STEP 4

struct svm_code_entry {
	const u64 *entry;
	u64 value;
};

struct svm_code_page {
	u64 linear; /* of the page */
	/*
	 * In long mode, so CR4 tells the levels; what else governs paging grants and does not lead.
	 * EFER is 0 when nothing is remembered, as SVME is always set.
	 */
	u64 cr3, cr4, efer;
	u64 ncr3; /* of L1's, for code of L2's */
	const u8 *va;
	u64 nr; /* entries, a multiple of SVM_CODE_STEP */
	u64 unused;
	struct svm_code_entry path[60];
};
_Static_assert(sizeof(struct svm_code_page) == 1024, "the index is a shift");
_Static_assert(SVM_CODE_PATH + SVM_CODE_STEP <= 60, "the longest path has room");

static inline u64 svm_code_differs(const struct svm_code_entry e[SVM_CODE_STEP])
{
	u64 differs = READ_ONCE(*e[0].entry) ^ e[0].value;

	differs |= READ_ONCE(*e[1].entry) ^ e[1].value;
	differs |= READ_ONCE(*e[2].entry) ^ e[2].value;
	return differs | (READ_ONCE(*e[3].entry) ^ e[3].value);
}

/* fetch.c: the same for what is beyond the first step. */
u64 svm_code_differs_further(const struct svm_code_page *c);
