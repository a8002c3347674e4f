// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * The limit on shadow pages: what is recycled, what is not, and what it costs, whatever L1 does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define GB512 (1ull << 39)

static struct nested_vm v;

static void limited(u64 pages)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				 .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G,
				 .eager_page_split = true,
				 .max_shadow_pages = pages};

	nv_make(&v, 16 * 512, PG_LEVEL_2M, &cfg);
}

static int teardown(void **state)
{
	(void)state;
	return nv_end(&v);
}

static u64 faults(void)
{
	return v.mmu.stats.nested_pf_fixed;
}

/* --- recency ------------------------------------------------------------------------------ */

/* L2 uses one page all the time, which takes no fault; faults for others do not drive it out. */
static void test_what_processors_use_stays(void **state)
{
	u64 before, again = 0;

	(void)state;
	limited(24);
	for (u64 i = 0; i < 100; i++)
		nv_map(&v, i * MB2 + 0x1000, 0x10 + i, 1, L1_RWX);
	for (u64 i = 0; i < 100; i++) {
		assert_int_equal(nv_write(&v, i * MB2 + 0x1000, i), FAULT_FIXED);
		before = faults();
		assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
		again += faults() - before;
		assert_true(v.mmu.stats.mmu_shadow_pages <= 24);
	}
	/* At the first look all have been used since they were made, and the oldest one goes. */
	assert_int_equal(again, 1);
	assert_true(v.mmu.stats.mmu_recycled >= 70);
	nv_check(&v);
}

/* What nobody uses goes in the order in which it was used last. */
static void test_what_nobody_uses_goes_in_order(void **state)
{
	(void)state;
	limited(24);
	for (u64 i = 0; i < 60; i++)
		nv_map(&v, i * MB2 + 0x1000, 0x10 + i, 1, L1_RWX);
	for (u64 i = 0; i < 60; i++)
		assert_int_equal(nv_write(&v, i * MB2 + 0x1000, i), FAULT_FIXED);
	for (u64 i = 0; i < 60; i++)
		assert_int_equal(nv_level(&v, i * MB2 + 0x1000) > 0, i >= 60 - 21);
	nv_check(&v);
}

/* --- roots -------------------------------------------------------------------------------- */

static void test_unused_roots_are_recycled(void **state)
{
	struct nested_mmu other = {0};
	gpa_t first = {0};

	(void)state;
	limited(20);
	for (int i = 0; i < 50; i++) {
		gpa_t root = {nv_table(&v)};

		first = first.v ? first : root;
		assert_int_equal(nested_mmu_load(&v.mmu, &other, &v.mode, root, false), 0);
		nested_mmu_free(&v.mmu, &other);
		assert_true(v.mmu.stats.mmu_shadow_pages <= 20);
	}
	assert_int_equal(v.slot->write_track[first.v >> 12], 0);
	assert_false(v.n.root->role.invalid);
	assert_true(v.mmu.stats.mmu_recycled >= 30);
	nv_check(&v);
}

/* Roots in use are passed, but not all of them for each page that is taken. */
static void test_many_roots_in_use(void **state)
{
	static struct nested_mmu others[300];

	(void)state;
	memset(others, 0, sizeof(others));
	limited(8);
	for (u64 i = 0; i < 40; i++)
		nv_map(&v, i * MB2 + 0x1000, 0x10 + i, 1, L1_RWX);
	for (u64 i = 0; i < ARRAY_SIZE(others); i++) {
		gpa_t root = {nv_table(&v)};

		assert_int_equal(nested_mmu_load(&v.mmu, &others[i], &v.mode, root, false), 0);
	}
	for (u64 i = 0; i < 40; i++) {
		assert_int_equal(nv_write(&v, i * MB2 + 0x1000, i), FAULT_FIXED);
		assert_in_range(env_trace_arg(MMU_EV_recycle, 3), 0,
				64 * (1 + env_trace_arg(MMU_EV_recycle, 1)));
	}
	/* Beyond the limit there are roots, a path for each fault at most, and what is passed. */
	assert_in_range(v.mmu.stats.mmu_shadow_pages, 300, 300 + 50);
	nv_check(&v);
	for (u64 i = 0; i < ARRAY_SIZE(others); i++) {
		assert_false(others[i].root->role.invalid);
		nested_mmu_free(&v.mmu, &others[i]);
	}
	for (u64 i = 0; i < 40; i++)
		assert_int_equal(nv_write(&v, i * MB2 + 0x1000, i), FAULT_FIXED);
	assert_in_range(v.mmu.stats.mmu_shadow_pages, 1, 8);
	nv_check(&v);
}

/* --- thrashing ---------------------------------------------------------------------------- */

/*
 * An instruction that needs @n pages at once, each by upper levels of its own. It starts again
 * after each fault. Returns how many there were.
 */
static u64 instruction(u64 first, u64 n)
{
	u64 before = faults(), tries = 0;

	for (u64 i = 0; i < n; i++) {
		u64 at = faults();

		assert_int_equal(nv_read(&v, (first + i) * GB512), FAULT_FIXED);
		if (faults() == at)
			continue;
		assert_true(++tries < 1000);
		i = ~0ull;
	}
	return faults() - before;
}

/* With 64 pages, the least that a VM gets by default, there is room for 21 such paths. */
static void test_an_instruction_comes_to_its_end(void **state)
{
	(void)state;
	limited(64);
	for (u64 i = 0; i < 100; i++)
		nv_map(&v, i * GB512, 0x10 + i, 1, L1_RWX);
	for (u64 round = 0; round < 10; round++) {
		for (u64 first = 0; first < 100; first += 20)
			assert_in_range(instruction(first, 20), 20, 60);
		nv_check(&v);
	}
	assert_true(v.mmu.stats.mmu_shadow_pages <= 64);
}

/* --- lists of what maps one page -------------------------------------------------------------- */

static void test_aliases_of_one_page_are_bounded(void **state)
{
	struct rmap_head *head;

	(void)state;
	limited(100);
	head = rmap_get(v.slot, (gfn_t){0x10}, 1);
	for (u64 i = 0; i < 2500; i++) {
		nv_map(&v, i * PAGE_SIZE, 0x10, 1, L1_RWX);
		assert_int_equal(nv_write(&v, i * PAGE_SIZE, i), FAULT_FIXED);
		assert_int_equal(nv_level(&v, i * PAGE_SIZE), 1);
		assert_in_range(rmap_count(head), 1, 1000 + RMAP_DESC_ENTRIES);
	}
	nv_check(&v);
}

static void test_ways_to_one_table_are_bounded(void **state)
{
	u64 table;

	(void)state;
	limited(100);
	nv_map(&v, 0, 0x10, 1, L1_RWX);
	table = nv_entry(&v, 0, 2);
	for (u64 i = 0; i < 2500; i++) {
		if (i)
			nv_set_entry(&v, i * MB2, 2, table);
		assert_int_equal(nv_write(&v, i * MB2, i), FAULT_FIXED);
		assert_int_equal(nv_level(&v, i * MB2), 1);
		assert_in_range(rmap_count(&nv_sp(&v, i * MB2, 1)->parents), 1, 1000);
	}
	nv_check(&v);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_what_processors_use_stays),	 T(test_what_nobody_uses_goes_in_order),
		T(test_unused_roots_are_recycled),	 T(test_many_roots_in_use),
		T(test_an_instruction_comes_to_its_end), T(test_aliases_of_one_page_are_bounded),
		T(test_ways_to_one_table_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
