// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * A fault of L2 splits a huge page whose every 4K page is mapped elsewhere too, so that each takes
 * a descriptor, of which a fault has few: what it needs for itself is left, and the pages that got
 * none are faulted in when they are used.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define PAGES (8 * 512)

static struct nested_vm v;

/*
 * Four names of gfns 512 to 1023: the first two with X, the others without, so that each pair has
 * a table of its own when split. All are touched while huge; then the slot is logged.
 */
static void begin(void)
{
	nv_make(&v, PAGES, PG_LEVEL_2M, NULL);
	v.mmu.cfg.eager_page_split = false;
	for (u64 i = 0; i < 4; i++)
		nv_map(&v, i * MB2, 512, 2, i < 2 ? L1_RWX : L1_RW);
	for (u64 i = 0; i < 4; i++) {
		assert_int_equal(nv_write(&v, i * MB2, 1), FAULT_FIXED);
		assert_int_equal(nv_level(&v, i * MB2), 2);
	}
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
}

static void end(void)
{
	nv_check(&v);
	dirty_log_disable(&v.mmu, v.slot);
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

static void write_page(u64 name, u64 page)
{
	assert_int_equal(nv_write(&v, name * MB2 + page * PAGE_SIZE, page), FAULT_FIXED);
	assert_int_equal(nv_level(&v, name * MB2 + page * PAGE_SIZE), 1);
	nv_check(&v);
}

static int mapped(u64 name)
{
	int n = 0;

	for (u64 page = 0; page < 512; page++)
		n += nv_level(&v, name * MB2 + page * PAGE_SIZE) == 1;
	return n;
}

static void test_new_table(void **state)
{
	(void)state;
	begin();
	write_page(0, 300);
	assert_int_equal(mapped(0), 512);
	/* Here each entry is the second of its list. */
	write_page(2, 400);
	assert_in_range(mapped(2), 1, 100);
	for (u64 page = 0; page < 512; page += 3)
		write_page(2, page);
	end();
}

static void test_table_that_is_there(void **state)
{
	int before;

	(void)state;
	begin();
	write_page(0, 300);
	write_page(2, 400);
	before = mapped(2);
	/* The fourth name finds the third one's table, full of holes. */
	write_page(3, 500);
	assert_ptr_equal(nv_sptep(&v, 2 * MB2, 1), nv_sptep(&v, 3 * MB2, 1));
	assert_in_range(mapped(3), before + 1, before + 100);
	write_page(1, 10);
	for (u64 page = 0; page < 512; page += 3)
		write_page(3, page);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_table),
		cmocka_unit_test(test_table_that_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
