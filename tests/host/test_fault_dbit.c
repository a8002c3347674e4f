// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Faults in a slot that is logged by dirty bits: what they make is writable where it may be, clean,
 * and in no bitmap, whatever the access was. The processor alone says what was written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/nested_vm.h"

#define NPAGES 4096u
#define MB2    LEVEL_SIZE(PG_LEVEL_2M)

static struct nested_vm v;
static u64 out[NPAGES / 64];

static void make(enum dirty_tracking how)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				       .maxphyaddr = 48,
				       .max_leaf_level = PG_LEVEL_1G,
				       .eager_page_split = true,
				       .dirty = how};

	nv_make(&v, NPAGES, PG_LEVEL_4K, &cfg);
}

static int setup(void **state)
{
	(void)state;
	make(DIRTY_DBIT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nv_end(&v);
}

static void log_on(void)
{
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
}

static u64 dirty_pages(void)
{
	dirty_log_sync(&v.mmu);
	return dirty_log_read_clear(&v.mmu, v.slot, 0, NPAGES, out);
}

static bool was_dirty(u64 gfn)
{
	return out[gfn / 64] & BIT(gfn % 64);
}

static u64 tdp_leaf(u64 gfn)
{
	struct tdp_iter it;

	tdp_for_each (it, &v.mmu, PG_LEVEL_4K, gfn, gfn + 1) {
		if (spte_is_leaf(&v.mmu, it.old, it.level))
			return it.old;
	}
	return 0;
}

static u64 nested_leaf(u64 addr)
{
	return *nv_sptep(&v, addr, PG_LEVEL_4K);
}

/* W and D of a leaf. */
static u64 wd(u64 spte)
{
	return spte & (v.mmu.cfg.fmt->write | v.mmu.cfg.fmt->dirty);
}

static void test_l1s_faults_make_clean_leaves(void **state)
{
	const u64 w = v.mmu.cfg.fmt->write, d = v.mmu.cfg.fmt->dirty;
	u64 at = 7;

	(void)state;
	/* Before: a leaf is made with D, so that the processor need not write it. */
	assert_int_equal(mmu_tdp_fault(&v.mmu, (gpa_t){0x5000}, 0), FAULT_FIXED);
	assert_int_equal(wd(tdp_leaf(5)), w | d);
	log_on();
	assert_int_equal(wd(tdp_leaf(5)), w);
	assert_int_equal(mmu_tdp_fault(&v.mmu, (gpa_t){0x10000}, 0), FAULT_FIXED);
	assert_int_equal(mmu_tdp_fault(&v.mmu, (gpa_t){0x11000}, PFERR_W), FAULT_FIXED);
	assert_int_equal(wd(tdp_leaf(0x10)), w);
	assert_int_equal(wd(tdp_leaf(0x11)), w);
	assert_int_equal(v.mmu.stats.dirty_faults, 0);
	assert_int_equal(dirty_pages(), 0);
	assert_int_equal(env_vcpu_write(&v.mmu, 0x11008, &at, sizeof(at)), FAULT_FIXED);
	assert_int_equal(wd(tdp_leaf(0x11)), w | d);
	assert_int_equal(dirty_pages(), 1);
	assert_true(was_dirty(0x11));
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_l2s_faults_make_clean_leaves(void **state)
{
	const u64 w = v.mmu.cfg.fmt->write, d = v.mmu.cfg.fmt->dirty;
	struct nested_fault ignored;

	(void)state;
	for (u64 i = 0; i < 5; i++)
		nv_map(&v, i * PAGE_SIZE, 0x20 + i, 1, L1_RWX | (i < 3 ? L1_A | L1_D : 0));
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(wd(nested_leaf(0)), w | d);
	log_on();
	assert_int_equal(wd(nested_leaf(0)), w);
	for (u64 i = 1; i < 5; i++)
		assert_int_equal(mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){i * PAGE_SIZE},
						  PFERR_U | (i == 2 ? PFERR_W : 0), &ignored),
				 FAULT_FIXED);
	assert_int_equal(wd(nested_leaf(0x1000)), w);
	assert_int_equal(wd(nested_leaf(0x2000)), w);
	/* L1's entry lacks D, and is to get it by a write only. */
	assert_int_equal(wd(nested_leaf(0x3000)), 0);
	assert_int_equal(mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){0x3000},
					  PFERR_U | PFERR_W | PFERR_P, &ignored),
			 FAULT_FIXED);
	assert_int_equal(wd(nested_leaf(0x3000)), w);
	/* The same with no memory to be had. */
	mmu_caches_free(&v.n.caches);
	env_fail_from(1);
	assert_int_equal(mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){0x4000},
					  PFERR_U | PFERR_W | PFERR_P, &ignored),
			 FAULT_FIXED);
	env_fail_from(0);
	assert_int_equal(wd(nested_leaf(0x4000)), w);
	assert_int_equal(v.mmu.stats.dirty_faults, 0);
	/* L0 has set A and D in L1's table, which is a page like any other. */
	assert_int_equal(dirty_pages(), 1);
	assert_true(was_dirty(nv_entry_gpa(&v, v.root, 0, 1) >> PAGE_SHIFT));
	assert_int_equal(nv_write(&v, 0x3000, 1), FAULT_FIXED);
	assert_int_equal(dirty_pages(), 1);
	assert_true(was_dirty(0x23));
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

/* Where only L1's table had to be watched for a while: writable again without a walk, and clean. */
static void test_the_end_of_tracking(void **state)
{
	const u64 w = v.mmu.cfg.fmt->write;
	struct nested_fault ignored;
	u64 table;

	(void)state;
	nv_map(&v, MB2, 0x30, 1, L1_RWX);
	table = nv_entry_gpa(&v, v.root, MB2, 1) >> PAGE_SHIFT;
	nv_map(&v, 0x1000, table, 1, L1_RWX | L1_A | L1_D);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	log_on();
	/* From now on the page is a table of L1's that is shadowed. */
	assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
	assert_int_equal(wd(nested_leaf(0x1000)), 0);
	/* The first write to it makes it out of sync; nobody minds any more. */
	nv_set_entry(&v, MB2, 1, 0);
	(void)dirty_pages();
	assert_int_equal(mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){0x1000},
					  PFERR_U | PFERR_W | PFERR_P, &ignored),
			 FAULT_FIXED);
	assert_int_equal(wd(nested_leaf(0x1000)), w);
	assert_int_equal(dirty_pages(), 0);
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

/* By write protection: a fetch does not take back what a write was granted. */
static void test_a_fetch_leaves_write(void **state)
{
	struct nested_fault ignored;

	(void)state;
	assert_int_equal(nv_end(&v), 0);
	make(DIRTY_WP);
	nv_map(&v, 0x1000, 0x10, 1, L1_RW);
	log_on();
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	nv_set_entry(&v, 0x1000, 1, nv_entry(&v, 0x1000, 1) & ~L1_NX);
	assert_int_equal(mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){0x1000},
					  PFERR_U | PFERR_I | PFERR_P, &ignored),
			 FAULT_FIXED);
	assert_true(spte_writable(&v.mmu, nested_leaf(0x1000)));
	assert_true(spte_access(&v.mmu, nested_leaf(0x1000)) & ACC_EXEC);
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_l1s_faults_make_clean_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_l2s_faults_make_clean_leaves, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end_of_tracking, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_fetch_leaves_write, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
