// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Turning logging off: what was split for it becomes huge again, in place, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "tests/host/nested_vm.h"

#define MB2 LEVEL_SIZE(PG_LEVEL_2M)
#define GB1 LEVEL_SIZE(PG_LEVEL_1G)

static struct nested_vm v;

static int setup(void **state)
{
	(void)state;
	nv_make(&v, 8 * 512, PG_LEVEL_2M, NULL);
	nv_map(&v, 0, 512, 2, L1_RWX);
	nv_map(&v, MB2, 1024, 2, L1_RWX);
	nv_map(&v, 64 * GB1, 512, 2, L1_RWX);
	nv_map(&v, 65 * GB1, 512, 2, L1_RW);
	nv_map(&v, 66 * GB1, 0x10, 1, L1_RWX);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

static void log_on_and_off(void)
{
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
	nv_check(&v);
}

static void test_joins_in_place(void **state)
{
	u64 live;

	(void)state;
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	split_caches_release(&v.mmu);
	live = env_live_allocs();
	log_on_and_off();
	assert_int_equal(nv_level(&v, 0), 2);
	assert_int_equal(nv_level(&v, MB2), 2);
	assert_true(spte_writable(&v.mmu, *nv_sptep(&v, 0, 2)));
	assert_int_equal(*nv_sptep(&v, 0, 2) & BIT(6), BIT(6));
	assert_int_equal(v.mmu.stats.recovered[MMU_TREE_NESTED][0], 2);
	assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][0], 0);
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped >= 2, 1);
	split_caches_release(&v.mmu);
	/* The TDP tree's own joins give back as many tables as its splits took. */
	assert_int_equal(env_live_allocs(), live);
}

static void test_all_aliases_are_joined(void **state)
{
	(void)state;
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 64 * GB1, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 65 * GB1, 1), FAULT_FIXED);
	log_on_and_off();
	for (u64 i = 0; i < 2; i++) {
		assert_int_equal(nv_level(&v, 0), 2);
		assert_int_equal(nv_level(&v, 64 * GB1), 2);
		assert_int_equal(nv_level(&v, 65 * GB1), 2);
		assert_int_equal(spte_access(&v.mmu, *nv_sptep(&v, 65 * GB1, 2)) & ACC_EXEC, 0);
		assert_int_equal(rmap_count(rmap_get(v.slot, (gfn_t){512}, 2)), 3);
	}
	assert_int_equal(v.mmu.stats.recovered[MMU_TREE_NESTED][0], 3);
}

static void test_no_memory_for_a_descriptor(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 64 * GB1, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 65 * GB1, 1), FAULT_FIXED);
	assert_int_equal(nv_split(&v, 0, 8 * 512), 0);
	split_caches_release(&v.mmu);
	env_fail_from(1);
	nv_lock(&v);
	nested_recover_range(&v.mmu, v.slot, 0, 8 * 512, &b);
	nv_unlock(&v, &b);
	env_fail_from(0);
	/* One could be joined without, the rest stays as it is. */
	assert_true(v.mmu.stats.recovered[MMU_TREE_NESTED][0] >= 1);
	assert_true(v.mmu.stats.recovered[MMU_TREE_NESTED][0] < 3);
	nv_check(&v);
	nv_lock(&v);
	nested_recover_range(&v.mmu, v.slot, 0, 8 * 512, &b);
	nv_unlock(&v, &b);
	assert_int_equal(v.mmu.stats.recovered[MMU_TREE_NESTED][0], 3);
}

/*
 * L2 has 2M of a 1G page under another name too. Without memory only one of the two can be joined
 * to 2M, whichever it is; the 1G page is not joined over what is left of the other.
 */
static void test_no_memory_below_a_gigabyte(void **state)
{
	(void)state;
	for (int last = 0; last < 2; last++) {
		struct flush_batch b = FLUSH_BATCH_INIT;
		const u64 names[] = {0, 64 * GB1};

		nv_make(&v, 2 * LEVEL_PAGES(PG_LEVEL_1G), PG_LEVEL_1G, NULL);
		nv_map(&v, 0, 0, 3, L1_RWX);
		nv_map(&v, 64 * GB1, 512 * 5, 2, L1_RW);
		assert_int_equal(nv_write(&v, names[!last], 1), FAULT_FIXED);
		assert_int_equal(nv_split(&v, 0, LEVEL_PAGES(PG_LEVEL_1G)), 0);
		assert_int_equal(nv_write(&v, names[last], 1), FAULT_FIXED);
		assert_int_equal(nv_split(&v, 0, LEVEL_PAGES(PG_LEVEL_1G)), 0);
		split_caches_release(&v.mmu);
		env_fail_from(1);
		nv_lock(&v);
		nested_recover_range(&v.mmu, v.slot, 0, LEVEL_PAGES(PG_LEVEL_1G), &b);
		nv_unlock(&v, &b);
		env_fail_from(0);
		nv_check(&v);
		assert_int_equal(nv_level(&v, 0) == 3, nv_level(&v, 64 * GB1) == 1);
		assert_int_equal(nv_level(&v, 0), last ? 2 : 3);
		dirty_log_disable(&v.mmu, v.slot);
		assert_int_equal(nv_end(&v), 0);
	}
}

static void test_l1s_own_4k_pages_stay(void **state)
{
	(void)state;
	assert_int_equal(nv_write(&v, 66 * GB1, 1), FAULT_FIXED);
	log_on_and_off();
	assert_int_equal(nv_level(&v, 66 * GB1), 1);
	assert_int_equal(v.mmu.stats.recovered[MMU_TREE_NESTED][0], 0);
}

static void test_not_over_a_tracked_table(void **state)
{
	u64 table = 1024 + 9;

	(void)state;
	nv_set_entry(&v, 67 * GB1, 2, table << 12 | L1_RWX);
	memset(nv_va(&v, table << 12), 0, PAGE_SIZE);
	*(u64 *)nv_va(&v, table << 12) = 0x10ull << 12 | L1_RWX;
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(nv_read(&v, 67 * GB1), FAULT_FIXED);
	dirty_log_disable(&v.mmu, v.slot);
	nv_check(&v);
	assert_int_equal(nv_level(&v, MB2), 1);
}

static void test_read_only_stays_read_only(void **state)
{
	(void)state;
	nv_map(&v, 68 * GB1, 1536, 2, L1_RO);
	assert_int_equal(nv_read(&v, 68 * GB1), FAULT_FIXED);
	log_on_and_off();
	assert_int_equal(nv_level(&v, 68 * GB1), 2);
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 68 * GB1, 2)));
	assert_int_equal(nv_write(&v, 68 * GB1, 1), FAULT_REFLECT);
}

static void test_gigabyte_in_two_steps(void **state)
{
	(void)state;
	nv_make(&v, LEVEL_PAGES(3) + 512, PG_LEVEL_1G, NULL);
	nv_map(&v, 2 * GB1, 0, 3, L1_RWX);
	assert_int_equal(nv_write(&v, 2 * GB1, 1), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(nv_level(&v, 2 * GB1), 1);
	assert_int_equal(nv_write(&v, 2 * GB1 + 0x3000, 1), FAULT_FIXED);
	dirty_log_disable(&v.mmu, v.slot);
	assert_int_equal(nv_level(&v, 2 * GB1), 3);
	assert_int_equal(v.mmu.stats.recovered[MMU_TREE_NESTED][0], 512);
	assert_int_equal(v.mmu.stats.recovered[MMU_TREE_NESTED][1], 1);
}

static void test_nx_huge_pages_keep_what_is_executed(void **state)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				 .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G,
				 .eager_page_split = true,
				 .nx_huge_pages = true};

	(void)state;
	nv_make(&v, 8 * 512, PG_LEVEL_2M, &cfg);
	nv_map(&v, 0, 512, 2, L1_RWX);
	nv_map(&v, MB2, 1024, 2, L1_RWX);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_fetch(&v, 0x2000), FAULT_FIXED);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	log_on_and_off();
	assert_int_equal(nv_level(&v, 0x2000), 1);
	assert_int_equal(nv_level(&v, MB2), 2);
}

static u64 rests;

static void between(void)
{
	rests++;
	assert_int_equal(nv_write(&v, rests % 2 * MB2, 1), FAULT_FIXED);
	nv_check(&v);
}

static void test_contended(void **state)
{
	(void)state;
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	env_on_resched = between;
	env_contend_after(1);
	dirty_log_disable(&v.mmu, v.slot);
	env_contend_after(0);
	env_on_resched = NULL;
	assert_true(rests > 8);
	assert_int_equal(nv_level(&v, 0), 2);
}

int main(void)
{
#define T(name)	  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_joins_in_place),
		T(test_all_aliases_are_joined),
		T(test_no_memory_for_a_descriptor),
		cmocka_unit_test(test_no_memory_below_a_gigabyte),
		T(test_l1s_own_4k_pages_stay),
		T(test_not_over_a_tracked_table),
		T(test_read_only_stays_read_only),
		OWN(test_gigabyte_in_two_steps),
		OWN(test_nx_huge_pages_keep_what_is_executed),
		T(test_contended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
