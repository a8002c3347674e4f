// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* The hash of shadow pages: its size, and that L1 cannot have one list filled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

static struct nested_vm v;

static void make(u64 npages, u64 limit, u64 key)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				 .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G,
				 .max_shadow_pages = limit};

	nv_start(&v, npages, PG_LEVEL_2M, &cfg);
	env_random_value = key;
	nv_use(&v);
}

/* The longest list, were these gfns all shadowed. */
static u64 longest(const u64 *gfns, u64 n)
{
	u32 *count = calloc(v.mmu.shadow_buckets, sizeof(*count)), most = 0;

	for (u64 i = 0; i < n; i++) {
		u32 *c = &count[shadow_hash_bucket(&v.mmu, (gfn_t){gfns[i]}) - v.mmu.shadow_hash];

		most = MAX(most, ++*c);
	}
	free(count);
	return most;
}

static void test_size_follows_the_limit(void **state)
{
	(void)state;
	make(512, 0, 1);
	assert_int_equal(v.mmu.shadow_buckets, 64);
	assert_int_equal(nv_end(&v), 0);
	make(512, 10000, 1);
	assert_int_equal(v.mmu.shadow_buckets, 16384);
	assert_int_equal(nv_end(&v), 0);
	make(512, 1ull << 40, 1);
	assert_int_equal(v.mmu.shadow_buckets, 1 << 20);
	assert_int_equal(nv_end(&v), 0);
}

/* Tables in a row, and far apart, by any key: about as many in each list. */
static void test_lists_stay_short(void **state)
{
	static const u64 steps[] = {1, 2, 3, 512, 513, 1ull << 18, (1ull << 18) + 1};
	u64 gfns[4096];

	(void)state;
	for (u64 key = 1; key; key <<= 7) {
		make(512, 4096, key * 0xbf58476d1ce4e5b9ull);
		for (u64 s = 0; s < ARRAY_SIZE(steps); s++) {
			for (u64 i = 0; i < ARRAY_SIZE(gfns); i++)
				gfns[i] = 1000 + i * steps[s];
			assert_in_range(longest(gfns, ARRAY_SIZE(gfns)), 1, 16);
		}
		assert_int_equal(nv_end(&v), 0);
	}
}

/* Gfns that all have one list by one key have lists of their own by another. */
static void test_no_list_can_be_filled_by_who_knows_the_function(void **state)
{
	u64 gfns[64], n = 0;

	(void)state;
	make(512, 4096, 12345);
	for (u64 gfn = 1; n < ARRAY_SIZE(gfns); gfn++)
		if (shadow_hash_bucket(&v.mmu, (gfn_t){gfn}) == v.mmu.shadow_hash)
			gfns[n++] = gfn;
	assert_int_equal(longest(gfns, n), n);
	assert_int_equal(nv_end(&v), 0);
	make(512, 4096, 0x123456789abcdefull);
	assert_in_range(longest(gfns, n), 1, 4);
	assert_int_equal(nv_end(&v), 0);
}

static void test_no_memory_for_it(void **state)
{
	struct nested_mmu other = {0};
	u64 n;

	(void)state;
	for (n = 1; n < 100; n++) {
		nv_start(&v, 512, PG_LEVEL_2M, NULL);
		env_fail_after(n);
		if (!nested_mmu_load(&v.mmu, &other, &v.mode, (gpa_t){0}, false)) {
			env_fail_after(0);
			nested_mmu_free(&v.mmu, &other);
			assert_int_equal(env_mmu_end(&v.mmu), 0);
			break;
		}
		/* Once more, with memory. */
		assert_int_equal(nested_mmu_load(&v.mmu, &other, &v.mode, (gpa_t){0}, false), 0);
		assert_int_equal(nv_faults(&v), 0);
		nested_mmu_free(&v.mmu, &other);
		assert_int_equal(env_mmu_end(&v.mmu), 0);
	}
	assert_in_range(n, 6, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_size_follows_the_limit),
		cmocka_unit_test(test_lists_stay_short),
		cmocka_unit_test(test_no_list_can_be_filled_by_who_knows_the_function),
		cmocka_unit_test(test_no_memory_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
