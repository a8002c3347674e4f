// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Shadow pages: roles, links, zapping, the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/audit.h"
#include "tests/host/nested_vm.h"

#define MB2 LEVEL_SIZE(PG_LEVEL_2M)
#define GB1 LEVEL_SIZE(PG_LEVEL_1G)

static struct nested_vm v;

static int setup(void **state)
{
	(void)state;
	nv_make(&v, 4 * 512, PG_LEVEL_2M, NULL);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return nv_end(&v);
}

static void test_child_role(void **state)
{
	union page_role root = {.level = 4,
				.fmt = PT_FMT_LONG4,
				.access = ACC_ALL,
				.ad = 1,
				.nx = 1,
				.maxphy = 48,
				.huge_1g = 1};
	union page_role child = page_role_child(root, ACC_READ | ACC_USER, false, 77);

	(void)state;
	assert_int_equal(sizeof(root), sizeof(root.word));
	assert_int_equal(child.level, 3);
	assert_int_equal(child.access, ACC_READ | ACC_USER);
	assert_int_equal(child.direct, 0);
	child.level = 4;
	child.access = ACC_ALL;
	assert_int_equal(child.word, root.word);
	child = page_role_child(root, ACC_ALL, true, 3);
	assert_int_equal(child.direct, 1);
	assert_int_equal(child.quadrant, 0);
}

/* 4-byte entries: four of our tables for one of L1's at level 2, two at level 1. */
static void test_quadrants(void **state)
{
	union page_role root = {.level = 4, .fmt = PT_FMT_32, .access = ACC_ALL};
	union page_role l3 = page_role_child(root, ACC_ALL, false, 0);

	(void)state;
	assert_int_equal(l3.quadrant, 0);
	for (u32 i = 0; i < 4; i++) {
		union page_role l2 = page_role_child(l3, ACC_ALL, false, i);

		assert_int_equal(l2.quadrant, i);
		assert_int_equal(page_role_child(l2, ACC_ALL, false, 6).quadrant, 0);
		assert_int_equal(page_role_child(l2, ACC_ALL, false, 7).quadrant, 1);
		assert_int_equal(page_role_child(l2, ACC_ALL, true, 7).quadrant, 0);
	}
}

static void test_one_table_by_two_ways(void **state)
{
	u64 table;

	(void)state;
	/* One last-level table, reached with and without W: two shadows, both tracked. */
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	table = nv_entry(&v, 0, 2) & GENMASK(51, 12);
	nv_set_entry(&v, MB2, 2, table | L1_RO);
	nv_set_entry(&v, 64 * GB1, 2, table | L1_RWX);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_int_equal(nv_read(&v, MB2 + 0x1000), FAULT_FIXED);
	assert_int_equal(nv_read(&v, 64 * GB1 + 0x1000), FAULT_FIXED);
	assert_ptr_equal(nv_sp(&v, 0, 1), nv_sp(&v, 64 * GB1, 1));
	assert_ptr_not_equal(nv_sp(&v, 0, 1), nv_sp(&v, MB2, 1));
	assert_int_equal(rmap_count(&nv_sp(&v, 0, 1)->parents), 2);
	assert_int_equal(v.slot->write_track[table >> 12], 2);
	assert_int_equal(nv_write(&v, MB2 + 0x1000, 1), FAULT_REFLECT);
	nv_check(&v);
}

static void test_table_that_maps_itself(void **state)
{
	(void)state;
	/* The root's entry 5 leads to the root: a page is table of each level at once. */
	nv_set_entry(&v, 5ull << 39, 4, v.root.v | L1_RWX);
	for (int i = 0; i < 3; i++) {
		u64 self = 5ull << 39 | 5ull << 30 | 5ull << 21 | 5ull << 12;

		assert_int_equal(nv_read(&v, self), FAULT_FIXED);
		nv_check(&v);
	}
	nv_set_entry(&v, 5ull << 39, 4, 0);
	nv_check(&v);
	assert_int_equal(nv_read(&v, 5ull << 39), FAULT_REFLECT);
	nv_check(&v);
}

static void zap(struct shadow_page *sp)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	nv_lock(&v);
	shadow_page_zap(&v.mmu, sp, &b);
	nv_unlock(&v, &b);
}

static void test_zap_takes_what_hangs_from_it(void **state)
{
	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	nv_map(&v, MB2, 0x200, 2, L1_RWX);
	nv_map(&v, 64 * GB1, 0x11, 1, L1_RWX);
	nv_set_entry(&v, 65 * GB1, 2, nv_entry(&v, 0, 2)); /* shares the last-level table */
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 64 * GB1, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 65 * GB1 + 0x1000, 1), FAULT_FIXED);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 7);
	zap(nv_sp(&v, 0, 2));
	/* The shared one stays, by its other parent. */
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 6);
	assert_int_equal(nv_level(&v, 65 * GB1 + 0x1000), 1);
	assert_int_equal(nv_level(&v, 0x1000), 0);
	nv_check(&v);
	zap(nv_sp(&v, 0, 3));
	assert_int_equal(v.mmu.stats.mmu_shadow_pages, 1);
	assert_int_equal(v.mmu.stats.pages[MMU_TREE_NESTED][0], 0);
	for (u64 i = 0; i < v.slot->npages; i++)
		assert_int_equal(v.slot->write_track[i] > 0, i == v.root.v >> 12);
	nv_check(&v);
}

static void test_zap_frees_after_the_flush_only(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	nv_lock(&v);
	shadow_page_zap(&v.mmu, nv_sp(&v, 0, 1), &b);
	assert_int_equal(b.owed, BIT(MMU_TREE_NESTED));
	assert_non_null(b.free_pages);
	nv_unlock(&v, &b);
	nv_check(&v);
}

static void limited(u64 pages)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_LONG4],
				 .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G,
				 .eager_page_split = true,
				 .max_shadow_pages = pages};

	nv_make(&v, 8 * 512, PG_LEVEL_2M, &cfg);
}

static void test_default_limit(void **state)
{
	(void)state;
	assert_int_equal(v.mmu.max_shadow_pages, 64);
	assert_int_equal(nv_end(&v), 0);
	nv_make(&v, 8192, PG_LEVEL_2M, NULL);
	assert_int_equal(v.mmu.max_shadow_pages, 8192 * 2 / 100);
}

static void test_limit_recycles_the_coldest(void **state)
{
	(void)state;
	limited(20);
	for (u64 i = 0; i < 40; i++)
		nv_map(&v, i * MB2 + 0x1000, 0x10 + i, 1, L1_RWX);
	for (u64 i = 0; i < 40; i++) {
		assert_int_equal(nv_write(&v, i * MB2 + 0x1000, i), FAULT_FIXED);
		assert_true(v.mmu.stats.mmu_shadow_pages <= 20);
		/* A fault now and then in the first table keeps it warm. */
		nv_map(&v, (i + 2) * PAGE_SIZE, i, 1, L1_RWX);
		assert_int_equal(nv_read(&v, (i + 2) * PAGE_SIZE), FAULT_FIXED);
		assert_int_equal(nv_level(&v, 0x1000), 1);
		nv_check(&v);
	}
	assert_true(v.mmu.stats.mmu_recycled > 0);
	assert_int_equal(nv_level(&v, MB2 + 0x1000), 0);
	assert_int_equal(nv_level(&v, 39 * MB2 + 0x1000), 1);
	assert_int_equal(v.mmu.stats.mmu_shadow_zapped >= v.mmu.stats.mmu_recycled, 1);
}

/* Room for a path is not made out of that path, whose other pages would be missing then. */
static void test_limit_spares_the_path(void **state)
{
	struct shadow_page *l2;

	(void)state;
	limited(6);
	nv_map(&v, 0, 0x10, 1, L1_RWX);
	nv_map(&v, MB2, 0x11, 1, L1_RWX);
	nv_map(&v, 1ull << 39, 0x12, 1, L1_RWX);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	l2 = nv_sp(&v, 0, 2);
	assert_int_equal(nv_write(&v, 1ull << 39, 1), FAULT_FIXED);
	assert_ptr_equal(nv_sp(&v, 0, 2), l2);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages <= 6, 1);
	assert_int_equal(nv_write(&v, MB2, 1), FAULT_FIXED);
	assert_ptr_equal(nv_sp(&v, MB2, 2), l2);
	assert_int_equal(v.mmu.stats.mmu_shadow_pages <= 6, 1);
	nv_check(&v);
}

static void test_limit_below_one_path(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct nested_mmu others[3] = {0};

	(void)state;
	limited(2);
	for (u64 i = 0; i < 4; i++)
		nv_map(&v, i * MB2 + 0x1000, 0x10 + i, 1, L1_RWX);
	for (u64 i = 0; i < 12; i++) {
		assert_int_equal(nv_write(&v, i % 4 * MB2 + 0x1000, i), FAULT_FIXED);
		nv_check(&v);
	}
	/* Roots in use are never taken. */
	for (int i = 0; i < 3; i++) {
		gpa_t root = {nv_table(&v)};

		assert_int_equal(nested_mmu_load(&v.mmu, &others[i], &v.mode, root, false), 0);
	}
	nv_lock(&v);
	assert_int_equal(shadow_make_room(&v.mmu, 1, &b), -ENOSPC);
	nv_unlock(&v, &b);
	assert_false(others[0].root->role.invalid);
	nv_check(&v);
	for (int i = 0; i < 3; i++)
		nested_mmu_free(&v.mmu, &others[i]);
	nv_lock(&v);
	assert_int_equal(shadow_make_room(&v.mmu, 1, &b), 0);
	nv_unlock(&v, &b);
	nv_check(&v);
}

/* The audit must see what it is there to see. */
static void expect_audit_error(void)
{
	struct audit a;

	env_quiet = true;
	assert_true(mmu_audit(&v.mmu, &a) > 0);
	env_quiet = false;
}

static void test_audit_sees_damage(void **state)
{
	struct rmap_head *head, saved;
	struct shadow_page *sp;
	u64 *sptep, spte;

	(void)state;
	nv_map(&v, 0x1000, 0x10, 1, L1_RWX);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	nv_check(&v);
	head = rmap_get(v.slot, (gfn_t){0x10}, 1);
	sptep = nv_sptep(&v, 0x1000, 1);
	sp = nv_sp(&v, 0x1000, 1);
	saved = *head;
#define DAMAGE(what, repair)          \
	do {                          \
		what;                 \
		expect_audit_error(); \
		repair;               \
	} while (0)
	DAMAGE(head->val = 0, *head = saved);
	DAMAGE(rmap_get(v.slot, (gfn_t){0x11}, 1)->val = (u64)sptep,
	       rmap_get(v.slot, (gfn_t){0x11}, 1)->val = 0);
	saved = sp->parents;
	DAMAGE(sp->parents.val = 0, sp->parents = saved);
	DAMAGE(sp->role.nx ^= 1, sp->role.nx ^= 1);
	DAMAGE(sp->gfn.v ^= 1, sp->gfn.v ^= 1);
	DAMAGE(sp->present++, sp->present--);
	DAMAGE(sp->unsync = true, sp->unsync = false);
	DAMAGE(sp->tracked = false, sp->tracked = true);
	DAMAGE(v.slot->write_track[sp->gfn.v]++, v.slot->write_track[sp->gfn.v]--);
	DAMAGE(v.slot->write_track[5]++, v.slot->write_track[5]--);
	DAMAGE(v.slot->disallow_lpage[0][0]++, v.slot->disallow_lpage[0][0]--);
	DAMAGE(v.slot->disallow_lpage[1][0]--, v.slot->disallow_lpage[1][0]++);
	DAMAGE(v.mmu.stats.rmap_descs++, v.mmu.stats.rmap_descs--);
	DAMAGE(v.mmu.stats.mmu_shadow_pages++, v.mmu.stats.mmu_shadow_pages--);
	DAMAGE(v.mmu.stats.pages[MMU_TREE_NESTED][0]++, v.mmu.stats.pages[MMU_TREE_NESTED][0]--);
	DAMAGE(sp->shadowed[1] &= ~(u64)ACC_WRITE, sp->shadowed[1] |= ACC_WRITE);
	spte = *sptep;
	DAMAGE(*sptep = spte + PAGE_SIZE, *sptep = spte); /* another page's memory */
	DAMAGE(*sptep = spte & ~1ull, *sptep = spte);
	DAMAGE(*sptep = (spte & ~GENMASK(51, 12)) | env_hpa(sp->spt).v, *sptep = spte); /* L0's */
#undef DAMAGE
	env_quiet = false;
}

int main(void)
{
#define T(name)	  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define OWN(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_child_role),
		cmocka_unit_test(test_quadrants),
		T(test_one_table_by_two_ways),
		T(test_table_that_maps_itself),
		T(test_zap_takes_what_hangs_from_it),
		T(test_zap_frees_after_the_flush_only),
		T(test_default_limit),
		OWN(test_limit_recycles_the_coldest),
		OWN(test_limit_spares_the_path),
		OWN(test_limit_below_one_path),
		T(test_audit_sees_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
