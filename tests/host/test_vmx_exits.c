// SPDX-License-Identifier: MIT
/* objects: vmx/run.o vmx/intr.o vmx/vpid.o vmx/skip.o vmx/fetch.o vmx/fields.o mmu/flush.o */
// objects: tests/host/no_pages.o lib/lock.o tests/host/fake_vmx.o tests/host/vmx_guest.o
/* What each exit becomes for the run loop, and what is written before an entry. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "mmu/pt_walk.h"
#include "tests/host/vmx_guest.h"

/* --- exits ----------------------------------------------------------------------------------- */

static void test_kinds(void **state)
{
	static const struct {
		u32 reason;
		enum exit_kind kind;
		bool length;
	} kinds[] = {
		{VMX_EXIT_INTERRUPT, EXIT_HOST, false},
		{VMX_EXIT_TRIPLE_FAULT, EXIT_SHUTDOWN, false},
		{VMX_EXIT_INIT, EXIT_HOST, false},
		{VMX_EXIT_INTR_WINDOW, EXIT_INTR_WINDOW, false},
		{VMX_EXIT_NMI_WINDOW, EXIT_INTR_WINDOW, false},
		{VMX_EXIT_TASK_SWITCH, EXIT_OTHER, false},
		{VMX_EXIT_CPUID, EXIT_CPUID, true},
		{VMX_EXIT_GETSEC, EXIT_UNDEFINED, false},
		{VMX_EXIT_HLT, EXIT_HLT, true},
		{VMX_EXIT_INVD, EXIT_IGNORE, true},
		{VMX_EXIT_RDPMC, EXIT_UNDEFINED, false},
		{VMX_EXIT_VMCALL, EXIT_HYPERCALL, true},
		{VMX_EXIT_VMXON, EXIT_VIRT_INSN, true},
		{VMX_EXIT_VMLAUNCH, EXIT_VIRT_INSN, true},
		{VMX_EXIT_CR_ACCESS, EXIT_VIRT_INSN, true},
		{VMX_EXIT_MWAIT, EXIT_UNDEFINED, false},
		{VMX_EXIT_MONITOR, EXIT_UNDEFINED, false},
		{VMX_EXIT_TIMER, EXIT_HOST, false},
		{VMX_EXIT_WBINVD, EXIT_IGNORE, true},
		{VMX_EXIT_EPT_MISCONFIG, EXIT_OTHER, false},
		{VMX_EXIT_RDTSC, EXIT_OTHER, false},
		{VMX_EXIT_VMFUNC, EXIT_UNDEFINED, false},
		{VMX_EXIT_NR, EXIT_OTHER, false},
		{0xffff, EXIT_OTHER, false},
	};

	(void)state;
	vmx_guest_setup();
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct vm_exit exit = vmx_guest_exit(kinds[i].reason, 0, 3);

		if (exit.kind != kinds[i].kind || exit.insn_len != (kinds[i].length ? 3u : 0))
			fail_msg("%s: kind %d, length %u", vmx_exit_name(kinds[i].reason),
				 (int)exit.kind, exit.insn_len);
	}
}

static void test_io(void **state)
{
	struct vm_exit exit;

	(void)state;
	vmx_guest_setup();
	exit = vmx_guest_exit(VMX_EXIT_IO, 0x3f80000ull | VMX_IO_IN, 1);
	assert_int_equal(exit.kind, EXIT_IO);
	assert_true(exit.io.port == 0x3f8 && exit.io.size == 1 && exit.io.in);
	assert_false(exit.io.string || exit.io.rep);
	exit = vmx_guest_exit(VMX_EXIT_IO, 0xcf80000ull | 3, 2);
	assert_true(exit.io.port == 0xcf8 && exit.io.size == 4 && !exit.io.in);
	exit = vmx_guest_exit(VMX_EXIT_IO, 0x600000ull | 1 | VMX_IO_STRING | VMX_IO_REP, 2);
	assert_true(exit.io.port == 0x60 && exit.io.size == 2 && exit.io.string && exit.io.rep);
}

static void test_msr(void **state)
{
	struct vm_exit exit;

	(void)state;
	vmx_guest_setup();
	guest.vmx.vcpu.gpr[RCX] = 0xffffffff00000277;
	exit = vmx_guest_exit(VMX_EXIT_RDMSR, 0, 2);
	assert_true(exit.kind == EXIT_MSR && exit.msr.index == 0x277 && !exit.msr.write);
	exit = vmx_guest_exit(VMX_EXIT_WRMSR, 0, 2);
	assert_true(exit.kind == EXIT_MSR && exit.msr.index == 0x277 && exit.msr.write);
}

static void test_faults(void **state)
{
	static const struct {
		u64 qualification, error;
	} faults[] = {
		{VMX_EPTV_READ, 0},
		{VMX_EPTV_READ | VMX_EPTV_LINEAR | VMX_EPTV_FINAL, PFERR_FINAL},
		{VMX_EPTV_READ | VMX_EPTV_WRITE | VMX_EPTV_LINEAR, PFERR_W | PFERR_TABLE},
		{VMX_EPTV_WRITE | BIT(3) | BIT(5) | VMX_EPTV_LINEAR | VMX_EPTV_FINAL,
		 PFERR_P | PFERR_W | PFERR_FINAL},
		{VMX_EPTV_FETCH | BIT(3) | VMX_EPTV_LINEAR | VMX_EPTV_FINAL,
		 PFERR_P | PFERR_I | PFERR_FINAL},
		{VMX_EPTV_FETCH | BIT(5), PFERR_P | PFERR_I},
		{VMX_EPTV_FINAL, 0}, /* means something only with a linear address */
	};

	(void)state;
	vmx_guest_setup();
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct vm_exit exit;

		*fake_field(VMCS_guest_physical) = 0x123456789 + i;
		exit = vmx_guest_exit(VMX_EXIT_EPT_VIOLATION, faults[i].qualification, 5);
		assert_int_equal(exit.kind, EXIT_FAULT);
		assert_int_equal(exit.fault.addr, 0x123456789 + i);
		assert_int_equal(exit.fault.error, faults[i].error);
		assert_int_equal(exit.insn_len, 0); /* Bochs gives one, the SDM does not */
	}
}

static struct vm_exit exception(u32 info, u32 error, u64 qualification)
{
	*fake_field(VMCS_exit_intr_info) = VMX_EVENT_VALID | info;
	*fake_field(VMCS_exit_intr_error) = error;
	return vmx_guest_exit(VMX_EXIT_EXCEPTION, qualification, 1);
}

static void test_exceptions(void **state)
{
	struct vm_exit exit;

	(void)state;
	vmx_guest_setup();
	exit = exception(VMX_EVENT_EXCEPTION | VMX_EVENT_ERROR | EXC_AC, 0x55, 0);
	assert_true(exit.kind == EXIT_EXCEPTION && exit.exception.vector == EXC_AC);
	assert_int_equal(exit.exception.error, 0x55);
	exit = exception(VMX_EVENT_EXCEPTION | EXC_DB, 0x55, VMX_DEBUG_BS);
	assert_true(exit.exception.vector == EXC_DB && exit.exception.error == 0);
	assert_int_equal(guest.dr6, VMX_DEBUG_BS);
	assert_int_equal(guest.vmx.vcpu.rip, 0x1000);
	/* DR6's breakpoints are those of the last one, its other bits stay. */
	exception(VMX_EVENT_EXCEPTION | EXC_DB, 0, 2);
	assert_int_equal(guest.dr6, VMX_DEBUG_BS | 2);
	*fake_field(VMCS_guest_dr7) = 0x2400;
	exception(VMX_EVENT_EXCEPTION | EXC_DB, 0, VMX_DEBUG_BD);
	assert_int_equal(*fake_field(VMCS_guest_dr7), 0x400);
}

/* ICEBP is a trap, and does not touch DR6. */
static void test_icebp(void **state)
{
	struct vm_exit exit;

	(void)state;
	vmx_guest_setup();
	exit = exception(VMX_EVENT_ICEBP | EXC_DB, 0, VMX_DEBUG_BS);
	assert_true(exit.kind == EXIT_EXCEPTION && exit.exception.vector == EXC_DB);
	assert_int_equal(guest.vmx.vcpu.rip, 0x1001);
	assert_int_equal(guest.dr6, 0);
}

static void test_xsetbv(void **state)
{
	struct vm_exit exit;

	(void)state;
	vmx_guest_setup();
	exit = vmx_guest_exit(VMX_EXIT_XSETBV, 0, 3);
	assert_true(exit.kind == EXIT_XSETBV && exit.insn_len == 3);
	guest.cpl = 3;
	exit = vmx_guest_exit(VMX_EXIT_XSETBV, 0, 3);
	assert_true(exit.kind == EXIT_EXCEPTION && exit.exception.vector == EXC_GP);
}

static void test_entry_failures(void **state)
{
	struct vm_exit exit;

	(void)state;
	vmx_guest_setup();
	exit = vmx_guest_exit((u32)VMX_EXIT_FAILED | VMX_EXIT_GUEST_STATE, 0, 0);
	assert_int_equal(exit.kind, EXIT_ENTRY_FAILED);
	assert_int_equal(guest.explained, VMX_EXIT_FAILED | VMX_EXIT_GUEST_STATE);
	assert_int_equal(guest.vmx.vcpu.rip, 0x1000);
	assert_false(guest.vmx.vmcs01.launched);
	guest.refuse = true;
	*fake_field(VMCS_insn_error) = VMX_ERROR_ENTRY_CONTROLS;
	vmx_run(&guest.vmx.vcpu, &exit);
	assert_int_equal(exit.kind, EXIT_ENTRY_FAILED);
	assert_int_equal(guest.explained & VMX_EXIT_BASIC, VMX_ERROR_ENTRY_CONTROLS);
	assert_true(guest.explained >> 32);
	assert_false(guest.vmx.vmcs01.launched);
}

/* --- what goes in and comes out -------------------------------------------------------------- */

static void test_registers(void **state)
{
	(void)state;
	vmx_guest_setup();
	guest.vmx.vcpu.rip = 0x2000;
	guest.vmx.vcpu.gpr[RSP] = 0x3000;
	guest.vmx.vcpu.rflags = RFLAGS_FIXED | RFLAGS_CF;
	guest.vmx.proc = 0x1234;
	guest.vmx.interruptibility = VMX_BLOCK_NMI;
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
	assert_false(guest.launched);
	assert_int_equal(guest.entered.rip, 0x2000);
	assert_int_equal(guest.entered.rsp, 0x3000);
	assert_int_equal(guest.entered.rflags, RFLAGS_FIXED | RFLAGS_CF);
	assert_int_equal(guest.entered.proc, 0x1234);
	assert_int_equal(guest.entered.interruptibility, VMX_BLOCK_NMI);
	/* The guest changes them: what comes out is what is there, and goes in again. */
	*fake_field(VMCS_guest_rip) = 0x4000;
	*fake_field(VMCS_guest_rsp) = 0x5000;
	*fake_field(VMCS_guest_rflags) = RFLAGS_FIXED;
	*fake_field(VMCS_guest_interruptibility) = VMX_BLOCK_STI;
	guest.vmx.vmcs01.rip = 0x2000;
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
	assert_true(guest.launched);
	assert_true(guest.vmx.vcpu.rip == 0x4000 && guest.vmx.vcpu.gpr[RSP] == 0x5000);
	assert_true(guest.vmx.vcpu.rflags == RFLAGS_FIXED &&
		    guest.vmx.interruptibility == VMX_BLOCK_STI);
	guest.vmx.vcpu.rip = 0x2000; /* what was in the VMCS at the entry before */
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
	assert_int_equal(guest.entered.rip, 0x2000);
}

/* SDM 3C 26.3.1.5: in a shadow, BS is what TF says. */
static void test_pending_debug(void **state)
{
	(void)state;
	vmx_guest_setup();
	guest.vmx.interruptibility = VMX_BLOCK_STI;
	guest.vmx.vcpu.rflags |= RFLAGS_TF;
	*fake_field(VMCS_guest_pending_debug) = 1;
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
	assert_int_equal(guest.entered.pending_debug, VMX_DEBUG_BS | 1);
	guest.vmx.vcpu.rflags &= ~RFLAGS_TF;
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
	assert_int_equal(guest.entered.pending_debug, 1);
	guest.vmx.interruptibility = 0; /* else it is the processor's */
	*fake_field(VMCS_guest_pending_debug) = VMX_DEBUG_BS;
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
	assert_int_equal(guest.entered.pending_debug, VMX_DEBUG_BS);
}

static void test_skip(void **state)
{
	struct vm_exit exit = {.insn_len = 3};

	(void)state;
	vmx_guest_setup();
	guest.vmx.interruptibility = VMX_BLOCK_STI | VMX_BLOCK_NMI;
	guest.vmx.vcpu.rflags |= RFLAGS_RF;
	assert_int_equal(vmx_skip(&guest.vmx.vcpu, &exit), 0);
	assert_int_equal(guest.vmx.vcpu.rip, 0x1003);
	assert_int_equal(guest.vmx.interruptibility, VMX_BLOCK_NMI);
	assert_false(guest.vmx.vcpu.rflags & RFLAGS_RF);
	assert_int_equal(guest.vmx.vcpu.pending.type, EVENT_NONE);
	/* 32-bit code wraps, 64-bit code does not. */
	guest.vmx.vcpu.rip = 0xffffffff;
	assert_int_equal(vmx_skip(&guest.vmx.vcpu, &exit), 0);
	assert_int_equal(guest.vmx.vcpu.rip, 2);
	*fake_field(VMCS_guest_efer) = EFER_LMA;
	*fake_field(VMCS_guest_cs_ar) = VMX_AR_L;
	guest.vmx.vcpu.rip = 0xffffffff;
	guest.vmx.vcpu.rflags |= RFLAGS_TF;
	assert_int_equal(vmx_skip(&guest.vmx.vcpu, &exit), 0);
	assert_int_equal(guest.vmx.vcpu.rip, 0x100000002);
	/* TF traps after the instruction. */
	assert_true(guest.vmx.vcpu.pending.type == EVENT_EXCEPTION &&
		    guest.vmx.vcpu.pending.vector == EXC_DB);
	assert_int_equal(guest.dr6, VMX_DEBUG_BS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	   cmocka_unit_test(test_io),
		cmocka_unit_test(test_msr),	   cmocka_unit_test(test_faults),
		cmocka_unit_test(test_exceptions), cmocka_unit_test(test_icebp),
		cmocka_unit_test(test_xsetbv),	   cmocka_unit_test(test_entry_failures),
		cmocka_unit_test(test_registers),  cmocka_unit_test(test_pending_debug),
		cmocka_unit_test(test_skip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
