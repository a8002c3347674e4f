// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Caught writes to upper-level tables: what of the shadow goes, what stays, and when the table is
 * let go. In L1's other formats, too, where entries have four bytes, make two of ours or stand in
 * four pages of ours, and where a root does not start a page.
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

/* --- 4 levels --- */

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

static int setup(void **state)
{
	(void)state;
	nv_make(&v, 4 * 512, PG_LEVEL_2M, NULL);
	for (u64 i = 0; i < 8; i++)
		nv_map(&v, i * PAGE_SIZE, 0x10 + i, 1, L1_RWX);
	for (u64 i = 0; i < 8; i++)
		assert_int_equal(nv_write(&v, i * PAGE_SIZE, i), FAULT_FIXED);
	nv_check(&v);
	return 0;
}

static bool maps(u64 addr, u64 gfn)
{
	u64 *sptep = nv_sptep(&v, addr, 1);

	return sptep && spte_present(&v.mmu, *sptep) &&
	       spte_hpa(&v.mmu, *sptep).v == env_hpa(nv_va(&v, gfn << PAGE_SHIFT)).v;
}

static u64 upper_tracked(int level)
{
	return v.slot->write_track[nv_entry_gpa(&v, v.root, 0, level) >> PAGE_SHIFT];
}

/* The one entry goes, with what hangs from it; the table stays shadowed and caught. */
static void test_upper_level_write_drops_one_entry(void **state)
{
	u64 zapped, pte_write = v.mmu.stats.mmu_pte_write;

	(void)state;
	nv_map(&v, MB2, 0x30, 1, L1_RWX);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	zapped = v.mmu.stats.mmu_shadow_zapped;
	nv_set_entry(&v, 5 * MB2, 2, 0x123000 | L1_RO);
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped, zapped);
	nv_set_entry(&v, MB2, 2, nv_table(&v) | L1_RWX);
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped, zapped + 1);
	assert_int_equal(v.mmu.stats.mmu_pte_write, pte_write + 3);
	assert_int_equal(nv_level(&v, MB2), 0);
	assert_true(maps(0, 0x10));
	assert_int_equal(upper_tracked(2), 1);
	assert_int_equal(v.mmu.stats.mmu_flooded, 0);
	nv_check(&v);
	assert_int_equal(nv_read(&v, MB2), FAULT_REFLECT);
}

/* Bytes of an entry are an entry; a store of several entries drops each. */
static void test_partial_and_wide_writes(void **state)
{
	u64 gpa = nv_entry_gpa(&v, v.root, 0, 2), two[2];

	(void)state;
	for (u64 i = 1; i < 4; i++) {
		nv_map(&v, i * MB2, 0x30 + i, 1, L1_RWX);
		assert_int_equal(nv_write(&v, i * MB2, 1), FAULT_FIXED);
	}
	assert_int_equal(guest_write_entry(&v.mmu, (gpa_t){gpa + 15}, 0, 1), 0);
	assert_int_equal(nv_level(&v, MB2), 0);
	assert_int_equal(nv_level(&v, 0), 1);
	assert_int_equal(nv_level(&v, 2 * MB2), 1);
	assert_int_equal(guest_read(&v.mmu, (gpa_t){gpa + 16}, two, 16), 0);
	assert_int_equal(guest_write(&v.mmu, (gpa_t){gpa + 16}, two, 16), 0);
	assert_int_equal(nv_level(&v, 0), 1);
	assert_int_equal(nv_level(&v, 2 * MB2), 0);
	assert_int_equal(nv_level(&v, 3 * MB2), 0);
	assert_int_equal(upper_tracked(2), 1);
	nv_check(&v);
	/* More than L1 stores at once: the table goes. */
	assert_int_equal(guest_write(&v.mmu, (gpa_t){gpa & PAGE_MASK}, nv_va(&v, gpa & PAGE_MASK),
				     PAGE_SIZE),
			 0);
	assert_int_equal(upper_tracked(2), 0);
	nv_check(&v);
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	assert_true(maps(0, 0x10));
}

/* L1 builds a table: linear, whatever hangs from it, and then it writes without a fault. */
static void test_flooding(void **state)
{
	u64 zapped = v.mmu.stats.mmu_shadow_zapped, pte_write = v.mmu.stats.mmu_pte_write;

	(void)state;
	for (u64 i = 1; i < 512; i++)
		nv_set_entry(&v, i * MB2, 2, nv_entry(&v, 0, 2));
	assert_int_equal(v.mmu.stats.mmu_flooded, 1);
	assert_int_equal(upper_tracked(2), 0);
	assert_true(v.mmu.stats.mmu_pte_write - pte_write < 20);
	/* That table and the one below it. */
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped, zapped + 2);
	nv_check(&v);
	assert_int_equal(nv_read(&v, 511 * MB2), FAULT_FIXED);
	assert_true(maps(511 * MB2, 0x10));
	assert_int_equal(upper_tracked(2), 1);
}

/* What L2 uses in between is no flood, however often it is written. */
static void test_no_flood_while_used(void **state)
{
	u64 tables[2] = {nv_table(&v), nv_table(&v)};
	u64 zapped = v.mmu.stats.mmu_shadow_zapped;

	(void)state;
	for (u64 i = 0; i < 2; i++)
		*(u64 *)nv_va(&v, tables[i]) = (0x40 + i) << PAGE_SHIFT | L1_RWX;
	for (u64 i = 0; i < 100; i++) {
		nv_set_entry(&v, MB2, 2, tables[i & 1] | L1_RWX);
		assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
		assert_true(maps(MB2, 0x40 + (i & 1)));
	}
	assert_int_equal(v.mmu.stats.mmu_flooded, 0);
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped, zapped + 99);
	assert_true(maps(0, 0x10));
}

/* L2 writes the table through which that write is mapped. */
static void test_l2_writes_what_maps_the_write(void **state)
{
	u64 table = nv_entry_gpa(&v, v.root, 0, 2) & PAGE_MASK, zapped;

	(void)state;
	nv_map(&v, 7 * PAGE_SIZE, table >> PAGE_SHIFT, 1, L1_RWX);
	nv_sync(&v);
	assert_int_equal(nv_read(&v, 7 * PAGE_SIZE), FAULT_FIXED);
	zapped = v.mmu.stats.mmu_shadow_zapped;
	for (u64 i = 1; i < 12; i++)
		assert_int_equal(nv_write(&v, 7 * PAGE_SIZE + i * 8, 0x123000 | L1_RO),
				 FAULT_FIXED);
	assert_int_equal(nv_entry(&v, 11 * MB2, 2), 0x123000 | L1_RO);
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped, zapped);
	/* At last the entry that leads to the write itself. */
	assert_int_equal(nv_write(&v, 7 * PAGE_SIZE, 0), FAULT_FIXED);
	nv_check(&v);
	assert_int_equal(nv_read(&v, 0), FAULT_REFLECT);
	assert_int_equal(nv_write(&v, 7 * PAGE_SIZE, 0), FAULT_REFLECT);
}

/* A table that L1 uses at two levels: entry by entry it stays in step at both. */
static void test_table_of_two_levels(void **state)
{
	u64 table = nv_entry_gpa(&v, v.root, 0, 2) & PAGE_MASK, at;

	(void)state;
	/* The level-2 table is also the level-1 table of 3 * MB2. */
	nv_set_entry(&v, 3 * MB2, 2, table | L1_RWX);
	at = 3 * MB2 + 3 * PAGE_SIZE; /* its entry 3: the table itself */
	assert_int_equal(nv_read(&v, at), FAULT_FIXED);
	assert_true(maps(at, table >> PAGE_SHIFT));
	assert_int_equal(nv_read(&v, 3 * MB2), FAULT_FIXED);
	assert_int_equal(upper_tracked(2), 2);
	nv_check(&v);
	nv_set_entry(&v, 0, 2, 0x44000 | L1_RWX);
	assert_int_equal(upper_tracked(2), 2);
	assert_false(nv_sp(&v, 3 * MB2, 1)->unsync);
	assert_int_equal(nv_level(&v, 3 * MB2), 0);
	assert_int_equal(nv_level(&v, at), 1);
	nv_check(&v);
	assert_int_equal(nv_read(&v, 3 * MB2), FAULT_FIXED);
	assert_true(maps(3 * MB2, 0x44));
}

/* What L0 cannot carry out is let go. */
static void test_track_end(void **state)
{
	u64 gpa = nv_entry_gpa(&v, v.root, MB2, 2);

	(void)state;
	assert_int_equal(mmu_tdp_fault(&v.mmu, (gpa_t){gpa}, PFERR_W | PFERR_P | PFERR_U),
			 FAULT_EMULATE);
	assert_int_equal(upper_tracked(2), 1);
	mmu_track_end(&v.mmu, (gpa_t){gpa});
	assert_int_equal(upper_tracked(2), 0);
	assert_int_equal(mmu_tdp_fault(&v.mmu, (gpa_t){gpa}, PFERR_W | PFERR_P | PFERR_U),
			 FAULT_FIXED);
	mmu_track_end(&v.mmu, (gpa_t){1ull << 45});
	nv_check(&v);
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
}

/* --- other formats --- */

static void start(enum pt_format_id id, u64 root_offset)
{
	nv_start(&v, 8 * 512, PG_LEVEL_2M, NULL);
	v.mode.fmt = &pt_formats[id];
	v.mode.pse = true;
	v.mode.nx = id != PT_FMT_32;
	v.root.v = nv_table(&v) + root_offset;
	nv_load(&v, true);
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
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_upper_level_write_drops_one_entry),
		T(test_partial_and_wide_writes),
		T(test_flooding),
		T(test_no_flood_while_used),
		T(test_l2_writes_what_maps_the_write),
		T(test_table_of_two_levels),
		T(test_track_end),
		cmocka_unit_test_teardown(test_four_byte_entries, teardown),
		cmocka_unit_test_teardown(test_pae_root_within_a_page, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
