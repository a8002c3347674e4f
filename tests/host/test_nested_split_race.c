// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Eager splitting interrupted, starved of memory and pages, and raced by the processor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define GB1   LEVEL_SIZE(PG_LEVEL_1G)
#define PAGES (8 * 512)

static struct nested_vm v;

static int setup(void **state)
{
	(void)state;
	nv_make(&v, PAGES, PG_LEVEL_2M, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nv_end(&v);
}

/*
 * L1 maps [addr, addr + 2M) to gfns from @gfn. What is shadowed of the table above goes away, so a
 * test prepares all that it maps before L2 touches it.
 */
static void prepare(u64 addr, u64 gfn)
{
	nv_map(&v, addr, gfn, 2, L1_RWX);
}

/* A writable huge SPTE maps it. */
static void touch_huge(u64 addr)
{
	assert_int_equal(nv_write(&v, addr, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, addr), 2);
}

static void map_huge(u64 addr, u64 gfn)
{
	prepare(addr, gfn);
	touch_huge(addr);
}

static void test_enospc(void **state)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				 .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G,
				 .eager_page_split = true,
				 .max_shadow_pages = 10};

	(void)state;
	nv_make(&v, PAGES, PG_LEVEL_2M, &cfg);
	for (u64 i = 0; i < 4; i++)
		prepare(i * MB2, 512 * i);
	for (u64 i = 0; i < 4; i++)
		touch_huge(i * MB2);
	/* Root, two tables, and then two more until only the least number is free. */
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 3);
	assert_int_equal(nv_split(&v, 0, PAGES), -ENOSPC);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 5);
	assert_int_equal(v.mmu.stats.split[MMU_TREE_NESTED][0], 2);
	assert_int_equal(v.mmu.stats.split_enospc, 2);
	assert_int_equal(env_trace_arg(MMU_EV_nested_split, 3), (u64)-ENOSPC);
	assert_int_equal(env_traced(MMU_EV_nested_split), 4);
	nv_check(&v);
	/* Those that stayed huge are tracked, and a write splits them. */
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	for (u64 i = 0; i < 4; i++) {
		nv_check(&v);
		assert_int_equal(nv_write(&v, i * MB2 + 0x4000, 1), FAULT_FIXED);
		assert_int_equal(nv_level(&v, i * MB2 + 0x4000), 1);
	}
	assert_int_equal(dirty_log_count(&v.mmu, v.slot) >= 4, 1);
	dirty_log_disable(&v.mmu, v.slot);
}

/* Each allocation fails in turn: what is not split stays huge, nothing leaks or breaks. */
static void test_enomem_at_each_allocation(void **state)
{
	bool failed = true;

	(void)state;
	for (u64 n = 1; failed; n++) {
		u64 splits;
		int r;

		nv_make(&v, PAGES, PG_LEVEL_2M, NULL);
		nv_map(&v, 64 * GB1, 1024, 2, L1_RW);
		prepare(0, 1024);
		map_huge(MB2, 512);
		touch_huge(0);
		touch_huge(64 * GB1);
		env_fail_from(n);
		r = nv_split(&v, 0, PAGES);
		env_fail_from(0);
		failed = env_alloc_failed() > 0;
		splits = v.mmu.stats.split[MMU_TREE_NESTED][0];
		assert_true(r == 0 || r == -ENOMEM);
		assert_int_equal(r == 0, splits == 3);
		assert_int_equal(v.mmu.stats.split_enomem > 0, r != 0);
		if (r) {
			assert_int_equal(env_trace_arg(MMU_EV_nested_split, 3) == (u64)-ENOMEM ||
						 splits > 0,
					 1);
			nv_check(&v);
			assert_int_equal(nv_split(&v, 0, PAGES), 0);
		}
		assert_int_equal(v.mmu.stats.split[MMU_TREE_NESTED][0], 3);
		assert_int_equal(nv_sp(&v, 64 * GB1, 1)->present, 512);
		nv_check(&v);
		assert_int_equal(nv_end(&v), 0);
		/* Beyond the first pages only the 2052 descriptors are left to fail. */
		n += n > 24 ? 300 : 0;
	}
	nv_make(&v, 1024, PG_LEVEL_2M, NULL);
}

static void test_one_failure_is_passed_over(void **state)
{
	(void)state;
	for (u64 n = 1; n < 20; n++) {
		map_huge(0, 1024);
		env_fail_after(n);
		(void)!nv_split(&v, 0, PAGES);
		env_fail_after(0);
		nv_check(&v);
		assert_int_equal(nv_split(&v, 0, PAGES), 0);
		assert_int_equal(nv_level(&v, 0), 1);
		nv_map(&v, 0, 0, 2, 0);
		split_caches_release(&v.mmu);
	}
}

static u64 rests;

/* Meanwhile L2 runs, and once L1 changes the very table whose entries are being split. */
static void between(void)
{
	rests++;
	assert_int_equal(nv_write(&v, (rests % 6) * MB2 + 0x8000, 1), FAULT_FIXED);
	if (rests == 2)
		prepare(6 * MB2, 0);
	nv_check(&v);
}

static void test_contended_restarts(void **state)
{
	(void)state;
	for (u64 every = 1; every < 4; every++) {
		for (u64 i = 0; i < 6; i++)
			prepare(i * MB2, 512 * i);
		for (u64 i = 0; i < 6; i++)
			touch_huge(i * MB2);
		rests = 0;
		env_on_resched = between;
		env_contend_after(every);
		assert_int_equal(nv_split(&v, 0, PAGES), 0);
		env_contend_after(0);
		env_on_resched = NULL;
		assert_true(rests > 0);
		for (u64 i = 0; i < 6; i++)
			assert_true(nv_level(&v, i * MB2) != 2 || rests >= 2);
		nv_check(&v);
		assert_int_equal(nv_split(&v, 0, PAGES), 0);
		assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][1], 0);
		nv_check(&v);
	}
}

static u64 hw_bits, *hw_sptep;
static int hw_times;

/* The processor sets a bit in the huge entry just before it is replaced. */
static void play_processor(u64 *p, u64 old, u64 new)
{
	(void)old, (void)new;
	if (p != hw_sptep || !hw_times)
		return;
	hw_times--;
	env_hw_set(p, hw_bits);
}

/* A writable huge entry without A and D, as a tracker by dirty bits would leave it. */
static void clear_ad(u64 addr)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 *sptep = nv_sptep(&v, addr, 2);
	struct spte_pos pos;

	nv_lock(&v);
	pos = (struct spte_pos){
		.mmu = &v.mmu, .sp = sptep_to_sp(sptep), .sptep = sptep, .level = 2};
	pos.gfn = shadow_page_gfn(pos.sp, (int)(sptep - pos.sp->spt));
	spte_clear_bits(&pos, BIT(5) | BIT(6), &b);
	nv_unlock(&v, &b);
}

static void dirty_set_while_splitting(void)
{
	clear_ad(0);
	hw_sptep = nv_sptep(&v, 0, 2);
	hw_bits = BIT(5) | BIT(6);
	hw_times = 1;
	env_before_cmpxchg = play_processor;
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	env_before_cmpxchg = NULL;
	assert_int_equal(hw_times, 0);
	for (u64 i = 0; i < 512; i++)
		assert_int_equal(*nv_sptep(&v, i * PAGE_SIZE, 1) & hw_bits, hw_bits);
	nv_check(&v);
}

static void test_dirty_bit_set_between_fill_and_publish(void **state)
{
	(void)state;
	map_huge(0, 1024);
	dirty_set_while_splitting();
	assert_int_equal(v.owed, 0);
}

/* The same where the table exists and its entries have no D yet. */
static void test_dirty_bit_reaches_an_existing_table(void **state)
{
	(void)state;
	prepare(0, 1024);
	map_huge(64 * GB1, 1024);
	clear_ad(64 * GB1);
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	touch_huge(0);
	dirty_set_while_splitting();
}

static void test_dirty_bit_of_the_leaf_is_kept(void **state)
{
	(void)state;
	prepare(MB2, 512);
	map_huge(0, 1024);
	touch_huge(MB2);
	clear_ad(MB2);
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_int_equal(*nv_sptep(&v, 0x3000, 1) & BIT(6), BIT(6));
	assert_int_equal(*nv_sptep(&v, MB2 + 0x3000, 1) & BIT(6), 0);
}

/* Each state that a processor could see: from the huge page to a complete table, at once. */
static u64 seen_publications;

static void publication_is_complete(u64 *p, u64 old, u64 new)
{
	struct shadow_page *child;

	if (p != hw_sptep || !spte_is_leaf(&v.mmu, old, 2))
		return;
	child = spte_child(&v.mmu, new);
	for (int i = 0; i < 512; i++)
		assert_int_equal(child->spt[i], spte_make_split_child(&v.mmu, old, 2, i));
	seen_publications++;
}

static void test_published_complete_and_by_exchange(void **state)
{
	u64 n, successes = 0;
	const struct env_change *h;

	(void)state;
	map_huge(0, 1024);
	hw_sptep = nv_sptep(&v, 0, 2);
	seen_publications = 0;
	env_history_clear();
	env_on_change = publication_is_complete;
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	env_on_change = NULL;
	assert_int_equal(seen_publications, 1);
	h = env_history(&n);
	for (u64 i = 0; i < n; i++)
		successes += h[i].p == hw_sptep && h[i].success;
	assert_int_equal(successes, 1);
	assert_int_equal(env_check_no_plain_stores(), 0);
}

static void test_caches_are_given_back(void **state)
{
	u64 live;

	(void)state;
	nv_map(&v, 64 * GB1, 1024, 2, L1_RW);
	map_huge(0, 1024);
	touch_huge(64 * GB1);
	live = env_live_allocs();
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_true(v.mmu.split->caches.nr_descs >= SPLIT_MIN_DESCS);
	mmu_set_eager_split(&v.mmu, false);
	assert_true(!v.mmu.split || !v.mmu.split->caches.nr_descs);
	/* Two tables with their headers, a descriptor for each 4K page, but none for the 2M one. */
	assert_int_equal(env_live_allocs(), live + 4 + 512 - 1);
	assert_int_equal(v.mmu.stats.rmap_descs, 512);
}

int main(void)
{
#define T(name)	  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		OWN(test_enospc),
		OWN(test_enomem_at_each_allocation),
		T(test_one_failure_is_passed_over),
		T(test_contended_restarts),
		T(test_dirty_bit_set_between_fill_and_publish),
		T(test_dirty_bit_reaches_an_existing_table),
		T(test_dirty_bit_of_the_leaf_is_kept),
		T(test_published_complete_and_by_exchange),
		T(test_caches_are_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
