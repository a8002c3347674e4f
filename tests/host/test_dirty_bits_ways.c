// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * L1 may lead any number of entries to one of its tables, and take them away again. What L2 wrote
 * by one of these ways is found, and no scan takes longer for their number.
 */
#include "tests/host/dirty_bits_nested.h"

/*
 * Two ways lead to one last-level table of L1's; by the second one L2 writes, and L1 takes that
 * away before the scan. The table stays, and nothing that leads to it now says that it was used.
 */
static void one_table_two_ways(void)
{
	u64 pde;

	map_and_write(0, 0x10);
	pde = nv_entry(&v, 0, 2);
	nv_set_entry(&v, GB1, 2, pde);
	assert_int_equal(nv_read(&v, GB1), FAULT_FIXED);
	assert_ptr_equal(nv_sp(&v, 0, 1), nv_sp(&v, GB1, 1));
	enable();
	cool();
}

static void test_way_goes(void **state)
{
	(void)state;
	one_table_two_ways();
	write_at(GB1);
	assert_int_equal(dirty_log_count(&v.mmu, v.slot) > 2, 0);
	nv_set_entry(&v, GB1, 2, 0);
	assert_int_equal(nv_level(&v, GB1), 0);
	assert_int_equal(nv_level(&v, 0), 1);
	assert_true(leaf_dirty(0));
	sync_and_expect(0x10);
	dirty_log_disable(&v.mmu, v.slot);
}

/* Either way is enough for a scan to look. */
static void test_two_ways(void **state)
{
	(void)state;
	one_table_two_ways();
	write_at(GB1);
	sync_and_expect(0x10);
	write_at(0);
	sync_and_expect(0x10);
	cool();
	dirty_log_disable(&v.mmu, v.slot);
}

/* A way more, through which nobody came yet. */
static void test_way_comes(void **state)
{
	(void)state;
	one_table_two_ways();
	nv_set_entry(&v, 2 * GB1, 2, nv_entry(&v, 0, 2));
	assert_int_equal(nv_read(&v, 2 * GB1), FAULT_FIXED);
	write_at(2 * GB1);
	sync_and_expect(0x10);
	cool();
	dirty_log_disable(&v.mmu, v.slot);
}

/* So many ways that looking at the table is cheaper: it is looked at each time. */
static void test_many_ways(void **state)
{
	(void)state;
	map_and_write(0, 0x10);
	for (u64 i = 1; i < 20; i++) {
		nv_set_entry(&v, i * MB2, 2, nv_entry(&v, 0, 2));
		assert_int_equal(nv_read(&v, i * MB2), FAULT_FIXED);
	}
	enable();
	scan();
	scan();
	for (u64 i = 0; i < 20; i += 6) {
		scan();
		assert_int_equal(scanned, 1);
		write_at(i * MB2);
		sync_and_expect(0x10);
	}
	/* Some go: what was known before there were many no longer holds. */
	for (u64 i = 10; i < 20; i++)
		nv_set_entry(&v, i * MB2, 2, 0);
	write_at(4 * MB2);
	sync_and_expect(0x10);
	cool();
	dirty_log_disable(&v.mmu, v.slot);
}

/*
 * One table of L1's at each level, every entry of which leads to the next: 512 * 512 * 512 ways
 * down. The scan sees the last-level page once.
 */
static void test_tables_that_lead_everywhere(void **state)
{
	u64 pml4e, pdpte, pde;

	(void)state;
	map_and_write(0, 0x10);
	pml4e = nv_entry(&v, 0, 4);
	pdpte = nv_entry(&v, 0, 3);
	pde = nv_entry(&v, 0, 2);
	for (u64 i = 1; i < 60; i++) {
		nv_set_entry(&v, i * GB512, 4, pml4e);
		nv_set_entry(&v, i * GB1, 3, pdpte);
		nv_set_entry(&v, i * MB2, 2, pde);
	}
	for (u64 i = 1; i < 60; i++) {
		assert_int_equal(nv_read(&v, i * GB512), FAULT_FIXED);
		assert_int_equal(nv_read(&v, i * GB1), FAULT_FIXED);
		assert_int_equal(nv_read(&v, i * MB2), FAULT_FIXED);
	}
	enable();
	write_at(59 * GB512 + 58 * GB1 + 57 * MB2);
	scan();
	assert_true(scanned <= 1 + PAGES / 512);
	expect(0x10);
	dirty_log_disable(&v.mmu, v.slot);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_way_goes),
		T(test_two_ways),
		T(test_way_comes),
		T(test_many_ways),
		T(test_tables_that_lead_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
