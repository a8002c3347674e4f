// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Each way in which a leaf of the nested tree can go, with a D that only it knows of. */
#include "tests/host/dirty_bits_nested.h"

static void begin_written(void)
{
	for (u64 i = 0; i < 4; i++)
		map_and_write(i * PAGE_SIZE, 0x10 + i);
	enable();
	write_at(PAGE_SIZE);
	assert_true(leaf_dirty(PAGE_SIZE));
}

static void test_l1_unmaps(void **state)
{
	(void)state;
	begin_written();
	nv_map(&v, PAGE_SIZE, 0, 1, 0);
	nv_sync(&v);
	assert_int_equal(*nv_sptep(&v, PAGE_SIZE, 1), 0);
	expect(0x11);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_l1_maps_another_page(void **state)
{
	(void)state;
	begin_written();
	nv_map(&v, PAGE_SIZE, 0x40, 1, L1_RWX | L1_A | L1_D);
	nv_sync(&v);
	assert_int_equal(nv_read(&v, PAGE_SIZE), FAULT_FIXED);
	sync_and_expect(0x11);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_l1_unmaps_the_table(void **state)
{
	(void)state;
	begin_written();
	nv_set_entry(&v, 0, 2, 0);
	assert_null(nv_sptep(&v, PAGE_SIZE, 1));
	expect(0x11);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_recycled(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	begin_written();
	nv_lock(&v);
	(void)!shadow_make_room(&v.mmu, v.mmu.max_shadow_pages - 1, &b);
	nv_unlock(&v, &b);
	assert_null(nv_sptep(&v, PAGE_SIZE, 1));
	expect(0x11);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_all_is_zapped(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	begin_written();
	nv_lock(&v);
	shadow_zap_all(&v.mmu, &b);
	nv_unlock(&v, &b);
	expect(0x11);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_range_is_zapped(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	begin_written();
	nv_lock(&v);
	shadow_zap_range(&v.mmu, v.slot, 0x11, 0x12, &b);
	nv_unlock(&v, &b);
	expect(0x11);
	dirty_log_disable(&v.mmu, v.slot);
}

/* L2's page becomes a table of L1's: W goes, D stays for the next scan. */
static void test_page_is_tracked(void **state)
{
	struct nested_mmu other = {0};

	(void)state;
	begin_written();
	memset(nv_va(&v, 0x11 << PAGE_SHIFT), 0, PAGE_SIZE);
	assert_int_equal(
		nested_mmu_load(&v.mmu, &other, &v.mode, (gpa_t){0x11 << PAGE_SHIFT}, false), 0);
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, PAGE_SIZE, 1)));
	assert_true(leaf_dirty(PAGE_SIZE));
	sync_and_expect(0x11);
	nested_mmu_free(&v.mmu, &other);
	dirty_log_disable(&v.mmu, v.slot);
}

/* Read-only to L2 from now on: W goes, D stays for the next scan. */
static void test_l1_write_protects(void **state)
{
	(void)state;
	begin_written();
	nv_map(&v, PAGE_SIZE, 0x11, 1, L1_RO | L1_A | L1_D);
	nv_sync(&v);
	assert_int_equal(nv_write(&v, PAGE_SIZE, 2), FAULT_REFLECT);
	assert_true(leaf_dirty(PAGE_SIZE));
	sync_and_expect(0x11);
	dirty_log_disable(&v.mmu, v.slot);
}

/*
 * L1 takes W and gives X. The fault that X takes makes the leaf anew, and nothing but W would give
 * it a D.
 */
static void test_leaf_made_anew(void **state)
{
	(void)state;
	nv_map(&v, PAGE_SIZE, 0x11, 1, L1_RW);
	assert_int_equal(nv_write(&v, PAGE_SIZE, 1), FAULT_FIXED);
	enable();
	write_at(PAGE_SIZE);
	nv_map(&v, PAGE_SIZE, 0x11, 1, L1_RO | L1_A | L1_D);
	nv_sync(&v);
	assert_true(leaf_dirty(PAGE_SIZE));
	assert_int_equal(nv_fetch(&v, PAGE_SIZE), FAULT_FIXED);
	sync_and_expect(0x11);
	dirty_log_disable(&v.mmu, v.slot);
}

/* One leaf follows another at once. D belongs to the gfn of the old one. */
static void test_leaf_follows_leaf(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos;
	struct shadow_page *sp;

	(void)state;
	begin_written();
	sp = nv_sp(&v, PAGE_SIZE, 1);
	assert_int_equal(mmu_caches_fill(&v.mmu, &v.n.caches, 0, 0, 0, 4), 0);
	nv_lock(&v);
	pos = shadow_pos(&v.mmu, sp, 1);
	pos.gfn.v = 0x30;
	spte_set(&pos, spte_make_leaf(&v.mmu, memslot_hpa(v.slot, pos.gfn, NULL), 1, ACC_ALL),
		 &v.n.caches, &b);
	shadow_page_note(sp, 1, pos.gfn, ACC_ALL);
	nv_unlock(&v, &b);
	expect(0x11);
	nv_lock(&v);
	shadow_zap_all(&v.mmu, &b);
	nv_unlock(&v, &b);
	expect(0x30);
	dirty_log_disable(&v.mmu, v.slot);
}

/* Not logged: whatever goes, nothing is marked, and nothing crashes. */
static void test_nothing_is_logged(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	map_and_write(0, 0x10);
	nv_lock(&v);
	shadow_zap_all(&v.mmu, &b);
	nv_unlock(&v, &b);
	map_and_write(0, 0x10);
	enable();
	assert_int_equal(read_data(), 0);
	dirty_log_disable(&v.mmu, v.slot);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_l1_unmaps),	     T(test_l1_maps_another_page),
		T(test_l1_unmaps_the_table), T(test_recycled),
		T(test_all_is_zapped),	     T(test_range_is_zapped),
		T(test_page_is_tracked),     T(test_l1_write_protects),
		T(test_leaf_made_anew),	     T(test_leaf_follows_leaf),
		T(test_nothing_is_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
