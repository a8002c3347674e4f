// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* NX huge pages in the nested tree: what is split for them, what is listed, and its recovery. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/nx_huge.h"
#include "tests/host/nested_vm.h"

#define MB2 LEVEL_SIZE(PG_LEVEL_2M)
#define GB1 LEVEL_SIZE(PG_LEVEL_1G)

static struct nested_vm v;

static void make(u64 npages, int level)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				       .maxphyaddr = 48,
				       .max_leaf_level = PG_LEVEL_1G,
				       .nx_huge_pages = true};

	nv_make(&v, npages, level, &cfg);
}

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

static u64 splits(void)
{
	nv_check(&v);
	return v.mmu.stats.nx_lpage_splits;
}

static bool executable(u64 addr)
{
	u64 *sptep = nv_sptep(&v, addr, nv_level(&v, addr));

	return spte_access(&v.mmu, *sptep) & ACC_EXEC;
}

static void test_split_and_recovered(void **state)
{
	(void)state;
	make(8 * 512, PG_LEVEL_2M);
	nv_map(&v, MB2, 0x200, 2, L1_RWX);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2), 2);
	assert_false(executable(MB2));
	assert_int_equal(splits(), 0);
	assert_int_equal(nv_fetch(&v, MB2 + 0x3000), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2 + 0x3000), 1);
	assert_true(executable(MB2 + 0x3000));
	assert_false(executable(MB2));
	assert_int_equal(splits(), 1);
	assert_int_equal(nv_fetch(&v, MB2 + 0x4000), FAULT_FIXED);
	assert_int_equal(splits(), 1);

	assert_int_equal(mmu_nx_recover(&v.mmu, 1), 1);
	assert_int_equal(splits(), 0);
	assert_int_equal(v.mmu.stats.nx_recovered, 1);
	assert_int_equal(nv_write(&v, MB2 + 0x3000, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2), 2);
	assert_false(executable(MB2));
	/* Executed again: split and listed again. */
	assert_int_equal(nv_fetch(&v, MB2 + 0x3000), FAULT_FIXED);
	assert_int_equal(splits(), 1);
	assert_int_equal(mmu_nx_recover(&v.mmu, 0), 0);
	assert_int_equal(splits(), 1);
}

/* 1G takes two tables; each of them keeps it from being huge. */
static void test_of_1g(void **state)
{
	(void)state;
	make(2 * 512 * 512, PG_LEVEL_1G);
	nv_map(&v, GB1, 0, 3, L1_RWX);
	assert_int_equal(nv_fetch(&v, GB1 + 5 * MB2), FAULT_FIXED);
	assert_int_equal(splits(), 2);
	assert_int_equal(nv_read(&v, GB1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, GB1), 2);
	while (splits())
		assert_true(mmu_nx_recover(&v.mmu, 1) > 0);
	assert_int_equal(nv_read(&v, GB1 + 5 * MB2), FAULT_FIXED);
	assert_int_equal(nv_level(&v, GB1), 3);
}

/* Where nothing could be huge nothing is listed, and L2 need not fault twice to execute. */
static void test_small_anyway(void **state)
{
	(void)state;
	make(8 * 512, PG_LEVEL_4K);
	nv_map(&v, MB2, 0x200, 2, L1_RWX);
	assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
	assert_true(executable(MB2));
	assert_int_equal(nv_fetch(&v, MB2 + 0x1000), FAULT_FIXED);
	assert_int_equal(splits(), 0);
	assert_int_equal(nv_end(&v), 0);
	make(8 * 512, PG_LEVEL_2M);
	nv_map(&v, MB2, 0x201, 1, L1_RWX);
	assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
	assert_true(executable(MB2));
	assert_int_equal(nv_fetch(&v, MB2), FAULT_FIXED);
	assert_int_equal(splits(), 0);
}

/* While a log wants small pages they stay; what is executed then is listed all the same. */
static void test_logged(void **state)
{
	(void)state;
	make(8 * 512, PG_LEVEL_2M);
	nv_map(&v, MB2, 0x200, 2, L1_RWX);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
	assert_int_equal(splits(), 0);
	assert_false(executable(MB2));
	assert_int_equal(nv_fetch(&v, MB2), FAULT_FIXED);
	assert_int_equal(splits(), 1);
	assert_int_equal(mmu_nx_recover(&v.mmu, 10), 0);
	assert_int_equal(splits(), 1);
	dirty_log_disable(&v.mmu, v.slot);
	assert_int_equal(nv_level(&v, MB2), 1);
	assert_int_equal(mmu_nx_recover(&v.mmu, 10), 1);
	assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2), 2);
}

/* The oldest first, of both trees as many as their share is. */
static void test_oldest_of_both_trees(void **state)
{
	(void)state;
	make(16 * 512, PG_LEVEL_2M);
	for (u64 i = 0; i < 4; i++) {
		nv_map(&v, i * MB2, (i + 1) * 512, 2, L1_RWX);
		assert_int_equal(nv_fetch(&v, i * MB2), FAULT_FIXED);
		assert_int_equal(env_vcpu_fetch(&v.mmu, (i + 6) * MB2), FAULT_FIXED);
	}
	assert_int_equal(splits(), 8);
	assert_int_equal(mmu_nx_recover(&v.mmu, 2), 2);
	assert_int_equal(nv_level(&v, 0), 0);
	assert_int_equal(nv_level(&v, MB2), 1);
	assert_int_equal(splits(), 6);
	assert_int_equal(mmu_nx_recover(&v.mmu, 100), 6);
	assert_int_equal(splits(), 0);
	assert_int_equal(mmu_nx_recover(&v.mmu, 100), 0);
}

/* A table of L1's in page @gfn, for as long as it is loaded; that page cannot be in a huge one. */
static void load_other(struct nested_mmu *other, u64 gfn)
{
	memset(nv_va(&v, gfn << PAGE_SHIFT), 0, PAGE_SIZE);
	assert_int_equal(nested_mmu_load(&v.mmu, other, &v.mode, (gpa_t){gfn << PAGE_SHIFT}, false),
			 0);
}

static void unload_other(struct nested_mmu *other)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	nv_lock(&v);
	shadow_page_zap(&v.mmu, other->root, &b);
	nv_unlock(&v, &b);
	nested_mmu_free(&v.mmu, other);
}

/* What was executable stays so when W comes later. */
static void test_written_after_it_was_executed(void **state)
{
	struct nested_mmu other = {0};

	(void)state;
	make(8 * 512, PG_LEVEL_2M);
	nv_map(&v, MB2, 0x200, 2, L1_RWX | L1_A | L1_D);
	load_other(&other, 0x203);
	assert_int_equal(nv_fetch(&v, MB2 + 0x3000), FAULT_FIXED);
	unload_other(&other);
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, MB2 + 0x3000, 1)));
	assert_int_equal(nv_write(&v, MB2 + 0x3000, 1), FAULT_FIXED);
	assert_true(executable(MB2 + 0x3000));
}

/* What cannot be recovered now does not keep the others from it. */
static void test_next_one_after_one_that_cannot(void **state)
{
	struct nested_mmu other = {0};

	(void)state;
	make(8 * 512, PG_LEVEL_2M);
	for (u64 i = 0; i < 2; i++)
		assert_int_equal(env_vcpu_fetch(&v.mmu, (1 + i) * MB2), FAULT_FIXED);
	for (u64 i = 0; i < 2; i++) {
		nv_map(&v, i * MB2, (1 + i) * 512, 2, L1_RWX);
		assert_int_equal(nv_fetch(&v, i * MB2), FAULT_FIXED);
	}
	load_other(&other, 0x203);
	assert_int_equal(splits(), 4);
	assert_int_equal(mmu_nx_recover(&v.mmu, 2), 0);
	assert_int_equal(mmu_nx_recover(&v.mmu, 2), 2);
	assert_int_equal(mmu_nx_recover(&v.mmu, 2), 0);
	unload_other(&other);
	assert_int_equal(mmu_nx_recover(&v.mmu, 2), 2);
}

static void all_goes(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	env_contend_after(0);
	rwlock_write_lock(&v.mmu.lock);
	shadow_zap_all(&v.mmu, &b);
	flush_pay(&v.mmu, &b);
	rwlock_write_unlock(&v.mmu.lock);
}

/* The lock is free between two; and what is zapped by others is on no list. */
static void test_others_run(void **state)
{
	(void)state;
	make(16 * 512, PG_LEVEL_2M);
	for (u64 i = 0; i < 4; i++) {
		nv_map(&v, i * MB2, (i + 1) * 512, 2, L1_RWX);
		assert_int_equal(nv_fetch(&v, i * MB2), FAULT_FIXED);
	}
	env_on_resched = all_goes;
	env_contend_after(2);
	assert_int_equal(mmu_nx_recover(&v.mmu, 4), 2);
	assert_int_equal(env_resched_count(), 1);
	assert_int_equal(splits(), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_split_and_recovered),
		T(test_of_1g),
		T(test_small_anyway),
		T(test_written_after_it_was_executed),
		T(test_next_one_after_one_that_cannot),
		T(test_logged),
		T(test_oldest_of_both_trees),
		T(test_others_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
