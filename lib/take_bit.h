/* SPDX-License-Identifier: MIT */
/*
 * One bit taken out of many words that others set it in at the same time: page-table entries, in
 * which processors set D. There is one for each 4K page, so instructions count.
 */
#pragma once

#include "lib/types.h"

/* Which of the 32 entries from @p on have @bit, which is below bit 32: 3 instructions for each. */
static inline u64 which_have(const u64 *p, u64 bit)
{
	u64 had = 0;

#pragma GCC unroll 32
	for (int i = 31; i >= 0; i--)
		had = 2 * had + (READ_ONCE(p[i]) & bit);
	return had >> __builtin_ctzll(bit);
}

/*
 * Clears @bit, which is below bit 32, in those of the 64 words from @p on that have it, by locked
 * operations, and returns which had it: bit n for word n. Who sets it later is left alone.
 */
static inline u64 take_bit_64(u64 *p, u64 bit)
{
	u64 had, all = bit;

	/* Who writes one page often writes its neighbours: 2 instructions for each then. */
#pragma GCC unroll 64
	for (int i = 0; i < 64; i++)
		all &= p[i];
	if (all) {
#pragma GCC unroll 64
		for (int i = 0; i < 64; i++)
			__atomic_and_fetch(&p[i], ~bit, __ATOMIC_SEQ_CST);
		return ~0ull;
	}
	had = which_have(p, bit) | which_have(p + 32, bit) << 32;
	for (u64 left = had; left; left &= left - 1)
		__atomic_and_fetch(&p[__builtin_ctzll(left)], ~bit, __ATOMIC_SEQ_CST);
	return had;
}
