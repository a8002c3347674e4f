// SPDX-License-Identifier: MIT
/* objects: vmx/nested_insn.o vmx/nested_inv.o vmx/l1_tags.o vmx/operand.o vmx/fields.o vmx/cr.o */
// objects: vmx/fetch.o vmx/intr.o vmx/skip.o
// objects: vmx/nested_check*.o tests/host/fake_vmx.o tests/host/vmx_l1.o
/* Memory operands of the VMX instructions: where they are, and what faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/vmx_l1.h"

/* --- l1.memory operands -------------------------------------------------------------------------
 */

#define INFO(scale, size, seg, index, base, reg)                                             \
	((scale) | (size) << 7 | (u32)(seg) << 15 | (u32)(index) << 18 | (u32)(base) << 23 | \
	 (u32)(reg) << 28)
#define NO_INDEX 16 /* sets the bit above the register's number */
#define NO_BASE	 16

static void store_field(u32 info, u64 displacement)
{
	*fake_field(VMCS_exit_insn_info) = info;
	*fake_field(VMCS_exit_qualification) = displacement;
	l1_vmcs(VMCS_A)->guest_rip = 0x1122334455667788;
	l1.vmx.vcpu.gpr[RCX] = VMCS_guest_rip;
	l1.vmx.vcpu.rip = RIP;
	l1_execute(VMX_EXIT_VMREAD);
}

static void assert_stored_at(u64 address)
{
	static const u64 value = 0x1122334455667788;

	assert_success();
	assert_memory_equal(l1.memory + address, &value, sizeof(value));
	memset(l1.memory + address, 0, sizeof(value));
}

static void test_addresses(void **state)
{
	(void)state;
	l1_setup();
	l1.vmx.vcpu.gpr[RDX] = 0x5000;
	l1.vmx.vcpu.gpr[R8] = 0x10;
	*fake_field(VMCS_guest_gs_base) = 0x100;
	*fake_field(VMCS_guest_ds_base) = 0x200; /* none in 64-bit code */
	store_field(INFO(0, 2, SEG_DS, NO_INDEX, RDX, RCX), 8);
	assert_stored_at(0x5008);
	store_field(INFO(3, 2, SEG_DS, R8, RDX, RCX), 8);
	assert_stored_at(0x5088);
	store_field(INFO(1, 2, SEG_GS, R8, NO_BASE, RCX), 0x6000);
	assert_stored_at(0x6120);
	store_field(INFO(0, 2, SEG_DS, NO_INDEX, RDX, RCX), (u64)-8);
	assert_stored_at(0x4ff8);
	l1.vmx.vcpu.gpr[RDX] = 0xffffffff00005000;
	store_field(INFO(0, 1, SEG_DS, NO_INDEX, RDX, RCX), 0);
	assert_stored_at(0x5000);
	/* Across a page. */
	l1.vmx.vcpu.gpr[RDX] = 0x5ffc;
	store_field(INFO(0, 2, SEG_DS, NO_INDEX, RDX, RCX), 0);
	assert_stored_at(0x5ffc);
	/* Where there is no l1.memory it goes nowhere. */
	l1.vmx.vcpu.gpr[RDX] = MEMORY;
	store_field(INFO(0, 2, SEG_DS, NO_INDEX, RDX, RCX), 0);
	assert_success();
}

static void test_address_faults(void **state)
{
	static u8 before[MEMORY];

	(void)state;
	l1_setup();
	l1.vmx.vcpu.gpr[RDX] = BIT(62);
	store_field(INFO(0, 2, SEG_DS, NO_INDEX, RDX, RCX), 0);
	assert_fault(EXC_GP);
	l1_setup();
	l1.vmx.vcpu.gpr[RDX] = BIT(62);
	store_field(INFO(0, 2, SEG_SS, NO_INDEX, RDX, RCX), 0);
	assert_fault(EXC_SS);
	l1_setup(); /* its last byte */
	l1.vmx.vcpu.gpr[RDX] = 0x7ffffffffffc;
	store_field(INFO(0, 2, SEG_DS, NO_INDEX, RDX, RCX), 0);
	assert_fault(EXC_GP);
	l1_setup(); /* the second of two pages is not mapped: the first is not written */
	l1.vmx.vcpu.gpr[RDX] = FAULTING - 4;
	l1_vmcs(VMCS_A)->guest_rip = 0x1122334455667788;
	memcpy(before, l1.memory, sizeof(before));
	store_field(INFO(0, 2, SEG_DS, NO_INDEX, RDX, RCX), 0);
	assert_fault(EXC_PF);
	assert_memory_equal(l1.memory, before, sizeof(before));
	l1_setup();
	l1.vmx.vcpu.gpr[RAX] = FAULTING;
	l1_execute(VMX_EXIT_VMPTRLD);
	assert_fault(EXC_PF);
}

/* 32-bit code: bases, limits and rights count. */
static void segment_case(u32 segment, u64 rights, u64 limit, u64 offset, u8 vector)
{
	l1_setup();
	*fake_field(VMCS_guest_efer) = 0;
	*fake_field(VMCS_guest_cs_ar) = 0xc09b;
	*fake_field((enum vmcs_field)(VMCS_guest_es_ar + 2 * segment)) = rights;
	*fake_field((enum vmcs_field)(VMCS_guest_es_limit + 2 * segment)) = limit;
	*fake_field((enum vmcs_field)(VMCS_guest_es_base + 2 * segment)) = 0x5000;
	l1.vmx.vcpu.gpr[RDX] = offset;
	*fake_field(VMCS_exit_insn_info) = INFO(0, 1, segment, NO_INDEX, RDX, 0);
	l1_execute(VMX_EXIT_VMPTRST);
	if (vector) {
		assert_fault(vector);
		return;
	}
	assert_success();
	assert_int_equal(l1.memory[0x5000 + offset + 1], VMCS_A >> 8);
}

static void test_segments(void **state)
{
	(void)state;
	segment_case(SEG_DS, 0xc093, 0x107, 0x100, 0);
	segment_case(SEG_DS, 0xc093, 0x106, 0x100, EXC_GP);
	segment_case(SEG_SS, 0xc093, 0x106, 0x100, EXC_SS);
	segment_case(SEG_ES, 0xc091, 0xffffffff, 0x100, EXC_GP); /* read-only */
	segment_case(SEG_FS, 0xc09b, 0xffffffff, 0x100, EXC_GP); /* code */
	segment_case(SEG_DS, 0xc093 | VMX_AR_UNUSABLE, 0xffffffff, 0x100, EXC_GP);
	/* Expanding down: what is above the limit. */
	segment_case(SEG_DS, 0xc097, 0xff, 0x100, 0);
	segment_case(SEG_DS, 0xc097, 0x100, 0x100, EXC_GP);
	segment_case(SEG_DS, 0x8097, 0xff, 0xfffa, EXC_GP); /* 16 bits */
	/* A load from code that may be read, and from code that may not. */
	for (int readable = 0; readable < 2; readable++) {
		l1_setup();
		*fake_field(VMCS_guest_efer) = 0;
		*fake_field(VMCS_guest_cs_ar) = readable ? 0xc09b : 0xc099;
		*fake_field(VMCS_guest_cs_limit) = 0xffffffff;
		*fake_field(VMCS_exit_insn_info) = INFO(0, 1, SEG_CS, NO_INDEX, RAX, 0);
		l1_pointer(VMCS_B);
		l1_execute(VMX_EXIT_VMPTRLD);
		if (readable)
			assert_success();
		else
			assert_fault(EXC_GP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_address_faults),
		cmocka_unit_test(test_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
