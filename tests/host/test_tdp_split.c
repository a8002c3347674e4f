// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/tdp_vm.o */
/*
 * Splitting and joining in the TDP tree. Each state in between is checked by a hook after every
 * visible change, and the processor plays along by setting A and D at bad moments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/tdp_vm.h"

/* What translated before a change must translate the same after it. */
static struct probe {
	u64 gfn, hpa;
	u32 access;
} probes[24];
static int nr_probes;

static void probe_add(u64 gfn)
{
	probes[nr_probes++] = (struct probe){gfn, hpa_of(gfn), access_of(gfn)};
}

static void probes_check(u64 *p, u64 old, u64 new)
{
	(void)p;
	(void)old;
	(void)new;
	for (int i = 0; i < nr_probes; i++) {
		assert_int_equal(access_of(probes[i].gfn), probes[i].access);
		assert_int_equal(hpa_of(probes[i].gfn), probes[i].hpa);
	}
}

static void test_split_is_exact(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	vm(NULL, 0, 2 * PAGES_1G, 3);
	assert_int_equal(fault(1, BIT(1)), FAULT_FIXED);
	nr_probes = 0;
	for (u64 i = 0; i < 12; i++) {
		probe_add(i * 43 * PAGES_2M);
		probe_add(i * 43 * PAGES_2M + PAGES_2M - 1);
		assert_true(tlb_touch(&mmu, (i * 43 * PAGES_2M + i) << PAGE_SHIFT));
	}
	lock_all();
	env_on_change = probes_check;
	assert_int_equal(tdp_split_range(&mmu, 0, 2 * PAGES_1G, &b), 0);
	env_on_change = NULL;
	assert_int_equal(b.owed, 0);
	assert_int_equal(tlb_stale(&mmu), 0);
	unlock_all(&b);
	assert_int_equal(env_flushes(3), 0);
	assert_int_equal(tdp_leaves(3), 0);
	assert_int_equal(tdp_leaves(2), 0);
	assert_int_equal(tdp_leaves(1), PAGES_1G);
	assert_int_equal(mmu.stats.tdp_pages, 1 + 1 + 512);
	assert_int_equal(mmu.stats.split[MMU_TREE_TDP][1], 1);
	assert_int_equal(mmu.stats.split[MMU_TREE_TDP][0], 512);
	assert_int_equal(env_traced(MMU_EV_tdp_split), 513);
	vm_end();
}

static void test_split_part(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	vm(NULL, 0, PAGES_1G, 3);
	assert_int_equal(fault(1, BIT(1)), FAULT_FIXED);
	lock_all();
	assert_int_equal(tdp_split_range(&mmu, 3 * PAGES_2M - 1, 3 * PAGES_2M + 1, &b), 0);
	unlock_all(&b);
	assert_int_equal(tdp_leaves(2), 510);
	assert_int_equal(tdp_leaves(1), 1024);
	assert_int_equal(level_of(2 * PAGES_2M), 1);
	assert_int_equal(level_of(4 * PAGES_2M), 2);
	vm_end();
}

/* The processor sets bits in the huge leaf just before its split is published. */
static u64 hw_bits;
static int hw_times;
static u64 *hw_entry;

static void hw_interferes(u64 *p, u64 old, u64 new)
{
	(void)old;
	(void)new;
	if (hw_times && p == hw_entry) {
		hw_times--;
		env_hw_set(p, hw_bits);
	}
}

static void test_split_keeps_ad(void **state)
{
	const struct pt_format *fmt = &pt_formats[PT_FMT_LONG4];

	(void)state;
	for (int given = 0; given < 2; given++) {
		struct flush_batch b = FLUSH_BATCH_INIT;
		struct spte_pos pos = {.mmu = &mmu, .level = 2};
		int level;
		u64 attempts;

		vm(NULL, 0, PAGES_2M, 2);
		assert_int_equal(fault(0, BIT(1)), FAULT_FIXED);
		pos.sptep = leaf_of(0, &level);
		lock_all();
		/* A leaf that nobody has used yet. */
		spte_clear_bits(&pos, fmt->dirty | fmt->accessed, &b);
		assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
		flush_pay(&mmu, &b);
		env_history_clear();
		hw_entry = pos.sptep;
		hw_bits = given ? fmt->dirty | fmt->accessed : fmt->accessed;
		hw_times = 1;
		env_before_cmpxchg = hw_interferes;
		assert_int_equal(tdp_split_range(&mmu, 0, PAGES_2M, &b), 0);
		assert_int_equal(b.owed, 0);
		env_before_cmpxchg = NULL;
		env_history(&attempts);
		assert_int_equal(attempts, 2);
		for (u64 gfn = 0; gfn < PAGES_2M; gfn++)
			assert_int_equal(*leaf_of(gfn, &level) & (fmt->dirty | fmt->accessed),
					 hw_bits);
		assert_int_equal(level, 1);
		unlock_all(&b);
		vm_end();
	}
}

static u64 resched_x;
static void other_vcpus(void)
{
	for (int i = 0; i < 3; i++) {
		resched_x = resched_x * 6364136223846793005ull + 1442695040888963407ull;
		assert_int_equal(fault((resched_x >> 33) % (4 * PAGES_2M), BIT(1)), FAULT_FIXED);
	}
}

/* Another task maps, splits and unmaps while the split has let go of the lock. */
static void other_tasks(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	other_vcpus();
	rwlock_write_lock(&mmu.lock);
	tdp_zap_range(&mmu, (resched_x >> 40) % (4 * PAGES_2M), 4 * PAGES_2M, &b);
	flush_pay(&mmu, &b);
	rwlock_write_unlock(&mmu.lock);
}

static void test_split_contended(void **state)
{
	(void)state;
	for (int n = 1; n < 12; n++) {
		struct memslot *slot = vm(NULL, 0, 4 * PAGES_2M, 2);

		for (u64 gfn = 0; gfn < 4 * PAGES_2M; gfn += PAGES_2M)
			assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
		env_contend_after(n);
		env_on_resched = n % 2 ? other_vcpus : other_tasks;
		assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
		assert_true(env_resched_count() > 0 || n > 4);
		assert_int_equal(tdp_leaves(2), 0);
		assert_int_equal(mmu_audit(&mmu, &audit), 0);
		env_on_resched = other_vcpus;
		dirty_log_disable(&mmu, slot);
		assert_int_equal(mmu_audit(&mmu, &audit), 0);
		vm_end();
	}
}

/* Memory runs out at each allocation in turn: pages stay huge, and the counters say so. */
static void test_split_no_memory(void **state)
{
	const u64 enough = 1 + 24; /* the caches themselves, and a page for each */

	(void)state;
	for (u64 n = 1; n <= enough + 1; n++) {
		struct flush_batch b = FLUSH_BATCH_INIT;
		bool failed = n <= enough;
		int r;

		vm(NULL, 0, 24 * PAGES_2M, 2);
		for (u64 gfn = 0; gfn < 24 * PAGES_2M; gfn += PAGES_2M)
			assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
		env_fail_from(n);
		lock_all();
		r = tdp_split_range(&mmu, 0, 24 * PAGES_2M, &b);
		unlock_all(&b);
		assert_int_equal(r, failed ? -ENOMEM : 0);
		assert_int_equal(tdp_leaves(2), MIN(enough + 1 - n, 24ull));
		assert_int_equal(mmu.stats.split_enomem, tdp_leaves(2));
		assert_int_equal(mmu.stats.split[MMU_TREE_TDP][0] + tdp_leaves(2), 24);
		assert_int_equal(env_traced(MMU_EV_tdp_split), 24);
		vm_end();
	}
}

/* --- joining ---------------------------------------------------------------------------- */

/* Before others run all is paid, so that the tables which went away are freed. */
static u64 live_without_tables;
static void nothing_is_owed(void)
{
	assert_int_equal(env_live_allocs() - mmu.stats.tdp_pages, live_without_tables);
}

static void test_recover(void **state)
{
	struct memslot *slot = vm(NULL, 0, PAGES_1G + 3 * PAGES_2M, 3);
	u64 tables;

	(void)state;
	for (u64 gfn = 0; gfn < slot->npages; gfn += PAGES_2M)
		assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_int_equal(tdp_leaves(3), 1);
	tables = mmu.stats.tdp_pages;
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(tdp_leaves(1), slot->npages);
	for (u64 i = 0; i < 12; i++)
		assert_true(tlb_touch(&mmu, (i * 43 * PAGES_2M + i) << PAGE_SHIFT));
	live_without_tables = env_live_allocs() - mmu.stats.tdp_pages;
	env_on_resched = nothing_is_owed;
	env_contend_after(100);
	dirty_log_disable(&mmu, slot);
	assert_true(env_resched_count() > 0);
	assert_int_equal(tdp_leaves(1), 0);
	assert_int_equal(tdp_leaves(2), 3);
	assert_int_equal(tdp_leaves(3), 1);
	assert_int_equal(mmu.stats.tdp_pages, tables);
	assert_int_equal(mmu.stats.recovered[MMU_TREE_TDP][0], 512 + 3);
	assert_int_equal(mmu.stats.recovered[MMU_TREE_TDP][1], 1);
	assert_int_equal(env_traced(MMU_EV_recover), 512 + 3 + 1);
	assert_true(writable(5));
	vm_end();
}

static void test_recover_not_where_tracked(void **state)
{
	struct memslot *slot = vm(NULL, 0, PAGES_1G, 3);
	struct flush_batch b = FLUSH_BATCH_INIT;
	const u64 gfn = 7 * PAGES_2M + 9;

	(void)state;
	assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	lock_all();
	slot->write_track[gfn] = 1;
	slot->disallow_lpage[0][7]++;
	slot->disallow_lpage[1][0]++;
	tdp_write_protect_gfn(&mmu, (gfn_t){gfn}, &b);
	unlock_all(&b);
	dirty_log_disable(&mmu, slot);
	assert_int_equal(level_of(gfn), 1);
	assert_false(writable(gfn));
	assert_int_equal(level_of(0), 2);
	assert_int_equal(tdp_leaves(3), 0);
	assert_int_equal(tdp_leaves(2), 511);
	lock_all();
	slot->write_track[gfn] = 0;
	slot->disallow_lpage[0][7]--;
	slot->disallow_lpage[1][0]--;
	tdp_recover_range(&mmu, 0, PAGES_1G, &b);
	unlock_all(&b);
	assert_int_equal(tdp_leaves(3), 1);
	vm_end();
}

static int fetch(u64 gfn)
{
	return env_vcpu_fetch(&mmu, gfn << PAGE_SHIFT);
}

static bool executable(u64 gfn)
{
	return access_of(gfn) & ACC_EXEC;
}

static void test_nx_huge_pages(void **state)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				 .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G,
				 .eager_page_split = true,
				 .nx_huge_pages = true};
	struct memslot *slot = vm(&cfg, 0, PAGES_1G, 3);
	const u64 gfn = 5 * PAGES_2M + 3;
	struct nx_split *again;
	int level;

	(void)state;
	assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_int_equal(level_of(gfn), 3);
	assert_false(executable(gfn));
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	assert_true(tlb_touch(&mmu, gfn << PAGE_SHIFT));
	/* Executing splits, and makes executable that page alone; nothing is owed for it. */
	assert_int_equal(fetch(gfn), FAULT_FIXED);
	assert_int_equal(level_of(gfn), 1);
	assert_true(executable(gfn) && writable(gfn));
	assert_false(executable(gfn + 1) || executable(gfn + PAGES_2M));
	assert_int_equal(level_of(gfn + PAGES_2M), 2);
	assert_int_equal(mmu.stats.nx_lpage_splits, 1);
	assert_int_equal(env_flushes(3), 0);
	/* The same table is listed once, others besides. */
	assert_int_equal(fetch(gfn + 1), FAULT_FIXED);
	assert_int_equal(fetch(gfn + PAGES_2M), FAULT_FIXED);
	assert_int_equal(mmu.stats.nx_lpage_splits, 2);
	/* Nor twice when two vCPUs come at once; the later one keeps its memory. */
	again = env_alloc(sizeof(*again));
	nx_split_add(&mmu, (void *)((u64)leaf_of(gfn, &level) & PAGE_MASK), (gfn_t){gfn}, &again);
	assert_non_null(again);
	env_free(again);
	assert_int_equal(mmu.stats.nx_lpage_splits, 2);
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	/* Memory runs out at each allocation. */
	for (int n = 1; n <= 2; n++) {
		env_fail_from(n);
		assert_int_equal(fetch(gfn + 9 * PAGES_2M), -ENOMEM);
		assert_int_equal(mmu_audit(&mmu, &audit), 0);
		env_fail_from(0);
	}
	assert_false(executable(gfn + 9 * PAGES_2M));
	/* The dirty log neither joins what is executed nor keeps anything else from it. */
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(fault(gfn + 3 * PAGES_2M, BIT(1)), FAULT_FIXED);
	assert_false(executable(gfn + 3 * PAGES_2M));
	assert_int_equal(mmu_nx_recover(&mmu, 100), 0);
	dirty_log_disable(&mmu, slot);
	assert_int_equal(tdp_leaves(2), 510);
	assert_int_equal(tdp_leaves(1), 2 * PAGES_2M);
	assert_false(executable(gfn + 3 * PAGES_2M));
	/* Recovery: the oldest first, then all up to 1G again. */
	assert_int_equal(mmu_nx_recover(&mmu, 1), 1);
	assert_int_equal(mmu.stats.nx_lpage_splits, 1);
	assert_int_equal(level_of(gfn), 2);
	assert_int_equal(tlb_stale(&mmu), 0);
	assert_int_equal(mmu_nx_recover(&mmu, 100), 1);
	assert_int_equal(level_of(gfn), 3);
	assert_false(executable(gfn));
	assert_int_equal(mmu.stats.nx_lpage_splits, 0);
	assert_int_equal(mmu_nx_recover(&mmu, 100), 0);
	/* And what is listed goes with the VM. */
	assert_int_equal(fetch(gfn), FAULT_FIXED);
	vm_end();
	/* Memory in small pieces is nothing to recover. */
	vm(&cfg, 0, PAGES_2M, 1);
	assert_int_equal(fetch(7), FAULT_FIXED);
	assert_true(executable(7));
	assert_int_equal(mmu.stats.nx_lpage_splits, 0);
	vm_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_is_exact),
		cmocka_unit_test(test_split_part),
		cmocka_unit_test(test_split_keeps_ad),
		cmocka_unit_test(test_split_contended),
		cmocka_unit_test(test_split_no_memory),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_recover_not_where_tracked),
		cmocka_unit_test(test_nx_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
