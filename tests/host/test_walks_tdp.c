// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/tdp_vm.o */
/*
 * The TDP tree while processors walk it: in no interleaving does an operation show a hole or a
 * right that was not there, nor leave one behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/pt_walk.h"
#include "mmu/split.h"
#include "tests/host/env_walks.h"
#include "tests/host/tdp_vm.h"

static struct memslot *slot;
static int format;

/* Pages at both ends of small, large and largest pages, and the same in the next ones. */
static const u64 gfns[] = {
	0, 1, 511, 512, 1023, PAGES_1G - 1, PAGES_1G, PAGES_1G + 511, PAGES_1G + 512};

static void make(enum dirty_tracking dirty, bool nx_huge)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[format],
				       .maxphyaddr = 46,
				       .max_leaf_level = PG_LEVEL_1G,
				       .eager_page_split = true,
				       .nx_huge_pages = nx_huge,
				       .dirty = dirty};

	slot = vm(&cfg, 0, 2 * PAGES_1G, PG_LEVEL_1G);
	walks_set_bits(3);
}

static void begin(void)
{
	u64 addrs[ARRAY_SIZE(gfns)];

	for (size_t i = 0; i < ARRAY_SIZE(gfns); i++)
		addrs[i] = gfns[i] * PAGE_SIZE;
	walks_begin(&mmu, MMU_TREE_TDP, mmu.tdp_root, addrs, ARRAY_SIZE(gfns));
}

/* What takes place was seen, and by walks that found more than one thing each. */
static void end(void)
{
	assert_int_equal(walks_end(), 0);
	assert_true(walks_changes() > 0);
	assert_true(walks_found() >= ARRAY_SIZE(gfns));
}

static void map_all(u64 error)
{
	for (size_t i = 0; i < ARRAY_SIZE(gfns); i++)
		(void)fault(gfns[i], error);
}

static void both(void (*test)(void))
{
	static const int formats[] = {PT_FMT_LONG4, PT_FMT_EPT4};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		format = formats[i];
		test();
		vm_end();
	}
}

/* --- faults ------------------------------------------------------------------------------- */

static void map_with_walks(void)
{
	make(DIRTY_WP, false);
	begin();
	map_all(PFERR_W);
	end();
}

static void test_map(void **state)
{
	(void)state;
	both(map_with_walks);
}

static void map_around_a_tracked_page(void)
{
	make(DIRTY_WP, false);
	/* Small pages in the first 2M, large ones besides. */
	slot->disallow_lpage[0][0]++;
	slot->disallow_lpage[1][0]++;
	begin();
	map_all(PFERR_W);
	end();
	assert_int_equal(level_of(0), 1);
	assert_int_equal(level_of(512), 2);
	slot->disallow_lpage[0][0]--;
	slot->disallow_lpage[1][0]--;
}

static void test_map_small(void **state)
{
	(void)state;
	both(map_around_a_tracked_page);
}

/* --- the log ------------------------------------------------------------------------------ */

static void log_and_join(enum dirty_tracking dirty, enum dirty_log_mode mode)
{
	u64 bits[PAGES_1G / 64];

	make(dirty, false);
	map_all(PFERR_W);
	assert_int_equal(level_of(0), 3);
	begin();
	assert_int_equal(dirty_log_enable(&mmu, slot, mode), 0);
	if (mode == DIRTY_PROTECT_ALL) /* else nothing happens yet */
		end();
	else
		assert_int_equal(walks_end(), 0);
	begin();
	(void)dirty_log_read_clear(&mmu, slot, 0, PAGES_1G, bits);
	assert_int_equal(walks_end(), 0);
	assert_int_equal(level_of(0), 1);
	begin();
	map_all(PFERR_W);
	assert_int_equal(walks_end(), 0);
	begin();
	dirty_log_sync(&mmu);
	(void)dirty_log_read_clear(&mmu, slot, 0, PAGES_1G, bits);
	end();
	begin();
	dirty_log_disable(&mmu, slot);
	end();
	assert_int_equal(level_of(0), 3);
}

static void log_wp(void)
{
	log_and_join(DIRTY_WP, DIRTY_PROTECT_ALL);
}

static void log_wp_on_clear(void)
{
	log_and_join(DIRTY_WP, DIRTY_INITIALLY_SET);
}

static void log_dbit(void)
{
	log_and_join(DIRTY_DBIT, DIRTY_PROTECT_ALL);
}

static void log_dbit_on_clear(void)
{
	log_and_join(DIRTY_DBIT, DIRTY_INITIALLY_SET);
}

static void test_log(void **state)
{
	(void)state;
	both(log_wp);
	both(log_wp_on_clear);
	both(log_dbit);
	both(log_dbit_on_clear);
}

/* A write splits what was not split eagerly. */
static void split_by_fault(void)
{
	make(DIRTY_WP, false);
	map_all(PFERR_W);
	mmu.cfg.eager_page_split = false;
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	begin();
	map_all(PFERR_W);
	end();
	assert_int_equal(level_of(0), 1);
	dirty_log_disable(&mmu, slot);
}

static void test_split_by_fault(void **state)
{
	(void)state;
	both(split_by_fault);
}

/* --- pages that go ------------------------------------------------------------------------ */

static void zap(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	make(DIRTY_WP, false);
	map_all(PFERR_W);
	begin();
	lock_all();
	tdp_zap_range(&mmu, 0, 2 * PAGES_1G, &b);
	unlock_all(&b);
	end();
	assert_int_equal(level_of(0), 0);
}

static void test_zap(void **state)
{
	(void)state;
	both(zap);
}

/* Executed, a page becomes small; recovered, it is huge again, and may not be executed. */
static void nx(void)
{
	make(DIRTY_WP, true);
	map_all(PFERR_W);
	begin();
	assert_int_equal(fault(1, PFERR_I), FAULT_FIXED);
	end();
	assert_int_equal(level_of(1), 1);
	begin();
	mmu_nx_recover(&mmu, 1000);
	end();
	assert_true(level_of(1) > 1);
}

static void test_nx_huge_pages(void **state)
{
	(void)state;
	both(nx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map), cmocka_unit_test(test_map_small),
		cmocka_unit_test(test_log), cmocka_unit_test(test_split_by_fault),
		cmocka_unit_test(test_zap), cmocka_unit_test(test_nx_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
