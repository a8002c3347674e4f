// SPDX-License-Identifier: MIT
/* One bit taken out of 64 words: from all that have it, from no others, and nothing else from any.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/take_bit.h"

static u64 seed = 4711;
static u64 rnd(void)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return seed ^ seed >> 29;
}

/* @which of the 64 words have @bit; what else is in them is anything. */
static void try(u64 which, u64 bit)
{
	u64 words[66], before[66];

	for (int i = 0; i < 66; i++) {
		u64 has = i >= 1 && i <= 64 ? which >> (i - 1) & 1 : 1;

		before[i] = words[i] = (rnd() & ~bit) | (has ? bit : 0);
	}
	assert_int_equal(take_bit_64(words + 1, bit), which);
	for (int i = 0; i < 66; i++)
		assert_int_equal(words[i], i >= 1 && i <= 64 ? before[i] & ~bit : before[i]);
}

static void test_take(void **state)
{
	(void)state;
	for (int b = 0; b < 32; b++) {
		try(0, BIT(b));
		try(~0ull, BIT(b));
		for (int i = 0; i < 64; i++) {
			try(BIT(i), BIT(b));
			try(~BIT(i), BIT(b));
			try(rnd(), BIT(b));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_take)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
