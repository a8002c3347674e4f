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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_atomic),
		cmocka_unit_test(test_popcount),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
