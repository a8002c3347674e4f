// SPDX-License-Identifier: MIT
/* objects: vmx/nested_insn.o vmx/nested_inv.o vmx/l1_tags.o vmx/operand.o vmx/fields.o vmx/cr.o */
// objects: vmx/fetch.o vmx/intr.o vmx/skip.o vmx/nested_check*.o
// objects: tests/host/fake_vmx.o tests/host/vmx_l1.o
/* INVEPT and INVVPID of L1's against SDM 3C 30.3, and what they make of its tags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/vmx_l1.h"

#define EPTP	    0x5000ull
#define EPTP_LOW    0x1e
#define BAD_ADDRESS 0x0000800000000000ull

static const enum vmx_exit_reason both[] = {VMX_EXIT_INVEPT, VMX_EXIT_INVVPID};

/* The descriptor at OPERAND, the type in RDX; 4 levels, write-back. */
static void prepare(u64 type, u64 low, u64 high)
{
	const u64 descriptor[2] = {low, high};

	l1_setup();
	vmx_host.limits.ept_vpid = 0x00000f0106114040;
	l1.vmx.vcpu.gpr[RAX] = OPERAND - 8;
	memcpy(l1.memory + OPERAND - 8, descriptor, sizeof(descriptor));
	l1.vmx.vcpu.gpr[RDX] = type;
	*fake_field(VMCS_exit_insn_info) |= (u64)RDX << 28;
}

static void execute(enum vmx_exit_reason insn, u64 type, u64 low, u64 high)
{
	prepare(type, low, high);
	l1_execute(insn);
}

static void test_faults(void **state)
{
	(void)state;
	for (u32 i = 0; i < ARRAY_SIZE(both); i++) {
		prepare(9, 0, 0); /* faults come before the operands */
		l1.vmx.nested.vmxon = 0;
		l1_execute(both[i]);
		assert_fault(EXC_UD);
		prepare(9, 0, 0);
		*fake_field(VMCS_guest_cs_ar) = 0xc09b;
		l1_execute(both[i]);
		assert_fault(EXC_UD);
		prepare(9, 0, 0);
		l1.cpl = 3;
		l1_execute(both[i]);
		assert_fault(EXC_GP);
		prepare(2, 0, 0);
		l1.vmx.vcpu.gpr[RAX] = FAULTING - 8; /* its second half */
		l1_execute(both[i]);
		assert_fault(EXC_PF);
		prepare(2, 0, 0);
		l1.vmx.vcpu.gpr[RAX] = BAD_ADDRESS - 15;
		l1_execute(both[i]);
		assert_fault(EXC_GP);
		/* A type that there is not comes before the descriptor. */
		prepare(4, 0, 0);
		l1.vmx.vcpu.gpr[RAX] = FAULTING;
		l1_execute(both[i]);
		assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
	}
}

static void test_invept(void **state)
{
	static const u64 bad_types[] = {0, 3, 4, BIT(32) | 1, BIT(63)};
	static const u64 bad_pointers[] = {
		EPTP,			 /* uncacheable */
		EPTP | 0x16,		 /* 3 levels */
		EPTP | 0x26,		 /* 5 levels, which are not offered here */
		EPTP | 0x5e,		 /* A and D, which are not, either */
		EPTP | 0x9e,		 /* bit 7 */
		BIT(MAXPHYS) | EPTP_LOW, /* beyond the width */
	};

	(void)state;
	execute(VMX_EXIT_INVEPT, 1, EPTP | EPTP_LOW, 0);
	assert_success();
	execute(VMX_EXIT_INVEPT, 2, 0x123, 0);
	assert_success();
	for (u32 i = 0; i < ARRAY_SIZE(bad_types); i++) {
		execute(VMX_EXIT_INVEPT, bad_types[i], EPTP | EPTP_LOW, 0);
		assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
	}
	for (u32 i = 0; i < ARRAY_SIZE(bad_pointers); i++) {
		execute(VMX_EXIT_INVEPT, 1, bad_pointers[i], 0);
		assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
	}
	prepare(0, 0, 0);
	l1.vmx.nested.current = VMCS12_NONE;
	l1_execute(VMX_EXIT_INVEPT);
	assert_fail_invalid();
	/* In 32-bit code the type has 32 bits. */
	prepare(BIT(32) | 2, 0, 0);
	*fake_field(VMCS_guest_efer) = 0;
	*fake_field(VMCS_guest_cs_ar) = 0xc09b;
	*fake_field(VMCS_guest_ds_ar) = 0xc093;
	*fake_field(VMCS_guest_ds_limit) = 0xffffffff;
	l1_execute(VMX_EXIT_INVEPT);
	assert_success();
}

static void test_invvpid(void **state)
{
	(void)state;
	for (u64 type = 0; type <= 3; type++) {
		execute(VMX_EXIT_INVVPID, type, 0xffff, 0x7fffffffffff);
		assert_success();
		/* VPID 0 is L1's own. */
		execute(VMX_EXIT_INVVPID, type, 0, 0);
		if (type == 2)
			assert_success();
		else
			assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
		execute(VMX_EXIT_INVVPID, type, BIT(16) | 1, 0);
		assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
		execute(VMX_EXIT_INVVPID, type, BIT(63) | 1, 0);
		assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
		execute(VMX_EXIT_INVVPID, type, 1, BAD_ADDRESS);
		if (type)
			assert_success();
		else
			assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
	}
	execute(VMX_EXIT_INVVPID, 4, 1, 0);
	assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
	execute(VMX_EXIT_INVVPID, BIT(32), 1, 0);
	assert_fail(VMX_ERROR_INVALIDATION_OPERAND);
}

/* --- what they do: two VPIDs under two pointers ---------------------------------------------- */

static struct vmx_l1_tag *tag(u16 vpid, u64 eptp)
{
	return vmx_l1_tag_get(&l1.vmx, vpid, eptp | EPTP_LOW);
}

static void prepare_tags(u64 type, u64 low)
{
	prepare(type, low, 0);
	for (u16 vpid = 1; vpid <= 2; vpid++) {
		tag(vpid, EPTP)->synced = true;
		tag(vpid, 2 * EPTP)->synced = true;
	}
}

static void assert_tags(bool a, bool b, bool linear_1, bool linear_2)
{
	for (u16 vpid = 1; vpid <= 2; vpid++) {
		assert_int_equal(!tag(vpid, EPTP)->synced, a);
		assert_int_equal(!tag(vpid, 2 * EPTP)->synced, b);
		assert_int_equal(tag(vpid, EPTP)->hw.linear_stale, vpid == 1 ? linear_1 : linear_2);
		assert_int_equal(tag(vpid, 2 * EPTP)->hw.linear_stale,
				 vpid == 1 ? linear_1 : linear_2);
	}
	assert_false(l1.vmx.vpid01.linear_stale);
}

static void test_effects(void **state)
{
	(void)state;
	prepare_tags(1, EPTP | EPTP_LOW);
	l1_execute(VMX_EXIT_INVEPT);
	assert_tags(true, false, false, false);
	/* The same tables, whatever else the pointer says: here A and D, which it had not. */
	prepare_tags(1, EPTP | EPTP_LOW | VMX_EPTP_AD);
	vmx_host.limits.ept_vpid |= VMX_EPT_AD;
	l1_execute(VMX_EXIT_INVEPT);
	assert_tags(true, false, false, false);
	prepare_tags(2, EPTP | EPTP_LOW);
	l1_execute(VMX_EXIT_INVEPT);
	assert_tags(true, true, false, false);
	for (u64 type = 0; type <= 3; type++) {
		prepare_tags(type, 2);
		l1_execute(VMX_EXIT_INVVPID);
		assert_tags(false, false, type == 2, true);
	}
	prepare_tags(4, 2);
	l1_execute(VMX_EXIT_INVVPID);
	assert_tags(false, false, false, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_invept),
		cmocka_unit_test(test_invvpid),
		cmocka_unit_test(test_effects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
