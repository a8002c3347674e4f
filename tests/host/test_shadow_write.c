// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Caught writes to upper-level tables in L1's other formats, where entries have four bytes, make
 * two of ours or stand in four pages of ours, and where a root does not start a page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/guest_mem.h"
#include "tests/host/nested_vm.h"

#define MB2 LEVEL_SIZE(PG_LEVEL_2M)
#define MB4 (2 * MB2)
#define GB1 LEVEL_SIZE(PG_LEVEL_1G)

static struct nested_vm v;

static void start(enum pt_format_id id, u64 root_offset)
{
	nv_start(&v, 8 * 512, PG_LEVEL_2M, NULL);
	v.mode.fmt = &pt_formats[id];
	v.mode.pse = true;
	v.mode.nx = id != PT_FMT_32;
	v.root.v = nv_table(&v) + root_offset;
	nv_load(&v, true);
}

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

static void put(u64 gpa, u64 value)
{
	int size = v.mode.fmt->entry_size;

	assert_int_equal(guest_write_entry(&v.mmu, (gpa_t){gpa}, value, size), 0);
}

static void test_four_byte_entries(void **state)
{
	u64 table = 0;

	(void)state;
	start(PT_FMT_32, 0);
	/* 4M pages in each quarter of the table; the 4M at 2M of memory do, for all. */
	for (u64 i = 0; i < 1024; i += 255)
		put(v.root.v + i * 4, L1_RWX | L1_PS);
	table = nv_table(&v);
	put(v.root.v + 4 * 300, table | L1_RWX);
	for (u64 i = 0; i < 1024; i++)
		*(u32 *)nv_va(&v, table + i * 4) = (u32)(0x100 + i) << PAGE_SHIFT | L1_RWX;
	for (u64 i = 0; i < 1024; i += 255) {
		assert_int_equal(nv_write(&v, i * MB4, 1), FAULT_FIXED);
		assert_int_equal(nv_write(&v, i * MB4 + MB2, 1), FAULT_FIXED);
	}
	for (u64 i = 0; i < 1024; i += 1023)
		assert_int_equal(nv_read(&v, 300 * MB4 + i * PAGE_SIZE), FAULT_FIXED);
	nv_check(&v);
	/* Beside one, then that one: both of our entries, and nobody else's. */
	put(v.root.v + 509 * 4, 0);
	assert_int_equal(nv_level(&v, 510 * MB4), 2);
	put(v.root.v + 510 * 4, 0);
	assert_int_equal(nv_level(&v, 510 * MB4), 0);
	assert_int_equal(nv_level(&v, 510 * MB4 + MB2), 0);
	for (u64 i = 0; i < 1024; i += 255) {
		assert_int_equal(nv_level(&v, i * MB4), i == 510 ? 0 : 2);
		assert_int_equal(nv_level(&v, i * MB4 + MB2), i == 510 ? 0 : 2);
	}
	assert_int_equal(nv_level(&v, 300 * MB4), 1);
	/* The table below: both halves go with its entry. */
	put(v.root.v + 300 * 4, 0);
	assert_int_equal(nv_level(&v, 300 * MB4), 0);
	assert_int_equal(nv_level(&v, 300 * MB4 + 1023 * PAGE_SIZE), 0);
	assert_int_equal(nv_level(&v, 255 * MB4), 2);
	assert_int_equal(v.mmu.stats.mmu_flooded, 0);
	assert_int_equal(nv_read(&v, 300 * MB4), FAULT_REFLECT);
}

static void test_pae_root_within_a_page(void **state)
{
	u64 offset = 5 * 32, tables[4];

	(void)state;
	start(PT_FMT_PAE, offset);
	for (u64 i = 0; i < 4; i++) {
		tables[i] = nv_table(&v);
		*(u64 *)nv_va(&v, tables[i]) = L1_RWX | L1_PS;
		put(v.root.v + i * 8, tables[i] | L1_P);
		assert_int_equal(nv_write(&v, i * GB1, 1), FAULT_FIXED);
	}
	nv_check(&v);
	/* The page's other bytes are no entries. */
	put(v.root.v - 8, 0x1234);
	put(v.root.v + 32, 0x1234);
	for (u64 i = 0; i < 4; i++)
		assert_int_equal(nv_level(&v, i * GB1), 2);
	put(v.root.v + 2 * 8, 0);
	for (u64 i = 0; i < 4; i++)
		assert_int_equal(nv_level(&v, i * GB1), i == 2 ? 0 : 2);
	put(tables[1], 0);
	assert_int_equal(nv_level(&v, GB1), 0);
	assert_int_equal(nv_level(&v, 0), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_four_byte_entries, teardown),
		cmocka_unit_test_teardown(test_pae_root_within_a_page, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
