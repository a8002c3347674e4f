/* SPDX-License-Identifier: MIT */
/*
 * Comparing two memories by one number. Zero pages are found by a fast scan and add nothing, so
 * that a large machine with little in it costs little.
 */
#pragma once

#include "lib/types.h"

struct memory_hash {
	u64 sum;   /* of the pages' hashes, each seeded with its gfn: the order does not matter */
	u64 pages; /* that are not zero */
};

bool page_is_zero(const void *page);
void memory_hash_add(struct memory_hash *h, u64 gfn, const void *page);

static inline bool memory_hash_equal(const struct memory_hash *a, const struct memory_hash *b)
{
	return a->sum == b->sum && a->pages == b->pages;
}
