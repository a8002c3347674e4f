// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Eager splitting: what it maps, owes and counts, alone and beside aliases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define GB1   LEVEL_SIZE(PG_LEVEL_1G)
#define PAGES (8 * 512)

static struct nested_vm v;

static int setup(void **state)
{
	(void)state;
	nv_make(&v, PAGES, PG_LEVEL_2M, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nv_end(&v);
}

/*
 * L1 maps [addr, addr + 2M) to gfns from @gfn. What is shadowed of the table above goes away, so a
 * test prepares all that it maps before L2 touches it.
 */
static void prepare(u64 addr, u64 gfn)
{
	nv_map(&v, addr, gfn, 2, L1_RWX);
}

/* A writable huge SPTE maps it. */
static void touch_huge(u64 addr)
{
	assert_int_equal(nv_write(&v, addr, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, addr), 2);
}

static void map_huge(u64 addr, u64 gfn)
{
	prepare(addr, gfn);
	touch_huge(addr);
}

static void drop_page(u64 addr)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos;
	u64 *sptep = nv_sptep(&v, addr, 1);

	nv_lock(&v);
	pos = (struct spte_pos){
		.mmu = &v.mmu, .sp = sptep_to_sp(sptep), .sptep = sptep, .level = 1};
	pos.gfn = shadow_page_gfn(pos.sp, (int)(sptep - pos.sp->spt));
	spte_set(&pos, 0, NULL, &b);
	nv_unlock(&v, &b);
}

static void test_exact_split_owes_nothing(void **state)
{
	u64 huge, *sptep, flushes;

	(void)state;
	map_huge(3 * MB2, 1024);
	sptep = nv_sptep(&v, 3 * MB2, 2);
	huge = *sptep;
	flushes = env_flushes(BIT(MMU_TREE_NESTED));
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_int_equal(v.owed, 0);
	assert_int_equal(env_flushes(BIT(MMU_TREE_NESTED)), flushes);
	for (u64 i = 0; i < 512; i++) {
		u64 *child = nv_sptep(&v, 3 * MB2 + i * PAGE_SIZE, 1);

		assert_int_equal(*child, spte_make_split_child(&v.mmu, huge, 2, (int)i));
		assert_int_equal(spte_hpa(&v.mmu, *child).v,
				 env_hpa(nv_va(&v, (1024 + i) << 12)).v);
	}
	assert_int_equal(v.mmu.stats.split[MMU_TREE_NESTED][0], 1);
	assert_int_equal(v.mmu.stats.rmap_descs, 0);
	assert_int_equal(env_traced(MMU_EV_nested_split), 1);
	assert_int_equal(env_trace_arg(MMU_EV_nested_split, 0), 1024);
	assert_int_equal(env_trace_arg(MMU_EV_nested_split, 1), huge);
	assert_int_equal(env_trace_arg(MMU_EV_nested_split, 2), 2);
	assert_int_equal(env_trace_arg(MMU_EV_nested_split, 3), 0);
	nv_check(&v);
}

static void test_role_is_the_fault_paths(void **state)
{
	struct shadow_page *sp;

	(void)state;
	map_huge(0, 512);
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	sp = nv_sp(&v, 0, 1);
	assert_true(sp->role.direct);
	assert_int_equal(sp->role.level, 1);
	assert_int_equal(sp->gfn.v, 512);
	assert_int_equal(sp->role.word,
			 page_role_child(nv_sp(&v, 0, 2)->role,
					 shadow_page_access(nv_sp(&v, 0, 2), 0), true, 0)
				 .word);
	/* A fault in the same place finds this page and makes no other. */
	drop_page(0x5000);
	assert_int_equal(nv_write(&v, 0x5000, 1), FAULT_FIXED);
	assert_ptr_equal(nv_sp(&v, 0x5000, 2), nv_sp(&v, 0, 2));
	nv_check(&v);
}

static void test_only_the_range_is_split(void **state)
{
	(void)state;
	for (u64 i = 0; i < 3; i++)
		prepare(i * MB2, 512 * i);
	for (u64 i = 0; i < 3; i++)
		touch_huge(i * MB2);
	assert_int_equal(nv_split(&v, 1023, 1024), 0);
	assert_int_equal(nv_level(&v, 0), 2);
	assert_int_equal(nv_level(&v, MB2), 1);
	assert_int_equal(nv_level(&v, 2 * MB2), 2);
	assert_int_equal(nv_split(&v, 512, 512), 0);
	nv_check(&v);
}

static void test_gigabyte_to_4k(void **state)
{
	(void)state;
	nv_make(&v, LEVEL_PAGES(3) + 512, PG_LEVEL_1G, NULL);
	nv_map(&v, 2 * GB1, 0, 3, L1_RWX);
	assert_int_equal(nv_write(&v, 2 * GB1, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 2 * GB1), 3);
	assert_int_equal(nv_split(&v, 0, LEVEL_PAGES(3)), 0);
	assert_int_equal(v.owed, 0);
	assert_int_equal(v.mmu.stats.split[MMU_TREE_NESTED][1], 1);
	assert_int_equal(v.mmu.stats.split[MMU_TREE_NESTED][0], 512);
	assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][0], LEVEL_PAGES(3));
	for (u64 i = 0; i < LEVEL_PAGES(3); i += 4095)
		assert_int_equal(nv_level(&v, 2 * GB1 + i * PAGE_SIZE), 1);
	nv_check(&v);
}

/* Two L2 addresses, one memory: both are split, with a descriptor for each page's second entry. */
static void test_alias_by_different_tables(void **state)
{
	(void)state;
	nv_map(&v, 64 * GB1, 1024, 2, L1_RWX | L1_NX);
	map_huge(0, 1024);
	assert_int_equal(nv_write(&v, 64 * GB1, 1), FAULT_FIXED);
	assert_int_equal(rmap_count(rmap_get(v.slot, (gfn_t){1024}, 2)), 2);
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_int_equal(v.owed, 0);
	assert_int_equal(v.mmu.stats.split[MMU_TREE_NESTED][0], 2);
	assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][0], 1024);
	assert_int_equal(v.mmu.stats.rmap_descs, 512);
	assert_int_equal(nv_level(&v, 64 * GB1 + 0x1ff000), 1);
	nv_check(&v);
}

/* The same rights: both share the direct page, which needs one descriptor for its second parent. */
static void test_alias_shares_the_table(void **state)
{
	(void)state;
	for (u64 i = 0; i < 3; i++)
		prepare(i * 64 * GB1, 1024);
	for (u64 i = 0; i < 3; i++)
		touch_huge(i * 64 * GB1);
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_int_equal(v.owed, 0);
	assert_int_equal(v.mmu.stats.split[MMU_TREE_NESTED][0], 3);
	assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][0], 512);
	assert_int_equal(v.mmu.stats.rmap_descs, 1);
	assert_ptr_equal(nv_sp(&v, 0, 1), nv_sp(&v, 64 * GB1, 1));
	assert_int_equal(rmap_count(&nv_sp(&v, 0, 1)->parents), 3);
	nv_check(&v);
}

/* The lower table exists, with holes: they are filled, and what is there stays. */
static void split_into_existing(void (*damage)(void), bool owes)
{
	u64 flushes;

	prepare(64 * GB1, 1024);
	map_huge(0, 1024);
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	damage();
	touch_huge(64 * GB1);
	assert_int_equal(nv_write(&v, 64 * GB1 + 0x7000, 1), FAULT_FIXED);
	flushes = env_flushes(BIT(MMU_TREE_NESTED));
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_int_equal(v.owed, owes ? BIT(MMU_TREE_NESTED) : 0);
	assert_int_equal(env_flushes(BIT(MMU_TREE_NESTED)) - flushes, owes);
	assert_ptr_equal(nv_sp(&v, 0, 1), nv_sp(&v, 64 * GB1, 1));
	assert_int_equal(nv_sp(&v, 0, 1)->present, 512);
	nv_check(&v);
}

static void drop_some(void)
{
	drop_page(0x7000);
	drop_page(0x1ff000);
}

static void protect_one(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	nv_lock(&v);
	shadow_wrprot_gfn(&v.mmu, v.slot, (gfn_t){1024 + 7}, &b);
	nv_unlock(&v, &b);
}

static void test_holes_in_an_existing_table_are_filled(void **state)
{
	(void)state;
	split_into_existing(drop_some, false);
}

static void test_read_only_leaf_in_an_existing_table_owes(void **state)
{
	(void)state;
	split_into_existing(protect_one, true);
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 64 * GB1 + 0x7000, 1)));
}

/* 1G over a table of 2M that leads to a partly empty table of 4K: present, and grants less. */
static void test_partly_filled_lower_table_owes(void **state)
{
	(void)state;
	nv_make(&v, LEVEL_PAGES(3) + 512, PG_LEVEL_1G, NULL);
	nv_map(&v, 2 * GB1, 0, 3, L1_RWX);
	nv_map(&v, 66 * GB1, 0, 3, L1_RWX);
	assert_int_equal(nv_write(&v, 2 * GB1, 1), FAULT_FIXED);
	assert_int_equal(nv_split(&v, 0, 512), 0);
	drop_page(2 * GB1 + 0x9000);
	assert_int_equal(nv_write(&v, 66 * GB1, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 66 * GB1 + 0x9000, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 66 * GB1), 3);
	assert_int_equal(nv_split(&v, 0, 512), 0);
	assert_int_equal(v.owed, BIT(MMU_TREE_NESTED));
	assert_int_equal(nv_level(&v, 66 * GB1), 1);
	assert_int_equal(nv_level(&v, 66 * GB1 + 0x9000), 0);
	nv_check(&v);
}

static void test_bugs_are_reported_and_passed_over(void **state)
{
	struct shadow_page *sp;

	(void)state;
	map_huge(0, 1024);
	env_quiet = true;
	sp = nv_sp(&v, 0, 2);
	sp->unsync = true;
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_int_equal(env_warnings(), 1);
	assert_int_equal(nv_level(&v, 0), 2);
	sp->unsync = false;
	sp->role.invalid = 1;
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_int_equal(env_warnings(), 1);
	assert_int_equal(nv_level(&v, 0), 2);
	sp->role.invalid = 0;
	/* An entry that is no leaf in the rmap of a leaf. */
	rmap_get(v.slot, (gfn_t){512}, 2)->val = (u64)nv_sptep(&v, 0, 3);
	assert_int_equal(nv_split(&v, 512, 1024), 0);
	assert_int_equal(env_warnings(), 2);
	rmap_get(v.slot, (gfn_t){512}, 2)->val = 0;
	assert_int_equal(nv_split(&v, 0, PAGES), 0);
	assert_int_equal(nv_level(&v, 0), 1);
}

static void test_enable_splits_and_protects(void **state)
{
	u64 out[PAGES / 64];

	(void)state;
	map_huge(0, 1024);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(nv_level(&v, 0), 1);
	nv_check(&v);
	assert_int_equal(nv_write(&v, 0x3000, 5), FAULT_FIXED);
	dirty_log_read_clear(&v.mmu, v.slot, 0, PAGES, out);
	assert_int_equal(out[1024 / 64], BIT(3));
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_initially_set_splits_on_clear(void **state)
{
	u64 out[PAGES / 64];

	(void)state;
	prepare(MB2, 1536);
	map_huge(0, 1024);
	touch_huge(MB2);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_INITIALLY_SET), 0);
	assert_int_equal(nv_level(&v, 0), 2);
	assert_true(spte_writable(&v.mmu, *nv_sptep(&v, 0, 2)));
	nv_check(&v);
	dirty_log_read_clear(&v.mmu, v.slot, 1024, 64, out);
	assert_int_equal(out[0], ~0ull);
	assert_int_equal(nv_level(&v, 0), 1);
	assert_int_equal(nv_level(&v, MB2), 2);
	assert_false(spte_writable(&v.mmu, *nv_sptep(&v, 63 * PAGE_SIZE, 1)));
	assert_true(spte_writable(&v.mmu, *nv_sptep(&v, 64 * PAGE_SIZE, 1)));
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
}

/* One page of a huge one has another name already, wherever in it that page is. */
static void test_alias_of_one_page(void **state)
{
	static const u64 pages[] = {511, 0, 7, 8, 255, 504, 510};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		nv_map(&v, (2 * i + 1) * MB2, 512 * i + pages[i], 1, L1_RWX);
		prepare(2 * i * MB2, 512 * i);
	}
	for (u32 i = 0; i < ARRAY_SIZE(pages); i++) {
		assert_int_equal(nv_write(&v, (2 * i + 1) * MB2, 1), FAULT_FIXED);
		touch_huge(2 * i * MB2);
		assert_int_equal(nv_split(&v, 512 * i, 512 * i + 512), 0);
		assert_int_equal(rmap_count(rmap_get(v.slot, (gfn_t){512 * i + pages[i]}, 1)), 2);
		nv_check(&v);
	}
}

int main(void)
{
#define T(name)	  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_exact_split_owes_nothing),
		T(test_role_is_the_fault_paths),
		T(test_only_the_range_is_split),
		OWN(test_gigabyte_to_4k),
		T(test_alias_by_different_tables),
		T(test_alias_shares_the_table),
		T(test_alias_of_one_page),
		T(test_holes_in_an_existing_table_are_filled),
		T(test_read_only_leaf_in_an_existing_table_owes),
		OWN(test_partly_filled_lower_table_owes),
		T(test_bugs_are_reported_and_passed_over),
		T(test_enable_splits_and_protects),
		T(test_initially_set_splits_on_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
