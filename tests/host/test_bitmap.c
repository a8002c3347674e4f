// SPDX-License-Identifier: MIT
/* lib/bitmap.h against an array of booleans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"

#define BITS 200

static void same(const u64 *map, const bool *model)
{
	u64 count = 0;

	for (u64 i = 0; i < BITS; i++) {
		assert_int_equal(bitmap_test(map, i), model[i]);
		count += model[i];
	}
	assert_int_equal(bitmap_count(map, BITS), count);
}

static u64 find_model(const bool *model, u64 from, bool value)
{
	while (from < BITS && model[from] != value)
		from++;
	return from;
}

static void test_fill(void **state)
{
	(void)state;
	for (u64 first = 0; first < BITS; first += 3) {
		for (u64 count = 0; first + count <= BITS; count += 5) {
			u64 *map = calloc(BITMAP_WORDS(BITS), 8);
			bool model[BITS] = {0};

			bitmap_set_range(map, first, count);
			memset(model + first, 1, count);
			same(map, model);
			bitmap_clear_range(map, first + count / 3, count / 2);
			memset(model + first + count / 3, 0, count / 2);
			same(map, model);
			free(map);
		}
	}
}

static void test_find(void **state)
{
	u64 *map = calloc(BITMAP_WORDS(BITS), 8);
	bool model[BITS] = {0};

	(void)state;
	srand(1);
	for (int round = 0; round < 300; round++) {
		u64 bit = (u64)rand() % BITS;

		model[bit] = !model[bit];
		if (model[bit])
			bitmap_set(map, bit);
		else
			bitmap_clear(map, bit);
		for (u64 from = 0; from <= BITS; from++) {
			assert_int_equal(bitmap_find_next_set(map, BITS, from),
					 MIN(find_model(model, from, true), (u64)BITS));
			assert_int_equal(bitmap_find_next_clear(map, BITS, from),
					 MIN(find_model(model, from, false), (u64)BITS));
		}
	}
	same(map, model);
	free(map);
}

static void test_atomic(void **state)
{
	u64 map[2] = {0};

	(void)state;
	assert_false(bitmap_test_and_set_atomic(map, 70));
	assert_true(bitmap_test_and_set_atomic(map, 70));
	bitmap_set_atomic(map, 3);
	assert_int_equal(bitmap_take_word_atomic(map, 0), 8);
	assert_int_equal(bitmap_take_word_atomic(map, 0), 0);
	assert_int_equal(bitmap_take_word_atomic(map, 1), 64);
	assert_int_equal(map[1], 0);
}

static void test_popcount(void **state)
{
	(void)state;
	assert_int_equal(popcount64(0), 0);
	assert_int_equal(popcount64(~0ull), 64);
	for (int i = 0; i < 64; i++)
		assert_int_equal(popcount64(BIT(i) | 1), i ? 2 : 1);
}

/* The runs follow each other from below, and together they are the mask. */
static void test_runs(void **state)
{
	const u64 masks[] = {1, BIT(63), ~0ull, 0x8000000000000001ull, 0xf0f00ull, ~1ull, ~BIT(63)};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(masks); i++) {
		u64 left = masks[i], seen = 0;
		int first, n, at = 0;

		while (left) {
			n = bitmap_take_run(&left, &first);
			assert_true(n > 0 && first >= at && first + n <= 64);
			seen |= GENMASK(first + n - 1, first);
			at = first + n + 1; /* not a bit further, or it would be the same run */
		}
		assert_true(seen == masks[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),   cmocka_unit_test(test_find),
		cmocka_unit_test(test_atomic), cmocka_unit_test(test_popcount),
		cmocka_unit_test(test_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
