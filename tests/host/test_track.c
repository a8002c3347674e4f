// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Tracking of L1's tables: who notices a write, what goes out of sync, what a sync drops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/guest_mem.h"
#include "tests/host/nested_vm.h"

#define MB2 LEVEL_SIZE(PG_LEVEL_2M)
#define GB1 LEVEL_SIZE(PG_LEVEL_1G)

static struct nested_vm v;

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

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

static bool maps(u64 addr, u64 gfn)
{
	u64 *sptep = nv_sptep(&v, addr, 1);

	return sptep && spte_present(&v.mmu, *sptep) &&
	       spte_hpa(&v.mmu, *sptep).v == env_hpa(nv_va(&v, gfn << PAGE_SHIFT)).v;
}

static u64 tracked(void)
{
	return v.slot->write_track[nv_entry_gpa(&v, v.root, 0, 1) >> PAGE_SHIFT];
}

static void test_last_level_goes_unsync_and_comes_back(void **state)
{
	(void)state;
	assert_int_equal(tracked(), 1);
	nv_map(&v, 0, 0x20, 1, L1_RWX | L1_A | L1_D);
	nv_map(&v, 0x1000, 0, 1, 0);
	assert_true(nv_sp(&v, 0, 1)->unsync);
	assert_int_equal(tracked(), 0);
	assert_int_equal(v.mmu.stats.mmu_unsync, 1);
	/* As in a TLB: until L1 flushes, the old translations may be used. */
	assert_true(maps(0, 0x10));
	assert_true(maps(0x1000, 0x11));
	nv_check(&v);
	nv_sync(&v);
	assert_false(nv_sp(&v, 0, 1)->unsync);
	assert_int_equal(tracked(), 1);
	assert_false(maps(0, 0x10));
	assert_false(maps(0x1000, 0x11));
	for (u64 i = 2; i < 8; i++)
		assert_true(maps(i * PAGE_SIZE, 0x10 + i));
	assert_int_equal(v.mmu.stats.mmu_sync_dropped, 2);
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	assert_true(maps(0, 0x20));
	assert_int_equal(nv_read(&v, 0x1000), FAULT_REFLECT);
}

static void test_sync_compares_rights(void **state)
{
	u64 e = nv_entry(&v, 0, 1);

	(void)state;
	nv_set_entry(&v, 0x0000, 1, e & ~L1_W);
	nv_set_entry(&v, 0x1000, 1, (e + 0x1000) | L1_NX);
	nv_set_entry(&v, 0x2000, 1, (e + 0x2000) & ~L1_D);
	nv_set_entry(&v, 0x3000, 1, (e + 0x3000) & ~L1_A);
	nv_set_entry(&v, 0x4000, 1, (e + 0x4000) & ~L1_U);
	nv_set_entry(&v, 0x5000, 1, (e + 0x5000) | BIT(45));
	nv_set_entry(&v, 0x6000, 1, (e + 0x6000) | BIT(9));
	nv_sync(&v);
	assert_true(maps(0, 0x10));
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 0, 1)));
	assert_false(maps(0x1000, 0x11)); /* executable no more */
	assert_true(maps(0x2000, 0x12));
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 0x2000, 1)));
	assert_false(maps(0x3000, 0x13));
	assert_false(maps(0x4000, 0x14));
	assert_false(maps(0x5000, 0x15));
	assert_true(maps(0x6000, 0x16));
	assert_true(spte_writable(&v.mmu, *nv_sptep(&v, 0x6000, 1)));
	nv_check(&v);
	/* The write that follows is seen, and sets D again. */
	assert_int_equal(nv_write(&v, 0x2000, 1), FAULT_FIXED);
	assert_int_equal(nv_entry(&v, 0x2000, 1) & L1_D, L1_D);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_REFLECT);
}

static void test_l0s_write_counts_too(void **state)
{
	u64 gpa = nv_entry_gpa(&v, v.root, 0x3000, 1), zero = 0;

	(void)state;
	assert_int_equal(guest_write(&v.mmu, (gpa_t){gpa}, &zero, 8), 0);
	assert_true(nv_sp(&v, 0, 1)->unsync);
	nv_sync(&v);
	assert_false(maps(0x3000, 0x13));
}

/* L2 has L1's table mapped and writes it: that is a write to a tracked page like any other. */
static void test_l2_writes_the_table(void **state)
{
	u64 table = nv_entry_gpa(&v, v.root, 0, 1) >> PAGE_SHIFT;

	(void)state;
	nv_map(&v, 64 * GB1, table, 1, L1_RWX);
	assert_int_equal(nv_read(&v, 64 * GB1), FAULT_FIXED);
	nv_sync(&v);
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	assert_int_equal(tracked(), 1);
	assert_int_equal(nv_write(&v, 64 * GB1 + 8, 0x30ull << 12 | L1_RWX), FAULT_FIXED);
	assert_true(nv_sp(&v, 0, 1)->unsync);
	nv_check(&v);
	assert_true(spte_writable(&v.mmu, *nv_sptep(&v, 64 * GB1, 1)));
	nv_sync(&v);
	/* Protected again in the nested tree, too. */
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 64 * GB1, 1)));
	assert_false(maps(0x1000, 0x11));
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	assert_true(maps(0x1000, 0x30));
}

/* The same through a huge page, mapped writable before the table was shadowed. */
static void test_huge_page_over_a_table(void **state)
{
	u64 gfn = 512, table = gfn + 5;

	(void)state;
	nv_map(&v, 64 * GB1, gfn, 2, L1_RWX);
	memset(nv_va(&v, table << 12), 0, PAGE_SIZE);
	nv_set_entry(&v, 128 * GB1, 2, table << 12 | L1_RWX);
	*(u64 *)nv_va(&v, table << 12) = 0x40ull << 12 | L1_RWX;
	assert_int_equal(nv_write(&v, 64 * GB1, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 64 * GB1), 2);
	assert_int_equal(nv_read(&v, 128 * GB1), FAULT_FIXED);
	assert_true(maps(128 * GB1, 0x40));
	nv_check(&v);
	assert_int_equal(nv_write(&v, 64 * GB1 + 5 * PAGE_SIZE, 0x41ull << 12 | L1_RWX),
			 FAULT_FIXED);
	assert_true(nv_sp(&v, 128 * GB1, 1)->unsync);
	nv_check(&v);
	nv_sync(&v);
	assert_int_equal(nv_read(&v, 128 * GB1), FAULT_FIXED);
	assert_true(maps(128 * GB1, 0x41));
	/* Tracked again; writes beside the table need the huge page split. */
	assert_int_equal(nv_write(&v, 64 * GB1 + 6 * PAGE_SIZE, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 64 * GB1), 1);
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 64 * GB1 + 5 * PAGE_SIZE, 1)));
	assert_false(nv_sp(&v, 128 * GB1, 1)->unsync);
}

/*
 * Another CPU of L1 still holds a translation by which it may write the table: it does so at the
 * last moment, when protection was taken and the flush is about to reach it.
 */
static u64 late_gpa, late_value;

static void late_write(struct mmu *mmu, u32 trees)
{
	(void)mmu;
	if (late_gpa && (trees & BIT(MMU_TREE_TDP)))
		memcpy(nv_va(&v, late_gpa), &late_value, 8);
	if (trees & BIT(MMU_TREE_TDP))
		late_gpa = 0;
}

static void test_sync_flushes_before_it_reads(void **state)
{
	(void)state;
	nv_map(&v, 0, 0x20, 1, L1_RWX | L1_A | L1_D);
	late_gpa = nv_entry_gpa(&v, v.root, 0x7000, 1);
	late_value = 0;
	env_on_flush = late_write;
	nv_sync(&v);
	env_on_flush = NULL;
	assert_int_equal(late_gpa, 0);
	assert_false(maps(0x7000, 0x17));
}

/* The same for one page, when it gets another parent. */
static void test_new_link_flushes_before_it_reads(void **state)
{
	(void)state;
	/* All tables above are shadowed already, so that the only flush is for the last one. */
	nv_map(&v, 64 * GB1 + MB2, 0x60, 1, L1_RWX);
	nv_set_entry(&v, 64 * GB1, 2, nv_entry(&v, 0, 2));
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	assert_int_equal(nv_read(&v, 64 * GB1 + MB2), FAULT_FIXED);
	nv_map(&v, 0x4000, 0x51, 1, L1_RWX);
	late_gpa = nv_entry_gpa(&v, v.root, 0, 1);
	late_value = 0;
	env_on_flush = late_write;
	assert_int_equal(nv_read(&v, 64 * GB1 + 0x4000), FAULT_FIXED);
	env_on_flush = NULL;
	assert_int_equal(late_gpa, 0);
	assert_false(maps(64 * GB1, 0x10));
}

/* And when a fault shadows a table for the first time. */
static void test_fault_flushes_before_it_reads(void **state)
{
	u64 table = nv_table(&v);

	(void)state;
	nv_set_entry(&v, 64 * GB1, 2, table | L1_RWX);
	/* By L1, so that its TDP entry is writable. */
	nv_set_entry(&v, 64 * GB1, 1, 0x40ull << 12 | L1_RWX);
	late_gpa = table;
	late_value = 0x41ull << 12 | L1_RWX;
	env_on_flush = late_write;
	assert_int_equal(nv_read(&v, 64 * GB1), FAULT_FIXED);
	env_on_flush = NULL;
	assert_int_equal(late_gpa, 0);
	assert_true(maps(64 * GB1, 0x41));
}

/* Nor may the root's entry be read again before the flush, when a fault has to make a new root. */
static void test_new_root_flushes_before_it_reads(void **state)
{
	(void)state;
	mmu_track_end(&v.mmu, v.root);
	assert_true(v.n.root->role.invalid);
	/* By L1, so that its TDP entry is writable. */
	nv_set_entry(&v, 64 * GB1, 4, nv_entry(&v, 0, 4));
	late_gpa = v.root.v;
	late_value = 0;
	env_on_flush = late_write;
	assert_int_equal(nv_read(&v, 0), FAULT_REFLECT);
	env_on_flush = NULL;
	assert_int_equal(late_gpa, 0);
	nv_sync(&v);
	assert_int_equal(nv_read(&v, 0), FAULT_REFLECT);
}

/* A table that is out of sync gets another place: no TLB could hold what was there. */
static void test_new_link_to_an_unsync_table(void **state)
{
	(void)state;
	nv_map(&v, 0x2000, 0x50, 1, L1_RWX);
	assert_true(nv_sp(&v, 0, 1)->unsync);
	nv_set_entry(&v, 64 * GB1, 2, nv_entry(&v, 0, 2));
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	nv_map(&v, 0x4000, 0x51, 1, L1_RWX);
	assert_true(nv_sp(&v, 0, 1)->unsync);
	assert_int_equal(nv_read(&v, 64 * GB1 + 0x4000), FAULT_FIXED);
	assert_ptr_equal(nv_sp(&v, 0, 1), nv_sp(&v, 64 * GB1, 1));
	assert_true(maps(64 * GB1 + 0x4000, 0x51));
	assert_false(nv_sp(&v, 0, 1)->unsync);
}

/*
 * The same two levels up: the table that gets another place is in sync, but one below it is not.
 * L1 owes no flush for an entry that becomes present.
 */
static void new_link_above_unsync_tables(u64 n)
{
	for (u64 i = 0; i < n; i++) {
		nv_map(&v, i * MB2 + 0x4000, 0x50, 1, L1_RWX);
		nv_map(&v, i * MB2 + 0x5000, 0x51, 1, L1_RWX);
	}
	nv_sync(&v);
	for (u64 i = 0; i < n; i++) {
		assert_int_equal(nv_read(&v, i * MB2 + 0x4000), FAULT_FIXED);
		assert_int_equal(nv_read(&v, i * MB2 + 0x5000), FAULT_FIXED);
		nv_map(&v, i * MB2 + 0x4000, 0x60, 1, L1_RWX);
		assert_true(nv_sp(&v, i * MB2, 1)->unsync);
	}
	nv_set_entry(&v, 64 * GB1, 3, nv_entry(&v, 0, 3));
	assert_int_equal(nv_read(&v, 64 * GB1 + 0x5000), FAULT_FIXED);
	for (u64 i = 0; i < n; i++) {
		assert_int_equal(nv_read(&v, 64 * GB1 + i * MB2 + 0x4000), FAULT_FIXED);
		assert_true(maps(64 * GB1 + i * MB2 + 0x4000, 0x60));
	}
}

static void test_new_link_above_unsync_tables(void **state)
{
	(void)state;
	new_link_above_unsync_tables(3);
}

/* There are more of them than are synced with the lock held: L2 faults again. */
static void test_new_link_above_many_unsync_tables(void **state)
{
	(void)state;
	v.mmu.max_shadow_pages = 1000;
	new_link_above_unsync_tables(80);
}

static void test_many_unsync_pages_in_one_sync(void **state)
{
	(void)state;
	for (u64 i = 1; i < 12; i++)
		nv_map(&v, i * MB2, 0x100 + i, 1, L1_RWX);
	for (u64 i = 1; i < 12; i++)
		assert_int_equal(nv_write(&v, i * MB2, 1), FAULT_FIXED);
	for (u64 i = 1; i < 12; i++)
		nv_map(&v, i * MB2, 0x200 + i, 1, i & 1 ? L1_RWX | L1_A | L1_D : 0);
	nv_check(&v);
	nv_sync(&v);
	nv_check(&v);
	assert_true(list_empty(&v.mmu.shadow_unsync));
	for (u64 i = 1; i < 12; i++)
		assert_int_equal(nv_read(&v, i * MB2), i & 1 ? FAULT_FIXED : FAULT_REFLECT);
}

static void test_sync_without_changes_drops_nothing(void **state)
{
	u64 dropped = v.mmu.stats.mmu_sync_dropped, gen;

	(void)state;
	nv_set_entry(&v, 0x9000, 1, 0);
	nv_sync(&v);
	assert_int_equal(v.mmu.stats.mmu_sync_dropped, dropped);
	for (u64 i = 0; i < 8; i++)
		assert_true(maps(i * PAGE_SIZE, 0x10 + i));
	gen = v.mmu.flush_gen[MMU_TREE_NESTED];
	nv_sync(&v);
	assert_int_equal(v.mmu.flush_gen[MMU_TREE_NESTED], gen);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_last_level_goes_unsync_and_comes_back),
		T(test_sync_compares_rights),
		T(test_l0s_write_counts_too),
		T(test_l2_writes_the_table),
		T(test_huge_page_over_a_table),
		T(test_sync_flushes_before_it_reads),
		T(test_new_link_flushes_before_it_reads),
		T(test_fault_flushes_before_it_reads),
		T(test_new_root_flushes_before_it_reads),
		T(test_new_link_to_an_unsync_table),
		T(test_new_link_above_unsync_tables),
		T(test_new_link_above_many_unsync_tables),
		T(test_many_unsync_pages_in_one_sync),
		T(test_sync_without_changes_drops_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
