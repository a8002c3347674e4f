// SPDX-License-Identifier: MIT
/*
 * Who wants an access by the permission maps, against the manual's own words (APM 2 15.10.1, 15.11)
 * applied to whole maps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svm/permissions.h"

static u8 iopm[3 * 4096];
static u8 msrpm[2 * 4096];

/* "Each bit in the IOPM corresponds to an 8-bit I/O port"; the access goes if all its bits are 0.
 */
static bool io_by_the_book(u32 port, u32 size)
{
	for (u32 p = port; p < port + size; p++) {
		if (iopm[p / 8] & 1 << p % 8)
			return true;
	}
	return false;
}

static bool io_by_us(u32 port, u8 size)
{
	u16 word = (u16)(iopm[port / 8] | iopm[port / 8 + 1] << 8);

	return svm_iopm_wants(word, (u16)port, size);
}

static void test_io(void **state)
{
	(void)state;
	srand(4);
	for (u32 i = 0; i < sizeof(iopm); i++)
		iopm[i] = (u8)(rand() & rand() & rand());
	for (u32 port = 0; port < 0x10000; port++) {
		for (u8 size = 1; size <= 4; size = (u8)(size * 2))
			assert_int_equal(io_by_us(port, size), io_by_the_book(port, size));
	}
}

/* One bit each for reads and writes; the byte offsets of the three ranges are the manual's. */
static void check_range(u32 first, u32 last, u32 offset)
{
	for (u32 msr = first; msr <= last; msr++) {
		u32 at = offset * 8 + 2 * (msr - first);
		int bit = svm_msrpm_bit(msr);

		assert_int_equal(bit, at);
		for (u32 write = 0; write < 2; write++)
			assert_int_equal(svm_msrpm_wants(msrpm[bit / 8], bit, write),
					 msrpm[(at + write) / 8] >> (at + write) % 8 & 1);
	}
}

static void test_msr(void **state)
{
	(void)state;
	srand(5);
	for (u32 i = 0; i < sizeof(msrpm); i++)
		msrpm[i] = (u8)rand();
	check_range(0x00000000, 0x00001fff, 0x000);
	check_range(0xc0000000, 0xc0001fff, 0x800);
	check_range(0xc0010000, 0xc0011fff, 0x1000);
}

static void test_msr_outside(void **state)
{
	static const u32 outside[] = {0x2000,	  0x40000000, 0xbfffffff, 0xc0002000,
				      0xc000ffff, 0xc0012000, 0xffffffff};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(outside); i++)
		assert_int_equal(svm_msrpm_bit(outside[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_io),
		cmocka_unit_test(test_msr),
		cmocka_unit_test(test_msr_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
