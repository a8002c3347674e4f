/* SPDX-License-Identifier: MIT */
/* What the model's operations share: the VM, its vCPUs, the tables, and the string of bytes. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "tests/host/mmu_model_walk.h"
#include "tests/host/nested_vm.h"

#define RAM_PAGES (5 * 512)
#define POOL_GFN  (4 * 512) /* L1's tables; the 2M they lie in can be mapped, too */
#define ROM_GFN	  0x2000
#define ROM_PAGES 512
#define REGIONS	  5
#define VCPUS	  2
#define ROOTS	  2
/* Pages at which accesses happen inside of 2M. */
#define OFFSETS 4
extern const u16 model_offset[OFFSETS];
/* The pages that anybody writes. */
#define WATCHED (REGIONS * OFFSETS + POOL_TABLES)
u64 model_watched_gfn(int i);

#define USED 8

struct model_vcpu {
	struct nested_mmu n;
	u64 root; /* of L1's tables, gpa */
	struct pt_mode mode;
	bool loading;	    /* does not run L2 */
	const u64 *entered; /* the root that the processor was given */
};

/* When vCPUs are at work besides: while an entry changes, in a flush, when L0 lets them. */
#define NOISE_CHANGE  BIT(0)
#define NOISE_FLUSH   BIT(1)
#define NOISE_RESCHED BIT(2)
#define NOISE_COPY    BIT(3)
#define NOISE_CHOICE  BIT(4) /* which of its cached entries the processor uses */
#define NOISE_ALL     GENMASK(4, 0)

struct model {
	struct nested_vm v;
	struct model_tables tables;
	struct pt_mode mode; /* with which roots are loaded */
	struct model_vcpu vcpus[VCPUS];
	u8 *ram, *rom;
	const u8 *input;
	size_t left;
	u8 config[2]; /* the input's first bytes: what VM it is */
	u64 counter;
	u64 used[USED]; /* L2 addresses of the last accesses that were granted */
	u32 next_used;
	u64 stores;	  /* to L1's tables */
	u64 stored[USED]; /* where the last of them went */
	bool starved;	  /* allocations fail during this operation */
	u32 noise;	  /* NOISE_* */
	u64 seed;	  /* of what is not decided by the input */
	bool beside;	  /* the input does not decide now */
};
extern struct model m;

#define check(x)                                                                \
	do {                                                                    \
		if (!(x)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #x); \
			abort();                                                \
		}                                                               \
	} while (0)

/* The next byte of the input; 0 after its end. */
u8 model_byte(void);
/* A number that the input decides by its first bytes only. */
u64 model_rnd(void);

/* The VM that m.config says, with no table yet. */
void model_make_vm(void);
/* It moves to another such VM, mmu_model_move.c. */
void model_move(void);

/* --- L1's tables -------------------------------------------------------------------------- */

/* The first tables, so that short inputs get somewhere: all levels, all sizes. */
void model_first_tables(void);
/* An entry as L1 might write it in the table at @gpa. */
u64 model_entry(u64 gpa);
/* An L2 address: mostly one that @vcpu's tables map now. */
u64 model_address(const struct model_vcpu *vcpu);
/* A page of L1's that holds no table of its own. */
u64 model_data_gfn(void);
/* What to write at @gpa: an entry where tables are, else a value never written before. */
u64 model_value(u64 gpa);
/* @size bytes at @gpa were written: while L1 may rely on what was there, both count. */
void model_wrote(u64 gpa, int size);
/* L1, or L0 for it, stores an entry in a table. */
void model_store_entry(bool by_l0);

/* --- accesses ----------------------------------------------------------------------------- */

/* vCPU @c loads root @root. False when memory was out. */
bool model_load(int c, u64 root, bool sync);
void model_l1_access(void);
void model_l2_access(void);
/* Some vCPU of L1 or L2 writes somewhere, if that takes no fault. */
void model_try_write(void);
/* The processor comes back to the guest, after which it walks from what is the root now. */
void model_enter(struct model_vcpu *vcpu);
/* True when L1's tables may have granted the access of @vcpu, to what lies at @va. */
bool model_grants(const struct model_vcpu *vcpu, u64 addr, u64 error, const u8 *va);
/* The shadow grants nothing that L1's tables did not. */
void model_check_shadow(void);

/* --- the dirty log, and the vCPUs' work besides ------------------------------------------- */

void model_log_start(void);
/* What the rounds have copied, by model_watched_gfn(). */
const u8 (*model_log_copies(void))[PAGE_SIZE];
void model_log_on(void);
void model_log_off(void);
/* One round; or, with all vCPUs stopped, the last one, after which the copy is the memory. */
void model_log_round(void);
void model_log_last_round(void);
void model_noise_start(void);
void model_noise_stop(void);
