// SPDX-License-Identifier: MIT
/* objects: svm/nested_copy.o */
/*
 * What VMRUN loads of a VMCB (APM 2 15.5.1 and Appendix B), byte by byte: which bytes are copied by
 * what, and that none of those that are compared can change unnoticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "svm/nested_copy.h"

struct range {
	size_t first, end;
};

static bool within(const struct range *r, size_t n, size_t at)
{
	for (size_t i = 0; i < n; i++)
		if (at >= r[i].first && at < r[i].end)
			return true;
	return false;
}

/* Intercepts; IOPM and MSRPM base, TSC offset, ASID and TLB_CONTROL; NP_ENABLE; nCR3. */
static const struct range lasting[] = {
	{0x000, 0x018}, {0x040, 0x060}, {0x090, 0x098}, {0x0b0, 0x0b8}};
/* V_INTR and the shadow; EVENTINJ; nRIP. */
static const struct range events[] = {{0x060, 0x070}, {0x0a8, 0x0b0}, {0x0c8, 0x0d0}};
/* ES to DS, GDTR, IDTR, CPL, EFER, CR4 to DR6, G_PAT. */
static const struct range registers[] = {{0x000, 0x040}, {0x060, 0x070}, {0x080, 0x090},
					 {0x0cb, 0x0cc}, {0x0d0, 0x0d8}, {0x148, 0x170},
					 {0x268, 0x270}};
/* RFLAGS, RIP, RSP, RAX, CR2. */
static const struct range flow[] = {{0x170, 0x180}, {0x1d8, 0x1e0}, {0x1f8, 0x200}, {0x240, 0x248}};

#define WITHIN(ranges, at) within(ranges, ARRAY_SIZE(ranges), at)

static struct vmcb *from, *to, *before;

static int setup(void **state)
{
	(void)state;
	from = aligned_alloc(4096, 4096);
	to = aligned_alloc(4096, 4096);
	before = aligned_alloc(4096, 4096);
	for (size_t i = 0; i < 4096; i++) {
		((u8 *)from)[i] = (u8)(rand() >> 7);
		((u8 *)to)[i] = (u8) ~((u8 *)from)[i];
	}
	memcpy(before, to, 4096);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(from);
	free(to);
	free(before);
	return 0;
}

/* Each byte of @to is @from's when it is in one of the ranges, and else what it was. */
static void check(const struct range *r, size_t n, size_t area, size_t size)
{
	const u8 *a = (const u8 *)from, *b = (const u8 *)to, *old = (const u8 *)before;

	for (size_t i = 0; i < 4096; i++) {
		bool copied = i >= area && i < area + size && within(r, n, i - area);

		if (b[i] != (copied ? a : old)[i])
			fail_msg("wrong at 0x%zx", i);
	}
}

#define CHECK(ranges, area) \
	check(ranges, ARRAY_SIZE(ranges), offsetof(struct vmcb, area), sizeof(from->area))

static void test_control(void **state)
{
	(void)state;
	svm_control_copy(&to->control, &from->control);
	CHECK(lasting, control);
}

static void test_events(void **state)
{
	(void)state;
	svm_control_copy_events(&to->control, &from->control);
	CHECK(events, control);
}

static void test_save(void **state)
{
	(void)state;
	svm_save_copy(&to->save, &from->save);
	CHECK(registers, save);
}

static void test_flow(void **state)
{
	(void)state;
	svm_save_copy_flow(&to->save, &from->save);
	CHECK(flow, save);
}

/* One bit of one byte at a time, and any of the eight. */
static void test_differs(void **state)
{
	u8 *bytes = (u8 *)to;

	(void)state;
	memcpy(to, from, 4096);
	assert_false(svm_control_differs(&to->control, &from->control));
	assert_false(svm_save_differs(&to->save, &from->save));
	for (size_t i = 0; i < 4096; i++) {
		size_t save = i - offsetof(struct vmcb, save);

		bytes[i] ^= (u8)BIT(i % 8);
		assert_int_equal(svm_control_differs(&to->control, &from->control),
				 i < sizeof(to->control) && WITHIN(lasting, i));
		assert_int_equal(svm_save_differs(&to->save, &from->save),
				 i >= offsetof(struct vmcb, save) && WITHIN(registers, save));
		bytes[i] ^= (u8)BIT(i % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_control, setup, teardown),
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_save, setup, teardown),
		cmocka_unit_test_setup_teardown(test_flow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_differs, setup, teardown),
	};

	srand(12);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
