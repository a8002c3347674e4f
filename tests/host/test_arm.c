// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * Taking W or D from many leaves at once: from those that are asked for and no others, however
 * their rmaps lie to each other, and nothing else from any.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/nested_vm.h"

#define FIRST 512 /* gfn of the pages that L2 has; huge ones at the same address */
#define MAPS  200 /* some gfns have several, some none, and their order is anybody's */
#define PAGES 192
#define TOTAL (4 * 512)

static struct nested_vm v;
static u64 first; /* gfn of the pages that are looked at */
static u64 gfn_of[MAPS], addr_of[MAPS], before[MAPS], now[MAPS];

static u64 rnd(u64 n)
{
	return (u64)rand() % n;
}

static void drop(u64 gfn)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	nv_lock(&v);
	shadow_zap_range(&v.mmu, v.slot, gfn, gfn + 1, &b);
	nv_unlock(&v, &b);
}

/* L1 maps 4K pages, over two tables. */
static void begin_small(bool aliases, bool any_order)
{
	nv_make(&v, TOTAL, PG_LEVEL_4K, NULL);
	for (u64 i = 0; i < MAPS; i++) {
		bool jump = any_order || (aliases && rnd(8) == 0);

		gfn_of[i] = FIRST + (jump ? rnd(PAGES) : i % PAGES);
		addr_of[i] = (512 - MAPS / 2 + i) * PAGE_SIZE;
		nv_map(&v, addr_of[i], gfn_of[i], 1, L1_RWX | L1_A | L1_D);
		if (!jump || rnd(8))
			assert_int_equal(nv_write(&v, addr_of[i], i), FAULT_FIXED);
	}
}

/* All of one table, from its end to its beginning. */
static void begin_backwards(void)
{
	nv_make(&v, TOTAL, PG_LEVEL_4K, NULL);
	for (u64 i = 0; i < 512; i++) {
		nv_map(&v, (1023 - i) * PAGE_SIZE, FIRST + i, 1, L1_RWX | L1_A | L1_D);
		assert_int_equal(nv_write(&v, (1023 - i) * PAGE_SIZE, i), FAULT_FIXED);
	}
	for (u64 i = 0; i < MAPS; i++) {
		gfn_of[i] = FIRST + i;
		addr_of[i] = (1023 - i) * PAGE_SIZE;
	}
}

/* L1 maps all huge, which is split; with @alias one page has another name, the last one here. */
static void begin_huge(bool alias)
{
	nv_make(&v, TOTAL, PG_LEVEL_2M, NULL);
	nv_map(&v, 512 * PAGE_SIZE, FIRST, 2, L1_RWX | L1_A | L1_D);
	nv_map(&v, 1024 * PAGE_SIZE, FIRST + 512, 2, L1_RWX | L1_A | L1_D);
	nv_map(&v, 2048 * PAGE_SIZE, FIRST + 99, 1, L1_RWX | L1_A | L1_D);
	assert_int_equal(nv_write(&v, 512 * PAGE_SIZE, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 1024 * PAGE_SIZE, 1), FAULT_FIXED);
	assert_int_equal(nv_split(&v, FIRST, FIRST + 1024), 0);
	if (alias)
		assert_int_equal(nv_write(&v, 2048 * PAGE_SIZE, 1), FAULT_FIXED);
	assert_int_equal(v.mmu.stats.rmap_descs > 0, alias);
	for (u64 i = 0; i < MAPS; i++) {
		gfn_of[i] = i == MAPS - 1 ? FIRST + 99 : first + i;
		addr_of[i] = i == MAPS - 1 ? 2048 * PAGE_SIZE : gfn_of[i] * PAGE_SIZE;
	}
}

enum { IN_ORDER, SOME_ALIASES, ANY_ORDER, BACKWARDS, HUGE, HUGE_ALIAS, HUGE_TWO, HUGE_HOLE, KINDS };

static void begin(int kind)
{
	first = FIRST + (kind == HUGE_TWO ? 384 : 0);
	if (kind == BACKWARDS)
		begin_backwards();
	else if (kind < HUGE)
		begin_small(kind == SOME_ALIASES, kind == ANY_ORDER);
	else
		begin_huge(kind == HUGE_ALIAS);
	/* Instead of in the table the page is mapped elsewhere. */
	if (kind == HUGE_HOLE) {
		drop(FIRST + 99);
		assert_int_equal(nv_write(&v, 2048 * PAGE_SIZE, 1), FAULT_FIXED);
		assert_int_equal(v.mmu.stats.rmap_descs, 0);
	}
}

static void look(u64 *sptes)
{
	for (u64 i = 0; i < MAPS; i++) {
		u64 *sptep = nv_sptep(&v, addr_of[i], 1);

		sptes[i] = sptep ? *sptep : 0;
	}
}

/* Gives back what was taken. */
static void restore(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	nv_lock(&v);
	for (u64 i = 0; i < MAPS; i++) {
		u64 *sptep = nv_sptep(&v, addr_of[i], 1);

		if (sptep && *sptep != before[i]) {
			struct shadow_page *sp = sptep_to_sp(sptep);
			struct spte_pos pos = {.mmu = &v.mmu,
					       .sp = sp,
					       .sptep = sptep,
					       .gfn = {gfn_of[i]},
					       .level = 1};

			spte_set(&pos, before[i], NULL, &b);
		}
	}
	assert_int_equal(b.owed, 0);
	nv_unlock(&v, &b);
}

static u64 mask_of_kind(void)
{
	switch (rnd(4)) {
	case 0:
		return ~0ull;
	case 1:
		return GENMASK(63, rnd(64)) & GENMASK(rnd(64), 0);
	case 2:
		return BIT(rnd(64));
	}
	return (u64)rand() << 33 ^ (u64)rand() << 11 ^ (u64)rand();
}

static void check_masked(u64 bits)
{
	u64 base = first + 64 * rnd(PAGES / 64), mask = mask_of_kind();
	struct flush_batch b = FLUSH_BATCH_INIT;
	bool less = false;

	look(before);
	nv_lock(&v);
	shadow_arm_masked(&v.mmu, v.slot, base, mask, bits, &b);
	look(now);
	for (u64 i = 0; i < MAPS; i++) {
		u64 n = gfn_of[i] - base, take = n < 64 && (mask & BIT(n)) ? bits : 0;

		assert_int_equal(now[i], before[i] & ~take);
		less |= before[i] & take;
	}
	assert_int_equal(b.owed, less ? BIT(MMU_TREE_NESTED) : 0);
	nv_unlock(&v, &b);
	restore();
}

static void check_range(u64 bits)
{
	u64 start = first + rnd(PAGES), end = start + 1 + rnd(first + PAGES - start);
	struct flush_batch b = FLUSH_BATCH_INIT;
	bool less = false;

	look(before);
	nv_lock(&v);
	shadow_arm_range(&v.mmu, v.slot, start, end, bits, &b);
	look(now);
	for (u64 i = 0; i < MAPS; i++) {
		u64 take = gfn_of[i] >= start && gfn_of[i] < end ? bits : 0;

		assert_int_equal(now[i], before[i] & ~take);
		less |= before[i] & take;
	}
	assert_int_equal(b.owed, less ? BIT(MMU_TREE_NESTED) : 0);
	nv_unlock(&v, &b);
	restore();
}

static void test_arm(void **state)
{
	const u64 w = pt_formats[PT_FMT_LONG4].write, d = pt_formats[PT_FMT_LONG4].dirty;

	(void)state;
	srand(1);
	for (int kind = 0; kind < KINDS; kind++) {
		begin(kind);
		for (int i = 0; i < 100; i++) {
			check_masked(i % 3 == 0 ? w : i % 3 == 1 ? d : w | d);
			check_range(i % 3 == 0 ? w : i % 3 == 1 ? d : w | d);
		}
		nv_check(&v);
		assert_int_equal(nv_end(&v), 0);
	}
}

/* From a huge leaf it is W, as long as any of its pages is asked for, whatever the bits are. */
static void test_arm_huge(void **state)
{
	const u64 w = pt_formats[PT_FMT_LONG4].write, d = pt_formats[PT_FMT_LONG4].dirty;
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 *sptep;

	(void)state;
	nv_make(&v, TOTAL, PG_LEVEL_2M, NULL);
	nv_map(&v, 0, FIRST, 2, L1_RWX | L1_A | L1_D);
	assert_int_equal(nv_write(&v, 0x3000, 1), FAULT_FIXED);
	sptep = nv_sptep(&v, 0, 2);
	assert_int_equal(*sptep & (w | d), w | d);
	nv_lock(&v);
	shadow_arm_masked(&v.mmu, v.slot, FIRST + 64, 0, d, &b);
	shadow_arm_masked(&v.mmu, v.slot, FIRST + 512, ~0ull, d, &b);
	shadow_arm_range(&v.mmu, v.slot, FIRST + 512, FIRST + 600, d, &b);
	assert_int_equal(*sptep & (w | d), w | d);
	assert_int_equal(b.owed, 0);
	shadow_arm_masked(&v.mmu, v.slot, FIRST + 64, BIT(63), d, &b);
	assert_int_equal(*sptep & (w | d), d);
	assert_int_equal(b.owed, BIT(MMU_TREE_NESTED));
	nv_unlock(&v, &b);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

/* Entries that lead to tables are not for it. */
static void test_arm_beside_tables(void **state)
{
	const u64 w = pt_formats[PT_FMT_LONG4].write;
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct shadow_page *sp;

	(void)state;
	nv_make(&v, 2 * LEVEL_PAGES(PG_LEVEL_1G), PG_LEVEL_1G, NULL);
	nv_map(&v, 0, 0, 3, L1_RWX | L1_A | L1_D);
	assert_int_equal(nv_write(&v, 0x3000, 1), FAULT_FIXED);
	assert_int_equal(nv_split(&v, 512 * 7, 512 * 8), 0);
	sp = nv_sp(&v, 0, 2);
	assert_int_equal(sp->present, 512);
	assert_int_equal(v.mmu.stats.rmap_descs, 0);
	nv_lock(&v);
	shadow_arm_range(&v.mmu, v.slot, 0, LEVEL_PAGES(PG_LEVEL_1G), w, &b);
	nv_unlock(&v, &b);
	for (int i = 0; i < 512; i++)
		assert_int_equal(sp->spt[i] & w, i == 7 ? w : 0);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arm),
		cmocka_unit_test(test_arm_huge),
		cmocka_unit_test(test_arm_beside_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
