// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Long walks drop mmu_lock, for memory or for others who wait: never while a flush is owed. And
 * which rights a lost one owes a flush for, bit by bit, in both of the processors' formats.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define HUGE  40 /* pages that L2 has mapped huge */
#define PAGES (64 * 512)

static struct nested_vm v;
static bool pending; /* an entry that was used has changed since the last flush */
static u64 changes, allocs, rests;

static void changed(u64 *p, u64 old, u64 new)
{
	(void)p;
	if (pending && env_alloc_count() != allocs)
		fail_msg("memory was got between change %llu and its flush",
			 (unsigned long long)changes);
	allocs = env_alloc_count();
	/* The pieces of a huge page map just what it did. */
	if (!(old & L1_PS) || (new &L1_PS))
		pending = true;
	changes++;
}

static void flushed(struct mmu *mmu, u32 trees)
{
	(void)mmu;
	if (trees & BIT(MMU_TREE_NESTED))
		pending = false;
}

static void rest(void)
{
	assert_false(pending);
	rests++;
}

static void watch(void)
{
	pending = false;
	changes = rests = 0;
	allocs = env_alloc_count();
	env_on_change = changed;
	env_on_flush = flushed;
	env_on_resched = rest;
}

/* Huge pages, each under two names. */
static void begin(void)
{
	nv_make(&v, PAGES, PG_LEVEL_2M, NULL);
	for (u64 i = 0; i < 2 * HUGE; i++)
		nv_map(&v, i * MB2, i / 2 * 512, 2, L1_RWX);
	for (u64 i = 0; i < 2 * HUGE; i++) {
		assert_int_equal(nv_write(&v, i * MB2, 1), FAULT_FIXED);
		assert_int_equal(nv_level(&v, i * MB2), 2);
	}
}

static void end(void)
{
	env_on_change = NULL;
	env_on_flush = NULL;
	env_on_resched = NULL;
	env_contend_after(0);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

/* Each huge page loses W before it is split, and after some of them the caches are empty. */
static void test_split_and_join_get_memory(void **state)
{
	(void)state;
	begin();
	watch();
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_true(changes > HUGE);
	assert_int_equal(nv_level(&v, 0), 1);
	assert_int_equal(nv_level(&v, MB2), 1);
	split_caches_release(&v.mmu);
	watch();
	dirty_log_disable(&v.mmu, v.slot);
	assert_true(changes > HUGE);
	assert_int_equal(nv_level(&v, 0), 2);
	assert_int_equal(nv_level(&v, MB2), 2);
	end();
}

static void test_split_and_join_let_others_run(void **state)
{
	(void)state;
	begin();
	watch();
	env_contend_after(1);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_true(rests > HUGE);
	watch();
	dirty_log_disable(&v.mmu, v.slot);
	assert_true(rests > HUGE);
	assert_int_equal(nv_level(&v, 0), 2);
	end();
}

/* A leaf of L1's memory loses @bit. What is owed? */
static u32 owed_for(const struct pt_format *fmt, u64 bit)
{
	const struct mmu_config cfg = {
		.fmt = fmt,
		.maxphyaddr = 48,
		.max_leaf_level = PG_LEVEL_1G,
	};
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct tdp_iter it;
	struct mmu mmu;
	u64 one = 1;
	u32 owed;

	env_reset();
	assert_int_equal(env_mmu_make(&mmu, &cfg), 0);
	assert_non_null(env_slot(&mmu, 0, 0, 512, 0, PG_LEVEL_4K));
	assert_int_equal(env_vcpu_write(&mmu, 0, &one, sizeof(one)), FAULT_FIXED);
	mutex_lock(&mmu.slots_lock);
	rwlock_write_lock(&mmu.lock);
	tdp_for_each (it, &mmu, PG_LEVEL_4K, 0, 1) {
		struct spte_pos pos = tdp_iter_pos(&it);

		if (spte_is_leaf(&mmu, it.old, it.level))
			assert_true(spte_clear_bits(&pos, bit, &b) & bit);
	}
	owed = b.owed;
	flush_pay(&mmu, &b);
	rwlock_write_unlock(&mmu.lock);
	mutex_unlock(&mmu.slots_lock);
	assert_int_equal(env_mmu_end(&mmu), 0);
	return owed;
}

static void test_each_right(void **state)
{
	static const int formats[] = {PT_FMT_LONG4, PT_FMT_EPT4};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(formats); i++) {
		const struct pt_format *fmt = &pt_formats[formats[i]];
		u32 tdp = BIT(MMU_TREE_TDP);

		assert_int_equal(owed_for(fmt, fmt->present), tdp);
		assert_int_equal(owed_for(fmt, fmt->write), tdp);
		assert_int_equal(owed_for(fmt, fmt->dirty), tdp);
		assert_int_equal(owed_for(fmt, fmt->accessed), 0);
		if (fmt->read)
			assert_int_equal(owed_for(fmt, fmt->read | fmt->write), tdp);
		if (fmt->exec)
			assert_int_equal(owed_for(fmt, fmt->exec), tdp);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split_and_join_get_memory),
		cmocka_unit_test(test_split_and_join_let_others_run),
		cmocka_unit_test(test_each_right),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
