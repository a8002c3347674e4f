/* SPDX-License-Identifier: MIT */
/*
 * A VM whose L1 has nested tables, and a model vCPU of L2 that walks the shadow of them. What L1
 * writes goes through its own vCPU (env_vcpu_write), so that tracking sees it.
 */
#pragma once

#include "mmu/shadow_mmu.h"
#include "mmu/split.h"
#include "tests/host/env.h"

/* Bits of L1's 4-level tables. */
#define L1_P   BIT(0)
#define L1_W   BIT(1)
#define L1_U   BIT(2)
#define L1_A   BIT(5)
#define L1_D   BIT(6)
#define L1_PS  BIT(7)
#define L1_NX  BIT(63)
#define L1_RWX (L1_P | L1_W | L1_U)
#define L1_RW  (L1_RWX | L1_NX)
#define L1_RO  (L1_P | L1_U)

struct nested_vm {
	struct mmu mmu;
	struct memslot *slot; /* gfn 0 up */
	struct nested_mmu n;
	struct pt_mode mode;
	gpa_t root;
	u64 next_table; /* gfn; tables come from the end of the slot, downwards */
	u32 owed;	/* what the last nv_split() owed at its end */
};

/* A VM with @npages at 0 in pieces of @level; its L1 has an empty root table. Loaded. */
void nv_make(struct nested_vm *v, u64 npages, int level, const struct mmu_config *cfg);
/* A slot more, before nv_use(). nv_make() = nv_start() and nv_use(). */
void nv_start(struct nested_vm *v, u64 npages, int level, const struct mmu_config *cfg);
void nv_use(struct nested_vm *v);
/* Ends it: number of errors and leaks. */
int nv_end(struct nested_vm *v);

/* Host address of a gpa of the slot. */
void *nv_va(struct nested_vm *v, u64 gpa);
/* A zeroed page for a table of L1's. */
u64 nv_table(struct nested_vm *v);
/* gpa of L1's entry for @addr at @level from root @root; makes tables above as needed. */
u64 nv_entry_gpa(struct nested_vm *v, gpa_t root, u64 addr, int level);
/* L1 maps @addr (L2-physical) to @gfn; @flags: L1_*. */
void nv_map(struct nested_vm *v, u64 addr, u64 gfn, int level, u64 flags);
/* L1's entry as it stands in memory. */
u64 nv_entry(struct nested_vm *v, u64 addr, int level);
/* L1 stores @value as entry. */
void nv_set_entry(struct nested_vm *v, u64 addr, int level, u64 value);

/* Loads the root; @sync as nested_mmu_load(). */
void nv_load(struct nested_vm *v, bool sync);
/* L1 flushes its TLB: what it wrote holds from now on. */
static inline void nv_sync(struct nested_vm *v)
{
	nv_load(v, true);
}

/*
 * L2 accesses @addr; @error: PFERR_W, PFERR_I or 0. FAULT_FIXED with the host address in @va,
 * or what mmu_nested_fault() said last; @out as there. Both may be NULL.
 */
int nv_access(struct nested_vm *v, u64 addr, u64 error, void **va, struct nested_fault *out);
/* The same by any vCPU of L2. */
int nv_access_on(struct nested_vm *v, struct nested_mmu *n, u64 addr, u64 error, void **va,
		 struct nested_fault *out);
int nv_read(struct nested_vm *v, u64 addr);
int nv_write(struct nested_vm *v, u64 addr, u64 value);
int nv_fetch(struct nested_vm *v, u64 addr);

/* The entry of the shadow for @addr at @level: NULL when no table is there. */
u64 *nv_sptep(struct nested_vm *v, u64 addr, int level);
/* Level of the leaf that maps @addr now; 0: none. */
int nv_level(struct nested_vm *v, u64 addr);
struct shadow_page *nv_sp(struct nested_vm *v, u64 addr, int level);

void nv_lock(struct nested_vm *v);
void nv_unlock(struct nested_vm *v, struct flush_batch *b);
/* nested_split_range() over [start, end) gfns. */
int nv_split(struct nested_vm *v, u64 start, u64 end);

/* Audit, model TLB, plain stores, violations, warnings: the number of faults found. */
u64 nv_faults(struct nested_vm *v);
#define nv_check(v) assert_int_equal(nv_faults(v), 0)
