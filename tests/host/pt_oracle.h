/* SPDX-License-Identifier: MIT */
/*
 * An independent walker of page tables, to compare mmu/pt_walk.c and the shadow MMU with. It is
 * written from the manuals and shares nothing with mmu/ but the names.
 */
#pragma once

#include "mmu/pt_walk.h"

/* The guest's memory from gpa 0 on; beyond it all bits read as ones. */
struct oracle_memory {
	const void *bytes;
	u64 size;
};

/* What one entry says by itself. */
struct oracle_entry {
	bool present, malformed, leaf;
	u32 access; /* ACC_* */
	u64 addr;   /* of the next table, or of what a leaf maps */
};

int oracle_levels(const struct pt_mode *m);
int oracle_entry_size(const struct pt_mode *m);
u32 oracle_index(const struct pt_mode *m, u64 addr, int level);
bool oracle_address_fits(const struct pt_mode *m, u64 addr);
/* Bytes that an entry at @level covers. */
u64 oracle_span(const struct pt_mode *m, int level);
struct oracle_entry oracle_entry(const struct pt_mode *m, int level, u64 e);
bool oracle_allows(const struct pt_mode *m, u32 granted, u32 access);
/* A and D, as far as an access sets them in a leaf, or in an entry that leads to a table. */
u64 oracle_ad_bits(const struct pt_mode *m, int level, bool leaf, bool write);

struct pt_outcome {
	int err;
	u32 error, access;
	int level;
	u64 gpa;
	bool dirty;
	/* What the walk must set: bits of the entry at a gpa, by level. */
	struct {
		u64 gpa, bits;
	} set[PT_MAX_LEVEL + 1];
};

struct pt_outcome pt_oracle(const struct pt_mode *m, const struct oracle_memory *memory, u64 root,
			    u64 addr, u32 access);
