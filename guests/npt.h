/* SPDX-License-Identifier: MIT */
/*
 * Nested page tables in L1's own memory (APM 2 15.25), in each format that L1's own paging may
 * have, and EPT (SDM 3C 28.2): a row of data per format, and one way to read, write and build them.
 */
#pragma once

#include "lib/types.h"
#include "lib/x86.h"

/* Every access of a guest to nested tables is a user access. EPT has R, W and X in these bits. */
#define NPT_RW	    (PTE_P | PTE_W | PTE_U)
#define NPT_RO	    (PTE_P | PTE_U)
#define EPT_TYPE_WB (6ull << 3)

enum npt_mode {
	NPT_32,
	NPT_PSE,
	NPT_PAE,
	NPT_LONG4,
	NPT_LONG5,
	NPT_MODES,
	NPT_EPT = NPT_MODES,
	NPT_FORMATS
};

struct npt_format {
	const char *name;
	u8 levels;
	u8 entry_size; /* bytes: 4 or 8 */
	u8 index_bits;
	u8 leaf_level; /* of the largest leaf */
	bool nx;
	u64 root_flags; /* of the top level's entries: PAE's have neither W nor U */
	u64 leaf_flags; /* of each leaf: EPT's memory type */
};

extern const struct npt_format npt_formats[NPT_FORMATS];

struct npt {
	const struct npt_format *fmt;
	void *root;
	u32 tables; /* allocated, root included */
};

/* Empty tables in the format that L1's own paging has now (guests/paging.h); in @fmt. */
void npt_init(struct npt *npt);
void npt_init_format(struct npt *npt, const struct npt_format *fmt);

/* Bytes that an entry of @level (1: 4K, 2: 2M or 4M, 3: 1G) maps. */
static inline u64 npt_size(const struct npt *npt, int level)
{
	return BIT(PAGE_SHIFT + npt->fmt->index_bits * (level - 1));
}

/*
 * The entry of @level for L2's address @l2, with its tables made as needed. Dies where a larger
 * page is in the way.
 */
u64 npt_read(struct npt *npt, u64 l2, int level);
void npt_write(struct npt *npt, u64 l2, int level, u64 entry);

/* A leaf of @level that maps @l1 with @flags. */
static inline u64 npt_leaf(const struct npt *npt, u64 l1, int level, u64 flags)
{
	return l1 | flags | npt->fmt->leaf_flags | (level > 1 ? PTE_PS : 0);
}

/* Where that entry is. npt_entry(): in tables of 8-byte entries. */
void *npt_at(struct npt *npt, u64 l2, int level);
u64 *npt_entry(struct npt *npt, u64 l2, int level);

/* Maps [@l2, @l2 + @size) to @l1 on with leaves of @level. All are multiples of the leaf. */
void npt_map(struct npt *npt, u64 l2, u64 l1, u64 size, int level, u64 flags);

/* The leaf that translates @l2, and its level; 0 where there is none. */
u64 npt_lookup(const struct npt *npt, u64 l2, int *level);
