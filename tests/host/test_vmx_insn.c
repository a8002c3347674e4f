// SPDX-License-Identifier: MIT
/* objects: vmx/nested_insn.o vmx/nested_inv.o vmx/l1_tags.o vmx/operand.o vmx/fields.o vmx/cr.o */
// objects: vmx/fetch.o vmx/intr.o vmx/skip.o
// objects: vmx/nested_check*.o tests/host/fake_vmx.o tests/host/vmx_l1.o
/*
 * The VMX instructions as L1 executes them, against SDM 3C 30.3: each of their faults, each of
 * their VMfails with its number and flags, in the order of the manual's operation sections.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/vmx_l1.h"

/* --- faults that they share ------------------------------------------------------------------ */

static const enum vmx_exit_reason all[] = {
	VMX_EXIT_VMXON,	  VMX_EXIT_VMXOFF, VMX_EXIT_VMCLEAR, VMX_EXIT_VMPTRLD,
	VMX_EXIT_VMPTRST, VMX_EXIT_VMREAD, VMX_EXIT_VMWRITE,
};

#define EACH_FAULTS(vector, change)                            \
	do {                                                   \
		for (size_t i = 0; i < ARRAY_SIZE(all); i++) { \
			l1_setup();                            \
			change;                                \
			l1_execute(all[i]);                    \
			assert_fault(vector);                  \
		}                                              \
	} while (0)

static void test_undefined(void **state)
{
	(void)state;
	EACH_FAULTS(EXC_UD, *fake_field(VMCS_guest_cr0) &= ~CR0_PE);
	EACH_FAULTS(EXC_UD, l1.vmx.vcpu.rflags |= RFLAGS_VM);
	EACH_FAULTS(EXC_UD, *fake_field(VMCS_guest_cs_ar) = 0xc09b); /* compatibility mode */
	EACH_FAULTS(EXC_GP, l1.cpl = 3);
	/* Undefined comes before forbidden. */
	EACH_FAULTS(EXC_UD, (l1.cpl = 3, l1.vmx.vcpu.rflags |= RFLAGS_VM));
	for (size_t i = 1; i < ARRAY_SIZE(all); i++) {
		l1_setup();
		l1.vmx.nested.vmxon = 0;
		l1_execute(all[i]);
		assert_fault(EXC_UD);
	}
	l1_setup();
	l1_execute(VMX_EXIT_VMFUNC);
	assert_fault(EXC_UD);
}

/* --- VMXON, VMXOFF --------------------------------------------------------------------------- */

static void outside(void)
{
	l1_setup();
	l1.vmx.nested =
		(struct vmx_nested_state){.vmxon_pointer = VMCS12_NONE, .current = VMCS12_NONE};
	l1_pointer(REGION);
}

static void test_vmxon(void **state)
{
	static const u64 bad[] = {REGION + 8, BIT(MAXPHYS), FOREIGN, MEMORY, 0x5000};

	(void)state;
	outside();
	l1_execute(VMX_EXIT_VMXON);
	assert_success();
	assert_true(l1.vmx.nested.vmxon && l1.vmx.nested.vmxon_pointer == REGION);
	assert_int_equal(l1.vmx.nested.current, VMCS12_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		outside();
		l1_pointer(bad[i]);
		l1_execute(VMX_EXIT_VMXON);
		assert_fail_invalid();
		assert_false(l1.vmx.nested.vmxon);
	}
	outside();
	l1_vmcs(REGION)->revision |= BIT(31);
	l1_execute(VMX_EXIT_VMXON);
	assert_fail_invalid();
	outside();
	*fake_field(VMCS_cr4_shadow) = 0;
	l1_execute(VMX_EXIT_VMXON);
	assert_fault(EXC_UD);
	outside();
	l1.cpl = 1;
	l1_execute(VMX_EXIT_VMXON);
	assert_fault(EXC_GP);
	outside(); /* CR0.NE, which L1 sees by the shadow */
	*fake_field(VMCS_cr0_shadow) &= ~CR0_NE;
	l1_execute(VMX_EXIT_VMXON);
	assert_fault(EXC_GP);
	l1_setup();
	l1_execute(VMX_EXIT_VMXON);
	assert_fail(VMX_ERROR_VMXON_IN_ROOT);
	l1_setup();
	l1.vmx.nested.current = VMCS12_NONE;
	l1_execute(VMX_EXIT_VMXON);
	assert_fail_invalid();
}

static void test_vmxoff(void **state)
{
	(void)state;
	l1_setup();
	l1_execute(VMX_EXIT_VMXOFF);
	assert_success();
	assert_false(l1.vmx.nested.vmxon);
	assert_int_equal(l1.vmx.nested.current, VMCS12_NONE);
	assert_int_equal(l1.vmx.nested.vmxon_pointer, VMCS12_NONE);
}

/* --- pointers -------------------------------------------------------------------------------- */

static void execute_on(enum vmx_exit_reason reason, u64 address)
{
	l1_setup();
	l1_vmcs(VMCS_A)->launched = l1_vmcs(VMCS_B)->launched = 1;
	l1_pointer(address);
	l1_execute(reason);
}

static void test_vmclear(void **state)
{
	(void)state;
	execute_on(VMX_EXIT_VMCLEAR, VMCS_B);
	assert_success();
	assert_int_equal(l1.vmx.nested.current, VMCS_A);
	assert_int_equal(l1_vmcs(VMCS_B)->launched, 0);
	assert_int_equal(l1_vmcs(VMCS_A)->launched, 1);
	execute_on(VMX_EXIT_VMCLEAR, VMCS_A);
	assert_success();
	assert_int_equal(l1.vmx.nested.current, VMCS12_NONE);
	execute_on(VMX_EXIT_VMCLEAR, VMCS_B + 1);
	assert_fail(VMX_ERROR_VMCLEAR_ADDRESS);
	execute_on(VMX_EXIT_VMCLEAR, BIT(MAXPHYS));
	assert_fail(VMX_ERROR_VMCLEAR_ADDRESS);
	execute_on(VMX_EXIT_VMCLEAR, REGION);
	assert_fail(VMX_ERROR_VMCLEAR_VMXON);
	execute_on(VMX_EXIT_VMCLEAR, MEMORY); /* there is nothing to clear */
	assert_success();
}

static void test_vmptrld(void **state)
{
	(void)state;
	execute_on(VMX_EXIT_VMPTRLD, VMCS_B);
	assert_success();
	assert_int_equal(l1.vmx.nested.current, VMCS_B);
	assert_int_equal(l1_vmcs(VMCS_B)->launched, 1);
	execute_on(VMX_EXIT_VMPTRLD, VMCS_B + 8);
	assert_fail(VMX_ERROR_VMPTRLD_ADDRESS);
	execute_on(VMX_EXIT_VMPTRLD, BIT(MAXPHYS));
	assert_fail(VMX_ERROR_VMPTRLD_ADDRESS);
	execute_on(VMX_EXIT_VMPTRLD, REGION);
	assert_fail(VMX_ERROR_VMPTRLD_VMXON);
	execute_on(VMX_EXIT_VMPTRLD, FOREIGN);
	assert_fail(VMX_ERROR_VMPTRLD_REVISION);
	execute_on(VMX_EXIT_VMPTRLD, MEMORY);
	assert_fail(VMX_ERROR_VMPTRLD_REVISION);
	assert_int_equal(l1.vmx.nested.current, VMCS_A);
	l1_setup();
	l1_vmcs(VMCS_B)->revision |= BIT(31);
	l1_pointer(VMCS_B);
	l1_execute(VMX_EXIT_VMPTRLD);
	assert_fail(VMX_ERROR_VMPTRLD_REVISION);
}

static void test_vmptrst(void **state)
{
	u64 stored;

	(void)state;
	l1_setup();
	l1_execute(VMX_EXIT_VMPTRST);
	assert_success();
	memcpy(&stored, l1.memory + OPERAND, sizeof(stored));
	assert_int_equal(stored, VMCS_A);
	l1_setup();
	l1.vmx.nested.current = VMCS12_NONE;
	l1_execute(VMX_EXIT_VMPTRST);
	assert_success();
	memcpy(&stored, l1.memory + OPERAND, sizeof(stored));
	assert_true(stored == ~0ull);
}

/* --- fields ---------------------------------------------------------------------------------- */

/* VMREAD and VMWRITE between RBX and the field that RCX names. */
static void on_register(enum vmx_exit_reason reason, u64 encoding, u64 value)
{
	*fake_field(VMCS_exit_insn_info) = (u32)RBX << 3 | BIT(10) | (u32)RCX << 28;
	l1.vmx.vcpu.gpr[RBX] = value;
	l1.vmx.vcpu.gpr[RCX] = encoding;
	l1.vmx.vcpu.rip = RIP;
	l1_execute(reason);
}

static void test_fields(void **state)
{
	static const u64 seen[] = {[VMCS_W16] = 0xbeef,
				   [VMCS_W32] = 0xdeadbeef,
				   [VMCS_W64] = 0x12345678deadbeef,
				   [VMCS_NAT] = 0x12345678deadbeef};

	(void)state;
	l1_setup();
	for (u32 i = 0; i < VMCS_FIELDS_NR; i++) {
		const struct vmcs_field_info *f = &vmcs_fields[i];

		if (f->offset < 0 || f->kind == VMCS_DATA)
			continue;
		on_register(VMX_EXIT_VMWRITE, f->encoding, 0x12345678deadbeef);
		assert_success();
		assert_true(vmcs12_get(l1_vmcs(VMCS_A), f) == seen[f->width]);
		on_register(VMX_EXIT_VMREAD, f->encoding, ~0ull);
		assert_success();
		assert_true(l1.vmx.vcpu.gpr[RBX] == seen[f->width]);
		vmcs12_set(l1_vmcs(VMCS_A), f, 0);
	}
	/* Nothing was written beside: all is as it was at first. */
	assert_int_equal(l1_vmcs(VMCS_A)->revision, VMCS12_REVISION);
	l1_vmcs(VMCS_A)->revision = 0;
	for (size_t i = 0; i < sizeof(struct vmcs12); i++)
		assert_int_equal(l1.memory[VMCS_A + i], 0);
}

/* 24.11.2: the upper half of a 64-bit field has a name of its own. */
static void test_halves(void **state)
{
	(void)state;
	l1_setup();
	l1_vmcs(VMCS_A)->tsc_offset = 0x1111111122222222;
	l1_vmcs(VMCS_A)->virtual_apic = 0x4444444455555555; /* the next one */
	on_register(VMX_EXIT_VMREAD, VMCS_tsc_offset | 1, 0);
	assert_int_equal(l1.vmx.vcpu.gpr[RBX], 0x11111111);
	on_register(VMX_EXIT_VMWRITE, VMCS_tsc_offset | 1, 0xffffffff33333333);
	assert_true(l1_vmcs(VMCS_A)->tsc_offset == 0x3333333322222222);
	assert_true(l1_vmcs(VMCS_A)->virtual_apic == 0x4444444455555555);
	on_register(VMX_EXIT_VMREAD, VMCS_guest_rip | 1, 0);
	assert_fail(VMX_ERROR_NO_SUCH_FIELD);
	l1_setup();
	on_register(VMX_EXIT_VMREAD, VMCS_pin_controls | 1, 0);
	assert_fail(VMX_ERROR_NO_SUCH_FIELD);
}

static void test_field_errors(void **state)
{
	static const u64 none[] = {
		VMCS_guest_pkrs, VMCS_posted_intr_desc, 0x7ffe, 0x8000, BIT(32) | VMCS_guest_rip,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		l1_setup();
		on_register(VMX_EXIT_VMREAD, none[i], 5);
		assert_fail(VMX_ERROR_NO_SUCH_FIELD);
		assert_int_equal(l1.vmx.vcpu.gpr[RBX], 5);
		l1_setup();
		on_register(VMX_EXIT_VMWRITE, none[i], 5);
		assert_fail(VMX_ERROR_NO_SUCH_FIELD);
	}
	l1_setup();
	l1_vmcs(VMCS_A)->exit_reason = 7;
	on_register(VMX_EXIT_VMWRITE, VMCS_exit_reason, 5);
	assert_fail(VMX_ERROR_READ_ONLY_FIELD);
	assert_int_equal(l1_vmcs(VMCS_A)->exit_reason, 7);
	on_register(VMX_EXIT_VMREAD, VMCS_exit_reason, 5);
	assert_success();
	assert_int_equal(l1.vmx.vcpu.gpr[RBX], 7);
	for (int i = 0; i < 2; i++) {
		l1_setup();
		l1.vmx.nested.current = VMCS12_NONE;
		on_register(i ? VMX_EXIT_VMREAD : VMX_EXIT_VMWRITE, 0x7ffe, 5);
		assert_fail_invalid();
		on_register(i ? VMX_EXIT_VMREAD : VMX_EXIT_VMWRITE, VMCS_guest_rip, 5);
		assert_fail_invalid();
		assert_int_equal(l1.vmx.vcpu.gpr[RBX], 5);
	}
}

/* 32-bit code moves 32 bits, and names fields by as many. */
static void test_fields_32(void **state)
{
	(void)state;
	l1_setup();
	*fake_field(VMCS_guest_efer) = 0;
	*fake_field(VMCS_guest_cs_ar) = 0xc09b;
	on_register(VMX_EXIT_VMWRITE, BIT(40) | VMCS_guest_rip, 0x12345678deadbeef);
	assert_success();
	assert_int_equal(l1_vmcs(VMCS_A)->guest_rip, 0xdeadbeef);
	l1_vmcs(VMCS_A)->guest_rip = 0x1111111122222222;
	on_register(VMX_EXIT_VMREAD, VMCS_guest_rip, ~0ull);
	assert_int_equal(l1.vmx.vcpu.gpr[RBX], 0x22222222);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_undefined),    cmocka_unit_test(test_vmxon),
		cmocka_unit_test(test_vmxoff),	     cmocka_unit_test(test_vmclear),
		cmocka_unit_test(test_vmptrld),	     cmocka_unit_test(test_vmptrst),
		cmocka_unit_test(test_fields),	     cmocka_unit_test(test_halves),
		cmocka_unit_test(test_field_errors), cmocka_unit_test(test_fields_32),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
