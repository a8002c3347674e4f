/* SPDX-License-Identifier: MIT */
/*
 * L2's accesses through an EPT hierarchy that a test changes. L2's linear addresses [3G, 4G) are
 * its physical ones from EPT_BASE on, in a PML4 entry of their own: breaking that breaks nothing
 * else.
 */
#pragma once

#include "guests/vmxcheck.h"

#define EPT_BASE   BIT(39)
#define EPT_LINEAR (3 * SIZE_1G)
#define EPT_R	   BIT(0)
#define EPT_W	   BIT(1)
#define EPT_X	   BIT(2)
#define EPT_RWX	   (EPT_R | EPT_W | EPT_X)
#define EPT_A	   BIT(8)
#define EPT_D	   BIT(9)

/* A page of L1's for L2 to access: it begins with @number. Its L2-physical offset under a leaf of
 * @level that maps L1's memory around it. */
struct ept_page {
	u64 number;
	u8 code[8]; /* RET */
	u64 written;
};

extern struct npt ept_tables;

void ept_setup(void);
/* The 4K page @n of a few. */
struct ept_page *ept_page(u32 n);
/* A leaf of @level that maps @page, with @flags; and where L2 finds the page under it. */
u64 ept_leaf(const struct ept_page *page, int level, u64 flags);
u64 ept_offset(const struct ept_page *page, int level);
/* Sets the entry of @level for EPT_BASE + @offset. Makes the tables above it. */
void ept_set(u64 offset, int level, u64 entry);
u64 ept_get(u64 offset, int level);
/* INVEPT of one type and the other in turn. */
void ept_flush(void);
/* L2 stores @value at its linear address @at. */
u32 ept_store(u64 at, u64 value);
/* L2 does @op at EPT_LINEAR + @offset: RUNS or the exit's reason. What it read is in *value. */
u32 ept_access(enum l2_op op, u64 offset, u64 *value);
