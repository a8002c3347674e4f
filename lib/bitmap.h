/* SPDX-License-Identifier: MIT */
/*
 * Bitmaps of u64 words, bit 0 of word 0 first. Plain functions need the owner's lock; the
 * *_atomic ones need none.
 */
#pragma once

#include "lib/types.h"

#define BITMAP_WORD_BITS   64
#define BITMAP_WORDS(bits) DIV_ROUND_UP((bits), (u64)BITMAP_WORD_BITS)

static inline void bitmap_set(u64 *map, u64 bit)
{
	map[bit / 64] |= BIT(bit % 64);
}

static inline void bitmap_clear(u64 *map, u64 bit)
{
	map[bit / 64] &= ~BIT(bit % 64);
}

static inline bool bitmap_test(const u64 *map, u64 bit)
{
	return READ_ONCE(map[bit / 64]) & BIT(bit % 64);
}

/* Sets the bit and says whether it was set before. */
static inline bool bitmap_test_and_set_atomic(u64 *map, u64 bit)
{
	return __atomic_fetch_or(&map[bit / 64], BIT(bit % 64), __ATOMIC_SEQ_CST) & BIT(bit % 64);
}

static inline void bitmap_set_atomic(u64 *map, u64 bit)
{
	__atomic_fetch_or(&map[bit / 64], BIT(bit % 64), __ATOMIC_SEQ_CST);
}

/* Reads 64 bits and makes them zero in one step. */
static inline u64 bitmap_take_word_atomic(u64 *map, u64 word)
{
	return READ_ONCE(map[word]) ? __atomic_exchange_n(&map[word], 0, __ATOMIC_SEQ_CST) : 0;
}

/* The bits of word @word that lie within [first, last], which must both touch that word. */
static inline u64 bitmap_word_mask(u64 word, u64 first, u64 last)
{
	u64 mask = ~0ull;

	if (word == first / 64)
		mask &= ~0ull << (first % 64);
	if (word == last / 64)
		mask &= ~0ull >> (63 - last % 64);
	return mask;
}

/* Sets, or clears, the @count bits from @first on. */
static inline void bitmap_fill(u64 *map, u64 first, u64 count, bool value)
{
	u64 last = first + count - 1;

	if (count == 0)
		return;
	for (u64 w = first / 64; w <= last / 64; w++) {
		u64 mask = bitmap_word_mask(w, first, last);

		map[w] = value ? map[w] | mask : map[w] & ~mask;
	}
}

static inline void bitmap_set_range(u64 *map, u64 first, u64 count)
{
	bitmap_fill(map, first, count, true);
}

static inline void bitmap_clear_range(u64 *map, u64 first, u64 count)
{
	bitmap_fill(map, first, count, false);
}

/* The first bit at or after @from whose value is @value, or @bits when there is none. */
static inline u64 bitmap_find_next(const u64 *map, u64 bits, u64 from, bool value)
{
	for (u64 w = from / 64; w * 64 < bits; w++) {
		u64 word = value ? map[w] : ~map[w];

		if (w == from / 64)
			word &= ~0ull << (from % 64);
		if (word)
			return MIN(w * 64 + (u64)__builtin_ctzll(word), bits);
	}
	return bits;
}

static inline u64 bitmap_find_next_set(const u64 *map, u64 bits, u64 from)
{
	return bitmap_find_next(map, bits, from, true);
}

static inline u64 bitmap_find_next_clear(const u64 *map, u64 bits, u64 from)
{
	return bitmap_find_next(map, bits, from, false);
}

/* How many 1 bits a word has, without the POPCNT instruction that not every CPU has. */
static inline u64 popcount64(u64 x)
{
	x = x - ((x >> 1) & 0x5555555555555555ull);
	x = (x & 0x3333333333333333ull) + ((x >> 2) & 0x3333333333333333ull);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (x * 0x0101010101010101ull) >> 56;
}

/* How many of the first @bits bits are set. */
static inline u64 bitmap_count(const u64 *map, u64 bits)
{
	u64 n = 0;

	for (u64 w = 0; w < bits / 64; w++)
		n += popcount64(map[w]);
	if (bits % 64)
		n += popcount64(map[bits / 64] & (BIT(bits % 64) - 1));
	return n;
}

/*
 * Takes the lowest run of 1 bits out of *@mask, which is not 0: *@first is where it begins, the
 * result its length.
 */
static inline int bitmap_take_run(u64 *mask, int *first)
{
	u64 rest;
	int n;

	*first = __builtin_ctzll(*mask);
	rest = ~(*mask >> *first);
	n = rest ? __builtin_ctzll(rest) : BITMAP_WORD_BITS;
	*mask &= *first + n < BITMAP_WORD_BITS ? ~0ull << (*first + n) : 0;
	return n;
}
