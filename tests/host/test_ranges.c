// SPDX-License-Identifier: MIT
/* kernel/ranges.c against one boolean per address. */
// objects: kernel/ranges.o
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/ranges.h"

#define SPACE 300

/* The set holds what the model holds, sorted, with a gap between any two ranges. */
static void same(const struct ranges *s, const bool *model)
{
	u64 total = 0;

	for (u32 i = 0; i < s->count; i++) {
		assert_true(s->r[i].start < s->r[i].end);
		assert_true(i == 0 || s->r[i - 1].end < s->r[i].start);
		for (u64 a = s->r[i].start; a < s->r[i].end; a++)
			assert_true(model[a]);
	}
	for (u64 a = 0; a < SPACE; a++) {
		assert_int_equal(ranges_contain(s, a, a + 1), model[a]);
		assert_int_equal(ranges_touch(s, a, a + 1), model[a]);
		total += model[a];
	}
	assert_int_equal(ranges_total(s), total);
}

static void test_random(void **state)
{
	struct ranges s = {0};
	bool model[SPACE] = {0};

	(void)state;
	srand(7);
	for (int i = 0; i < 5000; i++) {
		u64 start = (u64)rand() % SPACE;
		u64 end = start + (u64)rand() % MIN(SPACE - start, 40ul);

		if (rand() % 2) {
			assert_int_equal(ranges_add(&s, start, end), 0);
			memset(model + start, 1, end - start);
		} else {
			assert_int_equal(ranges_remove(&s, start, end), 0);
			memset(model + start, 0, end - start);
		}
		same(&s, model);
	}
}

static void test_take(void **state)
{
	struct ranges s = {0};
	u64 at;

	(void)state;
	assert_int_equal(ranges_add(&s, 5, 20), 0);
	assert_int_equal(ranges_add(&s, 64, 200), 0);
	assert_int_equal(ranges_take(&s, 8, 8, ~0ull, &at), 0);
	assert_int_equal(at, 8);
	assert_int_equal(ranges_take(&s, 8, 8, ~0ull, &at), 0);
	assert_int_equal(at, 64);
	assert_int_equal(ranges_take(&s, 100, 1, 171, &at), -ENOMEM);
	assert_int_equal(ranges_take(&s, 100, 1, 172, &at), 0);
	assert_int_equal(at, 72);
	assert_int_equal(ranges_total(&s), 3 + 4 + 28);
	assert_int_equal(ranges_take(&s, 29, 1, ~0ull, &at), -ENOMEM);
	/* Aligning wraps around the address space: no place, and no crash. */
	assert_int_equal(ranges_add(&s, ~0ull - 100, ~0ull), 0);
	assert_int_equal(ranges_take(&s, 50, 1ull << 20, ~0ull, &at), -ENOMEM);
}

static void test_full(void **state)
{
	struct ranges s = {0};

	(void)state;
	for (u64 i = 0; i < RANGES_MAX; i++)
		assert_int_equal(ranges_add(&s, i * 10, i * 10 + 5), 0);
	assert_int_equal(ranges_add(&s, 10000, 10001), -ENOSPC);
	assert_int_equal(ranges_remove(&s, 12, 13), -ENOSPC);
	/* What needs no further range still works. */
	assert_int_equal(ranges_add(&s, 5, 10), 0);
	assert_int_equal(s.count, RANGES_MAX - 1);
	assert_int_equal(ranges_add(&s, 10000, 10001), 0);
	assert_int_equal(ranges_remove(&s, 0, ~0ull), 0);
	assert_int_equal(s.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
