// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * The processor sets A or D between L0's look at an entry and its exchange: whoever changes entries
 * under the write lock gets there all the same, and what the processor set is not lost.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/dirty_log.h"
#include "mmu/shadow_internal.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/nested_vm.h"

#define PAGES 4096
#define MB2   LEVEL_SIZE(PG_LEVEL_2M)

static struct nested_vm v;
static u32 races;

/* The processor sets D in a leaf that lacks it, just before the exchange. */
static void race(u64 *p, u64 old, u64 new)
{
	const struct pt_format *fmt = v.mmu.cfg.fmt;

	(void)new;
	if (!(old & fmt->present) || !(old & fmt->write) || (READ_ONCE(*p) & fmt->dirty))
		return;
	races++;
	env_hw_set(p, fmt->accessed | fmt->dirty);
}

/* As if D had been cleared by a scan. */
static void clear_dirty(u64 *sptep)
{
	struct shadow_page *sp = sptep_to_sp(sptep);
	struct spte_pos pos = {.mmu = &v.mmu, .sp = sp, .sptep = sptep, .level = PG_LEVEL_4K};
	struct flush_batch b = FLUSH_BATCH_INIT;

	if (sp)
		pos = shadow_pos(&v.mmu, sp, sptep_index(sp, sptep));
	nv_lock(&v);
	spte_clear_bits(&pos, v.mmu.cfg.fmt->dirty, &b);
	nv_unlock(&v, &b);
}

static u64 *tdp_sptep(u64 gfn)
{
	struct tdp_iter it;

	tdp_for_each (it, &v.mmu, PG_LEVEL_4K, gfn, gfn + 1)
		if (spte_is_leaf(&v.mmu, it.old, it.level))
			return it.sptep;
	return NULL;
}

/* Three 4K pages of each tree, two of the nested ones aliases, all without D. */
static void begin(void)
{
	u64 one = 1;

	nv_make(&v, PAGES, PG_LEVEL_4K, NULL);
	for (u64 i = 0; i < 3; i++) {
		nv_map(&v, i * PAGE_SIZE, 8 + i / 2, 1, L1_RWX);
		assert_int_equal(env_vcpu_write(&v.mmu, i * PAGE_SIZE, &one, 8), FAULT_FIXED);
	}
	for (u64 i = 0; i < 3; i++)
		assert_int_equal(nv_write(&v, i * PAGE_SIZE, 1), FAULT_FIXED);
	for (u64 i = 0; i < 3; i++) {
		clear_dirty(tdp_sptep(i));
		clear_dirty(nv_sptep(&v, i * PAGE_SIZE, 1));
	}
	races = 0;
	env_before_cmpxchg = race;
}

static void end(u32 wanted)
{
	env_before_cmpxchg = NULL;
	assert_int_equal(races, wanted);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

static void check_protected(const u64 *sptep)
{
	assert_non_null(sptep);
	assert_true(spte_present(&v.mmu, *sptep));
	assert_false(spte_writable(&v.mmu, *sptep));
	assert_true(*sptep & v.mmu.cfg.fmt->dirty);
}

static void check_all_protected(void)
{
	for (u64 i = 0; i < 3; i++) {
		check_protected(tdp_sptep(i));
		check_protected(nv_sptep(&v, i * PAGE_SIZE, 1));
	}
}

static void test_zap(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	begin();
	nv_lock(&v);
	tdp_zap_range(&v.mmu, 0, 3, &b);
	shadow_zap_range(&v.mmu, v.slot, 8, 10, &b);
	nv_unlock(&v, &b);
	for (u64 i = 0; i < 3; i++) {
		assert_null(tdp_sptep(i));
		assert_int_equal(nv_level(&v, i * PAGE_SIZE), 0);
	}
	end(6);
}

static void test_protect_range(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	begin();
	nv_lock(&v);
	tdp_wrprot_range(&v.mmu, 0, 3, &b);
	shadow_wrprot_range(&v.mmu, v.slot, 8, 10, &b);
	nv_unlock(&v, &b);
	check_all_protected();
	end(6);
}

static void test_protect_masked(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	begin();
	nv_lock(&v);
	tdp_wrprot_masked(&v.mmu, &(struct gfn_mask){.words = {7}}, &b);
	shadow_wrprot_masked(&v.mmu, v.slot, 0, BIT(8) | BIT(9), &b);
	nv_unlock(&v, &b);
	check_all_protected();
	end(6);
}

static void test_protect_one(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	begin();
	nv_lock(&v);
	for (u64 i = 0; i < 3; i++)
		tdp_write_protect_gfn(&v.mmu, (gfn_t){i}, &b);
	shadow_wrprot_gfn(&v.mmu, v.slot, (gfn_t){8}, &b);
	shadow_wrprot_gfn(&v.mmu, v.slot, (gfn_t){9}, &b);
	nv_unlock(&v, &b);
	check_all_protected();
	end(6);
}

/* L1 takes W from one page and another page away, and flushes. */
static void test_sync(void **state)
{
	(void)state;
	begin();
	env_before_cmpxchg = NULL;
	nv_map(&v, 0, 8, 1, L1_RO | L1_A);
	nv_set_entry(&v, PAGE_SIZE, 1, 0);
	env_before_cmpxchg = race;
	nv_sync(&v);
	check_protected(nv_sptep(&v, 0, 1));
	assert_int_equal(nv_level(&v, PAGE_SIZE), 0);
	end(2);
}

/* A read in a logged slot makes nothing writable, so nothing is dirty by it. */
static void test_reads_stay_clean(void **state)
{
	(void)state;
	nv_make(&v, PAGES, PG_LEVEL_4K, NULL);
	nv_map(&v, 0, 8, 1, L1_RWX | L1_A | L1_D);
	nv_map(&v, MB2, 512, 2, L1_RWX | L1_A | L1_D);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	assert_int_equal(nv_read(&v, MB2 + 0x5000), FAULT_FIXED);
	assert_int_equal(nv_fetch(&v, MB2 + 0x6000), FAULT_FIXED);
	/* L1's tables may be: the walk has set A in them. */
	assert_false(bitmap_test(v.slot->dirty_bitmap, 8));
	assert_false(bitmap_test(v.slot->dirty_bitmap, 512 + 5));
	assert_false(bitmap_test(v.slot->dirty_bitmap, 512 + 6));
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 0, 1)));
	nv_check(&v);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_true(bitmap_test(v.slot->dirty_bitmap, 8));
	dirty_log_disable(&v.mmu, v.slot);
	assert_int_equal(nv_end(&v), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zap),
		cmocka_unit_test(test_protect_range),
		cmocka_unit_test(test_protect_masked),
		cmocka_unit_test(test_protect_one),
		cmocka_unit_test(test_sync),
		cmocka_unit_test(test_reads_stay_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
