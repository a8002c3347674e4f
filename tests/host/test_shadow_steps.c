// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Work of the shadow MMU of which L1 decides how much it is: zapping and syncing many tables, in
 * steps, with others at work in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2    LEVEL_SIZE(PG_LEVEL_2M)
#define GB1    LEVEL_SIZE(PG_LEVEL_1G)
#define TABLES 100
#define STEP   4

static struct nested_vm v;

/* Last-level tables below one entry of the level-3 table: each maps one page. */
static int setup(void **state)
{
	(void)state;
	nv_make(&v, 16 * 512, PG_LEVEL_2M, NULL);
	v.mmu.shadow_step = STEP;
	for (u64 i = 0; i < TABLES; i++)
		nv_map(&v, i * MB2, 0x10 + i, 1, L1_RWX);
	for (u64 i = 0; i < TABLES; i++)
		assert_int_equal(nv_write(&v, i * MB2, i), FAULT_FIXED);
	nv_check(&v);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

static u64 waiting(void)
{
	u64 n = 0;

	list_for_each (link, &v.mmu.shadow_zapped)
		n++;
	return n;
}

static u64 pages_4k(void)
{
	return v.mmu.stats.pages[MMU_TREE_NESTED][0];
}

static void zap(struct shadow_page *sp)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	nv_lock(&v);
	shadow_page_zap(&v.mmu, sp, &b);
	nv_unlock(&v, &b);
}

/* --- zapping ------------------------------------------------------------------------------ */

/* One store of L1's cuts all off: gone at once as far as anybody can see, emptied in steps. */
static void test_one_store_cuts_off_many(void **state)
{
	u64 table = nv_entry(&v, 0, 3);

	(void)state;
	nv_set_entry(&v, 0, 3, 0);
	assert_int_equal(nv_level(&v, 0), 0);
	assert_int_equal(nv_read(&v, 0), FAULT_REFLECT);
	assert_in_range(waiting(), TABLES - 4 * STEP, TABLES);
	assert_in_range(pages_4k(), TABLES - 4 * STEP, TABLES);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 2);
	nv_check(&v);
	/* It comes back, by tables of its own, while the old ones still wait. */
	nv_set_entry(&v, 0, 3, table);
	for (u64 i = 0; i < 4; i++) {
		assert_int_equal(nv_write(&v, i * MB2, i), FAULT_FIXED);
		assert_false(nv_sp(&v, i * MB2, 1)->role.invalid);
		nv_check(&v);
	}
	assert_true(waiting() > 0);
	/* Whoever faults empties some: they are not for ever. */
	for (u64 i = 4; i < TABLES; i++)
		assert_int_equal(nv_write(&v, i * MB2, i), FAULT_FIXED);
	assert_int_equal(waiting(), 0);
	assert_int_equal(pages_4k(), TABLES);
}

/* L1 edits a table of which the shadow waits: nobody catches that, and nobody need. */
static void test_tables_of_zapped_pages_are_free(void **state)
{
	u64 gpa = nv_entry_gpa(&v, v.root, (TABLES - 1) * MB2, 1);

	(void)state;
	assert_int_equal(v.slot->write_track[gpa >> 12], 1);
	zap(nv_sp(&v, 0, 3));
	assert_true(waiting() > 0);
	assert_int_equal(v.slot->write_track[gpa >> 12], 0);
	nv_set_entry(&v, (TABLES - 1) * MB2, 1, 0x20 << PAGE_SHIFT | L1_RWX);
	assert_int_equal(v.mmu.stats.mmu_unsync, 0);
	assert_int_equal(nv_write(&v, (TABLES - 1) * MB2, 5), FAULT_FIXED);
	assert_int_equal(*(u64 *)nv_va(&v, 0x20 << PAGE_SHIFT), 5);
}

/* What hangs from a page that waits is found by whoever faults, and then stays. */
static void test_below_a_zapped_page_there_is_life(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct shadow_page *last;

	(void)state;
	for (u64 i = 0; i < 3; i++) {
		nv_map(&v, (i + 1) * GB1, 0x10, 1, L1_RWX);
		assert_int_equal(nv_write(&v, (i + 1) * GB1, 0), FAULT_FIXED);
	}
	v.mmu.shadow_step = 1;
	/* Its four tables of level 2 wait; what the last one leads to is still in the hash. */
	last = nv_sp(&v, 3 * GB1, 1);
	zap(nv_sp(&v, 0, 3));
	assert_int_equal(waiting(), 3 + TABLES);
	assert_false(last->role.invalid);
	nv_check(&v);
	assert_int_equal(nv_write(&v, 3 * GB1, 0), FAULT_FIXED);
	assert_ptr_equal(nv_sp(&v, 3 * GB1, 1), last);
	nv_check(&v);
	nv_lock(&v);
	shadow_zap_wait(&v.mmu, &b);
	nv_unlock(&v, &b);
	assert_int_equal(waiting(), 0);
	assert_ptr_equal(nv_sp(&v, 3 * GB1, 1), last);
	assert_int_equal(nv_level(&v, 3 * GB1), 1);
}

/* A processor may go on below its root when that is zapped: until it is empty, which is at once. */
static void test_root_in_use_is_emptied_at_once(void **state)
{
	struct shadow_page *root = v.n.root;

	(void)state;
	v.mmu.shadow_step = 1;
	zap(nv_sp(&v, 0, 2)); /* others wait already */
	assert_true(waiting() > 1);
	zap(root);
	assert_true(root->role.invalid);
	assert_int_equal(root->present, 0);
	assert_int_equal(root->root_count, 1);
	nv_check(&v);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_ptr_not_equal(v.n.root, root);
}

static void l2_goes_on(void)
{
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	env_contend_after(0);
}

static void test_zap_all_lets_others_run(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	env_contend_after(1);
	env_on_resched = l2_goes_on;
	nv_lock(&v);
	shadow_zap_all(&v.mmu, &b);
	assert_int_equal(waiting(), 0);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 0);
	assert_int_equal(pages_4k(), 0);
	nv_unlock(&v, &b);
	assert_int_equal(env_resched_count(), 1);
	assert_true(v.n.root->role.invalid);
}

/* At the VM's end some may still wait. */
static void test_end_with_some_waiting(void **state)
{
	(void)state;
	zap(nv_sp(&v, 0, 3));
	assert_true(waiting() > 0);
}

/* What a fault is about to link hangs from a page that waits, and from nothing else. */
static void test_what_a_fault_found_stays(void **state)
{
	const u64 a = 64 * GB1, other = 512 * GB1;

	(void)state;
	assert_int_equal(nv_end(&v), 0);
	nv_make(&v, 16 * 512, PG_LEVEL_4K, NULL);
	/* One page of 2M in 4K pieces: read only so far at @a, so that L1's D is not set. */
	nv_map(&v, a, 0x200, 2, L1_RWX);
	assert_int_equal(nv_read(&v, a), FAULT_FIXED);
	/* Written at the third of three places below one entry. */
	for (u64 i = 0; i < 3; i++) {
		nv_map(&v, other + i * GB1, i < 2 ? 0x400 : 0x200, 2, L1_RWX);
		assert_int_equal(nv_write(&v, other + i * GB1, 1), FAULT_FIXED);
	}
	assert_ptr_not_equal(nv_sp(&v, a, 1), nv_sp(&v, other + 2 * GB1, 1));
	v.mmu.shadow_step = 1;
	zap(nv_sp(&v, other, 3)); /* and empties the first */
	assert_int_equal(waiting(), 2);
	assert_int_equal(nv_write(&v, a, 1), FAULT_FIXED); /* and empties the second */
	assert_false(nv_sp(&v, a, 1)->role.invalid);
	assert_true(spte_writable(&v.mmu, *nv_sptep(&v, a, 1)));
}

/* --- syncing ------------------------------------------------------------------------------ */

static u64 late; /* so many tables were changed while the lock was free */

/* L1's other vCPU changes the next table that is in sync again. */
static void l1_goes_on(void)
{
	for (u64 i = 0; i < TABLES; i++) {
		if (nv_sp(&v, i * MB2, 1)->unsync)
			continue;
		nv_set_entry(&v, i * MB2 + 0x1000, 1, 0x30 << PAGE_SHIFT | L1_RWX);
		assert_true(nv_sp(&v, i * MB2, 1)->unsync);
		late++;
		return;
	}
}

static void change_all(void)
{
	for (u64 i = 0; i < TABLES; i++)
		nv_set_entry(&v, i * MB2, 1, (0x200 + i) << PAGE_SHIFT | L1_RWX | L1_A | L1_D);
	assert_int_equal(v.mmu.nr_unsync, TABLES);
}

/* What was out of sync when it began has been compared; and it ends. */
static void test_sync_in_steps(void **state)
{
	(void)state;
	change_all();
	late = 0;
	env_contend_after(1);
	env_on_resched = l1_goes_on;
	nv_sync(&v);
	env_contend_after(0);
	assert_int_equal(late, TABLES / STEP - 1);
	assert_int_equal(v.mmu.nr_unsync, late);
	assert_int_equal(v.mmu.stats.mmu_sync_dropped, TABLES);
	assert_int_equal(pages_4k(), 0);
	for (u64 i = 0; i < TABLES; i++) {
		assert_int_equal(nv_write(&v, i * MB2, i), FAULT_FIXED);
		assert_int_equal(*(u64 *)nv_va(&v, (0x200 + i) << PAGE_SHIFT), i);
	}
}

static void another_vcpu_syncs(void)
{
	env_contend_after(0);
	nv_sync(&v);
	assert_int_equal(v.mmu.nr_unsync, 0);
	l1_goes_on();
	l1_goes_on();
}

static void test_another_vcpu_syncs_meanwhile(void **state)
{
	(void)state;
	change_all();
	env_contend_after(1);
	env_on_resched = another_vcpu_syncs;
	nv_sync(&v);
	assert_int_equal(v.mmu.stats.mmu_sync_dropped, TABLES);
	assert_int_equal(pages_4k(), 0);
}

static void zaps_meanwhile(void)
{
	env_contend_after(0);
	zap(nv_sp(&v, 0, 2));
}

static void test_zapped_while_it_waits_for_sync(void **state)
{
	(void)state;
	change_all();
	env_contend_after(1);
	env_on_resched = zaps_meanwhile;
	nv_sync(&v);
	assert_int_equal(v.mmu.nr_unsync, 0);
	assert_int_equal(v.mmu.stats.mmu_synced, STEP);
}

/* One flush for each step, and each comparison after it. */
static void test_flushes_of_a_sync(void **state)
{
	u64 before;

	(void)state;
	change_all();
	before = env_flushes(3);
	nv_sync(&v);
	assert_in_range(env_flushes(3) - before, TABLES / STEP, TABLES / STEP + 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_one_store_cuts_off_many),
		T(test_tables_of_zapped_pages_are_free),
		T(test_below_a_zapped_page_there_is_life),
		T(test_root_in_use_is_emptied_at_once),
		T(test_zap_all_lets_others_run),
		T(test_end_with_some_waiting),
		T(test_what_a_fault_found_stays),
		T(test_sync_in_steps),
		T(test_another_vcpu_syncs_meanwhile),
		T(test_zapped_while_it_waits_for_sync),
		T(test_flushes_of_a_sync),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
