// SPDX-License-Identifier: MIT
/* objects: vmx/offer.o vmx/fields.o */
/*
 * What L1 is offered: each capability MSR by SDM 3D Appendix A, on processors that have more than
 * nesting can do, and less.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmx/nested_insn.h"
#include "vmx/offer.h"

#define CR4_ALLOWED 0x3006ffull

/* All that the manual knows, with reserved controls as Appendix A has them. */
static const struct vmx_facts rich = {
	.vmx = true,
	.basic = BIT(56) | BIT(55) | BIT(54) | 6ull << 50 | BIT(49) | 1024ull << 32 | 0x1234,
	.misc = 0xabcdef01ull << 32 | 0x7fffffff,
	.pin = 0x000000ff00000016,
	.proc = 0xffffffff04006172,
	.proc2 = 0xffffffff00000000,
	.exit = 0xffffffff00036dfb,
	.entry = 0xffffffff000011fb,
	.ept_vpid = ~0ull,
	.rdtscp = true,
};

/* What vmx/probe.c insists on, and nothing else. */
static const struct vmx_facts poor = {
	.vmx = true,
	.basic = 6ull << 50 | 1024ull << 32,
	.misc = 0x40005,
	.pin = 0x0000003f00000016,
	.proc = 0xb5f9f7fe04006172 & ~(BIT(27 + 32) | BIT(30 + 32) | BIT(25 + 32)),
	.proc2 = 0x000000a200000000,
	.exit = 0x003fefff00036dfb & ~BIT(50),
	.entry = 0x0000d3ff000011fb,
	.ept_vpid = 0x60120114040,
};

static const struct vmx_limits processor = {
	.cr0_fixed0 = 0x80000021,
	.cr0_fixed1 = 0xffffffff,
	.cr4_fixed0 = 0x2000,
	.efer_allowed = 0xd01,
	.maxphyaddr = 39,
};

static u64 msr(const struct vmx_facts *f, u32 index)
{
	struct vmx_limits l = vmx_offer(f, &processor, CR4_ALLOWED);
	u64 value = 0x5555;

	assert_int_equal(vmx_offer_msr(&l, index, &value), 0);
	return value;
}

static void test_rich(void **state)
{
	(void)state;
	assert_true(msr(&rich, 0x480) ==
		    (VMCS12_REVISION | 4096ull << 32 | 6ull << 50 | BIT(54) | BIT(55)));
	/* pin: external interrupts, NMIs, virtual NMIs, the timer; no posted interrupts */
	assert_true(msr(&rich, 0x481) == 0x0000007f00000016);
	assert_true(msr(&rich, 0x48d) == 0x0000007f00000016);
	/* No TPR shadow (21), no tertiary controls (17), no reserved ones; TRUE frees 15 and 16. */
	assert_true(msr(&rich, 0x482) == 0xffd9fffe0401e172);
	assert_true(msr(&rich, 0x48e) == 0xffd9fffe04006172);
	/* EPT, descriptor tables, RDTSCP, VPID, WBINVD, unrestricted, RDRAND, RDSEED */
	assert_true(msr(&rich, 0x48b) == 0x000108ee00000000);
	/* No IA32_PERF_GLOBAL_CTRL (12), none of the later ones */
	assert_true(msr(&rich, 0x483) == 0x007fefff00036dff);
	assert_true(msr(&rich, 0x48f) == 0x007fefff00036dfb);
	/* No SMM (10, 11), no IA32_PERF_GLOBAL_CTRL (13), none of the later ones */
	assert_true(msr(&rich, 0x484) == 0x0000d3ff000011ff);
	assert_true(msr(&rich, 0x490) == 0x0000d3ff000011fb);
	/* The timer's rate, LMA, HLT; the number of CR3 targets; length 0. Lists: 512 entries. */
	assert_true(msr(&rich, 0x485) == (0x1f | BIT(5) | BIT(6) | 0x1ffull << 16 | BIT(30)));
	assert_true(msr(&rich, 0x486) == 0x80000021);
	assert_true(msr(&rich, 0x487) == 0xffffffff);
	assert_true(msr(&rich, 0x488) == 0x2000);
	assert_true(msr(&rich, 0x489) == (CR4_ALLOWED | 0x2000));
	/* Execute-only, 4 and 5 levels, WB, 2M, 1G, A and D; all types of INVEPT and INVVPID */
	assert_true(msr(&rich, 0x48c) == 0x00000f01063340c1);
}

static void test_poor(void **state)
{
	(void)state;
	assert_true(msr(&poor, 0x480) == (VMCS12_REVISION | 4096ull << 32 | 6ull << 50 | BIT(55)));
	assert_true(msr(&poor, 0x48d) == 0x0000003f00000016);
	assert_false(msr(&poor, 0x48e) & (BIT(27 + 32) | BIT(30 + 32) | BIT(25 + 32)));
	assert_true(msr(&poor, 0x48b) == 0x000000a200000000);
	assert_true(msr(&poor, 0x485) == 0x40005);
	assert_false(msr(&poor, 0x48f) & BIT(50));
	/* INVEPT and INVVPID are L0's, whatever the processor's can do. */
	assert_true(msr(&poor, 0x48c) == 0x00000f0106114040);
}

/* A control that must be 1 may be 1, and what this processor wants L1's gets. */
static void test_consistent(void **state)
{
	static const u32 words[] = {0x481, 0x482, 0x483, 0x484, 0x48d, 0x48e, 0x48f, 0x490};
	struct vmx_facts f = rich;

	(void)state;
	f.pin |= BIT(0);
	assert_true(msr(&f, 0x48d) == 0x0000007f00000017);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		u64 value = msr(&f, words[i]);

		assert_int_equal((u32)value & ~(u32)(value >> 32), 0);
	}
	f.rdtscp = false;
	assert_false(msr(&f, 0x48b) >> 32 & BIT(3));
}

/* A.9: the highest index among the fields that VMREAD knows. */
static void test_enumeration(void **state)
{
	u64 highest = 0;

	(void)state;
	for (u64 encoding = 0; encoding < 0x8000; encoding += 2)
		if (vmcs_field_of_l1(encoding))
			highest = MAX(highest, encoding >> 1 & 0x1ff);
	assert_true(highest > 0);
	assert_int_equal(msr(&rich, 0x48a), highest << 1);
}

static void test_no_others(void **state)
{
	struct vmx_limits l = vmx_offer(&rich, &processor, CR4_ALLOWED);
	u64 value = 7;

	(void)state;
	assert_int_equal(vmx_offer_msr(&l, 0x491, &value), -ENOENT); /* VM functions */
	assert_int_equal(vmx_offer_msr(&l, 0x47f, &value), -ENOENT);
	assert_int_equal(vmx_offer_msr(&l, 0, &value), -ENOENT);
	assert_int_equal(value, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rich),	   cmocka_unit_test(test_poor),
		cmocka_unit_test(test_consistent), cmocka_unit_test(test_enumeration),
		cmocka_unit_test(test_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
