// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Memory pressure: what is given back and in which order, what never is, and that nothing of the
 * dirty log is lost by it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/reclaim.h"
#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define PAGES 40

static struct nested_vm v;

static void make(enum dirty_tracking dirty)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				       .maxphyaddr = 48,
				       .max_leaf_level = PG_LEVEL_2M,
				       .eager_page_split = true,
				       .dirty = dirty,
				       .max_shadow_pages = 1000};

	nv_make(&v, 64 * 512, PG_LEVEL_2M, &cfg);
	for (u64 i = 0; i < PAGES; i++)
		nv_map(&v, i * MB2 + 0x1000, 0x1000 + i, 1, L1_RWX);
}

static void use_all(void)
{
	for (u64 i = 0; i < PAGES; i++)
		assert_int_equal(nv_write(&v, i * MB2 + 0x1000, i), FAULT_FIXED);
}

static int teardown(void **state)
{
	(void)state;
	env_contend_after(0);
	env_on_resched = NULL;
	return nv_end(&v);
}

/* Each access clears the way for the second chance: what a processor has not used since goes. */
static void forget_what_was_used(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 looked = 0;

	nv_lock(&v);
	for (u64 i = 0; i < 2 * v.mmu.stats.mmu_shadow_pages; i++)
		(void)shadow_coldest(&v.mmu, &looked, &b);
	nv_unlock(&v, &b);
}

static bool mapped(u64 i)
{
	return nv_level(&v, i * MB2 + 0x1000) > 0;
}

/* Of pages that nobody uses the oldest go, and as many as were asked for. */
static void test_coldest_first(void **state)
{
	u64 before, gone = 0, live;

	(void)state;
	make(DIRTY_WP);
	use_all();
	forget_what_was_used();
	before = v.mmu.stats.mmu_shadow_pages;
	live = env_live_allocs();
	assert_int_equal(mmu_reclaim(&v.mmu, 10), 10);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, before - 10);
	assert_int_equal(v.mmu.stats.mmu_reclaimed, 10);
	/* A page, its header and what it says of L1's entries, each. */
	assert_int_equal(env_live_allocs(), live - 30);
	for (u64 i = 0; i < PAGES; i++)
		gone += !mapped(i);
	assert_int_equal(gone, 10);
	for (u64 i = 0; i < 10; i++)
		assert_false(mapped(i));
	nv_check(&v);
	use_all();
	nv_check(&v);
}

/* What a processor has walked through since the last look has a second chance. */
static void test_what_is_used_stays(void **state)
{
	(void)state;
	make(DIRTY_WP);
	use_all();
	forget_what_was_used();
	for (u64 i = 0; i < 5; i++)
		assert_int_equal(nv_read(&v, i * MB2 + 0x1000), FAULT_FIXED);
	assert_int_equal(mmu_reclaim(&v.mmu, 20), 20);
	for (u64 i = 0; i < 5; i++)
		assert_true(mapped(i));
	nv_check(&v);
}

/* All but the root that L2 runs on; and without L2 that, too. */
static void test_everything_but_roots_in_use(void **state)
{
	u64 pages;

	(void)state;
	make(DIRTY_WP);
	use_all();
	pages = v.mmu.stats.mmu_shadow_pages;
	assert_int_equal(mmu_reclaim(&v.mmu, 1000), pages - 1);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 1);
	assert_false(v.n.root->role.invalid);
	assert_true(list_empty(&v.mmu.shadow_zapped));
	assert_int_equal(mmu_reclaim(&v.mmu, 1000), 0);
	nv_check(&v);
	use_all();
	nested_mmu_unload(&v.mmu, &v.n);
	assert_int_equal(mmu_reclaim(&v.mmu, 1000), pages);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 0);
	nv_load(&v, false);
	use_all();
	nv_check(&v);
}

/* What one store of L1's has cut off waits to be emptied, a page at a time: not under pressure. */
static void test_what_was_cut_off_is_emptied(void **state)
{
	(void)state;
	make(DIRTY_WP);
	use_all();
	v.mmu.shadow_step = 1;
	nv_set_entry(&v, 0, 3, 0);
	assert_false(list_empty(&v.mmu.shadow_zapped));
	(void)mmu_reclaim(&v.mmu, 1);
	assert_true(list_empty(&v.mmu.shadow_zapped));
	nv_check(&v);
}

/* What is kept for splitting goes first: nothing is lost by it. */
static void test_caches_first(void **state)
{
	u64 pages;

	(void)state;
	make(DIRTY_WP);
	use_all();
	pages = v.mmu.stats.mmu_shadow_pages;
	mutex_lock(&v.mmu.slots_lock);
	assert_int_equal(split_caches_fill(&v.mmu, 7, 3, 5), 0);
	mutex_unlock(&v.mmu.slots_lock);
	assert_int_equal(mmu_reclaim(&v.mmu, 7), 7);
	assert_null(v.mmu.split);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, pages);
	/* Whoever holds slots_lock may be waiting for memory: its caches are left alone. */
	mutex_lock(&v.mmu.slots_lock);
	assert_int_equal(split_caches_fill(&v.mmu, 7, 3, 5), 0);
	assert_int_equal(mmu_reclaim(&v.mmu, 7), 7);
	assert_non_null(v.mmu.split);
	split_caches_release(&v.mmu);
	mutex_unlock(&v.mmu.slots_lock);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, pages - 7);
	nv_check(&v);
}

/* --- the log ------------------------------------------------------------------------------ */

static void written_pages_are_in_the_log(enum dirty_tracking dirty)
{
	u64 bits[8];

	make(dirty);
	use_all();
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	use_all();
	assert_true(mmu_reclaim(&v.mmu, 1000) >= PAGES);
	dirty_log_sync(&v.mmu);
	assert_true(dirty_log_read_clear(&v.mmu, v.slot, 0x1000, 512, bits) >= PAGES);
	assert_int_equal(bits[0] & (BIT(PAGES) - 1), BIT(PAGES) - 1);
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_log_by_write_protection(void **state)
{
	(void)state;
	written_pages_are_in_the_log(DIRTY_WP);
}

static void test_log_by_dirty_bits(void **state)
{
	(void)state;
	written_pages_are_in_the_log(DIRTY_DBIT);
}

/* --- others at work ------------------------------------------------------------------------- */

static u64 resched_faults;

static void l2_runs_on(void)
{
	assert_int_equal(nv_write(&v, (resched_faults++ % PAGES) * MB2 + 0x1000, 1), FAULT_FIXED);
}

/* The lock is free for others in between, and what they make meanwhile is no trouble. */
static void test_others_get_the_lock(void **state)
{
	(void)state;
	make(DIRTY_DBIT);
	use_all();
	env_contend_after(3);
	env_on_resched = l2_runs_on;
	assert_true(mmu_reclaim(&v.mmu, 30) >= 30);
	assert_true(resched_faults > 5);
	env_contend_after(0);
	nv_check(&v);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_coldest_first),
		T(test_what_is_used_stays),
		T(test_everything_but_roots_in_use),
		T(test_what_was_cut_off_is_emptied),
		T(test_caches_first),
		T(test_log_by_write_protection),
		T(test_log_by_dirty_bits),
		T(test_others_get_the_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
