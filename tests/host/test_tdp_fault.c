// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/tdp_vm.o */
/* Faults of the TDP tree: levels, rights, tracked gfns, memory running out, several at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/shadow_mmu.h"
#include "tests/host/tdp_vm.h"

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
	struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_LONG4], .maxphyaddr = 48, .max_leaf_level = PG_LEVEL_2M};
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
	assert_int_equal(mmu_enable_nested(&mmu), 0);
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

/* Another vCPU is faster, or right behind, each time that this one changes an entry. */
static u64 rivals;
static void rival(u64 *p, u64 old, u64 new)
{
	(void)p;
	(void)old;
	(void)new;
	if (!rivals)
		return;
	rivals--;
	assert_int_equal(fault(3, BIT(1)), FAULT_FIXED);
}

static void test_fault_loses(void **state)
{
	struct memslot *slot;

	(void)state;
	for (u64 n = 1; n < 12; n++) {
		slot = vm(NULL, 0, PAGES_1G, n % 2 ? 1 : 3);
		mmu.cfg.eager_page_split = false;
		env_threaded = true; /* the rival may allocate while we hold the lock */
		rivals = n;
		if (n < 6)
			env_before_cmpxchg = rival;
		else
			env_on_change = rival; /* at work as soon as a table is seen */
		assert_int_equal(fault(3, BIT(1)), FAULT_FIXED);
		assert_true(writable(3));
		rivals = 0;
		assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
		rivals = n;
		assert_int_equal(fault(4, BIT(1)), FAULT_FIXED);
		assert_true(writable(3) && writable(4));
		assert_int_equal(level_of(4), 1);
		assert_int_equal(dirty_log_count(&mmu, slot), 2);
		env_before_cmpxchg = env_on_change = NULL;
		vm_end();
	}
}

static void *fault_thread(void *arg)
{
	u64 x = (u64)arg * 7919 + 1;

	for (int i = 0; i < 4000; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		/* Few gfns at first, so that the threads meet. */
		if (fault((x >> 33) % (i < 500 ? 8 : 6 * PAGES_2M), x >> 60 & BIT(1)))
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fault_levels),   cmocka_unit_test(test_fault_level_limits),
		cmocka_unit_test(test_fault_outside),  cmocka_unit_test(test_fault_no_memory),
		cmocka_unit_test(test_fault_tracked),  cmocka_unit_test(test_fault_loses),
		cmocka_unit_test(test_fault_parallel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
