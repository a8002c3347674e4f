// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/tdp_vm.o */
/*
 * The processor that the other tests run guests on: it must be as nasty as one may be, or they
 * prove nothing. What it remembers, what it does with that, and what tlb_stale() notices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/tdp_vm.h"

#define GFN 1234

static u64 a_bit, d_bit, w_bit;

/* One page, mapped writable with A and D. The entries that lead to it, by level. */
static u64 *entry[PT_MAX_LEVEL + 1];

static void setup_page(int fmt)
{
	const struct mmu_config cfg = {
		.fmt = &pt_formats[fmt], .maxphyaddr = 48, .max_leaf_level = PG_LEVEL_4K};
	struct tdp_iter it;

	vm(&cfg, 0, 4096, PG_LEVEL_4K);
	assert_int_equal(fault(GFN, BIT(1)), FAULT_FIXED);
	tdp_for_each (it, &mmu, PG_LEVEL_4K, GFN, GFN + 1)
		entry[it.level] = it.sptep;
	a_bit = cfg.fmt->accessed;
	d_bit = cfg.fmt->dirty;
	w_bit = cfg.fmt->write;
}

/* As L0 does it, without the flush. */
static void clear(int level, u64 bits)
{
	env_pte_clear(entry[level], bits);
}

static bool has(int level, u64 bits)
{
	return (*entry[level] & bits) == bits;
}

static bool try_write(void)
{
	u64 value = 1;

	return env_vcpu_try_write(&mmu, GFN * PAGE_SIZE, &value, sizeof(value));
}

static bool try_read(void)
{
	bool present;
	void *va;

	return cpu_access(&mmu, MMU_TREE_TDP, mmu.tdp_root, GFN * PAGE_SIZE, 0, &va, &present);
}

static void finish(void)
{
	tlb_drop();
	vm_end();
}

/* With D in what is cached a write leaves the tables alone, whatever has become of them. */
static void test_cached_dirty(void **state)
{
	(void)state;
	setup_page(PT_FMT_LONG4);
	assert_true(try_write());
	assert_int_equal(tlb_stale(&mmu), 0);
	clear(1, d_bit);
	assert_int_equal(tlb_stale(&mmu), 1);
	assert_true(try_write());
	assert_false(has(1, d_bit));
	clear(1, ~0ull);
	assert_int_equal(tlb_stale(&mmu), 1);
	assert_true(try_write() && try_read());
	env_flush(&mmu, BIT(MMU_TREE_NESTED));
	assert_true(try_write());
	env_flush(&mmu, BIT(MMU_TREE_TDP));
	assert_false(try_write());
	assert_false(try_read());
	assert_int_equal(tlb_stale(&mmu), 0);
	mmu.stats.pages[MMU_TREE_TDP][0]--;
	finish();
}

/* Without D it writes D first, in the entry as it is now: gone, it is a fault. */
static void test_cached_clean(void **state)
{
	(void)state;
	setup_page(PT_FMT_LONG4);
	clear(1, d_bit);
	assert_true(try_read());
	assert_false(has(1, d_bit));
	assert_int_equal(tlb_stale(&mmu), 0);
	clear(1, w_bit);
	assert_int_equal(tlb_stale(&mmu), 1);
	assert_false(try_write());
	assert_false(has(1, d_bit));
	env_hw_set(entry[1], w_bit);
	assert_true(try_write());
	assert_true(has(1, d_bit));
	finish();
}

static u32 second_of(u32 n)
{
	return n > 1;
}

/* A table that a cached entry leads to is walked on from, and the entry's A is not set again. */
static void test_cached_table(void **state)
{
	(void)state;
	setup_page(PT_FMT_LONG4);
	clear(1, d_bit);
	assert_true(try_read());
	clear(1, a_bit);
	for (int level = 2; level <= 4; level++)
		clear(level, a_bit);
	/* The tables' entries lack A now. */
	assert_int_equal(tlb_stale(&mmu), 3);
	assert_true(try_write());
	assert_true(has(1, d_bit | a_bit));
	for (int level = 2; level <= 4; level++)
		assert_false(has(level, a_bit));
	/* It even goes where nothing leads to any more. */
	env_pte_clear(entry[2], ~0ull);
	clear(1, d_bit);
	env_choose = second_of;
	assert_true(try_write());
	env_choose = NULL;
	assert_true(has(1, d_bit));
	tlb_drop();
	assert_false(try_write());
	env_pte_cmpxchg(entry[2], 0, spte_make_table(&mmu, (void *)((u64)entry[1] & PAGE_MASK)));
	assert_true(try_write());
	for (int level = 2; level <= 4; level++)
		assert_true(has(level, a_bit)); /* not cached without it */
	assert_int_equal(tlb_stale(&mmu), 0);
	finish();
}

static u32 last_of(u32 n)
{
	return n - 1;
}

static u32 choices;
static u32 first_of(u32 n)
{
	choices = n;
	return 0;
}

/* Any cached entry may be used, or none; one that lacks a right makes one fault and no more. */
static void test_choice(void **state)
{
	(void)state;
	setup_page(PT_FMT_LONG4);
	clear(1, w_bit);
	assert_true(try_read());
	env_hw_set(entry[1], w_bit);
	env_choose = first_of;
	assert_false(try_write());
	assert_int_equal(choices, 5);
	assert_true(try_write());
	assert_int_equal(choices, 4);
	clear(2, a_bit);
	env_choose = last_of;
	assert_true(try_write());
	assert_true(has(2, a_bit));
	finish();
}

/* Execution and reading, in a format that has a bit for each. */
static void test_rights(void **state)
{
	bool present;
	void *va;

	(void)state;
	setup_page(PT_FMT_EPT4);
	clear(1, BIT(2));
	assert_false(cpu_access(&mmu, MMU_TREE_TDP, mmu.tdp_root, GFN * PAGE_SIZE, BIT(4), &va,
				&present));
	assert_true(present);
	assert_true(try_read());
	clear(1, BIT(0) | BIT(1));
	assert_int_equal(tlb_stale(&mmu), 1);
	assert_int_equal(tlb_cached(&mmu), 1);
	tlb_drop();
	assert_false(try_read());
	mmu.stats.pages[MMU_TREE_TDP][0]--;
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cached_dirty), cmocka_unit_test(test_cached_clean),
		cmocka_unit_test(test_cached_table), cmocka_unit_test(test_choice),
		cmocka_unit_test(test_rights),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
