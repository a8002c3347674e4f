// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * The shadow tree while processors walk it: in no interleaving does an operation show a hole or a
 * right that was not there, nor leave one behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/nx_huge.h"
#include "mmu/reclaim.h"
#include "mmu/shadow_internal.h"
#include "tests/host/env_walks.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define GB1   LEVEL_SIZE(PG_LEVEL_1G)
#define PAGES (2 * LEVEL_PAGES(PG_LEVEL_1G))

static struct nested_vm v;
static int format;

/* L2's addresses: at 0 small pages, at 2M a large one, at 1G a largest one. */
static const u64 addrs[] = {0,	 0x1000,    0x1ff000,	     MB2, MB2 + 0x1000, 2 * MB2 - 0x1000,
			    GB1, GB1 + MB2, 2 * GB1 - 0x1000};

static void make(enum dirty_tracking dirty, bool nx_huge)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[format],
				       .maxphyaddr = 46,
				       .max_leaf_level = PG_LEVEL_1G,
				       .eager_page_split = true,
				       .nx_huge_pages = nx_huge,
				       .dirty = dirty,
				       .max_shadow_pages = 10000};

	nv_make(&v, PAGES, PG_LEVEL_1G, &cfg);
	for (u64 i = 0; i < 512; i++)
		nv_map(&v, i * PAGE_SIZE, 1024 + i, 1, L1_RWX | L1_A | L1_D);
	nv_map(&v, MB2, 2048, 2, L1_RWX | L1_A | L1_D);
	nv_map(&v, GB1, 0, 3, L1_RWX | L1_A | L1_D);
	walks_set_bits(3);
}

static void use_all(u64 error)
{
	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++)
		assert_int_equal(nv_access(&v, addrs[i], error, NULL, NULL), FAULT_FIXED);
}

static void begin(void)
{
	walks_begin(&v.mmu, MMU_TREE_NESTED, v.n.root->spt, addrs, ARRAY_SIZE(addrs));
}

static void end(void)
{
	assert_int_equal(walks_end(), 0);
	assert_true(walks_changes() > 0);
	assert_true(walks_found() > 0);
}

static void both(void (*test)(void))
{
	static const int formats[] = {PT_FMT_LONG4, PT_FMT_EPT4};

	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		format = formats[i];
		test();
		nv_check(&v);
		assert_int_equal(nv_end(&v), 0);
	}
}

/* --- faults ------------------------------------------------------------------------------- */

static void fill(void)
{
	make(DIRTY_WP, false);
	begin();
	use_all(0);
	use_all(PFERR_W);
	end();
	assert_int_equal(nv_level(&v, GB1), 3);
}

static void test_fill(void **state)
{
	(void)state;
	both(fill);
}

/* --- the log: split, armed, joined ---------------------------------------------------------- */

static void log_and_join(enum dirty_tracking dirty, enum dirty_log_mode mode)
{
	static u64 bits[PAGES / 64];

	make(dirty, false);
	use_all(PFERR_W);
	begin();
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, mode), 0);
	assert_int_equal(walks_end(), 0);
	begin();
	(void)dirty_log_read_clear(&v.mmu, v.slot, 0, PAGES, bits);
	assert_int_equal(walks_end(), 0);
	assert_int_equal(nv_level(&v, MB2), 1);
	begin();
	use_all(PFERR_W);
	assert_int_equal(walks_end(), 0);
	begin();
	dirty_log_sync(&v.mmu);
	(void)dirty_log_read_clear(&v.mmu, v.slot, 0, PAGES, bits);
	end();
	begin();
	dirty_log_disable(&v.mmu, v.slot);
	end();
	assert_int_equal(nv_level(&v, MB2), 2);
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

/*
 * Two addresses, one memory: the table that the second one's split needs is there already, with a
 * hole in it and a page that is read-only. What the huge page granted must not outlive the split.
 */
static void split_onto_an_existing_table(void)
{
	static const u64 other[] = {64 * GB1, 64 * GB1 + 0x7000, 64 * GB1 + 0x9000};
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos;

	make(DIRTY_WP, false);
	nv_map(&v, 64 * GB1, 2048, 2, L1_RWX | L1_A | L1_D);
	use_all(PFERR_W);
	assert_int_equal(nv_split(&v, 2048, 2048 + 512), 0);
	nv_lock(&v);
	shadow_wrprot_gfn(&v.mmu, v.slot, (gfn_t){2048 + 7}, &b);
	pos = shadow_pos(&v.mmu, nv_sp(&v, MB2, 1), 9);
	spte_set(&pos, 0, NULL, &b);
	nv_unlock(&v, &b);
	assert_int_equal(nv_write(&v, other[0], 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, other[0]), 2);
	walks_begin(&v.mmu, MMU_TREE_NESTED, v.n.root->spt, other, ARRAY_SIZE(other));
	assert_int_equal(nv_split(&v, 2048, 2048 + 512), 0);
	assert_int_equal(v.owed, BIT(MMU_TREE_NESTED));
	end();
	assert_ptr_equal(nv_sp(&v, MB2, 1), nv_sp(&v, other[0], 1));
}

static void test_split_onto_an_existing_table(void **state)
{
	(void)state;
	both(split_onto_an_existing_table);
}

/* --- L1 changes its tables ---------------------------------------------------------------- */

static void resync(void)
{
	make(DIRTY_WP, false);
	use_all(PFERR_W);
	/* Unmapped, another page, for reading only; and what is large, gone. */
	nv_set_entry(&v, 0, 1, 0);
	nv_set_entry(&v, 0x1000, 1, (1024 + 300) * PAGE_SIZE | L1_RWX | L1_A | L1_D);
	nv_set_entry(&v, 0x1ff000, 1, (1024 + 511) * PAGE_SIZE | L1_RO | L1_A);
	begin();
	nv_sync(&v);
	end();
	begin();
	nv_set_entry(&v, MB2, 2, 0);
	end();
	assert_int_equal(nv_level(&v, 0), 0);
	assert_int_equal(nv_level(&v, MB2), 0);
}

static void test_resync(void **state)
{
	(void)state;
	both(resync);
}

static void cut_off(void)
{
	make(DIRTY_DBIT, false);
	use_all(PFERR_W);
	v.mmu.shadow_step = 1;
	begin();
	nv_set_entry(&v, 0, 3, 0);
	nv_set_entry(&v, GB1, 3, 0);
	end();
	assert_int_equal(nv_level(&v, 0), 0);
}

static void test_upper_tables_cut_off(void **state)
{
	(void)state;
	both(cut_off);
}

/* --- pages that go ------------------------------------------------------------------------ */

static void zap(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	make(DIRTY_WP, false);
	use_all(PFERR_W);
	begin();
	nv_lock(&v);
	shadow_zap_range(&v.mmu, v.slot, 0, PAGES, &b);
	nv_unlock(&v, &b);
	end();
	use_all(PFERR_W);
	begin();
	(void)mmu_reclaim(&v.mmu, 1000);
	end();
	assert_int_equal(nv_level(&v, 0), 0);
}

static void test_zap_and_reclaim(void **state)
{
	(void)state;
	both(zap);
}

static void nx(void)
{
	make(DIRTY_WP, true);
	use_all(PFERR_W);
	begin();
	use_all(PFERR_I);
	end();
	assert_int_equal(nv_level(&v, MB2), 1);
	begin();
	mmu_nx_recover(&v.mmu, 1000);
	end();
}

static void test_nx_huge_pages(void **state)
{
	(void)state;
	both(nx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_split_onto_an_existing_table),
		cmocka_unit_test(test_resync),
		cmocka_unit_test(test_upper_tables_cut_off),
		cmocka_unit_test(test_zap_and_reclaim),
		cmocka_unit_test(test_nx_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
