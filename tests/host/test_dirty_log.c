// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/* The dirty log: what each of its operations costs, marks, splits and flushes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/audit.h"
#include "mmu/dirty_log.h"
#include "mmu/guest_mem.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/env.h"

#define P2M LEVEL_PAGES(PG_LEVEL_2M)
#define P1G LEVEL_PAGES(PG_LEVEL_1G)

static struct mmu mmu;
static struct audit audit;
static struct memslot *slot;

static void setup(u64 base, u64 npages, int level, bool eager)
{
	env_reset();
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
	mmu.cfg.eager_page_split = eager;
	slot = env_slot(&mmu, 7, base, npages, 0, level);
	assert_non_null(slot);
}

static void check(void)
{
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	assert_int_equal(tlb_stale(&mmu), 0);
	assert_int_equal(env_violations(), 0);
}

static void end(void)
{
	check();
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static u64 gpa_of(u64 page)
{
	return (slot->base.v + page) << PAGE_SHIFT;
}

static int vcpu_write(u64 page, u64 value)
{
	return env_vcpu_write(&mmu, gpa_of(page), &value, sizeof(value));
}

static u64 tdp_leaves(int level)
{
	return mmu.stats.pages[MMU_TREE_TDP][level - 1];
}

static void test_enable(void **state)
{
	u64 out[8];

	(void)state;
	setup(0, P2M, 2, true);
	env_fail_after(1);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), -ENOMEM);
	assert_null(slot->dirty_bitmap);
	assert_int_equal(dirty_log_count(&mmu, slot), 0);
	memset(out, 0xff, sizeof(out));
	assert_int_equal(dirty_log_read_clear(&mmu, slot, 0, P2M, out), 0);
	assert_int_equal(out[0] | out[7], 0);
	dirty_log_disable(&mmu, slot);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), -EEXIST);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_INITIALLY_SET), -EEXIST);
	assert_int_equal(dirty_log_count(&mmu, slot), 0);
	dirty_log_disable(&mmu, slot);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_INITIALLY_SET), 0);
	assert_int_equal(dirty_log_count(&mmu, slot), P2M);
	end();
}

/* Protecting everything owes one flush, splitting none. */
static void test_enable_cost(void **state)
{
	(void)state;
	setup(0, 8 * P2M, 2, true);
	for (u64 i = 0; i < 8; i++)
		assert_int_equal(vcpu_write(i * P2M + i, 1), 0);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(env_flushes(3), 1);
	assert_int_equal(tdp_leaves(1), 8 * P2M);
	assert_int_equal(tdp_leaves(2), 0);
	/* The first write to a page costs one fault, the second none. */
	assert_int_equal(vcpu_write(9, 1), 0);
	assert_int_equal(mmu.stats.dirty_faults, 1);
	assert_int_equal(vcpu_write(9, 2), 0);
	assert_int_equal(mmu.stats.dirty_faults, 1);
	assert_int_equal(mmu.stats.fault_split[MMU_TREE_TDP], 0);
	assert_int_equal(dirty_log_count(&mmu, slot), 1);
	assert_int_equal(env_flushes(3), 1);
	end();
}

/* Without eager splitting, or when the leaf came later, the write fault splits. */
static void test_lazy_split(void **state)
{
	(void)state;
	setup(0, P1G, 3, false);
	assert_int_equal(vcpu_write(5, 1), 0);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(tdp_leaves(3), 1);
	check();
	assert_int_equal(vcpu_write(6, 1), 0);
	assert_int_equal(tdp_leaves(3), 0);
	assert_int_equal(tdp_leaves(2), 511);
	assert_int_equal(tdp_leaves(1), 512);
	assert_int_equal(mmu.stats.fault_split[MMU_TREE_TDP], 2);
	assert_int_equal(dirty_log_count(&mmu, slot), 1);
	assert_int_equal(env_flushes(3), 1);
	dirty_log_disable(&mmu, slot);
	assert_int_equal(tdp_leaves(3), 1);
	end();
}

/* Initially set: all stays as it is until its range is cleared. */
static void test_split_on_clear(void **state)
{
	u64 out[P2M / 64];

	(void)state;
	setup(0, 8 * P2M, 2, true);
	for (u64 i = 0; i < 8; i++)
		assert_int_equal(vcpu_write(i * P2M + i, 1), 0);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_INITIALLY_SET), 0);
	assert_int_equal(tdp_leaves(2), 8);
	assert_int_equal(env_flushes(3), 0);
	check();
	assert_int_equal(vcpu_write(3 * P2M + 100, 2), 0);
	assert_int_equal(mmu.stats.pf_fixed, 8);
	assert_int_equal(dirty_log_read_clear(&mmu, slot, 3 * P2M, 128, out), 128);
	assert_int_equal(tdp_leaves(2), 7);
	assert_int_equal(tdp_leaves(1), P2M);
	assert_int_equal(env_flushes(3), 1);
	check();
	/* What was not cleared is writable still; what was is not. */
	assert_int_equal(vcpu_write(3 * P2M + 200, 3), 0);
	assert_int_equal(mmu.stats.dirty_faults, 0);
	assert_int_equal(vcpu_write(3 * P2M + 100, 3), 0);
	assert_int_equal(mmu.stats.dirty_faults, 1);
	assert_int_equal(dirty_log_read_clear(&mmu, slot, 3 * P2M, 128, out), 1);
	assert_int_equal(out[1], BIT(36));
	/* Nothing dirty: nothing to do, nothing to flush. */
	assert_int_equal(dirty_log_read_clear(&mmu, slot, 3 * P2M, 128, out), 0);
	assert_int_equal(env_flushes(3), 2);
	end();
}

static void test_write_fault_without_memory(void **state)
{
	u64 out[64];

	(void)state;
	setup(0, 4 * P2M, 2, true);
	for (u64 i = 0; i < 4; i++)
		assert_int_equal(vcpu_write(i * P2M, 1), 0);
	env_fail_from(2); /* the bitmap is there, but no page to split with */
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(tdp_leaves(2), 4);
	assert_int_equal(mmu.stats.split_enomem, 4);
	check();
	/* The write is made all the same, and all that became writable is dirty. */
	assert_int_equal(vcpu_write(P2M + 7, 2), 0);
	assert_int_equal(dirty_log_count(&mmu, slot), P2M);
	assert_int_equal(tdp_leaves(2), 4);
	check();
	/* Part of it is cleared: all of the leaf is protected again, the rest stays dirty. */
	assert_int_equal(dirty_log_read_clear(&mmu, slot, P2M, 64, out), 64);
	assert_int_equal(dirty_log_count(&mmu, slot), P2M - 64);
	check();
	assert_int_equal(vcpu_write(P2M + 300, 2), 0);
	assert_int_equal(dirty_log_count(&mmu, slot), P2M);
	check();
	/* Not over a table of L1's whose writes must be caught. */
	rwlock_write_lock(&mmu.lock);
	slot->write_track[2 * P2M + 9] = 1;
	rwlock_write_unlock(&mmu.lock);
	assert_int_equal(vcpu_write(2 * P2M + 7, 2), -ENOMEM);
	assert_int_equal(dirty_log_count(&mmu, slot), P2M);
	slot->write_track[2 * P2M + 9] = 0;
	env_fail_from(0);
	assert_int_equal(vcpu_write(2 * P2M + 7, 2), 0);
	assert_int_equal(dirty_log_count(&mmu, slot), P2M + 1);
	end();
}

/* Reading never makes a clean page writable. */
static void test_reads_stay_clean(void **state)
{
	u64 v;

	(void)state;
	setup(0, P2M, 1, true);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	for (u64 i = 0; i < P2M; i += 7)
		assert_int_equal(env_vcpu_read(&mmu, gpa_of(i), &v, 8), 0);
	assert_int_equal(dirty_log_count(&mmu, slot), 0);
	check();
	assert_int_equal(vcpu_write(14, 1), 0);
	assert_int_equal(dirty_log_count(&mmu, slot), 1);
	assert_int_equal(mmu.stats.dirty_faults, 1);
	end();
}

/* The bit may be counted on only after the flush: all of read_clear's work is behind it. */
static u64 bits_in_flush;
static void count_in_flush(struct mmu *m, u32 trees)
{
	(void)m;
	(void)trees;
	bits_in_flush = bitmap_count(slot->dirty_bitmap, slot->npages);
}

static void test_clear_flushes(void **state)
{
	u64 out[8];

	(void)state;
	setup(0, P2M, 2, true);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(vcpu_write(70, 1), 0);
	assert_int_equal(vcpu_write(300, 1), 0);
	assert_int_equal(tlb_cached(&mmu), 2);
	env_on_flush = count_in_flush;
	bits_in_flush = 99;
	assert_int_equal(dirty_log_read_clear(&mmu, slot, 64, 64, out), 1);
	assert_int_equal(bits_in_flush, 1);
	assert_int_equal(out[0], BIT(6));
	assert_int_equal(tlb_cached(&mmu), 0);
	env_on_flush = NULL;
	end();
}

static void test_mark_range(void **state)
{
	(void)state;
	setup(100, 300, 1, true);
	dirty_log_mark_range(slot, (gfn_t){100}, 5); /* logging is off */
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	for (u64 first = 0; first < 300; first += 13) {
		for (u64 n = 1; first + n <= 300; n += 31) {
			memset(slot->dirty_bitmap, 0, BITMAP_WORDS(300) * 8);
			dirty_log_mark_range(slot, (gfn_t){100 + first}, n);
			assert_int_equal(bitmap_count(slot->dirty_bitmap, 320), n);
			assert_int_equal(bitmap_find_next_set(slot->dirty_bitmap, 300, 0), first);
			assert_int_equal(bitmap_find_next_clear(slot->dirty_bitmap, 300, first),
					 first + n);
		}
	}
	memset(slot->dirty_bitmap, 0, BITMAP_WORDS(300) * 8);
	dirty_log_mark_range(slot, (gfn_t){100}, 0);
	dirty_log_mark(slot, (gfn_t){100 + 299});
	assert_int_equal(slot->dirty_bitmap[4], BIT(43));
	assert_int_equal(dirty_log_count(&mmu, slot), 1);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enable),
		cmocka_unit_test(test_enable_cost),
		cmocka_unit_test(test_lazy_split),
		cmocka_unit_test(test_split_on_clear),
		cmocka_unit_test(test_write_fault_without_memory),
		cmocka_unit_test(test_reads_stay_clean),
		cmocka_unit_test(test_clear_flushes),
		cmocka_unit_test(test_mark_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
