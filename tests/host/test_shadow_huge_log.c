// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * A logged slot in which L2's memory stays mapped huge, as nothing splits it eagerly: no write
 * through a 2M or 1G page, nor through an alias of one, escapes the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/dirty_log.h"
#include "tests/host/nested_vm.h"

#define GB1   LEVEL_SIZE(PG_LEVEL_1G)
#define PAGES (2 * LEVEL_PAGES(PG_LEVEL_1G)) /* L1's tables are in the second half */
#define PAGE  0x12345ull

static struct nested_vm v;
static u64 out[PAGES / 64];

static void begin(int level, enum dirty_tracking dirty)
{
	nv_make(&v, PAGES, PG_LEVEL_1G, NULL);
	v.mmu.cfg.dirty = dirty;
	v.mmu.cfg.eager_page_split = false;
	for (u64 alias = 0; alias < 3; alias++) {
		u64 addr = alias * GB1 + PAGE * PAGE_SIZE, size = LEVEL_SIZE(level);

		nv_map(&v, addr & ~(size - 1), PAGE & ~(LEVEL_PAGES(level) - 1), level, L1_RWX);
	}
	for (u64 alias = 0; alias < 3; alias++) {
		u64 addr = alias * GB1 + PAGE * PAGE_SIZE;

		assert_int_equal(nv_write(&v, addr, 1), FAULT_FIXED);
		assert_int_equal(nv_level(&v, addr), level);
	}
}

static void end(void)
{
	dirty_log_disable(&v.mmu, v.slot);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

/* L2 writes page @page by each of its names in turn; the log must have it each time. */
static void write_and_look(u64 page)
{
	for (u64 alias = 0; alias < 3; alias++) {
		u64 first = page & ~63ull;

		assert_int_equal(nv_write(&v, alias * GB1 + page * PAGE_SIZE, alias), FAULT_FIXED);
		dirty_log_sync(&v.mmu);
		nv_check(&v);
		assert_int_equal(dirty_log_read_clear(&v.mmu, v.slot, first, 64, out), 1);
		assert_int_equal(out[0], BIT(page % 64));
		nv_check(&v);
	}
}

static void test_protected_at_once(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		int level = how & 1 ? PG_LEVEL_1G : PG_LEVEL_2M;

		begin(level, how & 2 ? DIRTY_DBIT : DIRTY_WP);
		assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
		nv_check(&v);
		assert_int_equal(nv_level(&v, PAGE * PAGE_SIZE), level);
		write_and_look(PAGE);
		write_and_look(PAGE ^ 63);
		end();
	}
}

static void test_protected_when_cleared(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		int level = how & 1 ? PG_LEVEL_1G : PG_LEVEL_2M;

		begin(level, how & 2 ? DIRTY_DBIT : DIRTY_WP);
		assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_INITIALLY_SET), 0);
		nv_check(&v);
		/* One word of the log: the huge page must be read-only as a whole then. */
		assert_int_equal(dirty_log_read_clear(&v.mmu, v.slot, PAGE & ~63ull, 64, out), 64);
		nv_check(&v);
		assert_int_equal(nv_level(&v, PAGE * PAGE_SIZE), level);
		write_and_look(PAGE);
		end();
	}
}

/* All of it at once, to the slot's last page. */
static void test_cleared_whole(void **state)
{
	(void)state;
	for (int how = 0; how < 4; how++) {
		int level = how & 1 ? PG_LEVEL_1G : PG_LEVEL_2M;

		begin(level, how & 2 ? DIRTY_DBIT : DIRTY_WP);
		assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_INITIALLY_SET), 0);
		assert_int_equal(dirty_log_read_clear(&v.mmu, v.slot, 0, PAGES, out), PAGES);
		assert_int_equal(bitmap_find_next_clear(out, PAGES, 0), PAGES);
		nv_check(&v);
		assert_int_equal(dirty_log_count(&v.mmu, v.slot), 0);
		write_and_look(PAGE);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protected_at_once),
		cmocka_unit_test(test_protected_when_cleared),
		cmocka_unit_test(test_cleared_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
