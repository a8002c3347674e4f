// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/tdp_vm.o */
/*
 * The dirty log by dirty bits, in the TDP tree: no write costs a fault, and none is missing in what
 * a scan brings, whatever the processor does at the same time.
 */
#include "tests/host/dirty_bits.h"

/* Once mapped, a page costs no fault any more, and each round has what was written in it. */
static void test_writes_take_no_fault(void **state)
{
	u64 before, pages = 4 * PAGES_2M;

	(void)state;
	setup(0, pages, 2);
	for (u64 i = 0; i < pages; i += PAGES_2M)
		write_page(i, 1);
	enable(DIRTY_PROTECT_ALL);
	assert_int_equal(tdp_leaves(1), pages);
	check();
	assert_int_equal(sync_and_read(), 0);
	before = faults();
	for (u64 round = 1; round < 4; round++) {
		u64 n = 0;

		for (u64 i = round; i < pages; i += 7 * round, n++)
			write_page(i, round);
		assert_int_equal(dirty_log_count(&mmu, slot), 0);
		assert_int_equal(sync_and_read(), n);
		for (u64 i = 0; i < pages; i++)
			assert_int_equal(bitmap_test(out, i),
					 i >= round && (i - round) % (7 * round) == 0);
		check();
		assert_int_equal(sync_and_read(), 0);
	}
	assert_int_equal(faults(), before);
	assert_int_equal(mmu.stats.dirty_faults, 0);
	vm_end();
}

/* Reading makes no page dirty, however it comes to be mapped. */
static void test_reads_stay_clean(void **state)
{
	(void)state;
	setup(0, PAGES_2M, 2);
	read_page(1);
	enable(DIRTY_PROTECT_ALL);
	for (u64 i = 0; i < PAGES_2M; i += 3)
		read_page(i);
	assert_int_equal(sync_and_read(), 0);
	dirty_log_disable(&mmu, slot);
	vm_end();
}

/*
 * Clear D, flush, then read: whoever holds a translation with D would write unseen. By the time
 * that bits are given out nobody holds one.
 */
static u64 in_flush;
static void write_in_flush(struct mmu *m, u32 trees)
{
	u64 value = 77;

	(void)trees;
	if (in_flush-- == 1)
		assert_true(env_vcpu_try_write(m, 5 << PAGE_SHIFT, &value, sizeof(value)));
}

static void test_flush_before_reading(void **state)
{
	(void)state;
	setup(0, PAGES_2M, 1);
	read_page(9);
	enable(DIRTY_PROTECT_ALL);
	write_page(5, 1);
	assert_true(leaf_dirty(5));
	/* The write that slips in before the flush uses the old D: in the page, not in the table.
	 */
	in_flush = 1;
	env_on_flush = write_in_flush;
	dirty_log_sync(&mmu);
	assert_int_equal(in_flush, 0);
	env_on_flush = NULL;
	check();
	assert_false(leaf_dirty(5));
	assert_int_equal(read_all(), 1);
	assert_int_equal(out[0], BIT(5));
	/* From then on D must be set anew. */
	write_page(5, 2);
	assert_true(leaf_dirty(5));
	assert_int_equal(sync_and_read(), 1);
	vm_end();
}

/* Written again after the scan and before its bit is taken: it is sent once. */
static void test_written_before_its_bit_is_taken(void **state)
{
	(void)state;
	setup(0, PAGES_2M, 1);
	for (u64 i = 5; i < 8; i++)
		read_page(i);
	enable(DIRTY_PROTECT_ALL);
	write_page(5, 1);
	write_page(6, 1);
	dirty_log_sync(&mmu);
	write_page(5, 2);
	write_page(7, 2);
	assert_int_equal(read_all(), 2);
	assert_int_equal(out[0], BIT(5) | BIT(6));
	assert_false(leaf_dirty(5));
	assert_true(leaf_dirty(7));
	check();
	assert_int_equal(sync_and_read(), 1);
	assert_int_equal(out[0], BIT(7));
	vm_end();
}

/* While the scan is at one entry the processor sets D in others, in front and behind. */
static u64 *table;
static void write_around(u64 *p, u64 old, u64 new)
{
	(void)old;
	(void)new;
	if (p != &table[30])
		return;
	env_before_cmpxchg = NULL;
	for (int i = 20; i < 40; i += 2)
		env_hw_set(&table[i], dbit.fmt->dirty);
}

static void test_written_while_scanned(void **state)
{
	int level;

	(void)state;
	setup(0, PAGES_2M, 1);
	enable(DIRTY_PROTECT_ALL);
	for (u64 i = 0; i < 64; i++)
		read_page(i);
	table = leaf_of(0, &level);
	for (u64 i = 25; i < 36; i += 5)
		env_hw_set(&table[i], dbit.fmt->dirty);
	env_before_cmpxchg = write_around;
	assert_int_equal(sync_and_read(), 2 + 1 + 4);
	assert_int_equal(out[0],
			 BIT(25) | BIT(30) | BIT(35) | BIT(32) | BIT(34) | BIT(36) | BIT(38));
	assert_int_equal(sync_and_read(), 5);
	assert_int_equal(out[0], BIT(20) | BIT(22) | BIT(24) | BIT(26) | BIT(28));
	assert_int_equal(sync_and_read(), 0);
	vm_end();
}

/* Nothing is logged, or writes fault: then there is nothing to do and to flush. */
static void test_nothing_to_sync(void **state)
{
	struct mmu_config wp = dbit;
	u64 flushes;

	(void)state;
	setup(0, PAGES_2M, 1);
	write_page(1, 1);
	dirty_log_sync(&mmu);
	assert_int_equal(env_flushes(3), 0);
	assert_true(leaf_dirty(1));
	vm_end();
	wp.dirty = DIRTY_WP;
	slot = vm(&wp, 0, PAGES_2M, 1);
	enable(DIRTY_PROTECT_ALL);
	write_page(1, 1);
	flushes = env_flushes(3);
	dirty_log_sync(&mmu);
	assert_int_equal(env_flushes(3), flushes);
	assert_int_equal(mmu.stats.dirty_tables_scanned, 0);
	assert_int_equal(read_all(), 1);
	vm_end();
}

/* Not split eagerly: a huge page faults once, and never again in any of its pages. */
static void test_lazy_split(void **state)
{
	u64 before;

	(void)state;
	setup(0, 2 * PAGES_2M, 2);
	mmu.cfg.eager_page_split = false;
	write_page(3, 1);
	write_page(PAGES_2M, 1);
	enable(DIRTY_PROTECT_ALL);
	assert_false(writable(3));
	check();
	before = faults();
	write_page(4, 1);
	assert_int_equal(level_of(4), 1);
	for (u64 i = 0; i < PAGES_2M; i += 5)
		write_page(i, 1);
	assert_int_equal(sync_and_read(), (PAGES_2M + 4) / 5 + 1);
	check();
	for (u64 i = 0; i < PAGES_2M; i++)
		write_page(i, 1);
	assert_int_equal(faults(), before + 1);
	assert_int_equal(sync_and_read(), PAGES_2M);
	assert_int_equal(level_of(PAGES_2M), 2);
	vm_end();
}

/* No memory to split with: all of the huge page counts as dirty, and becomes read-only with it. */
static void test_no_memory_to_split(void **state)
{
	(void)state;
	setup(0, 2 * PAGES_2M, 2);
	write_page(3, 1);
	env_fail_from(2);
	enable(DIRTY_PROTECT_ALL);
	assert_int_equal(level_of(3), 2);
	check();
	write_page(7, 2);
	assert_int_equal(level_of(3), 2);
	assert_true(writable(7));
	assert_int_equal(sync_and_read(), PAGES_2M);
	assert_false(writable(7));
	check();
	write_page(9, 3);
	assert_int_equal(sync_and_read(), PAGES_2M);
	env_fail_from(0);
	write_page(11, 4);
	assert_int_equal(level_of(3), 1);
	assert_int_equal(sync_and_read(), 1);
	vm_end();
}

/*
 * All bits are set at the start. What is cleared is split, and made clean: D from before that may
 * be below a table that no scan looks into.
 */
static void test_initially_set(void **state)
{
	u64 before;

	(void)state;
	setup(0, 2 * PAGES_2M, 2);
	write_page(0, 1);
	write_page(PAGES_2M, 1);
	enable(DIRTY_INITIALLY_SET);
	check();
	write_page(100, 2);
	assert_int_equal(level_of(100), 2);
	dirty_log_sync(&mmu);
	assert_int_equal(dirty_log_count(&mmu, slot), 2 * PAGES_2M);
	assert_int_equal(dirty_log_read_clear(&mmu, slot, 64, 128, out), 128);
	assert_int_equal(level_of(100), 1);
	assert_int_equal(level_of(PAGES_2M), 2);
	assert_false(leaf_dirty(100));
	check();
	before = faults();
	write_page(100, 3);
	write_page(300, 3);
	assert_int_equal(faults(), before);
	dirty_log_sync(&mmu);
	check();
	assert_int_equal(dirty_log_read_clear(&mmu, slot, 64, 128, out), 1);
	assert_int_equal(out[0], BIT(36));
	assert_int_equal(sync_and_read(), 2 * PAGES_2M - 128);
	check();
	write_page(PAGES_2M + 5, 4);
	assert_int_equal(sync_and_read(), 1);
	vm_end();
}

/* Turned off and on: what was written in between is not in the log, what comes then is. */
static void test_off_and_on(void **state)
{
	(void)state;
	setup(0, 2 * PAGES_2M, 2);
	write_page(0, 1);
	for (int round = 0; round < 3; round++) {
		enable(DIRTY_PROTECT_ALL);
		assert_int_equal(sync_and_read(), 0);
		write_page(7, 1);
		assert_int_equal(sync_and_read(), 1);
		write_page(8, 1);
		dirty_log_disable(&mmu, slot);
		assert_int_equal(level_of(8), 2);
		write_page(9, 1);
		check();
	}
	vm_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_writes_take_no_fault),
		cmocka_unit_test(test_reads_stay_clean),
		cmocka_unit_test(test_flush_before_reading),
		cmocka_unit_test(test_written_before_its_bit_is_taken),
		cmocka_unit_test(test_written_while_scanned),
		cmocka_unit_test(test_nothing_to_sync),
		cmocka_unit_test(test_lazy_split),
		cmocka_unit_test(test_no_memory_to_split),
		cmocka_unit_test(test_initially_set),
		cmocka_unit_test(test_off_and_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
