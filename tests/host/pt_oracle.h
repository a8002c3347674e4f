/* SPDX-License-Identifier: MIT */
/* An independent walker of page tables, to compare mmu/pt_walk.c with. */
#pragma once

#include "mmu/pt_walk.h"

#define MEM_PAGES 16
#define MEM_BYTES (MEM_PAGES * PAGE_SIZE)

struct pt_outcome {
	int err;
	u32 error, access;
	int level;
	u64 gpa;
	bool dirty;
};

/* The guest's memory, from gpa 0, before the walk; and with the A and D that the walk must set. */
extern u8 oracle_before[MEM_BYTES], oracle_expected[MEM_BYTES];

/* Reads oracle_before, sets bits in oracle_expected, which the caller made equal first. */
struct pt_outcome pt_oracle(const struct pt_mode *mode, u64 root, u64 addr, u32 access);
