// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Faults of L2: what gets mapped, at which size, with which rights, and what L1 is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/nested_vm.h"

#define MB2 LEVEL_SIZE(PG_LEVEL_2M)
#define GB1 LEVEL_SIZE(PG_LEVEL_1G)

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

static void test_maps_what_l1_maps(void **state)
{
	void *va;

	(void)state;
	nv_map(&v, 0x123000, 0x45, 1, L1_RWX);
	nv_map(&v, 5 * MB2, 512, 2, L1_RWX);
	assert_int_equal(nv_access(&v, 0x123008, PFERR_W, &va, NULL), FAULT_FIXED);
	assert_ptr_equal(va, nv_va(&v, 0x45008));
	assert_int_equal(nv_level(&v, 0x123000), 1);
	assert_int_equal(nv_access(&v, 5 * MB2 + 0x3010, 0, &va, NULL), FAULT_FIXED);
	assert_ptr_equal(va, nv_va(&v, MB2 + 0x3010));
	assert_int_equal(nv_level(&v, 5 * MB2), 2);
	assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][0], 1);
	assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][1], 1);
	nv_check(&v);
}

static void test_one_gigabyte_leaf(void **state)
{
	void *va;

	(void)state;
	nv_make(&v, LEVEL_PAGES(3) + 1024, PG_LEVEL_1G, NULL);
	nv_map(&v, 7 * GB1, 0, 3, L1_RWX);
	assert_int_equal(nv_access(&v, 7 * GB1 + 0x12345678, PFERR_W, &va, NULL), FAULT_FIXED);
	assert_ptr_equal(va, nv_va(&v, 0x12345678));
	assert_int_equal(nv_level(&v, 7 * GB1), 3);
	nv_check(&v);
}

static void test_size_is_the_smallest_of_all(void **state)
{
	struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_LONG4], .maxphyaddr = 48, .max_leaf_level = PG_LEVEL_4K};

	(void)state;
	/* Host memory in 2M pieces under a 1G page of L1's; the slot ends inside of it. */
	nv_map(&v, GB1, 0, 3, L1_RWX);
	assert_int_equal(nv_read(&v, GB1 + 0x5000), FAULT_FIXED);
	assert_int_equal(nv_level(&v, GB1 + 0x5000), 2);
	/* The last 2M hold L1's tables, which are tracked. */
	assert_int_equal(nv_read(&v, GB1 + 7 * MB2), FAULT_FIXED);
	assert_int_equal(nv_level(&v, GB1 + 7 * MB2), 1);
	nv_check(&v);
	/* No memory behind the rest of it. */
	assert_int_equal(nv_read(&v, GB1 + 8 * MB2), FAULT_REFLECT);
	assert_int_equal(nv_end(&v), 0);
	nv_make(&v, 4 * 512, PG_LEVEL_2M, &cfg);
	nv_map(&v, 0, 0, 2, L1_RWX);
	assert_int_equal(nv_read(&v, 0x5000), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x5000), 1);
	nv_check(&v);
}

static u64 reflected(u64 addr, u64 error)
{
	struct nested_fault out = {0};

	assert_int_equal(nv_access(&v, addr, error, NULL, &out), FAULT_REFLECT);
	assert_int_equal(out.addr, addr);
	return out.error;
}

static void test_faults_of_l1_are_reflected(void **state)
{
	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RO | L1_NX);
	nv_map(&v, 0x2000, 0x11, 1, L1_P | L1_W);      /* not for users: nested accesses are */
	nv_map(&v, 0x3000, 0x12, 1, L1_RWX | BIT(45)); /* beyond L1's MAXPHYADDR */
	nv_map(&v, 0x4000, 0x12, 1, 0);
	assert_int_equal(reflected(0x1000, PFERR_W), PFERR_P | PFERR_W | PFERR_U);
	assert_int_equal(reflected(0x1008, PFERR_I), PFERR_P | PFERR_I | PFERR_U);
	assert_int_equal(reflected(0x2000, 0), PFERR_P | PFERR_U);
	assert_int_equal(reflected(0x3000, 0), PFERR_P | PFERR_RSV | PFERR_U);
	assert_int_equal(reflected(0x4000, PFERR_W), PFERR_W | PFERR_U);
	assert_int_equal(reflected(0x5000, 0), PFERR_U);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	assert_int_equal(reflected(0x1000, PFERR_W), PFERR_P | PFERR_W | PFERR_U);
	assert_int_equal(v.mmu.stats.nested_pf_reflected, 7);
	nv_check(&v);
}

static void test_outside_of_memory_is_reflected_as_not_present(void **state)
{
	(void)state;
	nv_map(&v, 0x1000, 0x12345, 1, L1_RWX);
	nv_map(&v, MB2, 0x40000, 2, L1_RWX);
	assert_int_equal(reflected(0x1000, PFERR_W), PFERR_W | PFERR_U);
	assert_int_equal(reflected(MB2 + 0x800, PFERR_I), PFERR_I | PFERR_U);
	/* A table outside reads as all ones: reserved bits. */
	nv_set_entry(&v, 64 * GB1, 3, 0x7ffffff000 | L1_RWX);
	assert_int_equal(reflected(64 * GB1, 0), PFERR_P | PFERR_RSV | PFERR_U);
	nv_check(&v);
}

static void test_read_only_slot(void **state)
{
	struct nested_fault out;

	(void)state;
	nv_start(&v, 1024, PG_LEVEL_2M, NULL);
	assert_non_null(env_slot(&v.mmu, 1, 4096, 512, MEMSLOT_READONLY, PG_LEVEL_2M));
	nv_use(&v);
	nv_map(&v, 0, 4096, 2, L1_RWX | L1_D);
	assert_int_equal(nv_read(&v, 0x3000), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x3000), 2);
	assert_int_equal(nv_access(&v, 0x3000, PFERR_W, NULL, &out), FAULT_REFLECT);
	assert_int_equal(out.error, PFERR_P | PFERR_W | PFERR_U);
	nv_check(&v);
}

static void test_sets_and_honours_a_and_d(void **state)
{
	u64 zapped;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	nv_map(&v, MB2, 512, 2, L1_RWX);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
	zapped = v.mmu.stats.mmu_shadow_zapped;
	assert_int_equal(nv_entry(&v, 0x1000, 1) & (L1_A | L1_D), L1_A);
	assert_int_equal(nv_entry(&v, MB2, 2) & (L1_A | L1_D), L1_A);
	/* Not writable, so that the first write is seen and D set. */
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 0x1000, 1)));
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, MB2, 2)));
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, MB2 + 0x7000, 1), FAULT_FIXED);
	assert_int_equal(nv_entry(&v, 0x1000, 1) & (L1_A | L1_D), L1_A | L1_D);
	assert_int_equal(nv_entry(&v, MB2, 2) & (L1_A | L1_D), L1_A | L1_D);
	assert_int_equal(nv_level(&v, MB2), 2);
	/* A/D of its own in a tracked table does not drop the shadow. */
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped, zapped);
	nv_check(&v);
}

static void test_without_a_and_d(void **state)
{
	(void)state;
	v.mode.ad = false;
	nv_load(&v, true);
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	assert_true(spte_writable(&v.mmu, *nv_sptep(&v, 0x1000, 1)));
	assert_int_equal(nv_entry(&v, 0x1000, 1) & (L1_A | L1_D), 0);
	nv_check(&v);
}

static void test_upper_levels_restrict(void **state)
{
	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	nv_set_entry(&v, 0x1000, 3, nv_entry(&v, 0x1000, 3) & ~L1_W);
	nv_set_entry(&v, 0x1000, 2, nv_entry(&v, 0x1000, 2) | L1_NX);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	assert_int_equal(spte_access(&v.mmu, *nv_sptep(&v, 0x1000, 1)) & (ACC_WRITE | ACC_EXEC), 0);
	assert_int_equal(reflected(0x1000, PFERR_W), PFERR_P | PFERR_W | PFERR_U);
	assert_int_equal(reflected(0x1000, PFERR_I), PFERR_P | PFERR_I | PFERR_U);
	nv_check(&v);
}

static void test_spurious_fault(void **state)
{
	struct nested_fault out;
	u64 spte;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	assert_int_equal(nv_write(&v, 0x1000, 7), FAULT_FIXED);
	spte = *nv_sptep(&v, 0x1000, 1);
	assert_int_equal(mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){0x1000}, PFERR_U, &out),
			 FAULT_FIXED);
	assert_int_equal(v.mmu.stats.pf_spurious, 1);
	assert_int_equal(*nv_sptep(&v, 0x1000, 1), spte);
}

static void test_alloc_failure_at_each_point(void **state)
{
	struct nested_fault out;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	for (u64 n = 1;; n++) {
		int r;

		env_fail_after(n);
		r = mmu_nested_fault(&v.mmu, &v.n, (ngpa_t){0x1000}, PFERR_U | PFERR_W, &out);
		nv_check(&v);
		if (r == FAULT_FIXED)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_true(n < 100);
	}
	env_fail_after(0);
	assert_true(env_alloc_failed() > 3);
	assert_int_equal(nv_level(&v, 0x1000), 1);
}

/* L1 changes the entry between the walk and the lock: nothing stale may be mapped. */
static u64 race_gpa, race_value;
static bool raced;

static void race(u64 *p, u64 old, u64 new)
{
	(void)p, (void)old, (void)new;
	if (!raced)
		memcpy(nv_va(&v, race_gpa), &race_value, 8);
	raced = true;
}

static void test_l1_changes_its_table_during_the_fault(void **state)
{
	(void)state;
	for (int level = 4; level >= 1; level--) {
		u64 addr = (u64)(5 - level) * 64 * GB1;

		nv_map(&v, addr, 0x10, 1, L1_RWX);
		nv_map(&v, addr + 0x1000, 0x11, 1, L1_RWX);
		/* The table is not tracked, so L1 writes it without a fault. */
		race_gpa = nv_entry_gpa(&v, v.root, addr, level);
		mmu_track_end(&v.mmu, (gpa_t){race_gpa});
		nv_set_entry(&v, addr, level, nv_entry(&v, addr, level));
		race_value = 0;
		raced = false;
		env_before_cmpxchg = race;
		assert_int_equal(nv_read(&v, addr), FAULT_REFLECT);
		env_before_cmpxchg = NULL;
		assert_true(raced);
		assert_int_equal(nv_level(&v, addr), 0);
		nv_check(&v);
		v.root.v = nv_table(&v);
		nv_load(&v, true);
	}
}

static void test_roots_are_shared_and_kept(void **state)
{
	struct nested_mmu other = {0};
	struct shadow_page *root;
	gpa_t first = v.root;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	root = v.n.root;
	assert_int_equal(nested_mmu_load(&v.mmu, &other, &v.mode, v.root, false), 0);
	assert_ptr_equal(other.root, root);
	assert_int_equal(root->root_count, 2);
	nested_mmu_free(&v.mmu, &other);
	v.root.v = nv_table(&v);
	nv_load(&v, true);
	assert_ptr_not_equal(v.n.root, root);
	nv_check(&v);
	v.root = first;
	nv_load(&v, false);
	assert_ptr_equal(v.n.root, root);
	assert_int_equal(nv_level(&v, 0x1000), 1);
	/* The same table read with other rules is another shadow. */
	v.mode.nx = false;
	nv_load(&v, false);
	assert_ptr_not_equal(v.n.root, root);
	nv_check(&v);
}

static void test_zapped_root_is_replaced(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	nv_lock(&v);
	shadow_zap_all(&v.mmu, &b);
	nv_unlock(&v, &b);
	assert_true(v.n.root->role.invalid);
	assert_int_equal(nv_level(&v, 0x1000), 0);
	nv_check(&v);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_false(v.n.root->role.invalid);
	nv_check(&v);
}

static void test_translate(void **state)
{
	gpa_t gpa;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RO | L1_NX);
	assert_int_equal(nested_translate(&v.mmu, &v.n, (ngpa_t){0x1234}, ACC_READ, &gpa), 0);
	assert_int_equal(gpa.v, 0x10234);
	assert_int_equal(nested_translate(&v.mmu, &v.n, (ngpa_t){0x1234}, ACC_EXEC, &gpa), -EFAULT);
	assert_int_equal(nested_translate(&v.mmu, &v.n, (ngpa_t){0x2000}, ACC_READ, &gpa), -EFAULT);
}

static void test_nx_huge_pages(void **state)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				 .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G,
				 .nx_huge_pages = true};

	(void)state;
	nv_make(&v, 4 * 512, PG_LEVEL_2M, &cfg);
	nv_map(&v, 0, 0, 2, L1_RWX | L1_D);
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0), 2);
	assert_int_equal(nv_fetch(&v, 0x5000), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x5000), 1);
	assert_int_equal(nv_write(&v, 0x6000, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0x6000), 1);
	nv_check(&v);
}

int main(void)
{
#define T(name)	  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_maps_what_l1_maps),
		OWN(test_one_gigabyte_leaf),
		T(test_size_is_the_smallest_of_all),
		T(test_faults_of_l1_are_reflected),
		T(test_outside_of_memory_is_reflected_as_not_present),
		OWN(test_read_only_slot),
		T(test_sets_and_honours_a_and_d),
		T(test_without_a_and_d),
		T(test_upper_levels_restrict),
		T(test_spurious_fault),
		T(test_alloc_failure_at_each_point),
		T(test_l1_changes_its_table_during_the_fault),
		T(test_roots_are_shared_and_kept),
		T(test_zapped_root_is_replaced),
		T(test_translate),
		OWN(test_nx_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
