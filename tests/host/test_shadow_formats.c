// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Nested tables of L1's other modes when they are compared after a flush, and the same tables read
 * in another mode: what an entry of the shadow was made from, and by which rules.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/nested_vm.h"

#define MB2 LEVEL_SIZE(PG_LEVEL_2M)
#define MB4 (2 * MB2)

static struct nested_vm v;

static void start(int fmt)
{
	nv_start(&v, 8 * 512, PG_LEVEL_2M, NULL);
	v.mode.fmt = &pt_formats[fmt];
	v.mode.pse = true;
	nv_use(&v);
}

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

/* L1's vCPU stores an entry of four bytes. */
static void put(u64 gpa, u32 value)
{
	assert_int_equal(env_vcpu_write(&v.mmu, gpa, &value, sizeof(value)), FAULT_FIXED);
}

static bool maps(u64 addr, u64 gfn)
{
	u64 *sptep = nv_sptep(&v, addr, 1);

	return sptep && spte_present(&v.mmu, *sptep) &&
	       spte_hpa(&v.mmu, *sptep).v == env_hpa(nv_va(&v, gfn << PAGE_SHIFT)).v;
}

/* A last-level table of 1024 entries is shadowed in two halves; each is compared with its own. */
static void test_halves_of_a_table(void **state)
{
	static const u32 pages[] = {0, 1, 511, 512, 513, 1023};
	u64 table;

	(void)state;
	start(PT_FMT_32);
	table = nv_table(&v);
	*(u32 *)nv_va(&v, v.root.v) = (u32)table | L1_RWX;
	for (u32 i = 0; i < 1024; i++)
		*(u32 *)nv_va(&v, table + i * 4) = (0x200 + i) << PAGE_SHIFT | L1_RWX;
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++)
		assert_int_equal(nv_write(&v, pages[i] * PAGE_SIZE, 1), FAULT_FIXED);
	/* One entry of each half changes. */
	put(table + 1 * 4, 0x700 << PAGE_SHIFT | L1_RWX);
	put(table + 513 * 4, 0);
	nv_sync(&v);
	nv_check(&v);
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++)
		assert_int_equal(maps(pages[i] * PAGE_SIZE, 0x200 + pages[i]), pages[i] % 512 != 1);
	assert_int_equal(nv_write(&v, 1 * PAGE_SIZE, 1), FAULT_FIXED);
	assert_true(maps(1 * PAGE_SIZE, 0x700));
	assert_int_equal(nv_read(&v, 513 * PAGE_SIZE), FAULT_REFLECT);
}

/* The same root with CR4.PSE set and clear: a 4M page, then the address of a table. */
static void test_pse_is_part_of_the_role(void **state)
{
	u32 *table;

	(void)state;
	start(PT_FMT_32);
	table = nv_va(&v, MB4);
	for (u32 i = 0; i < 1024; i++)
		table[i] = (0x200 + i) << PAGE_SHIFT | L1_RWX;
	*(u32 *)nv_va(&v, v.root.v) = (u32)MB4 | L1_RWX | L1_PS;
	assert_int_equal(nv_read(&v, 0x3000), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x3000), 2);
	v.mode.pse = false;
	nv_sync(&v);
	assert_int_equal(nv_read(&v, 0x3000), FAULT_FIXED);
	assert_true(maps(0x3000, 0x203));
	nv_check(&v);
	v.mode.pse = true;
	nv_sync(&v);
	assert_int_equal(nv_read(&v, 0x3000), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x3000), 2);
}

/* Without EFER.NXE bit 63 is reserved: an entry that gets it maps nothing from the next flush on.
 */
static void test_entry_becomes_malformed(void **state)
{
	struct nested_fault out;
	u64 entry;

	(void)state;
	nv_start(&v, 8 * 512, PG_LEVEL_2M, NULL);
	v.mode.nx = false;
	nv_use(&v);
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	entry = nv_entry(&v, 0x1000, 1);
	nv_set_entry(&v, 0x1000, 1, entry | L1_NX);
	nv_sync(&v);
	assert_int_equal(nv_level(&v, 0x1000), 0);
	assert_int_equal(nv_access(&v, 0x1000, 0, NULL, &out), FAULT_REFLECT);
	assert_true(out.error & PFERR_RSV);
}

/* What L1 maps outside of its memory; a fetch shows only where there is a no-execute bit. */
static void test_fetch_from_outside(void **state)
{
	struct nested_fault out;

	(void)state;
	start(PT_FMT_32);
	v.mode.nx = false;
	nv_sync(&v);
	*(u32 *)nv_va(&v, v.root.v) = 0x80000000u | L1_RWX | L1_PS;
	assert_int_equal(nv_access(&v, 0x1000, PFERR_I, NULL, &out), FAULT_REFLECT);
	assert_int_equal(out.error, PFERR_U);
	assert_int_equal(nv_end(&v), 0);
	start(PT_FMT_PAE);
	*(u64 *)nv_va(&v, v.root.v) = nv_table(&v) | L1_P;
	*(u64 *)nv_va(&v, v.next_table << PAGE_SHIFT) = 0x80000000u | L1_RWX | L1_PS;
	assert_int_equal(nv_access(&v, 0x1000, PFERR_I, NULL, &out), FAULT_REFLECT);
	assert_int_equal(out.error, PFERR_U | PFERR_I);
}

/* An access to what L1's EPT maps is reflected as @error, with the rights in @granted. */
static void refused(u64 addr, u64 access, u64 error, u32 granted)
{
	struct nested_fault out = {.granted = ~0u};

	assert_int_equal(nv_access(&v, addr, access, NULL, &out), FAULT_REFLECT);
	assert_int_equal(out.error, error | PFERR_U | access);
	assert_int_equal(out.granted & ~ACC_USER, granted);
}

/* SDM 3C 28.3.3: a violation says what all levels together grant, a misconfiguration nothing. */
static void test_ept_says_what_it_grants(void **state)
{
	static const u64 r = BIT(0), w = BIT(1), x = BIT(2), wb = 6 << 3;
	const struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_EPT4], .maxphyaddr = 48, .max_leaf_level = PG_LEVEL_1G};

	(void)state;
	nv_start(&v, 8 * 512, PG_LEVEL_2M, &cfg);
	v.mode.fmt = &pt_formats[PT_FMT_EPT4];
	nv_use(&v);
	nv_map(&v, 0x1000, 0x10, 1, r | wb);
	nv_map(&v, 0x2000, 0x11, 1, r | x | wb);
	nv_map(&v, 0x3000, 0x12, 1, x | wb);
	nv_map(&v, 0x4000, 0x13, 1, w | wb);
	nv_map(&v, 0x5000, 0x14, 1, r | w | x | 2 << 3);
	nv_map(&v, MB2, 512, 2, r | w | wb);
	refused(0x1000, PFERR_W, PFERR_P, ACC_READ);
	refused(0x2000, PFERR_W, PFERR_P, ACC_READ | ACC_EXEC);
	refused(0x3000, 0, PFERR_P, ACC_EXEC);
	refused(0x4000, PFERR_W, PFERR_P | PFERR_RSV, 0);
	refused(0x5000, 0, PFERR_P | PFERR_RSV, 0);
	refused(MB2 + 0x3000, PFERR_I, PFERR_P, ACC_READ | ACC_WRITE);
	/* Not there: at the last level, which is found without a walk, and above it. */
	refused(0x6000, PFERR_W, 0, 0);
	refused(2 * MB2, PFERR_W, 0, 0);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	refused(0x6000, PFERR_W, 0, 0);
	/* An upper level takes away what the leaf grants. */
	nv_set_entry(&v, 0, 2, nv_entry(&v, 0, 2) & ~x);
	nv_sync(&v);
	refused(0x2000, PFERR_I, PFERR_P, ACC_READ);
}

/*
 * L1's tables have five levels, the processor's four: what the first entry of L1's root leads to is
 * the processor's root, and that changes with the entry.
 */
static void test_more_levels_than_the_processor(void **state)
{
	u64 first, other;

	(void)state;
	start(PT_FMT_LONG5);
	assert_int_equal(nv_level(&v, 0x1000), 0);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_REFLECT);
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	nv_map(&v, MB2, 512, 2, L1_RWX);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2), 2);
	assert_true(maps(0x1000, 0x10));
	assert_int_equal(v.n.root->role.level, 5);
	nv_check(&v);
	/* Other tables below the root's entry, none, and the first ones again. */
	first = nv_entry(&v, 0, 5);
	nv_set_entry(&v, 0, 5, 0);
	assert_int_equal(nv_level(&v, 0x1000), 0);
	nv_map(&v, 0x1000, 0x20, 1, L1_RWX);
	other = nv_entry(&v, 0, 5);
	assert_true(other != first);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_true(maps(0x1000, 0x20));
	nv_check(&v);
	nv_set_entry(&v, 0, 5, 0);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_REFLECT);
	nv_set_entry(&v, 0, 5, first);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_true(maps(0x1000, 0x10));
	/* The same root of four levels is another tree. */
	v.mode.fmt = &pt_formats[PT_FMT_LONG4];
	nv_sync(&v);
	assert_int_equal(nv_level(&v, 0x1000), 0);
	assert_int_equal(v.n.root->role.level, 4);
}

/*
 * Memory is out when L2 writes to a huge page in which L1 keeps a table of the same tree: that must
 * stay caught, so the page cannot become writable as a whole.
 */
static void test_no_memory_over_a_table(void **state)
{
	u64 table = 700ull << PAGE_SHIFT;

	(void)state;
	nv_start(&v, 8 * 512, PG_LEVEL_2M, NULL);
	nv_use(&v);
	nv_map(&v, MB2, 512, 2, L1_RWX);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2), 2);
	*(u64 *)nv_va(&v, table) = 0x10ull << PAGE_SHIFT | L1_RWX;
	nv_set_entry(&v, 4 * MB2, 2, table | L1_RWX);
	assert_int_equal(nv_write(&v, 4 * MB2, 1), FAULT_FIXED);
	assert_int_equal(v.slot->write_track[700], 1);
	assert_int_equal(nv_level(&v, MB2), 2);
	nv_check(&v);
	mmu_caches_free(&v.n.caches);
	env_fail_from(1);
	assert_int_equal(nv_write(&v, MB2 + 0x3000, 1), -ENOMEM);
	env_fail_from(0);
	nv_check(&v);
	assert_int_equal(nv_write(&v, MB2 + 0x3000, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2 + 0x3000), 1);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_halves_of_a_table),	 T(test_pse_is_part_of_the_role),
		T(test_entry_becomes_malformed), T(test_more_levels_than_the_processor),
		T(test_fetch_from_outside),	 T(test_no_memory_over_a_table),
		T(test_ept_says_what_it_grants),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
