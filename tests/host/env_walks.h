/* SPDX-License-Identifier: MIT */
/*
 * Every interleaving of walks with an operation. A processor that walks a tree reads one entry
 * after the other, and between two reads any number of changes may take place. So this keeps *all*
 * places that a walk for some addresses can have reached, and after each change of an entry lets
 * each of them take every number of steps. What walks find is judged when the operation is over:
 *
 *   no hole: where the address was mapped before and is mapped after, no walk found it absent;
 *   no right that was not there: each translation is one that the tables granted before or after,
 *   or less of that;
 *   nothing stale: what a walk found, or holds half-way, since the last flush is no more than
 *   the tables grant in the end, as it may be cached for ever.
 *
 * A walk that reaches a table which was freed reads freed memory, which ASan notices.
 * Link tests/host/env*.o.
 */
#pragma once

#include "tests/host/env.h"

#define WALKS_ADDRS 16

/* Begins to watch @n addresses of the tree at @root. */
void walks_begin(struct mmu *mmu, enum mmu_tree tree, const u64 *root, const u64 *addrs, int n);
/* The operation is over. Returns how many faults there were; each was printed. */
u64 walks_end(void);
/* How many different things walks have found since walks_begin(), and how many changes they saw. */
u64 walks_found(void);
u64 walks_changes(void);
/*
 * Before each exchange of an entry the processor sets A or D in it, where it may, in one of @n
 * cases; 0: never.
 */
void walks_set_bits(u32 n);
