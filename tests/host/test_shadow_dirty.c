// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Faults of L2 in a logged slot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "tests/host/nested_vm.h"

#define MB2 LEVEL_SIZE(PG_LEVEL_2M)

static struct nested_vm v;

static int setup(void **state)
{
	(void)state;
	nv_make(&v, 8 * 512, PG_LEVEL_2M, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nv_end(&v);
}

static void test_write_fault_in_a_logged_slot(void **state)
{
	u64 out[64];

	(void)state;
	nv_map(&v, 0, 0, 2, L1_RWX);
	nv_map(&v, MB2, 512, 2, L1_RWX);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0), 2);
	v.mmu.cfg.eager_page_split = false;
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(nv_level(&v, 0), 2);
	assert_int_equal(nv_write(&v, 0x3000, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x3000), 1);
	assert_int_equal(v.mmu.stats.fault_split[MMU_TREE_NESTED], 1);
	/* Split completely: the others are there, read-only. */
	assert_int_equal(nv_level(&v, 0x1ff000), 1);
	assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][0], 512);
	assert_int_equal(nv_read(&v, MB2 + 0x5000), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2 + 0x5000), 1);
	nv_check(&v);
	assert_true(dirty_log_read_clear(&v.mmu, v.slot, 0, 4096, out) >= 1);
	assert_true(out[0] & BIT(3));
	assert_false(out[0] & BIT(4));
	assert_false(out[8] & BIT(5));
	nv_check(&v);
	assert_int_equal(nv_write(&v, 0x3000, 2), FAULT_FIXED);
	assert_true(v.mmu.stats.dirty_faults >= 2);
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_no_memory_for_a_write_in_a_logged_slot(void **state)
{
	u64 out[64];

	(void)state;
	nv_map(&v, 0, 0, 2, L1_RWX);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	v.mmu.cfg.eager_page_split = false;
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	mmu_caches_free(&v.n.caches);
	env_fail_from(1);
	assert_int_equal(nv_write(&v, 0x3000, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x3000), 2);
	assert_int_equal(nv_read(&v, MB2), FAULT_REFLECT);
	env_fail_from(0);
	nv_check(&v);
	dirty_log_read_clear(&v.mmu, v.slot, 0, 4096, out);
	for (int i = 0; i < 8; i++)
		assert_int_equal(out[i], ~0ull);
	nv_check(&v);
	assert_int_equal(nv_write(&v, 0x3000, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x3000), 1);
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

/* What only the log protected becomes writable again without a walk of L1's tables. */
static void test_second_write_needs_no_walk(void **state)
{
	u64 out[64], entry, zapped, allocs;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	/* A and D cleared behind everybody's back stay so: nobody looked there. */
	entry = nv_entry_gpa(&v, v.root, 0x1000, 1);
	*(u64 *)nv_va(&v, entry) &= ~(u64)(L1_A | L1_D);
	zapped = v.mmu.stats.mmu_shadow_zapped;
	allocs = env_alloc_count();
	assert_int_equal(nv_write(&v, 0x1000, 2), FAULT_FIXED);
	assert_int_equal(*(u64 *)nv_va(&v, entry) & (L1_A | L1_D), 0);
	assert_int_equal(env_alloc_count(), allocs);
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped, zapped);
	assert_int_equal(v.mmu.stats.dirty_faults, 1);
	nv_check(&v);
	dirty_log_read_clear(&v.mmu, v.slot, 0, 4096, out);
	assert_true(out[0] & BIT(0x10));
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

/* Tracking, L1's own protection and a flush by L1 are not passed over by that. */
static void test_what_l1_protects_stays_protected(void **state)
{
	u64 table, gen;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	nv_map(&v, 0x2000, 0x11, 1, L1_RO);
	table = nv_entry_gpa(&v, v.root, 0, 1) >> PAGE_SHIFT;
	nv_map(&v, 0x3000, table, 1, L1_RWX | L1_A | L1_D);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_int_equal(nv_read(&v, 0x2000), FAULT_FIXED);
	assert_int_equal(nv_read(&v, 0x3000), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(nv_write(&v, 0x2000, 1), FAULT_REFLECT);
	gen = v.mmu.stats.mmu_unsync;
	assert_int_equal(nv_write(&v, 0x3000 + 8 * 4, 0), FAULT_FIXED);
	assert_int_equal(v.mmu.stats.mmu_unsync, gen + 1);
	nv_check(&v);
	nv_map(&v, 0x1000, 0x10, 1, L1_RO | L1_A);
	nv_sync(&v);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_REFLECT);
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

/* One page at three L2 addresses: protecting it means each of them. */
static void test_all_aliases_are_protected(void **state)
{
	u64 out[64];

	(void)state;
	for (u64 i = 0; i < 3; i++)
		nv_map(&v, i * PAGE_SIZE, 0x10, 1, L1_RWX);
	nv_map(&v, MB2, 0x10, 1, L1_RWX);
	for (int round = 0; round < 2; round++) {
		for (u64 i = 0; i < 3; i++)
			assert_int_equal(nv_write(&v, i * PAGE_SIZE, i), FAULT_FIXED);
		assert_int_equal(nv_write(&v, MB2, 9), FAULT_FIXED);
		if (!round)
			assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
		else
			assert_int_equal(dirty_log_read_clear(&v.mmu, v.slot, 0, 64, out), 1);
		for (u64 i = 0; i < 3; i++)
			assert_false(spte_writable(&v.mmu, *nv_sptep(&v, i * PAGE_SIZE, 1)));
		assert_false(spte_writable(&v.mmu, *nv_sptep(&v, MB2, 1)));
		nv_check(&v);
	}
	assert_int_equal(out[0], BIT(0x10));
	dirty_log_disable(&v.mmu, v.slot);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_write_fault_in_a_logged_slot),
		T(test_no_memory_for_a_write_in_a_logged_slot),
		T(test_second_write_needs_no_walk),
		T(test_what_l1_protects_stays_protected),
		T(test_all_aliases_are_protected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
