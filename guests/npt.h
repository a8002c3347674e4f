/* SPDX-License-Identifier: MIT */
/* Nested page tables: 4 levels, in L1's own memory. APM 2 15.25. */
#pragma once

#include "lib/types.h"
#include "lib/x86.h"

/* Every access of a guest to nested tables is a user access. */
#define NPT_RW (PTE_P | PTE_W | PTE_U)
#define NPT_RO (PTE_P | PTE_U)

struct npt {
	u64 *root;
	u32 tables; /* allocated, root included */
};

void npt_init(struct npt *npt);

/*
 * The entry of @level (1: 4K, 2: 2M, 3: 1G) for L2's address @l2, with its tables made as
 * needed. Dies where a larger page is in the way.
 */
u64 *npt_entry(struct npt *npt, u64 l2, int level);

/* Maps [@l2, @l2 + @size) to @l1 on with leaves of @level. All are multiples of the leaf. */
void npt_map(struct npt *npt, u64 l2, u64 l1, u64 size, int level, u64 flags);

/* The leaf that translates @l2, and its level; 0 where there is none. */
u64 npt_lookup(const struct npt *npt, u64 l2, int *level);
