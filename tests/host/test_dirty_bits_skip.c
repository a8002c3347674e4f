// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/tdp_vm.o */
/*
 * What a scan for dirty bits may skip in the TDP tree, and what it may not, although no accessed
 * bit tells: a processor that has cached an entry sets A in it no more.
 */
#include "tests/host/dirty_bits.h"

#define TABLES 8 /* of 4K leaves, all below one entry of level 3 */
#define ALL    (TABLES * PAGES_2M)

/* All is mapped at 4K and nobody has used it since it was made clean. */
static void start(void)
{
	setup(0, ALL, 1);
	for (u64 gfn = 0; gfn < ALL; gfn++)
		read_page(gfn);
	enable(DIRTY_PROTECT_ALL);
}

/* A scan; how many tables it looked through, and how many it skipped with all below. */
static u64 scanned, skipped;
static void scan(void)
{
	u64 s = mmu.stats.dirty_tables_scanned, k = mmu.stats.dirty_tables_skipped;

	dirty_log_sync(&mmu);
	scanned = mmu.stats.dirty_tables_scanned - s;
	skipped = mmu.stats.dirty_tables_skipped - k;
	check();
}

static void expect(u64 gfn)
{
	assert_int_equal(read_all(), 1);
	assert_true(bitmap_test(out, gfn));
}

/* Nothing is used any more, and that is known. */
static void cool(void)
{
	for (int i = 0; i < 3; i++)
		scan();
	assert_int_equal(scanned, 0);
	assert_int_equal(skipped, 1);
}

/* The entry of @level above @gfn. */
static u64 *entry_above(u64 gfn, int level)
{
	struct tdp_iter it;

	tdp_for_each (it, &mmu, level, gfn, gfn + 1)
		if (it.level == level)
			return it.sptep;
	return NULL;
}

/* Two scans look at what is not used any more, the third one does not. */
static void test_what_is_looked_at(void **state)
{
	(void)state;
	start();
	scan();
	assert_int_equal(scanned, TABLES);
	assert_int_equal(skipped, 0);
	scan();
	assert_int_equal(scanned, TABLES);
	scan();
	assert_int_equal(scanned, 0);
	assert_int_equal(skipped, 1);
	/* One table is used: the others stay out of it. */
	write_page(3 * PAGES_2M + 5, 1);
	for (int i = 0; i < 2; i++) {
		scan();
		assert_int_equal(scanned, 1);
		assert_int_equal(skipped, TABLES - 1);
	}
	expect(3 * PAGES_2M + 5);
	cool();
	/* Reading warms as well: A says nothing about who writes. */
	read_page(9);
	scan();
	assert_int_equal(scanned, 1);
	cool();
	vm_end();
}

/* Between clearing A and the flush a write goes through a cached entry: A stays clear. */
static u64 late_gfn, late_value;
static void write_in_flush(struct mmu *m, u32 trees)
{
	(void)trees;
	env_on_flush = NULL;
	assert_true(env_vcpu_try_write(m, late_gfn << PAGE_SHIFT, &late_value, 8));
}

static void late_write(u64 gfn)
{
	late_gfn = gfn;
	late_value++;
	env_on_flush = write_in_flush;
}

static void test_written_before_the_flush(void **state)
{
	(void)state;
	start();
	/* Warm for the first time, and again after it was cold: COLD must not be left from before.
	 */
	for (int round = 0; round < 2; round++) {
		u64 gfn = 2 * PAGES_2M + 7;

		read_page(gfn + 1);
		late_write(gfn);
		scan();
		assert_null(env_on_flush);
		assert_int_equal(*entry_above(gfn, 2) & dbit.fmt->accessed, 0);
		assert_int_equal(dirty_log_count(&mmu, slot), 0);
		scan();
		expect(gfn);
		cool();
	}
	vm_end();
}

/* The same one level up: the entry of level 2 was not in use, but the one above it was cached. */
static void test_written_before_the_flush_higher_up(void **state)
{
	(void)state;
	start();
	cool();
	read_page(5);
	late_write(3 * PAGES_2M);
	scan();
	scan();
	expect(3 * PAGES_2M);
	vm_end();
}

/* Only A was cleared, no D: that alone owes a flush, or nobody would set A again. */
static void test_clearing_a_owes_a_flush(void **state)
{
	u64 flushes;

	(void)state;
	start();
	cool();
	flushes = env_flushes(BIT(MMU_TREE_TDP));
	read_page(5);
	scan();
	assert_int_equal(env_flushes(BIT(MMU_TREE_TDP)), flushes + 1);
	scan();
	scan();
	assert_int_equal(scanned, 0);
	/* Setting COLD takes nothing from anybody. */
	assert_int_equal(env_flushes(BIT(MMU_TREE_TDP)), flushes + 1);
	write_page(6, 1);
	scan();
	expect(6);
	vm_end();
}

/* The processor sets A just when the scan is about to say that nobody was here. */
static u64 *raced;
static void use_before(u64 *p, u64 old, u64 new)
{
	(void)old;
	if (p != raced || !(new &SPTE_COLD))
		return;
	env_before_cmpxchg = NULL;
	for (int level = 4; level >= 2; level--)
		env_hw_set(entry_above(PAGES_2M, level), dbit.fmt->accessed);
}

static void test_used_while_it_is_judged(void **state)
{
	(void)state;
	start();
	scan();
	raced = entry_above(PAGES_2M, 2);
	env_before_cmpxchg = use_before;
	scan();
	assert_null(env_before_cmpxchg);
	assert_int_equal(*raced & (SPTE_COLD | dbit.fmt->accessed), 0);
	scan();
	assert_int_equal(scanned, 1);
	cool();
	vm_end();
}

/* The entry is judged cold, and then, before its leaves are looked at, somebody comes and writes.
 */
static void write_after(u64 *p, u64 old, u64 new)
{
	(void)old;
	if (p != raced || !(new &SPTE_COLD))
		return;
	env_on_change = NULL;
	write_page(PAGES_2M + 9, 1);
}

static void test_written_when_it_is_judged(void **state)
{
	(void)state;
	start();
	scan();
	raced = entry_above(PAGES_2M, 2);
	env_on_change = write_after;
	/* D is taken, so who has it cached must forget it, although no A was cleared. */
	scan();
	assert_null(env_on_change);
	expect(PAGES_2M + 9);
	write_page(PAGES_2M + 9, 2);
	scan();
	expect(PAGES_2M + 9);
	cool();
	vm_end();
}

/* The lock is dropped within a scan: what was judged before is not judged again on the way back. */
static u64 rests, rest_at;
static void on_rest(void)
{
	rests++;
}

static void write_at_rest(struct mmu *m, u32 trees)
{
	(void)trees;
	/* The first table was scanned; the flush is paid as the lock is about to be dropped. */
	if (!rest_at || --rest_at)
		return;
	assert_true(env_vcpu_try_write(m, late_gfn << PAGE_SHIFT, &late_value, 8));
}

static void test_lock_dropped_within_a_scan(void **state)
{
	(void)state;
	for (u64 at = 1; at < TABLES; at++) {
		start();
		cool();
		for (u64 t = 0; t < TABLES; t++)
			read_page(t * PAGES_2M);
		late_gfn = 0;
		rests = 0;
		rest_at = at;
		env_contend_after(1);
		env_on_resched = on_rest;
		env_on_flush = write_at_rest;
		scan();
		assert_true(rests >= TABLES);
		assert_int_equal(scanned, TABLES);
		env_on_flush = NULL;
		env_contend_after(0);
		scan();
		expect(0);
		vm_end();
	}
}

/* Others split and map while the lock is dropped: the scan goes on where it was. */
static void split_more(void)
{
	rests++;
	write_page(rests % TABLES * PAGES_2M + rests, 1);
}

static void test_tables_come_within_a_scan(void **state)
{
	u64 n = 0;

	(void)state;
	setup(0, ALL, 2);
	mmu.cfg.eager_page_split = false;
	for (u64 t = 0; t < TABLES; t += 2)
		write_page(t * PAGES_2M, 1);
	enable(DIRTY_PROTECT_ALL);
	write_page(0, 1);
	rests = 0;
	for (int round = 0; round < 6; round++) {
		env_contend_after(1);
		env_on_resched = split_more;
		scan();
		env_contend_after(0);
		scan();
		n += read_all();
	}
	assert_true(rests > 20);
	/* Page 0 and, for each rest, another one. */
	assert_int_equal(n, rests + 1);
	vm_end();
}

/*
 * D from before logging, where no A tells of it: what faulted in below a cold entry while the slot
 * was not logged. It is not in the log, and whoever has it cached has to set it anew.
 */
static void test_dirty_from_before(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 gfn = PAGES_2M + 3;

	(void)state;
	start();
	lock_all();
	tdp_zap_range(&mmu, gfn, gfn + 1, &b);
	unlock_all(&b);
	cool();
	dirty_log_disable(&mmu, slot);
	/* The fault makes the leaf with D, but nobody comes to write. */
	assert_int_equal(fault(gfn, PFERR_W), FAULT_FIXED);
	enable(DIRTY_PROTECT_ALL);
	scan();
	assert_int_equal(read_all(), 0);
	write_page(gfn, 1);
	scan();
	expect(gfn);
	vm_end();
}

/* The same where no bit is taken at the start: it is when the log is read. */
static void test_dirty_from_before_initially_set(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 gfn = PAGES_2M + 3;

	(void)state;
	start();
	lock_all();
	tdp_zap_range(&mmu, gfn, gfn + 1, &b);
	unlock_all(&b);
	cool();
	dirty_log_disable(&mmu, slot);
	assert_int_equal(fault(gfn, PFERR_W), FAULT_FIXED);
	enable(DIRTY_INITIALLY_SET);
	scan();
	assert_int_equal(read_all(), ALL);
	scan();
	assert_int_equal(read_all(), 0);
	write_page(gfn, 1);
	scan();
	expect(gfn);
	vm_end();
}

/* The audit sees D where no scan looks, and only there. */
static void test_audit(void **state)
{
	u64 *leaf;
	int level;

	(void)state;
	start();
	cool();
	leaf = leaf_of(PAGES_2M + 3, &level);
	env_hw_set(leaf, dbit.fmt->dirty);
	env_quiet = true;
	assert_int_equal(mmu_audit(&mmu, &audit), 1);
	env_hw_set(entry_above(PAGES_2M + 3, 2), dbit.fmt->accessed);
	assert_int_equal(mmu_audit(&mmu, &audit), 1);
	env_hw_set(entry_above(PAGES_2M + 3, 3), dbit.fmt->accessed);
	env_hw_set(entry_above(PAGES_2M + 3, 4), dbit.fmt->accessed);
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	env_quiet = false;
	vm_end();
}

/* EPT has other bits in other places. */
static void test_ept(void **state)
{
	struct mmu_config cfg = dbit;

	(void)state;
	cfg.fmt = &pt_formats[PT_FMT_EPT4];
	slot = vm(&cfg, 0, ALL, 2);
	for (u64 t = 0; t < TABLES; t++)
		write_page(t * PAGES_2M, 1);
	enable(DIRTY_PROTECT_ALL);
	cool();
	for (u64 gfn = 0; gfn < ALL; gfn += 100) {
		write_page(gfn, 2);
		scan();
		assert_true(scanned <= 3);
		expect(gfn);
	}
	cool();
	vm_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_looked_at),
		cmocka_unit_test(test_written_before_the_flush),
		cmocka_unit_test(test_written_before_the_flush_higher_up),
		cmocka_unit_test(test_clearing_a_owes_a_flush),
		cmocka_unit_test(test_used_while_it_is_judged),
		cmocka_unit_test(test_written_when_it_is_judged),
		cmocka_unit_test(test_lock_dropped_within_a_scan),
		cmocka_unit_test(test_tables_come_within_a_scan),
		cmocka_unit_test(test_dirty_from_before),
		cmocka_unit_test(test_dirty_from_before_initially_set),
		cmocka_unit_test(test_audit),
		cmocka_unit_test(test_ept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
