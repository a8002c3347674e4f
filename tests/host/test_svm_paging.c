// SPDX-License-Identifier: MIT
/* objects: svm/paging.o lib/lock.o mmu/*.o tests/host/env*.o */
/*
 * Which paging mode CR0, CR4 and EFER select (APM 2 5.1, 15.25.3), for L1's nested tables and for
 * the tables of the level that runs: every combination against the manual's own table.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "svm/svm.h"
#include "tests/host/env.h"

struct svm_host svm_host;

/* One bit of a combination each. */
enum { WP, PSE, PAE, LA57, NXE, LMA, NR_BITS };

static struct vmcb_save registers(u32 bits)
{
	struct vmcb_save s = {.cr0 = CR0_PG | CR0_PE, .efer = EFER_SVME};

	s.cr0 |= bits & BIT(WP) ? CR0_WP : 0;
	s.cr4 |= bits & BIT(PSE) ? CR4_PSE : 0;
	s.cr4 |= bits & BIT(PAE) ? CR4_PAE : 0;
	s.cr4 |= bits & BIT(LA57) ? CR4_LA57 : 0;
	s.efer |= bits & BIT(NXE) ? EFER_NXE : 0;
	s.efer |= bits & BIT(LMA) ? EFER_LME | EFER_LMA : 0;
	return s;
}

/* Long mode needs PAE; the processor refuses the others. */
static bool possible(u32 bits)
{
	return !(bits & BIT(LMA)) || bits & BIT(PAE);
}

static enum pt_format_id format(u32 bits)
{
	switch (bits & (BIT(LMA) | BIT(PAE) | BIT(LA57))) {
	case BIT(LMA) | BIT(PAE) | BIT(LA57):
		return PT_FMT_LONG5;
	case BIT(LMA) | BIT(PAE):
		return PT_FMT_LONG4;
	case BIT(PAE) | BIT(LA57): /* LA57 counts in long mode only */
	case BIT(PAE):
		return PT_FMT_PAE;
	}
	return PT_FMT_32;
}

static void setup_host(bool huge_1g, u8 maxphyaddr)
{
	memset(&svm_host, 0, sizeof(svm_host));
	svm_host.huge_1g = huge_1g;
	svm_host.limits.maxphyaddr = maxphyaddr;
}

static void check(const struct pt_mode *mode, u32 bits)
{
	assert_ptr_equal(mode->fmt, &pt_formats[format(bits)]);
	assert_int_equal(mode->maxphyaddr, svm_host.limits.maxphyaddr);
	assert_int_equal(mode->huge_1g, svm_host.huge_1g);
	/* APM 2 5.6.1: no-execute is a matter of 8-byte entries. */
	assert_int_equal(mode->nx, bits & BIT(NXE) && bits & BIT(PAE));
	assert_int_equal(mode->pse, !!(bits & BIT(PSE)));
	assert_true(mode->ad);
}

static void test_nested_mode(void **state)
{
	(void)state;
	for (u32 bits = 0; bits < BIT(NR_BITS); bits++) {
		struct vmcb_save s = registers(bits);
		struct pt_mode mode;

		if (!possible(bits))
			continue;
		setup_host(bits & 1, bits & 2 ? 40 : 48);
		mode = svm_nested_mode(&s);
		check(&mode, bits);
		/* 15.25.5: every access to nested tables is a user access. CR0.WP has no say. */
		assert_true(mode.wp);
	}
}

/* L1's tables while L1 runs, L2's while L2 does. */
static void test_own_mode(void **state)
{
	static struct vmcb vmcb;
	static struct svm_vcpu svm;

	(void)state;
	svm.vmcb = &vmcb;
	for (u32 bits = 0; bits < BIT(NR_BITS); bits++) {
		struct pt_mode mode;

		if (!possible(bits))
			continue;
		setup_host(bits & 1, bits & 2 ? 40 : 48);
		vmcb.save = registers(bits);
		vmcb.save.cr3 = ~0ull;
		assert_int_equal(svm_paging(&svm, &mode),
				 GENMASK(svm_host.limits.maxphyaddr - 1,
					 format(bits) == PT_FMT_PAE ? 5 : 12));
		check(&mode, bits);
		assert_int_equal(mode.wp, !!(bits & BIT(WP)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested_mode),
		cmocka_unit_test(test_own_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
