/* SPDX-License-Identifier: MIT */
/*
 * Sets of addresses, as sorted ranges that neither touch nor overlap: which memory is RAM, and
 * which of it is still to be had while L0 starts. Plain C, tested on the host. No locks: used
 * by one processor during boot.
 */
#pragma once

#include "lib/types.h"

#define RANGES_MAX 256

struct range {
	u64 start, end; /* [start, end), bytes */
};

struct ranges {
	u32 count;
	struct range r[RANGES_MAX];
};

/* Puts [start, end) into the set, joined with what it touches. -ENOSPC: too many ranges. */
int __must_check ranges_add(struct ranges *s, u64 start, u64 end);

/* Takes [start, end) out of the set, whatever part of it is there. -ENOSPC as above. */
int __must_check ranges_remove(struct ranges *s, u64 start, u64 end);

/*
 * Finds the lowest @size bytes aligned to @align (a power of two) that end at or below @limit,
 * takes them out and returns their start in *@at. -ENOMEM when there are none.
 */
int __must_check ranges_take(struct ranges *s, u64 size, u64 align, u64 limit, u64 *at);

/* How many bytes there are in all. */
u64 ranges_total(const struct ranges *s);

/* Is all of [start, end), which is not empty, in the set? */
bool ranges_contain(const struct ranges *s, u64 start, u64 end);

/* Does any of [start, end) lie in the set? */
bool ranges_touch(const struct ranges *s, u64 start, u64 end);
