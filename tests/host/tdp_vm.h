/* SPDX-License-Identifier: MIT */
/* A VM for the tests of the TDP tree, and questions to its tables. */
#pragma once

#include "mmu/audit.h"
#include "mmu/dirty_log.h"
#include "mmu/nx_huge.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/env.h"

#define PAGES_1G LEVEL_PAGES(PG_LEVEL_1G)
#define PAGES_2M LEVEL_PAGES(PG_LEVEL_2M)

extern struct mmu mmu;
extern struct audit audit;

/* A fresh VM with one slot; its end, which must leave nothing behind and satisfies the audit. */
struct memslot *vm(const struct mmu_config *cfg, u64 base, u64 npages, int level);
void vm_end(void);
/* Both locks; flushes are paid before they are given back. */
void lock_all(void);
void unlock_all(struct flush_batch *b);

u64 tdp_leaves(int level);
/* The entry that maps @gfn, at whatever level; NULL when none does. And what it says. */
u64 *leaf_of(u64 gfn, int *level);
int level_of(u64 gfn);
bool writable(u64 gfn);
u64 hpa_of(u64 gfn);
u32 access_of(u64 gfn);
/* mmu_tdp_fault() */
int fault(u64 gfn, u64 error);
