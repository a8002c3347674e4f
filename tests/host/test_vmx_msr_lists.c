// SPDX-License-Identifier: MIT
/* objects: vmx/nested_msrs.o vmx/nested_insn.o vmx/nested_inv.o vmx/l1_tags.o vmx/operand.o */
// objects: vmx/fields.o vmx/cr.o vmx/fetch.o vmx/intr.o vmx/skip.o vmx/nested_check*.o
// objects: tests/host/fake_vmx.o tests/host/vmx_l1.o
/* The MSR lists of L1's: SDM 3C 26.4 and 27.4, each kind of MSR, what is refused and where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/exits.h"
#include "lib/x86.h"
#include "tests/host/vmx_l1.h"
#include "vmx/nested_msrs.h"

#define LIST	0x6000
#define COMMON	0x777 /* an MSR of the kernel's */
#define NOWHERE 0x778 /* one that there is not */
#define SHUT	0x779 /* one that cannot be written */

struct entry {
	u32 index, reserved;
	u64 value;
};

/* --- the neighbours: whose the registers are, and the MSRs that exit -------------------------- */

static bool in_registers;
static u64 common;

void vmx_cpu_release(struct vmx_vcpu *v)
{
	(void)v;
	in_registers = false;
}

void vmx_cpu_save(struct vmx_vcpu *v)
{
	v->regs.lstar = 0x1234;
}

int msr_read(struct vcpu *vcpu, u32 index, u64 *val)
{
	(void)vcpu;
	*val = common;
	return index == COMMON || index == SHUT ? 0 : -EINVAL;
}

int msr_write(struct vcpu *vcpu, u32 index, u64 val)
{
	(void)vcpu;
	common = val;
	return index == COMMON || index == MSR_TSC ? 0 : -EINVAL;
}

/* --- lists ----------------------------------------------------------------------------------- */

static struct entry *entry(u32 i)
{
	return (struct entry *)(l1.memory + LIST) + i;
}

static void setup(void)
{
	l1_setup();
	vmx_host.tsc_aux = true;
	in_registers = true;
	common = 0;
	memset(l1.memory + LIST, 0, PAGE_SIZE);
}

static u32 load_one(u32 index, u64 value)
{
	setup();
	*entry(0) = (struct entry){index, 0, value};
	return vmx_l1_msrs_load(&l1.vmx, LIST, 1);
}

static void test_load_registers(void **state)
{
	(void)state;
	assert_int_equal(load_one(MSR_LSTAR, 0x1111), 0);
	assert_int_equal(l1.vmx.regs.lstar, 0x1111);
	assert_false(in_registers); /* else the next entry would not take it */
	assert_int_equal(load_one(MSR_CSTAR, 0x2222), 0);
	assert_int_equal(l1.vmx.regs.cstar, 0x2222);
	assert_int_equal(load_one(MSR_STAR, ~0ull), 0);
	assert_true(l1.vmx.regs.star == ~0ull);
	assert_int_equal(load_one(MSR_SFMASK, 0x4444), 0);
	assert_int_equal(l1.vmx.regs.sfmask, 0x4444);
	assert_int_equal(load_one(MSR_KERNEL_GS_BASE, 0x5555), 0);
	assert_int_equal(l1.vmx.regs.kernel_gs_base, 0x5555);
	assert_int_equal(load_one(MSR_TSC_AUX, 0x6666), 0);
	assert_int_equal(l1.vmx.regs.tsc_aux, 0x6666);
}

static void test_load_others(void **state)
{
	(void)state;
	assert_int_equal(load_one(MSR_SYSENTER_CS, 0x10), 0);
	assert_int_equal(*fake_field(VMCS_guest_sysenter_cs), 0x10);
	assert_int_equal(load_one(MSR_SYSENTER_ESP, 0x20), 0);
	assert_int_equal(*fake_field(VMCS_guest_sysenter_esp), 0x20);
	assert_int_equal(load_one(MSR_SYSENTER_EIP, 0x30), 0);
	assert_int_equal(*fake_field(VMCS_guest_sysenter_eip), 0x30);
	assert_true(in_registers);
	assert_int_equal(load_one(COMMON, 0x40), 0);
	assert_int_equal(common, 0x40);
}

static void test_load_refused(void **state)
{
	static const struct entry bad[] = {
		{MSR_LSTAR, 0, BIT(47)},
		{MSR_CSTAR, 0, BIT(63)},
		{MSR_KERNEL_GS_BASE, 0, BIT(47)},
		{MSR_SYSENTER_ESP, 0, BIT(47)},
		{MSR_SYSENTER_EIP, 0, BIT(47)},
		{MSR_SFMASK, 0, BIT(32)},
		{MSR_TSC_AUX, 0, BIT(32)},
		{MSR_FS_BASE, 0, 0},
		{MSR_GS_BASE, 0, 0},
		{MSR_TSC, 0, 0},
		{0x800, 0, 0},
		{NOWHERE, 0, 0},
		{COMMON, 1, 0},
	};

	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		setup();
		*entry(0) = *entry(1) = *entry(3) = (struct entry){COMMON, 0, 0x99};
		*entry(2) = bad[i];
		assert_int_equal(vmx_l1_msrs_load(&l1.vmx, LIST, 4), 3);
	}
	setup();
	vmx_host.tsc_aux = false;
	*entry(0) = (struct entry){MSR_TSC_AUX, 0, 0};
	assert_int_equal(vmx_l1_msrs_load(&l1.vmx, LIST, 1), 1);
}

static void test_ends(void **state)
{
	(void)state;
	setup();
	assert_int_equal(vmx_l1_msrs_load(&l1.vmx, LIST, 0), 0);
	*entry(0) = (struct entry){COMMON, 0, 0x99};
	/* Out of memory, in the middle of the list. */
	*(struct entry *)(l1.memory + MEMORY - 16) = *entry(0);
	assert_int_equal(vmx_l1_msrs_load(&l1.vmx, MEMORY - 16, 2), 2);
	assert_int_equal(vmx_l1_msrs_store(&l1.vmx, MEMORY - 16, 2), 2);
	/* No longer than SDM 3D A.6 has it, whatever L1 says. */
	for (u32 i = 0; i < 600; i++)
		*entry(i) = (struct entry){COMMON, 0, i};
	assert_int_equal(vmx_l1_msrs_load(&l1.vmx, LIST, 512), 0);
	assert_int_equal(vmx_l1_msrs_load(&l1.vmx, LIST, ~0u), 513);
	assert_int_equal(vmx_l1_msrs_store(&l1.vmx, LIST, ~0u), 513);
}

static u64 stored(u32 index, u32 reserved, u32 *failed)
{
	*entry(0) = (struct entry){index, reserved, 0xaaaa};
	*failed = vmx_l1_msrs_store(&l1.vmx, LIST, 1);
	assert_int_equal(entry(0)->index, index);
	return entry(0)->value;
}

static void test_store(void **state)
{
	u32 failed;

	(void)state;
	setup();
	*fake_field(VMCS_guest_fs_base) = 0x77;
	common = 0x88;
	assert_int_equal(stored(MSR_LSTAR, 0, &failed), 0x1234);
	assert_int_equal(failed, 0);
	assert_true(in_registers);
	assert_int_equal(stored(MSR_FS_BASE, 0, &failed), 0x77);
	assert_int_equal(failed, 0);
	assert_int_equal(stored(SHUT, 0, &failed), 0x88);
	assert_int_equal(failed, 0);
	assert_int_equal(stored(NOWHERE, 0, &failed), 0xaaaa);
	assert_int_equal(failed, 1);
	assert_int_equal(stored(SHUT, 1, &failed), 0xaaaa);
	assert_int_equal(failed, 1);
	assert_int_equal(stored(0x9e, 0, &failed), 0xaaaa); /* SMBASE */
	assert_int_equal(failed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load_registers), cmocka_unit_test(test_load_others),
		cmocka_unit_test(test_load_refused),   cmocka_unit_test(test_ends),
		cmocka_unit_test(test_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
