// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Every operation of the MMU with its first, second, third... allocation failing, and with all of
 * them failing from there on, until it needs no more: each time the tables satisfy the audit, L1
 * and L2 reach exactly what they should, the log has what was written, and in the end nothing
 * leaks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/dirty_log.h"
#include "mmu/guest_mem.h"
#include "mmu/nx_huge.h"
#include "mmu/reclaim.h"
#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2    LEVEL_SIZE(PG_LEVEL_2M)
#define GB1    LEVEL_SIZE(PG_LEVEL_1G)
#define NPAGES (16 * LEVEL_PAGES(PG_LEVEL_2M))
#define FIRST  1024 /* gfns of what L2 has */
#define TRIES  3000

static struct nested_vm v;

/* What an operation begins with. */
enum before {
	FRESH,	    /* nothing is mapped */
	USED,	    /* L1 and L2 have written everything */
	LOGGED,	    /* and the log is on */
	LOGGED_SET, /* ...with all bits set at first */
	OFF_SYNC,   /* L1 has changed its last tables since */
};

struct operation {
	const char *name;
	int (*run)(void); /* 0, a fault result, or -errno */
	enum before before;
	enum dirty_tracking dirty;
	bool nx;
	bool may_fail; /* -ENOMEM is an answer; else it does without */
};

/* --- L1 and L2 ------------------------------------------------------------------------------ */

static const u64 l2_pages[] = {0, 0x1000, 0x1ff000, MB2, MB2 + 0x5000, 64 * GB1, 64 * GB1 + 0x3000};
static const u64 l2_gfns[] = {FIRST,	   FIRST + 1,	FIRST + 511, FIRST + 512,
			      FIRST + 517, FIRST + 512, FIRST + 515};
static const u64 l1_pages[] = {0, 0x3000, FIRST *PAGE_SIZE, 10 * MB2};

static void l1_maps(void)
{
	for (u64 i = 0; i < 512; i++)
		nv_map(&v, i * PAGE_SIZE, FIRST + i, 1, L1_RWX | L1_A | L1_D);
	nv_map(&v, MB2, FIRST + 512, 2, L1_RWX | L1_A | L1_D);
	nv_map(&v, 64 * GB1, FIRST + 512, 2, L1_RWX | L1_A | L1_D);
}

/* The first that fails says how. */
static int use_all(void)
{
	u64 one = 1;

	for (size_t i = 0; i < ARRAY_SIZE(l2_pages); i++) {
		int r = nv_write(&v, l2_pages[i], i);

		if (r != FAULT_FIXED)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(l1_pages); i++) {
		int r = env_vcpu_write(&v.mmu, l1_pages[i], &one, sizeof(one));

		if (r != FAULT_FIXED)
			return r;
	}
	return 0;
}

static int use_from_cold(void)
{
	int r;

	/* Not what the vCPU has kept: each fault takes what it needs now. */
	mmu_caches_free(&v.n.caches);
	r = use_all();
	return r < 0 ? -ENOMEM : r;
}

/* Where there is memory again, all is as it should be. */
static void check_all(void)
{
	nv_check(&v);
	assert_int_equal(use_all(), 0);
	for (size_t i = 0; i < ARRAY_SIZE(l2_pages); i++) {
		void *va = NULL;

		assert_int_equal(nv_access(&v, l2_pages[i], 0, &va, NULL), FAULT_FIXED);
		assert_ptr_equal((char *)va - l2_pages[i] % PAGE_SIZE,
				 nv_va(&v, l2_gfns[i] * PAGE_SIZE));
	}
	nv_check(&v);
}

/* --- the operations ------------------------------------------------------------------------- */

static int log_on(void)
{
	return dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL);
}

static int log_on_all_set(void)
{
	return dirty_log_enable(&v.mmu, v.slot, DIRTY_INITIALLY_SET);
}

/* What could not be split is split by the write, or all of it is marked. */
static int log_on_and_write(void)
{
	int r = log_on();

	return r ? r : use_from_cold();
}

/* What was written before is in the bits, whatever could not be split. */
static int read_log(void)
{
	static u64 bits[NPAGES / 64];

	(void)use_from_cold();
	dirty_log_sync(&v.mmu);
	(void)dirty_log_read_clear(&v.mmu, v.slot, 0, NPAGES, bits);
	return 0;
}

static int log_off(void)
{
	dirty_log_disable(&v.mmu, v.slot);
	return 0;
}

static int split(void)
{
	int r = nv_split(&v, 0, NPAGES);

	return r == -ENOSPC ? 0 : r;
}

static int load_other_root(void)
{
	struct nested_mmu other = {0};
	gpa_t root = {nv_table(&v)};
	int r = nested_mmu_load(&v.mmu, &other, &v.mode, root, true);

	nested_mmu_free(&v.mmu, &other);
	return r;
}

static int sync_root(void)
{
	return nested_mmu_load(&v.mmu, &v.n, &v.mode, v.root, true);
}

static int fetch(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(l2_pages); i++)
		if (nv_fetch(&v, l2_pages[i]) == -ENOMEM)
			return -ENOMEM;
	return 0;
}

static int recover_nx(void)
{
	int r = fetch();

	mmu_nx_recover(&v.mmu, 1000);
	return r;
}

static int reclaim(void)
{
	(void)mmu_reclaim(&v.mmu, 5);
	return use_from_cold();
}

static int zap_and_fault(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	nv_lock(&v);
	shadow_zap_all(&v.mmu, &b);
	nv_unlock(&v, &b);
	return use_from_cold();
}

/* L1 stores to a table that is shadowed, L0 stores there for it. */
static int store_entries(void)
{
	u64 gpa = nv_entry_gpa(&v, v.root, MB2, 2), entry = nv_entry(&v, MB2, 2);
	int r = guest_write_entry(&v.mmu, (gpa_t){gpa}, 0, 8);

	assert_int_equal(r, 0);
	assert_int_equal(guest_write_entry(&v.mmu, (gpa_t){gpa}, entry, 8), 0);
	return use_from_cold();
}

static int switch_eager(void)
{
	mmu_set_eager_split(&v.mmu, false);
	mmu_set_eager_split(&v.mmu, true);
	return log_on();
}

static const struct operation operations[] = {
	{"first faults", use_from_cold, FRESH, DIRTY_WP, false, true},
	{"first faults, nothing huge executable", use_from_cold, FRESH, DIRTY_WP, true, true},
	{"fetches", fetch, USED, DIRTY_WP, true, true},
	{"fetches and recovery", recover_nx, USED, DIRTY_WP, true, true},
	{"log on, wp", log_on, USED, DIRTY_WP, false, true},
	{"log on, dbit", log_on, USED, DIRTY_DBIT, false, true},
	{"log on all set, wp", log_on_all_set, USED, DIRTY_WP, false, true},
	{"log on all set, dbit", log_on_all_set, USED, DIRTY_DBIT, false, true},
	{"log on, eager switched", switch_eager, USED, DIRTY_DBIT, false, true},
	{"log on and writes, wp", log_on_and_write, USED, DIRTY_WP, false, true},
	{"log on and writes, dbit", log_on_and_write, USED, DIRTY_DBIT, false, true},
	{"writes under the log, wp", use_from_cold, LOGGED, DIRTY_WP, false, true},
	{"writes under the log, dbit", use_from_cold, LOGGED, DIRTY_DBIT, false, true},
	{"writes under the log all set, wp", use_from_cold, LOGGED_SET, DIRTY_WP, false, true},
	{"clear, wp", read_log, LOGGED, DIRTY_WP, false, false},
	{"clear, dbit", read_log, LOGGED, DIRTY_DBIT, false, false},
	{"clear with splits, wp", read_log, LOGGED_SET, DIRTY_WP, false, false},
	{"clear with splits, dbit", read_log, LOGGED_SET, DIRTY_DBIT, false, false},
	{"log off, wp", log_off, LOGGED, DIRTY_WP, false, false},
	{"log off, dbit", log_off, LOGGED, DIRTY_DBIT, false, false},
	{"split", split, USED, DIRTY_WP, false, true},
	{"another root", load_other_root, USED, DIRTY_WP, false, true},
	{"sync", sync_root, OFF_SYNC, DIRTY_WP, false, true},
	{"reclaim", reclaim, USED, DIRTY_WP, false, true},
	{"zap all", zap_and_fault, USED, DIRTY_DBIT, false, true},
	{"stores to tables", store_entries, USED, DIRTY_WP, false, true},
};

/* --- one operation, with one allocation failing ----------------------------------------------- */

static void prepare(const struct operation *op)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				       .maxphyaddr = 48,
				       .max_leaf_level = PG_LEVEL_2M,
				       .eager_page_split = true,
				       .nx_huge_pages = op->nx,
				       .dirty = op->dirty,
				       .max_shadow_pages = 1000};

	nv_make(&v, NPAGES, PG_LEVEL_2M, &cfg);
	l1_maps();
	if (op->before == FRESH)
		return;
	assert_int_equal(use_all(), 0);
	if (op->before == LOGGED)
		assert_int_equal(log_on(), 0);
	if (op->before == LOGGED_SET)
		assert_int_equal(log_on_all_set(), 0);
	if (op->before == OFF_SYNC)
		for (u64 i = 0; i < 512; i += 2)
			nv_set_entry(&v, i * PAGE_SIZE, 1,
				     (FIRST + i) * PAGE_SIZE | L1_RWX | L1_A | L1_D);
}

/* It says that it has done its work: then the log is there, and has what was written. */
static void check_log(const struct operation *op)
{
	bool on = op->run == log_on || op->run == log_on_all_set || op->run == log_on_and_write;

	if (on)
		assert_non_null(v.slot->dirty_bitmap);
	if (op->run != log_on_and_write && (op->run != use_from_cold || op->before < LOGGED))
		return;
	dirty_log_sync(&v.mmu);
	for (size_t i = 0; i < ARRAY_SIZE(l2_gfns); i++)
		assert_true(bitmap_test(v.slot->dirty_bitmap, l2_gfns[i]));
	for (size_t i = 0; i < ARRAY_SIZE(l1_pages); i++)
		assert_true(bitmap_test(v.slot->dirty_bitmap, l1_pages[i] / PAGE_SIZE));
}

/* True when memory was not out this time: then there is no more to try. */
static bool try_once(const struct operation *op, u64 nth, void (*failing)(u64))
{
	u64 failed;
	bool done;
	int r;

	prepare(op);
	failed = env_alloc_failed();
	failing(nth);
	r = op->run();
	failing(0);
	done = env_alloc_failed() == failed;
	if (r && (done || !op->may_fail || r != -ENOMEM))
		fail_msg("%s, allocation %llu: %d", op->name, (unsigned long long)nth, r);
	if (!r)
		check_log(op);
	check_all();
	dirty_log_disable(&v.mmu, v.slot);
	check_all();
	assert_int_equal(nv_end(&v), 0);
	return done;
}

/* Each of the first ones, then ever fewer of the many that are alike. */
static void try_all(const struct operation *op, void (*failing)(u64))
{
	u64 nth = 1;

	while (!try_once(op, nth, failing)) {
		nth += 1 + nth / 24;
		assert_true(nth < TRIES);
	}
}

static void test_one_allocation_fails(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		try_all(&operations[i], env_fail_after);
}

static void test_all_fail_from_one_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		try_all(&operations[i], env_fail_from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_allocation_fails),
		cmocka_unit_test(test_all_fail_from_one_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
