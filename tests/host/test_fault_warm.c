// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * L1 writes its tables while L2 has faults in what they lead to: such a table is not given up as
 * one that is only written, and its shadow does not count as cold, though the short way through a
 * fault leaves both alone mostly.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2    LEVEL_SIZE(PG_LEVEL_2M)
#define GB1    LEVEL_SIZE(PG_LEVEL_1G)
#define L1_ALL (L1_RWX | L1_A | L1_D)

static struct nested_vm v;

static void start(void)
{
	nv_make(&v, 4096, PG_LEVEL_2M, NULL);
	for (u64 page = 0; page < 64; page++)
		nv_map(&v, page * PAGE_SIZE, 0x100 + page, 1, L1_ALL);
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
}

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

static void fast(u64 addr)
{
	u64 walked = v.mmu.stats.nested_pf_walked;
	struct nested_fault out;

	assert_int_equal(mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){addr}, PFERR_U, &out),
			 FAULT_FIXED);
	assert_int_equal(v.mmu.stats.nested_pf_walked, walked);
}

static bool there(void)
{
	return nv_sp(&v, 0, 1);
}

static void test_writes_do_not_flood_what_is_used(void **state)
{
	(void)state;
	start();
	for (u64 i = 0; i < 60; i++) {
		nv_set_entry(&v, (100 + i) * MB2, 2, 0);
		if (i % 8 == 0)
			fast((1 + i) * PAGE_SIZE);
	}
	assert_int_equal(v.mmu.stats.mmu_flooded, 0);
	assert_true(there());
	/* Not for ever. */
	fast(0x1000);
	for (u64 i = 0; i < 40; i++)
		nv_set_entry(&v, (100 + i) * MB2, 2, 0);
	assert_int_equal(v.mmu.stats.mmu_flooded, 1);
	assert_false(there());
}

/* The root has no entry that leads to it. */
static void test_writes_do_not_flood_a_root_that_is_used(void **state)
{
	(void)state;
	start();
	for (u64 i = 0; i < 60; i++) {
		nv_set_entry(&v, (256 + i) * 512 * GB1, 4, 0);
		if (i % 8 == 0)
			fast((1 + i) * PAGE_SIZE);
	}
	assert_int_equal(v.mmu.stats.mmu_flooded, 0);
	assert_false(v.n.root->role.invalid);
	for (u64 i = 0; i < 40; i++)
		nv_set_entry(&v, (256 + i) * 512 * GB1, 4, 0);
	assert_int_equal(v.mmu.stats.mmu_flooded, 1);
}

static void test_faults_keep_a_path_warm(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct shadow_page *sp;

	(void)state;
	start();
	sp = nv_sp(&v, 0, 1);
	for (u64 i = 1; i < 40; i++) {
		nv_map(&v, i * MB2, 0x80, 1, L1_ALL);
		assert_int_equal(nv_read(&v, i * MB2), FAULT_FIXED);
		fast(i * PAGE_SIZE);
	}
	nv_lock(&v);
	tlb_drop();
	v.mmu.max_shadow_pages = v.mmu.stats.mmu_shadow_pages - 20;
	assert_int_equal(shadow_make_room(&v.mmu, 1, &b), 0);
	nv_unlock(&v, &b);
	assert_true(there());
	assert_ptr_equal(nv_sp(&v, 0, 1), sp);
	assert_null(nv_sp(&v, MB2, 1));
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_writes_do_not_flood_what_is_used),
		T(test_writes_do_not_flood_a_root_that_is_used),
		T(test_faults_keep_a_path_warm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
