// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * What the pieces of a huge page are when it is split in a slot that is logged: what it was itself,
 * but by dirty bits what the log has made unwritable becomes writable again, and clean.
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
#define PAGES (2 * LEVEL_PAGES(PG_LEVEL_1G))
#define FIRST 1024 /* gfn of a huge page */

static const u64 w = BIT(1), d = BIT(6), wd = BIT(1) | BIT(6);
static struct nested_vm v;

/* Both trees map gfn FIRST huge, at @level, written. L2 has it at address 0. */
static void begin(enum dirty_tracking dirty, int level)
{
	const struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 48,
		.max_leaf_level = PG_LEVEL_1G,
		.dirty = dirty,
	};
	u64 one = 1, gfn = ALIGN_DOWN(FIRST, LEVEL_PAGES(level));

	nv_make(&v, PAGES, level, &cfg);
	nv_map(&v, 0, gfn, level, L1_RWX | L1_A | L1_D);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0), level);
	assert_int_equal(env_vcpu_write(&v.mmu, FIRST * PAGE_SIZE, &one, sizeof(one)), FAULT_FIXED);
}

static void end(void)
{
	dirty_log_disable(&v.mmu, v.slot);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

static u64 *tdp_sptep(u64 gfn, int level)
{
	struct tdp_iter it;

	tdp_for_each (it, &v.mmu, level, gfn, gfn + 1) {
		if (it.level == level)
			return it.sptep;
	}
	return NULL;
}

/* W and D of the huge page's first and last piece, one level below, which must be alike. */
static u64 piece(u64 *first)
{
	assert_non_null(first);
	assert_int_equal(first[0] & wd, first[511] & wd);
	assert_int_equal(first[511] - first[0], 511 * (first[1] - first[0]));
	return first[0] & wd;
}

/* Splits all, in both trees. Nothing is lost by it. */
static void split_all(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	v.mmu.cfg.eager_page_split = true;
	nv_lock(&v);
	assert_int_equal(split_range(&v.mmu, v.slot, 0, PAGES, &b), 0);
	assert_int_equal(b.owed, 0);
	nv_unlock(&v, &b);
}

static void log_on(enum dirty_log_mode mode)
{
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, mode), 0);
}

/* The log is not why the leaf lacks W. */
static void test_not_logged(void **state)
{
	(void)state;
	for (int dirty = DIRTY_WP; dirty <= DIRTY_DBIT; dirty++) {
		struct flush_batch b = FLUSH_BATCH_INIT;

		begin(dirty, 2);
		nv_lock(&v);
		tdp_wrprot_range(&v.mmu, FIRST, FIRST + 1, &b);
		shadow_wrprot_gfn(&v.mmu, v.slot, (gfn_t){FIRST}, &b);
		nv_unlock(&v, &b);
		split_all();
		assert_int_equal(piece(tdp_sptep(FIRST, 1)), d);
		assert_int_equal(piece(nv_sptep(&v, 0, 1)), d);
		end();
	}
}

static void test_write_protection(void **state)
{
	(void)state;
	begin(DIRTY_WP, 2);
	log_on(DIRTY_PROTECT_ALL);
	split_all();
	assert_int_equal(piece(tdp_sptep(FIRST, 1)), d);
	assert_int_equal(piece(nv_sptep(&v, 0, 1)), d);
	end();
}

static void test_dirty_bits(void **state)
{
	(void)state;
	begin(DIRTY_DBIT, 2);
	log_on(DIRTY_PROTECT_ALL);
	assert_int_equal(*tdp_sptep(FIRST, 2) & wd, d);
	assert_int_equal(*nv_sptep(&v, 0, 2) & wd, d);
	split_all();
	assert_int_equal(piece(tdp_sptep(FIRST, 1)), w);
	assert_int_equal(piece(nv_sptep(&v, 0, 1)), w);
	end();
}

/* All bits are set: the processor may go on with the huge leaf that it has, so D stays. */
static void test_all_is_dirty(void **state)
{
	(void)state;
	begin(DIRTY_DBIT, 2);
	log_on(DIRTY_INITIALLY_SET);
	split_all();
	assert_int_equal(piece(tdp_sptep(FIRST, 1)), wd);
	assert_int_equal(piece(nv_sptep(&v, 0, 1)), wd);
	end();
}

/* Pieces that are huge themselves stay unwritable, but pass on no D; theirs are writable. */
static void test_1g(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	begin(DIRTY_DBIT, 3);
	log_on(DIRTY_PROTECT_ALL);
	v.mmu.cfg.eager_page_split = true;
	nv_lock(&v);
	assert_int_equal(tdp_split_level(&v.mmu, 3, 0, PAGES, &b), 0);
	assert_int_equal(nested_split_level(&v.mmu, v.slot, 3, 0, PAGES, &b), 0);
	assert_int_equal(b.owed, 0);
	nv_unlock(&v, &b);
	assert_int_equal(piece(tdp_sptep(0, 2)), 0);
	assert_int_equal(piece(nv_sptep(&v, 0, 2)), 0);
	split_all();
	assert_int_equal(piece(tdp_sptep(FIRST, 1)), w);
	assert_int_equal(piece(nv_sptep(&v, 3 * MB2, 1)), w);
	end();
}

/* L1 has taken D, and so W, from its entry. */
static void test_l1_does_not_grant(void **state)
{
	(void)state;
	begin(DIRTY_DBIT, 2);
	nv_map(&v, MB2, FIRST, 2, L1_RO | L1_A);
	assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
	assert_int_equal(nv_level(&v, MB2), 2);
	log_on(DIRTY_PROTECT_ALL);
	split_all();
	assert_int_equal(piece(nv_sptep(&v, 0, 1)), w);
	assert_int_equal(piece(nv_sptep(&v, MB2, 1)) & w, 0);
	end();
}

/* One of the pages holds a table of L1's, which it began to use after L2's page was mapped. */
static void test_table_inside(void **state)
{
	u64 table = (FIRST + 7) * PAGE_SIZE, entry = FIRST * PAGE_SIZE | L1_RWX | L1_A | L1_D;

	(void)state;
	begin(DIRTY_DBIT, 2);
	nv_map(&v, 4 * MB2, FIRST, 1, L1_RWX | L1_A | L1_D); /* makes a table: replaced by ours */
	assert_int_equal(env_vcpu_write(&v.mmu, table, &entry, 8), FAULT_FIXED);
	nv_set_entry(&v, 4 * MB2, 2, table | L1_RWX | L1_A);
	nv_sync(&v);
	assert_int_equal(nv_level(&v, 0), 2);
	assert_int_equal(nv_read(&v, 4 * MB2), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0), 2);
	assert_true(v.slot->write_track[FIRST + 7]);
	log_on(DIRTY_PROTECT_ALL);
	split_all();
	assert_int_equal(piece(nv_sptep(&v, 0, 1)) & w, 0);
	end();
}

static void test_read_only_slot(void **state)
{
	const struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 48,
		.max_leaf_level = PG_LEVEL_1G,
		.dirty = DIRTY_DBIT,
	};
	u64 one;

	(void)state;
	nv_start(&v, PAGES, 2, &cfg);
	v.slot = env_slot(&v.mmu, 1, PAGES, PAGES, MEMSLOT_READONLY, 2);
	nv_use(&v);
	nv_map(&v, 0, PAGES, 2, L1_RWX | L1_A | L1_D);
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	assert_int_equal(env_vcpu_read(&v.mmu, PAGES * PAGE_SIZE, &one, 8), FAULT_FIXED);
	assert_int_equal(*nv_sptep(&v, 0, 2) & w, 0);
	log_on(DIRTY_PROTECT_ALL);
	v.mmu.cfg.eager_page_split = true;
	nv_lock(&v);
	assert_int_equal(split_range(&v.mmu, v.slot, PAGES, 2 * PAGES, &(struct flush_batch){0}),
			 0);
	nv_unlock(&v, &(struct flush_batch){0});
	assert_int_equal(piece(tdp_sptep(PAGES, 1)) & w, 0);
	assert_int_equal(piece(nv_sptep(&v, 0, 1)) & w, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_logged),   cmocka_unit_test(test_write_protection),
		cmocka_unit_test(test_dirty_bits),   cmocka_unit_test(test_all_is_dirty),
		cmocka_unit_test(test_1g),	     cmocka_unit_test(test_l1_does_not_grant),
		cmocka_unit_test(test_table_inside), cmocka_unit_test(test_read_only_slot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
