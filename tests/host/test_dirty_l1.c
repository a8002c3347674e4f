// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * L1 has a dirty log of its own: the D bits of its nested table. Whichever way L0 tracks, L1's log
 * and L0's are both exact, and neither disturbs the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/dirty_log.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define PAGES (8 * 512ull)
#define DATA  (4 * 512ull) /* gfns below this are L2's; L1's tables are above */

static struct nested_vm v;
static u64 out[DATA / 64];

static void begin(enum dirty_tracking dirty, bool eager)
{
	const struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_LONG4],
		.maxphyaddr = 48,
		.max_leaf_level = PG_LEVEL_1G,
		.eager_page_split = eager,
		.dirty = dirty,
	};

	nv_make(&v, PAGES, PG_LEVEL_2M, &cfg);
}

static void end(void)
{
	dirty_log_disable(&v.mmu, v.slot);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

static void enable(void)
{
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	nv_check(&v);
}

static void write_at(u64 addr)
{
	assert_int_equal(nv_write(&v, addr, 1), FAULT_FIXED);
}

static void read_at(u64 addr)
{
	assert_int_equal(nv_read(&v, addr), FAULT_FIXED);
}

/* L0's log of L2's memory. */
static u64 l0_log(void)
{
	u64 n;

	dirty_log_sync(&v.mmu);
	n = dirty_log_read_clear(&v.mmu, v.slot, 0, DATA, out);
	nv_check(&v);
	return n;
}

static u64 l1_bits(u64 addr, int level)
{
	return nv_entry(&v, addr, level) & (L1_A | L1_D);
}

/* L1 takes @bits out of its entry, and flushes. */
static void l1_clears(u64 addr, int level, u64 bits)
{
	nv_set_entry(&v, addr, level, nv_entry(&v, addr, level) & ~bits);
	nv_sync(&v);
	nv_check(&v);
}

static bool l2_writable(u64 addr)
{
	int level = nv_level(&v, addr);

	return level && spte_writable(&v.mmu, *nv_sptep(&v, addr, level));
}

/* Not written yet, says L1: nothing is writable below that, logged or not. */
static void test_clean_in_l1_is_not_writable(void **state)
{
	(void)state;
	for (int dirty = DIRTY_WP; dirty <= DIRTY_DBIT; dirty++) {
		begin(dirty, true);
		nv_map(&v, 0, 0x10, 1, L1_RWX);
		nv_map(&v, PAGE_SIZE, 0x11, 1, L1_RWX);
		read_at(0);
		assert_false(l2_writable(0));
		enable();
		assert_false(l2_writable(0));
		read_at(PAGE_SIZE);
		assert_false(l2_writable(PAGE_SIZE));
		assert_int_equal(l1_bits(PAGE_SIZE, 1), L1_A);
		assert_int_equal(l0_log(), 0);
		for (u64 i = 0; i < 2; i++) {
			write_at(i * PAGE_SIZE);
			assert_int_equal(l1_bits(i * PAGE_SIZE, 1), L1_A | L1_D);
		}
		assert_int_equal(l0_log(), 2);
		end();
	}
}

/* The same for a huge page of L1's: its pieces may not be writable before L1 has D. */
static void test_clean_huge_page_of_l1(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		begin(how & 1 ? DIRTY_DBIT : DIRTY_WP, how & 2);
		nv_map(&v, 0, 0, 2, L1_RWX);
		read_at(0);
		assert_int_equal(nv_level(&v, 0), 2);
		enable();
		read_at(0x5000);
		assert_int_equal(nv_level(&v, 0x5000), how & 2 ? 1 : 2);
		assert_false(l2_writable(0x5000));
		assert_int_equal(l1_bits(0, 2), L1_A);
		write_at(0x7000);
		assert_int_equal(l1_bits(0, 2), L1_A | L1_D);
		assert_int_equal(l0_log(), 1);
		assert_int_equal(out[0], BIT(7));
		end();
	}
}

/* What L0 does for its own log leaves L1's bits alone. */
static void test_l0_leaves_l1s_bits(void **state)
{
	(void)state;
	for (int dirty = DIRTY_WP; dirty <= DIRTY_DBIT; dirty++) {
		begin(dirty, true);
		nv_map(&v, 0, 0x10, 1, L1_RWX);
		write_at(0);
		enable();
		for (int i = 0; i < 3; i++) {
			assert_int_equal(l1_bits(0, 1), L1_A | L1_D);
			write_at(0);
			assert_int_equal(l0_log(), 1);
		}
		assert_int_equal(l1_bits(0, 1), L1_A | L1_D);
		end();
	}
}

/* L1 clears D: the next write sets it again; what was written before is still in L0's log. */
static void test_l1_clears_d(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		bool read_first = how & 2;

		begin(how & 1 ? DIRTY_DBIT : DIRTY_WP, true);
		nv_map(&v, 0, 0x10, 1, L1_RWX);
		write_at(0);
		enable();
		write_at(0);
		if (read_first)
			assert_int_equal(l0_log(), 1);
		l1_clears(0, 1, L1_D);
		assert_false(l2_writable(0));
		read_at(0);
		assert_int_equal(l1_bits(0, 1), L1_A);
		assert_int_equal(l0_log(), read_first ? 0 : 1);
		write_at(0);
		assert_int_equal(l1_bits(0, 1), L1_A | L1_D);
		assert_int_equal(l0_log(), 1);
		assert_int_equal(l0_log(), 0);
		end();
	}
}

/* L1 clears A: the next access sets it again; what was written before is still in L0's log. */
static void test_l1_clears_a(void **state)
{
	(void)state;
	for (int dirty = DIRTY_WP; dirty <= DIRTY_DBIT; dirty++) {
		begin(dirty, true);
		nv_map(&v, 0, 0x10, 1, L1_RWX);
		write_at(0);
		enable();
		write_at(0);
		l1_clears(0, 1, L1_A);
		assert_int_equal(nv_level(&v, 0), 0);
		assert_int_equal(l0_log(), 1);
		assert_int_equal(out[0], BIT(0x10));
		read_at(0);
		assert_int_equal(l1_bits(0, 1), L1_A | L1_D);
		assert_int_equal(l0_log(), 0);
		end();
	}
}

/* An L1 that uses neither A nor D: nothing waits for what it does not look at. */
static void test_l1_without_a_and_d(void **state)
{
	(void)state;
	for (int dirty = DIRTY_WP; dirty <= DIRTY_DBIT; dirty++) {
		begin(dirty, true);
		v.mode.ad = false;
		nv_load(&v, true);
		nv_map(&v, 0, 0x10, 1, L1_RWX);
		read_at(0);
		assert_true(l2_writable(0));
		enable();
		assert_int_equal(l2_writable(0), dirty == DIRTY_DBIT);
		write_at(0);
		assert_int_equal(l1_bits(0, 1), 0);
		assert_int_equal(l0_log(), 1);
		end();
	}
}

/* --- both logs against what was written ----------------------------------------------------- */

static u64 seed;
static u64 below(u64 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

/* What L1 maps: @names addresses for half as many pages, or pages of 2M in which they are. */
#define NAMES 48
static u64 names[NAMES];
static bool in_l0[NAMES], in_l1[NAMES]; /* written since that log was read; in_l0: by page */
static int l1_level;

static u64 page_of(int i)
{
	return (u64)(i % (NAMES / 2)) * 17 % DATA;
}

static void map_names(int level)
{
	l1_level = level;
	for (int i = 0; i < NAMES; i++) {
		u64 alias = (u64)(i / (NAMES / 2)) * 64 * MB2;

		names[i] = alias + page_of(i) * PAGE_SIZE;
		nv_map(&v, names[i] & ~(LEVEL_SIZE(level) - 1),
		       page_of(i) & ~(LEVEL_PAGES(level) - 1), level, L1_RWX);
		in_l0[i] = in_l1[i] = false;
	}
}

static void access_some(void)
{
	for (u64 n = below(12); n; n--) {
		int i = (int)below(NAMES);

		if (below(3) == 0) {
			read_at(names[i]);
			continue;
		}
		write_at(names[i]);
		in_l0[i % (NAMES / 2)] = true;
		for (int j = 0; j < NAMES; j++)
			in_l1[j] |= (names[i] ^ names[j]) < LEVEL_SIZE(l1_level);
	}
}

static void l1_reads_its_log(void)
{
	for (int i = 0; i < NAMES; i++)
		assert_int_equal(!!(l1_bits(names[i], l1_level) & L1_D), in_l1[i]);
	for (int i = 0; i < NAMES; i++) {
		nv_set_entry(&v, names[i], l1_level, nv_entry(&v, names[i], l1_level) & ~L1_D);
		in_l1[i] = false;
	}
	nv_sync(&v);
	nv_check(&v);
}

static void l0_reads_its_log(void)
{
	u64 expected = 0;

	for (int i = 0; i < NAMES / 2; i++)
		expected += in_l0[i];
	assert_int_equal(l0_log(), expected);
	for (int i = 0; i < NAMES / 2; i++) {
		assert_int_equal(bitmap_test(out, page_of(i)), in_l0[i]);
		in_l0[i] = false;
	}
}

static void test_both_logs_are_exact(void **state)
{
	(void)state;
	seed = 815;
	for (int how = 0; how < 16; how++) {
		begin(how & 1 ? DIRTY_DBIT : DIRTY_WP, how & 2);
		map_names(how & 4 ? PG_LEVEL_2M : PG_LEVEL_4K);
		if (how & 8)
			access_some();
		enable();
		memset(in_l0, 0, sizeof(in_l0));
		for (int step = 0; step < 60; step++) {
			access_some();
			nv_check(&v);
			if (below(3) == 0)
				l1_reads_its_log();
			if (below(3) == 0)
				l0_reads_its_log();
		}
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clean_in_l1_is_not_writable),
		cmocka_unit_test(test_clean_huge_page_of_l1),
		cmocka_unit_test(test_l0_leaves_l1s_bits),
		cmocka_unit_test(test_l1_clears_d),
		cmocka_unit_test(test_l1_clears_a),
		cmocka_unit_test(test_l1_without_a_and_d),
		cmocka_unit_test(test_both_logs_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
