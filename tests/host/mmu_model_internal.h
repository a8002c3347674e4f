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
/* Indexes at which accesses happen inside of 2M. */
#define OFFSETS 4
extern const u16 model_offset[OFFSETS];

#define USED 8

struct model_vcpu {
	struct nested_mmu n;
	int root;
	struct model_mode mode;
};

struct model {
	struct nested_vm v;
	struct model_tables tables;
	struct model_mode mode; /* with which roots are loaded */
	struct model_vcpu vcpus[VCPUS];
	u8 *ram, *rom;
	const u8 *input;
	size_t left;
	u64 counter;
	u64 used[USED]; /* L2 addresses of the last accesses that were granted */
	u32 next_used;
	bool starved; /* allocations fail during this operation */
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

/* vCPU @c loads root @root. False when memory was out. */
bool model_load(int c, int root, bool sync);
/* L1, or L0 for it, stores an entry in a table. */
void model_store_entry(bool by_l0);
void model_l1_access(void);
void model_l2_access(void);
