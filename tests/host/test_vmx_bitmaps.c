// SPDX-License-Identifier: MIT
/* objects: vmx/nested_bitmaps.o */
/*
 * The MSR and I/O bitmaps of L1's: SDM 3C 24.6.4, 24.6.9 and 25.1.3, bit by bit, and the bitmap
 * that L2 runs with.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/guest_mem.h"
#include "vmx/bitmaps.h"
#include "vmx/nested_bitmaps.h"

#define MSRS 0x1000
#define IO_A 0x3000
#define IO_B 0x2000 /* not after A */

static u8 memory[4 * PAGE_SIZE] __attribute__((aligned(8)));
static struct vm vm;
static struct vmx_vcpu vmx = {.vcpu.vm = &vm};
static struct vmcs12 v;

int guest_read(struct mmu *mmu, gpa_t gpa, void *dst, size_t len)
{
	(void)mmu;
	if (gpa.v + len > sizeof(memory))
		return -EFAULT;
	memcpy(dst, memory + gpa.v, len);
	return 0;
}

const void *guest_page_read(struct mmu *mmu, gfn_t gfn)
{
	(void)mmu;
	return gfn.v < sizeof(memory) / PAGE_SIZE ? memory + gfn.v * PAGE_SIZE : NULL;
}

static void setup(void)
{
	memset(memory, 0, sizeof(memory));
	v = (struct vmcs12){
		.proc_controls = VMX_PROC_MSR_BITMAPS | VMX_PROC_IO_BITMAPS,
		.msr_bitmap = MSRS,
		.io_bitmap_a = IO_A,
		.io_bitmap_b = IO_B,
	};
}

/* One bit set: that access exits, and its neighbours do not. */
static void test_msr_places(void **state)
{
	static const struct {
		u32 msr;
		bool write;
		u32 byte;
		u8 mask;
	} rows[] = {
		{0, false, 0, 1},
		{0x1fff, false, 1023, 0x80},
		{0xc0000000, false, 1024, 1},
		{0xc0001fff, false, 2047, 0x80},
		{0, true, 2048, 1},
		{0x1fff, true, 3071, 0x80},
		{0xc0000000, true, 3072, 1},
		{0xc0001fff, true, 4095, 0x80},
		{0x174, false, 46, 0x10},
		{0xc0000080, true, 3072 + 16, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup();
		assert_false(vmx_l1_wants_msr(&vmx, &v, rows[i].msr, rows[i].write));
		memory[MSRS + rows[i].byte] = rows[i].mask;
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++)
			assert_int_equal(vmx_l1_wants_msr(&vmx, &v, rows[k].msr, rows[k].write),
					 i == k);
	}
}

static void test_msr_always(void **state)
{
	static const u32 outside[] = {0x2000, 0xbfffffff, 0xc0002000, 0xffffffff, 0x40000000};

	(void)state;
	setup();
	for (size_t i = 0; i < ARRAY_SIZE(outside); i++) {
		assert_true(vmx_l1_wants_msr(&vmx, &v, outside[i], false));
		assert_true(vmx_l1_wants_msr(&vmx, &v, outside[i], true));
	}
	v.msr_bitmap = sizeof(memory);
	assert_true(vmx_l1_wants_msr(&vmx, &v, 0, false));
	setup();
	v.proc_controls &= ~(u32)VMX_PROC_MSR_BITMAPS;
	assert_true(vmx_l1_wants_msr(&vmx, &v, 0, false));
}

/* 24.6.4, by a second way: each port's bit, and the access exits when one of its ports' is set. */
static bool io_expected(u32 port, u32 size)
{
	for (u32 p = port; p < port + size; p++) {
		u32 page = p < 0x8000 ? IO_A : IO_B;

		if (p > 0xffff || memory[page + (p & 0x7fff) / 8] & 1 << p % 8)
			return true;
	}
	return false;
}

static void test_io(void **state)
{
	static const u32 wanted[] = {0x10000, 0, 7, 8, 0x7fff, 0x8000, 0x8007, 0xffff, 0xfff8};
	static const u32 around[] = {0, 8, 0x7ffa, 0x7fff, 0xfff8, 0xfffc};
	static const u8 sizes[] = {1, 2, 4};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		setup();
		if (wanted[i] < 0x10000)
			memory[(wanted[i] < 0x8000 ? IO_A : IO_B) + (wanted[i] & 0x7fff) / 8] =
				(u8)(1 << wanted[i] % 8);
		for (size_t a = 0; a < ARRAY_SIZE(around); a++)
			for (u32 port = around[a]; port < around[a] + 16 && port < 0x10000; port++)
				for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
					assert_int_equal(
						vmx_l1_wants_io(&vmx, &v, (u16)port, sizes[s]),
						io_expected(port, sizes[s]));
	}
}

static void test_io_controls(void **state)
{
	(void)state;
	setup();
	assert_false(vmx_l1_wants_io(&vmx, &v, 0x80, 1));
	v.proc_controls |= VMX_PROC_IO_ALL; /* the bitmaps count */
	assert_false(vmx_l1_wants_io(&vmx, &v, 0x80, 1));
	v.proc_controls = VMX_PROC_IO_ALL;
	assert_true(vmx_l1_wants_io(&vmx, &v, 0x80, 1));
	v.proc_controls = 0;
	assert_false(vmx_l1_wants_io(&vmx, &v, 0x80, 1));
	setup();
	v.io_bitmap_b = sizeof(memory);
	assert_false(vmx_l1_wants_io(&vmx, &v, 0x7ffe, 2));
	assert_true(vmx_l1_wants_io(&vmx, &v, 0x7ffe, 4));
	assert_true(vmx_l1_wants_io(&vmx, &v, 0x8000, 1));
}

/* --- the bitmap for L2 ----------------------------------------------------------------------- */

static u64 l0[VMX_MSR_BITMAP_WORDS], l2[VMX_MSR_BITMAP_WORDS];

static void merge_setup(struct vmx_msr_map *m)
{
	setup();
	srand(5);
	memset(l0, 0xff, sizeof(l0));
	memset(l2, 0xff, sizeof(l2));
	l0[0] = 0x1234;
	l0[5] = 0;
	l0[511] = ~0ull - 1;
	vmx_msr_map_init(m, l0);
	for (u32 i = 0; i < PAGE_SIZE; i++)
		memory[MSRS + i] = (u8)(rand() >> 7);
}

static void test_merge(void **state)
{
	const u64 *l1 = (const u64 *)(memory + MSRS);
	struct vmx_msr_map m;

	(void)state;
	merge_setup(&m);
	for (u32 round = 0; round < 3; round++) {
		vmx_msr_map_merge(&m, &vmx, &v, l2);
		for (u32 i = 0; i < VMX_MSR_BITMAP_WORDS; i++)
			assert_true(l2[i] == (l0[i] | l1[i]) || (l2[i] == ~0ull && !~l0[i]));
		for (u32 i = 0; i < PAGE_SIZE; i++)
			memory[MSRS + i] ^= 0x5a;
	}
	/* Without a bitmap of L1's, or with one nowhere, all exit. */
	v.proc_controls = 0;
	vmx_msr_map_merge(&m, &vmx, &v, l2);
	for (u32 i = 0; i < VMX_MSR_BITMAP_WORDS; i++)
		assert_true(l2[i] == ~0ull);
	merge_setup(&m);
	v.msr_bitmap = sizeof(memory);
	vmx_msr_map_merge(&m, &vmx, &v, l2);
	for (u32 i = 0; i < VMX_MSR_BITMAP_WORDS; i++)
		assert_true(l2[i] == ~0ull);
}

/* More than a map has room for stays shut. */
static void test_many(void **state)
{
	struct vmx_msr_map m;

	(void)state;
	setup();
	memset(l0, 0, sizeof(l0));
	memset(l2, 0xff, sizeof(l2));
	vmx_msr_map_init(&m, l0);
	vmx_msr_map_merge(&m, &vmx, &v, l2);
	for (u32 i = 0; i < VMX_MSR_BITMAP_WORDS; i++)
		assert_true(l2[i] == (i < VMX_MSR_MAP_OPEN ? 0 : ~0ull));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_msr_places), cmocka_unit_test(test_msr_always),
		cmocka_unit_test(test_io),	   cmocka_unit_test(test_io_controls),
		cmocka_unit_test(test_merge),	   cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
