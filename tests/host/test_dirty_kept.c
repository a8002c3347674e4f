// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * The processor's D bits outlive what L0 does to entries: a split over tables that are there
 * already, down to the last level, and a fault that only adds a right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/shadow_internal.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/nested_vm.h"

#define GB1   LEVEL_SIZE(PG_LEVEL_1G)
#define P1G   LEVEL_PAGES(PG_LEVEL_1G)
#define PAGES (2 * P1G) /* L1's tables are in the second half */

static struct nested_vm v;

static void clear_dirty(u64 *sptep)
{
	struct shadow_page *sp = sptep_to_sp(sptep);
	struct spte_pos pos = shadow_pos(&v.mmu, sp, sptep_index(sp, sptep));
	struct flush_batch b = FLUSH_BATCH_INIT;

	nv_lock(&v);
	spte_clear_bits(&pos, v.mmu.cfg.fmt->dirty, &b);
	nv_unlock(&v, &b);
}

static bool dirty(u64 addr, int level)
{
	u64 *sptep = nv_sptep(&v, addr, level);

	assert_non_null(sptep);
	return *sptep & v.mmu.cfg.fmt->dirty;
}

/*
 * Two 1G pages over the same memory. One is split by a write, down to 4K, and loses its D bits; the
 * other, which has D, is then split into the same tables.
 */
static void test_split_into_tables_of_two_levels(void **state)
{
	(void)state;
	nv_make(&v, PAGES, PG_LEVEL_1G, NULL);
	v.mmu.cfg.eager_page_split = false;
	nv_map(&v, 0, 0, 3, L1_RWX);
	nv_map(&v, GB1, 0, 3, L1_RWX);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, GB1, 1), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(nv_write(&v, GB1 + 0x3000, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0), 3);
	assert_int_equal(nv_level(&v, GB1 + 0x5000), 1);
	assert_int_equal(nv_level(&v, 2 * GB1 - 1), 2);
	clear_dirty(nv_sptep(&v, GB1 + 0x5000, 1));
	clear_dirty(nv_sptep(&v, 2 * GB1 - 1, 2));
	assert_true(dirty(0, 3));
	assert_int_equal(nv_split(&v, 0, P1G), 0);
	assert_int_equal(nv_level(&v, 0x5000), 1);
	assert_ptr_equal(nv_sptep(&v, 0x5000, 1), nv_sptep(&v, GB1 + 0x5000, 1));
	assert_true(dirty(0x5000, 1));
	assert_true(dirty(GB1 - 1, 1));
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
	assert_int_equal(nv_end(&v), 0);
}

static u64 *tdp_sptep(u64 gfn)
{
	struct tdp_iter it;

	tdp_for_each (it, &v.mmu, PG_LEVEL_4K, gfn, gfn + 1)
		if (spte_is_leaf(&v.mmu, it.old, it.level))
			return it.sptep;
	return NULL;
}

/* Protected for the log, then executed: the leaf gets X, and D stays. */
static void test_fault_that_adds_a_right(void **state)
{
	const struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 48,
		.max_leaf_level = PG_LEVEL_1G,
		.eager_page_split = true,
		.nx_huge_pages = true,
	};
	u64 one = 1, *sptep;

	(void)state;
	nv_make(&v, 4096, PG_LEVEL_4K, &cfg);
	assert_int_equal(env_vcpu_write(&v.mmu, 0x3000, &one, 8), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	sptep = tdp_sptep(3);
	assert_false(spte_writable(&v.mmu, *sptep));
	assert_false(spte_access(&v.mmu, *sptep) & ACC_EXEC);
	assert_true(*sptep & cfg.fmt->dirty);
	assert_int_equal(env_vcpu_fetch(&v.mmu, 0x3000), FAULT_FIXED);
	assert_true(spte_access(&v.mmu, *sptep) & ACC_EXEC);
	assert_false(spte_writable(&v.mmu, *sptep));
	assert_true(*sptep & cfg.fmt->dirty);
	dirty_log_disable(&v.mmu, v.slot);
	assert_int_equal(nv_end(&v), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_into_tables_of_two_levels),
		cmocka_unit_test(test_fault_that_adds_a_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
