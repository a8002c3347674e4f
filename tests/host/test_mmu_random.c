// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/mmu_model*.o tests/host/nested_vm.o */
/* objects: tests/host/pt_oracle.o */
/* timeout: 300 */
/* The model of fuzz_mmu.c under operations from a fixed generator: long runs, the same each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/host/mmu_model.h"

static u64 seed;

static u8 next_byte(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u8)(seed >> 24);
}

static void run(u64 first_seed, int times, size_t size)
{
	u8 data[8192];
	u64 operations = 0;

	for (int i = 0; i < times; i++) {
		seed = 0x9e3779b97f4a7c15ull * (first_seed + (u64)i);
		for (size_t n = 0; n < size; n++)
			data[n] = next_byte();
		operations += mmu_model_run(data, size);
	}
	assert_true(operations > (u64)times * size / 16);
}

static void test_many_short_runs(void **state)
{
	(void)state;
	run(1, 200, 200);
}

static void test_some_long_runs(void **state)
{
	(void)state;
	run(1000, 8, 8192);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_short_runs),
		cmocka_unit_test(test_some_long_runs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
