// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env.o tests/host/env_vm.o */
/*
 * The TDP tree: faults, splitting, joining, zapping. Each state in between is checked by a hook
 * after every visible change, and the processor plays along by setting A and D at bad moments.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/audit.h"
#include "mmu/dirty_log.h"
#include "mmu/nx_huge.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/env.h"

#define PAGES_1G LEVEL_PAGES(PG_LEVEL_1G)
#define PAGES_2M LEVEL_PAGES(PG_LEVEL_2M)

static struct mmu mmu;
static struct audit audit;

static u64 tdp_leaves(int level)
{
	return mmu.stats.pages[MMU_TREE_TDP][level - 1];
}

static struct memslot *vm(const struct mmu_config *cfg, u64 base, u64 npages, int level)
{
	struct memslot *slot;

	env_reset();
	assert_int_equal(env_mmu_make(&mmu, cfg), 0);
	slot = env_slot(&mmu, 0, base, npages, 0, level);
	assert_non_null(slot);
	return slot;
}

static void vm_end(void)
{
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	assert_int_equal(tlb_stale(&mmu), 0);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void lock_all(void)
{
	mutex_lock(&mmu.slots_lock);
	rwlock_write_lock(&mmu.lock);
}

static void unlock_all(struct flush_batch *b)
{
	flush_pay(&mmu, b);
	rwlock_write_unlock(&mmu.lock);
	mutex_unlock(&mmu.slots_lock);
}

/* The entry that maps @gfn, at whatever level; NULL when none does. */
static u64 *leaf_of(u64 gfn, int *level)
{
	struct tdp_iter it;

	tdp_for_each(it, &mmu, PG_LEVEL_4K, gfn, gfn + 1) {
		if (spte_is_leaf(&mmu, it.old, it.level)) {
			*level = it.level;
			return it.sptep;
		}
	}
	return NULL;
}

static int level_of(u64 gfn)
{
	int level;

	return leaf_of(gfn, &level) ? level : 0;
}

static bool writable(u64 gfn)
{
	int level;
	u64 *p = leaf_of(gfn, &level);

	return p && spte_writable(&mmu, *p);
}

static u64 hpa_of(u64 gfn)
{
	int level;
	u64 *p = leaf_of(gfn, &level);

	assert_non_null(p);
	return (spte_hpa(&mmu, *p).v & ~(LEVEL_SIZE(level) - 1)) +
	       (gfn & (LEVEL_PAGES(level) - 1)) * PAGE_SIZE;
}

static int fault(u64 gfn, u64 error)
{
	return mmu_tdp_fault(&mmu, (gpa_t){gfn << PAGE_SHIFT}, error);
}

/* --- faults ----------------------------------------------------------------------------- */

static void test_fault_levels(void **state)
{
	(void)state;
	for (int level = 1; level <= 3; level++) {
		struct memslot *slot = vm(NULL, 0, 2 * PAGES_1G, level);
		u64 gfn = PAGES_1G + 5 * PAGES_2M + 7;

		assert_int_equal(fault(gfn, 0), FAULT_FIXED);
		assert_int_equal(level_of(gfn), level);
		assert_int_equal(hpa_of(gfn), memslot_hpa(slot, (gfn_t){gfn}, NULL).v);
		assert_true(writable(gfn));
		assert_int_equal(tdp_leaves(level), 1);
		assert_int_equal(mmu.stats.tdp_pages, 4 - level);
		assert_int_equal(mmu.stats.pf_fixed, 1);
		/* The same again finds it there. */
		assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
		assert_int_equal(mmu.stats.pf_spurious, 1);
		vm_end();
	}
}

static void test_fault_level_limits(void **state)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4], .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_2M};
	const u64 base = PAGES_1G - 3, n = PAGES_1G + PAGES_2M + 10;

	(void)state;
	/* What the configuration allows. */
	vm(&cfg, 0, PAGES_1G, 3);
	assert_int_equal(fault(0, 0), FAULT_FIXED);
	assert_int_equal(level_of(0), 2);
	vm_end();
	/* A slot that begins and ends in the middle of huge pages. */
	vm(NULL, base, n, 3);
	for (u64 gfn = base; gfn < base + n; gfn += 1 + gfn % 301)
		assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_int_equal(level_of(base), 1);
	assert_int_equal(level_of(PAGES_1G), 3);
	assert_int_equal(level_of(2 * PAGES_1G + 3), 0 + level_of(2 * PAGES_1G));
	assert_int_equal(fault(base + n - 1, 0), FAULT_FIXED);
	assert_int_equal(level_of(base + n - 1), 1);
	vm_end();
}

static void test_fault_outside(void **state)
{
	(void)state;
	vm(NULL, PAGES_2M, PAGES_2M + 1, 2);
	assert_non_null(env_slot(&mmu, 1, 4 * PAGES_2M, PAGES_2M, MEMSLOT_READONLY, 2));
	assert_int_equal(fault(PAGES_2M - 1, 0), FAULT_OUTSIDE);
	assert_int_equal(fault(2 * PAGES_2M, 0), FAULT_FIXED);
	assert_int_equal(fault(2 * PAGES_2M + 1, 0), FAULT_OUTSIDE);
	assert_int_equal(fault(BIT(36), 0), FAULT_OUTSIDE);
	assert_int_equal(fault(BIT(52) - 1, BIT(1)), FAULT_OUTSIDE);
	assert_int_equal(fault(4 * PAGES_2M, BIT(1)), FAULT_OUTSIDE);
	assert_int_equal(fault(4 * PAGES_2M, 0), FAULT_FIXED);
	assert_int_equal(level_of(4 * PAGES_2M), 2);
	assert_false(writable(4 * PAGES_2M));
	assert_int_equal(fault(4 * PAGES_2M, BIT(1)), FAULT_OUTSIDE);
	vm_end();
}

static void test_fault_no_memory(void **state)
{
	(void)state;
	vm(NULL, 0, PAGES_2M, 1);
	/* Three tables are needed: each allocation fails once, nothing is lost or leaked. */
	for (int n = 1; n <= 3; n++) {
		env_fail_after(n);
		assert_int_equal(fault(3, 0), -ENOMEM);
		assert_int_equal(mmu_audit(&mmu, &audit), 0);
		vm_end();
		vm(NULL, 0, PAGES_2M, 1);
	}
	env_fail_after(4);
	assert_int_equal(fault(3, 0), FAULT_FIXED);
	assert_int_equal(env_alloc_failed(), 0);
	env_fail_after(0);
	vm_end();
}

static void test_fault_tracked(void **state)
{
	struct memslot *slot = vm(NULL, 0, PAGES_1G, 3);
	struct flush_batch b = FLUSH_BATCH_INIT;
	const u64 gfn = 3 * PAGES_2M + 11;

	(void)state;
	assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_true(tlb_touch(&mmu, gfn << PAGE_SHIFT));
	lock_all();
	slot->write_track[gfn] = 1;
	slot->disallow_lpage[0][3]++;
	slot->disallow_lpage[1][0]++;
	tdp_write_protect_gfn(&mmu, (gfn_t){gfn}, &b);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
	assert_int_equal(tlb_stale(&mmu), 1);
	unlock_all(&b);
	assert_int_equal(tlb_stale(&mmu), 0);
	assert_int_equal(level_of(gfn), 0);
	/* Read: 4K, read-only. Its neighbours in the same 2M: 4K, writable. Others: 2M. */
	assert_int_equal(fault(gfn, 0), FAULT_FIXED);
	assert_int_equal(level_of(gfn), 1);
	assert_false(writable(gfn));
	assert_int_equal(fault(gfn + 1, BIT(1)), FAULT_FIXED);
	assert_int_equal(level_of(gfn + 1), 1);
	assert_true(writable(gfn + 1));
	assert_int_equal(fault(0, BIT(1)), FAULT_FIXED);
	assert_int_equal(level_of(0), 2);
	/* Nobody ends this tracking: the guest runs again and the page stays protected. */
	assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_false(writable(gfn));
	/* An upper 4K leaf loses W when tracking begins. */
	lock_all();
	slot->write_track[gfn + 1] = 1;
	slot->disallow_lpage[0][3]++;
	slot->disallow_lpage[1][0]++;
	tdp_write_protect_gfn(&mmu, (gfn_t){gfn + 1}, &b);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
	unlock_all(&b);
	assert_int_equal(level_of(gfn + 1), 1);
	assert_false(writable(gfn + 1));
	/* Tracking ends. */
	lock_all();
	slot->write_track[gfn] = slot->write_track[gfn + 1] = 0;
	slot->disallow_lpage[0][3] -= 2;
	slot->disallow_lpage[1][0] -= 2;
	unlock_all(&b);
	assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_true(writable(gfn));
	vm_end();
}

static void *fault_thread(void *arg)
{
	u64 x = (u64)arg * 7919 + 1;

	for (int i = 0; i < 20000; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		/* Few gfns at first, so that the threads meet. */
		if (fault((x >> 33) % (i < 1000 ? 8 : 6 * PAGES_2M), x >> 60 & BIT(1)))
			return (void *)1;
	}
	return NULL;
}

static void test_fault_parallel(void **state)
{
	pthread_t threads[4];
	struct memslot *slot;

	(void)state;
	for (int round = 0; round < 4; round++) {
		void *failed;

		slot = vm(NULL, 0, PAGES_1G, round % 2 ? 1 : 2);
		env_threaded = true;
		if (round == 2) { /* huge pages there already, to be split by write faults */
			for (u64 gfn = 0; gfn < 6 * PAGES_2M; gfn += PAGES_2M)
				assert_int_equal(fault(gfn, 0), FAULT_FIXED);
			mmu.cfg.eager_page_split = false;
			assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
		}
		for (u64 t = 0; t < 4; t++)
			pthread_create(&threads[t], NULL, fault_thread, (void *)t);
		for (int t = 0; t < 4; t++) {
			pthread_join(threads[t], &failed);
			assert_null(failed);
		}
		assert_int_equal(tdp_leaves(2), round % 2 || round == 2 ? 0 : 6);
		assert_int_equal(env_check_no_plain_stores(), 0);
		vm_end();
	}
}

/* --- the iterator ----------------------------------------------------------------------- */

static void test_iter(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 visits[5] = {0}, last = 0;
	struct tdp_iter it;

	(void)state;
	vm(NULL, 0, PAGES_1G, 1);
	fault(0, 0);
	fault(PAGES_2M + 1, 0);
	lock_all();
	tdp_for_each(it, &mmu, 1, 10, 2 * PAGES_2M + 5) {
		visits[it.level]++;
		assert_int_equal(it.gfn % LEVEL_PAGES(it.level), 0);
		assert_true(it.gfn >= last);
		last = it.gfn;
	}
	assert_int_equal(visits[4], 1);
	assert_int_equal(visits[3], 1);
	assert_int_equal(visits[2], 3);
	assert_int_equal(visits[1], 502 + 512);
	/* A restart visits the root's entry again and then comes back to the same place. */
	memset(visits, 0, sizeof(visits));
	tdp_for_each(it, &mmu, 2, 0, 3 * PAGES_2M) {
		visits[it.level]++;
		if (it.gfn == PAGES_2M && visits[4] == 1) {
			tdp_iter_restart(&it);
			continue;
		}
	}
	assert_int_equal(visits[4], 2);
	assert_int_equal(visits[3], 2);
	assert_int_equal(visits[2], 4);
	/* Nothing, and beyond the end of the address space. */
	tdp_for_each(it, &mmu, 1, 5, 5)
		fail();
	tdp_for_each(it, &mmu, 1, BIT(36), ~0ull)
		fail();
	unlock_all(&b);
	vm_end();
}

/* --- splitting -------------------------------------------------------------------------- */

/* What translated before a change must translate the same after it. */
static struct probe {
	u64 gfn, hpa;
	u32 access;
} probes[24];
static int nr_probes;

static u32 access_of(u64 gfn)
{
	int level;
	u64 *p = leaf_of(gfn, &level);

	return p ? spte_access(&mmu, *p) : 0;
}

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
		assert_true(env_resched_count() > 0 || n > 6);
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
	u64 n, failed;

	(void)state;
	for (n = 1;; n++) {
		struct flush_batch b = FLUSH_BATCH_INIT;
		int r;

		vm(NULL, 0, 24 * PAGES_2M, 2);
		for (u64 gfn = 0; gfn < 24 * PAGES_2M; gfn += PAGES_2M)
			assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
		env_fail_from(n);
		lock_all();
		r = tdp_split_range(&mmu, 0, 24 * PAGES_2M, &b);
		unlock_all(&b);
		failed = env_alloc_failed();
		assert_int_equal(r, failed ? -ENOMEM : 0);
		assert_int_equal(tdp_leaves(2) > 0, failed > 0);
		assert_int_equal(mmu.stats.split_enomem, tdp_leaves(2));
		assert_int_equal(mmu.stats.split[MMU_TREE_TDP][0] + tdp_leaves(2), 24);
		assert_int_equal(env_traced(MMU_EV_tdp_split), 24);
		vm_end();
		if (!failed)
			break;
	}
	assert_true(n > 24);
}

/* --- joining ---------------------------------------------------------------------------- */

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

/* --- unmapping and the end -------------------------------------------------------------- */

static void test_zap(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	vm(NULL, 0, 8 * PAGES_2M, 2);
	assert_non_null(env_slot(&mmu, 1, 8 * PAGES_2M, PAGES_2M, 0, 1));
	for (u64 gfn = 0; gfn < 8 * PAGES_2M + 100; gfn += gfn < 8 * PAGES_2M ? PAGES_2M : 1) {
		assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
		assert_true(tlb_touch(&mmu, gfn << PAGE_SHIFT));
	}
	lock_all();
	tdp_zap_range(&mmu, 3 * PAGES_2M + 1, 4 * PAGES_2M + 1, &b);
	tdp_zap_range(&mmu, 8 * PAGES_2M + 10, 8 * PAGES_2M + 20, &b);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
	assert_int_equal(tlb_stale(&mmu), 2 + 10);
	assert_int_equal(tdp_leaves(2), 6);
	assert_int_equal(tdp_leaves(1), 90);
	unlock_all(&b);
	assert_int_equal(tlb_stale(&mmu), 0);
	lock_all();
	tdp_zap_range(&mmu, 3 * PAGES_2M, 5 * PAGES_2M, &b);
	assert_int_equal(b.owed, 0); /* nothing was there any more */
	tdp_zap_range(&mmu, 0, ~0ull, &b);
	unlock_all(&b);
	assert_int_equal(tdp_leaves(1) + tdp_leaves(2), 0);
	vm_end();
}

static void test_leaks_are_reported(void **state)
{
	(void)state;
	vm(NULL, 0, PAGES_2M, 2);
	fault(0, 0);
	env_quiet = true;
	mmu.stats.tdp_pages++;
	assert_int_equal(mmu_audit(&mmu, &audit), 1);
	assert_int_equal(mmu_destroy(&mmu), 1);
	assert_non_null(strstr(env_last_warning(), "TDP tables left: 1"));
	env_guest_free();
}

static void test_ept(void **state)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_EPT4], .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G, .eager_page_split = true};
	struct memslot *slot = vm(&cfg, 0, PAGES_1G, 3);
	int level;

	(void)state;
	assert_int_equal(fault(9, 0), FAULT_FIXED);
	/* R W X, write-back, leaf, A, D (SDM 3C 28.3.2). */
	assert_int_equal(*leaf_of(9, &level) & 0xfff, 7 | 6 << 3 | BIT(7) | BIT(8) | BIT(9));
	assert_int_equal(mmu.tdp_root[0] & 0xfff, 7 | BIT(8));
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(*leaf_of(9, &level) & 0xfff, 5 | 6 << 3 | BIT(8) | BIT(9));
	assert_int_equal(fault(9, BIT(1)), FAULT_FIXED);
	assert_true(writable(9));
	dirty_log_disable(&mmu, slot);
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
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4], .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G, .eager_page_split = true,
				 .nx_huge_pages = true};
	struct memslot *slot = vm(&cfg, 0, PAGES_1G, 3);
	const u64 gfn = 5 * PAGES_2M + 3;

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

static void test_bad_config(void **state)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_PAE], .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G};

	(void)state;
	env_reset();
	memset(&mmu, 0, sizeof(mmu));
	assert_int_equal(mmu_init(&mmu, &cfg, NULL), -EINVAL);
	cfg.fmt = &pt_formats[PT_FMT_LONG4];
	cfg.max_leaf_level = 4;
	assert_int_equal(mmu_init(&mmu, &cfg, NULL), -EINVAL);
	cfg.max_leaf_level = 3;
	env_fail_after(1);
	assert_int_equal(mmu_init(&mmu, &cfg, NULL), -ENOMEM);
	assert_int_equal(env_live_allocs(), 0);
}

/* --- the audit sees what is wrong ------------------------------------------------------- */

static void expect_audit(const char *words)
{
	u64 errors;

	env_quiet = true;
	errors = mmu_audit(&mmu, &audit);
	env_quiet = false;
	assert_int_not_equal(errors, 0);
	if (!strstr(audit.first, words))
		fail_msg("audit says \"%s\", not \"%s\"", audit.first, words);
}

static void set_leaf(u64 gfn, u64 value)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos = {.mmu = &mmu};

	pos.sptep = leaf_of(gfn, &pos.level);
	lock_all();
	spte_set(&pos, value, NULL, &b);
	unlock_all(&b);
}

static void test_audit_of_leaves(void **state)
{
	struct memslot *slot = vm(NULL, PAGES_2M, 4 * PAGES_2M, 1);
	const u64 gfn = PAGES_2M + 77;
	int level;
	u64 good;

	(void)state;
	assert_non_null(env_slot(&mmu, 1, 16 * PAGES_2M, PAGES_2M, MEMSLOT_READONLY, 1));
	assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_int_equal(fault(16 * PAGES_2M, 0), FAULT_FIXED);
	good = *leaf_of(gfn, &level);
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	assert_int_equal(audit.leaves[MMU_TREE_TDP][0], 2);

	set_leaf(gfn, good + PAGE_SIZE); /* another page, of the same slot even */
	expect_audit("maps memory that is not its gfn's");
	expect_audit("gfn 24d");
	set_leaf(gfn, spte_make_leaf(&mmu, env_hpa(mmu.tdp_root), 1, ACC_ALL)); /* L0's own */
	expect_audit("maps memory that is not its gfn's");
	set_leaf(gfn, good);
	set_leaf(16 * PAGES_2M, *leaf_of(16 * PAGES_2M, &level) | BIT(1));
	expect_audit("writable in a read-only slot");
	set_leaf(16 * PAGES_2M, *leaf_of(16 * PAGES_2M, &level) & ~BIT(1));
	slot->write_track[77] = 1;
	expect_audit("tracked");
	slot->write_track[77] = 0;
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	set_leaf(gfn, good);
	expect_audit("without its dirty bit");
	dirty_log_mark(slot, (gfn_t){gfn});
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	dirty_log_disable(&mmu, slot);
	mmu.stats.pages[MMU_TREE_TDP][0]++;
	expect_audit("TDP 4K leaves");
	mmu.stats.pages[MMU_TREE_TDP][0]--;
	vm_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault_levels),
		cmocka_unit_test(test_fault_level_limits),
		cmocka_unit_test(test_fault_outside),
		cmocka_unit_test(test_fault_no_memory),
		cmocka_unit_test(test_fault_tracked),
		cmocka_unit_test(test_fault_parallel),
		cmocka_unit_test(test_iter),
		cmocka_unit_test(test_split_is_exact),
		cmocka_unit_test(test_split_part),
		cmocka_unit_test(test_split_keeps_ad),
		cmocka_unit_test(test_split_contended),
		cmocka_unit_test(test_split_no_memory),
		cmocka_unit_test(test_recover),
		cmocka_unit_test(test_recover_not_where_tracked),
		cmocka_unit_test(test_zap),
		cmocka_unit_test(test_leaks_are_reported),
		cmocka_unit_test(test_ept),
		cmocka_unit_test(test_nx_huge_pages),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_audit_of_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
