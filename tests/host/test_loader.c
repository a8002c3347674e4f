// SPDX-License-Identifier: MIT
// objects: devices/loader.o
/* Places in a VM's memory for what its kernel is given, and the map of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/loader.h"
#include "mmu/guest_mem.h"

#define LOW (64ull << 20)

static u8 *memory;
static struct loader l;
static char why[160];

int guest_write(struct mmu *mmu, gpa_t gpa, const void *src, size_t len)
{
	(void)mmu;
	assert_true(gpa.v <= LOW && len <= LOW - gpa.v);
	memcpy(memory + gpa.v, src, len);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memory = malloc(LOW);
	memset(memory, 0xcc, LOW);
	l = (struct loader){.low = LOW, .why = why, .why_size = sizeof(why)};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

static void test_put(void **state)
{
	(void)state;
	assert_int_equal(loader_put(&l, 0x200000, "abc", 3, 10000), 0);
	assert_memory_equal(memory + 0x200000, "abc\0\0", 5);
	assert_int_equal(memory[0x200000 + 9999], 0);
	assert_int_equal(memory[0x200000 + 10000], 0xcc);
	assert_int_equal(loader_put(&l, LOW - 2, "abc", 3, 3), -ENOSPC);
	assert_int_equal(loader_put(&l, LOW, "", 0, 1), -ENOSPC);
	assert_int_equal(loader_put(&l, ~0ull, "abc", 3, 3), -ENOSPC);
	assert_true(strlen(why) > 10);
	for (int i = 1; i < LOADER_PARTS; i++)
		assert_int_equal(loader_put(&l, 0x300000, "", 0, 1), 0);
	assert_int_equal(loader_put(&l, 0x300000, "", 0, 1), -ENOEXEC);
}

static void test_lowest_place(void **state)
{
	u64 at;

	(void)state;
	assert_int_equal(loader_place(&l, 1, LOW, 100, &at), 0);
	assert_int_equal(at, 0x1000);
	assert_int_equal(loader_put(&l, 0x1800, "", 0, 1), 0);
	assert_int_equal(loader_put(&l, 0x4000, "", 0, 0x1001), 0);
	assert_int_equal(loader_place(&l, 0x1000, LOW, 0x900, &at), 0);
	assert_int_equal(at, 0x2000);
	assert_int_equal(loader_place(&l, 0x1000, LOW, 0x2001, &at), 0);
	assert_int_equal(at, 0x6000);
	assert_int_equal(loader_place(&l, 0x1000, 0x6000, 0x2001, &at), -ENOSPC);
	assert_int_equal(loader_place(&l, 0x1000, ~0ull, LOW, &at), -ENOSPC);
	assert_int_equal(loader_place(&l, 0x1000, ~0ull, ~0ull, &at), -ENOSPC);
}

static void test_highest_place(void **state)
{
	u64 at;

	(void)state;
	assert_int_equal(loader_place_high(&l, ~0ull, 0x1001, &at), 0);
	assert_int_equal(at, LOW - 0x2000);
	assert_int_equal(loader_put(&l, LOW - 0x1000, "", 0, 0x1000), 0);
	assert_int_equal(loader_place_high(&l, ~0ull, 0x1001, &at), 0);
	assert_int_equal(at, LOW - 0x3000);
	assert_int_equal(loader_place_high(&l, 0x1fffff, 0x1000, &at), 0);
	assert_int_equal(at, 0x1fe000);
	assert_int_equal(loader_place_high(&l, LOW, LOW, &at), -ENOSPC);
	assert_int_equal(loader_place_high(&l, LOADER_HIGH, 1, &at), -ENOSPC);
	assert_int_equal(loader_put(&l, LOADER_HIGH, "", 0, LOW - LOADER_HIGH), 0);
	assert_int_equal(loader_place_high(&l, LOW, 1, &at), -ENOSPC);
}

static void test_map(void **state)
{
	struct memory_map_entry map[LOADER_MAP_MAX];

	(void)state;
	assert_int_equal(loader_map(&l, map), 3);
	assert_int_equal(map[0].addr, 0);
	assert_int_equal(map[0].len, 0xa0000);
	assert_int_equal(map[1].type, MAP_RESERVED);
	assert_int_equal(map[1].addr + map[1].len, 0x100000);
	assert_int_equal(map[2].addr + map[2].len, LOW);
	l.high = 1ull << 30;
	assert_int_equal(loader_map(&l, map), 4);
	assert_int_equal(map[3].addr, 1ull << 32);
	assert_int_equal(map[3].len, 1ull << 30);
	assert_int_equal(map[3].type, MAP_USABLE);
	l.low = 0x80000;
	l.high = 0;
	assert_int_equal(loader_map(&l, map), 2);
	assert_int_equal(map[0].len, 0x80000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_put, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lowest_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_highest_place, setup, teardown),
		cmocka_unit_test_setup_teardown(test_map, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
