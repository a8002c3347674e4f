// SPDX-License-Identifier: MIT
/* objects: vmx/run.o vmx/intr.o vmx/vpid.o vmx/skip.o vmx/fetch.o vmx/fields.o mmu/flush.o */
// objects: tests/host/no_pages.o lib/lock.o tests/host/fake_vmx.o tests/host/vmx_guest.o
/* The way of events into the guest, and out of a delivery that was cut short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/vmx_guest.h"

static void exception(u32 info)
{
	*fake_field(VMCS_exit_intr_info) = VMX_EVENT_VALID | info;
	vmx_guest_exit(VMX_EXIT_EXCEPTION, 0, 0);
}

/* --- events ---------------------------------------------------------------------------------- */

static void inject(struct vcpu_event e)
{
	guest.vmx.vcpu.pending = e;
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
}

static void test_injection(void **state)
{
	(void)state;
	vmx_guest_setup();
	inject((struct vcpu_event){.type = EVENT_INTR, .vector = 0x60});
	assert_int_equal(guest.entered.intr_info, 0x80000060);
	assert_int_equal(guest.vmx.vcpu.pending.type, EVENT_NONE);
	assert_int_equal(guest.vmx.vcpu.stats.injections, 1);
	inject((struct vcpu_event){.type = EVENT_NMI, .vector = 2});
	assert_int_equal(guest.entered.intr_info, 0x80000202);
	inject((struct vcpu_event){
		.type = EVENT_EXCEPTION, .vector = EXC_GP, .has_error = 1, .error = 0x18});
	assert_int_equal(guest.entered.intr_info, 0x80000b0d);
	assert_int_equal(guest.entered.intr_error, 0x18);
	inject((struct vcpu_event){.type = EVENT_EXCEPTION, .vector = EXC_UD});
	assert_int_equal(guest.entered.intr_info, 0x80000306);
	/* In real mode no exception pushes an error code. */
	*fake_field(VMCS_guest_cr0) = 0;
	inject((struct vcpu_event){
		.type = EVENT_EXCEPTION, .vector = EXC_GP, .has_error = 1, .error = 0x18});
	assert_int_equal(guest.entered.intr_info, 0x8000030d);
	/* INT n is executed again. */
	inject((struct vcpu_event){.type = EVENT_SOFT_INTR, .vector = 0x80, .insn_len = 2});
	assert_false(guest.entered.intr_info & VMX_EVENT_VALID);
	assert_int_equal(guest.vmx.vcpu.pending.type, EVENT_NONE);
}

/* An exit during the delivery of @info: what is pending then goes in at the next entry, the same.
 */
static struct vcpu_event cut_short(u32 info, u32 error, u32 len)
{
	struct vcpu_event e;

	*fake_field(VMCS_idt_vectoring_info) = info;
	*fake_field(VMCS_idt_vectoring_error) = error;
	vmx_guest_exit(VMX_EXIT_EPT_VIOLATION, VMX_EPTV_WRITE, len);
	*fake_field(VMCS_idt_vectoring_info) = 0;
	e = guest.vmx.vcpu.pending;
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
	return e;
}

static void test_vectoring(void **state)
{
	struct vcpu_event e;

	(void)state;
	vmx_guest_setup();
	e = cut_short(0x80000060, 0, 7);
	assert_true(e.type == EVENT_INTR && e.vector == 0x60 && e.in_delivery && !e.insn_len);
	assert_int_equal(guest.entered.intr_info, 0x80000060);
	e = cut_short(0x80000b0e, 6, 7);
	assert_true(e.type == EVENT_EXCEPTION && e.vector == EXC_PF && e.has_error && e.error == 6);
	assert_int_equal(guest.entered.intr_info, 0x80000b0e);
	assert_int_equal(guest.entered.intr_error, 6);
	e = cut_short(0x80000480, 0, 2);
	assert_true(e.type == EVENT_SOFT_INTR && e.vector == 0x80 && e.insn_len == 2);
	assert_false(guest.entered.intr_info & VMX_EVENT_VALID);
	e = cut_short(0x80000603, 0, 1);
	assert_true(e.type == EVENT_EXCEPTION && e.vector == EXC_BP && e.insn_len == 1);
	assert_false(guest.entered.intr_info & VMX_EVENT_VALID);
	e = cut_short(0x80000501, 0, 1);
	assert_true(e.type == EVENT_EXCEPTION && e.vector == EXC_DB && e.insn_len == 1);
	e = cut_short(0x00000060, 0, 0); /* not valid */
	assert_int_equal(e.type, EVENT_NONE);
}

/* SDM 3C 27.2.4 and 26.3.1.5: the NMI that was cut short blocks itself no more. */
static void test_nmi_vectoring(void **state)
{
	struct vcpu_event e;

	(void)state;
	vmx_guest_setup();
	*fake_field(VMCS_guest_interruptibility) = VMX_BLOCK_NMI;
	e = cut_short(0x80000202, 0, 0);
	assert_true(e.type == EVENT_NMI && e.vector == 2);
	assert_int_equal(guest.entered.intr_info, 0x80000202);
	assert_int_equal(guest.entered.interruptibility, 0);
}

/* An NMI waits for the guest's IRET, or for the end of a shadow. */
static void test_nmi_window(void **state)
{
	(void)state;
	vmx_guest_setup();
	*fake_field(VMCS_guest_interruptibility) = VMX_BLOCK_NMI;
	guest.vmx.interruptibility = VMX_BLOCK_NMI;
	inject((struct vcpu_event){.type = EVENT_NMI, .vector = 2});
	assert_false(guest.entered.intr_info & VMX_EVENT_VALID);
	assert_int_equal(guest.entered.proc, VMX_PROC_NMI_WINDOW);
	assert_int_equal(guest.vmx.vcpu.pending.type, EVENT_NMI);
	/* The other window would end each entry before the IRET. */
	vmx_intr_window(&guest.vmx.vcpu);
	assert_int_equal(guest.vmx.proc, VMX_PROC_NMI_WINDOW);
	*fake_field(VMCS_guest_interruptibility) = 0;
	vmx_guest_exit(VMX_EXIT_NMI_WINDOW, 0, 0);
	assert_int_equal(guest.vmx.proc, 0);
	vmx_guest_exit(VMX_EXIT_HLT, 0, 1);
	assert_int_equal(guest.entered.intr_info, 0x80000202);
	assert_int_equal(guest.entered.proc, 0);
}

/* SDM 3C 27.2.3: an IRET that faulted had unblocked NMIs already. */
static void test_nmi_unblocked(void **state)
{
	(void)state;
	vmx_guest_setup();
	vmx_guest_exit(VMX_EXIT_EPT_VIOLATION, VMX_EPTV_READ | VMX_EPTV_NMI_UNBLOCK, 0);
	assert_int_equal(guest.vmx.interruptibility, VMX_BLOCK_NMI);
	guest.vmx.interruptibility = 0;
	exception(VMX_EVENT_EXCEPTION | VMX_EVENT_NMI_UNBLOCK | VMX_EVENT_ERROR | EXC_AC);
	assert_int_equal(guest.vmx.interruptibility, VMX_BLOCK_NMI);
	/* The bit says nothing for a double fault, or during the delivery of an event. */
	guest.vmx.interruptibility = 0;
	exception(VMX_EVENT_EXCEPTION | VMX_EVENT_NMI_UNBLOCK | VMX_EVENT_ERROR | EXC_DF);
	assert_int_equal(guest.vmx.interruptibility, 0);
	*fake_field(VMCS_idt_vectoring_info) = 0x80000060;
	vmx_guest_exit(VMX_EXIT_EPT_VIOLATION, VMX_EPTV_READ | VMX_EPTV_NMI_UNBLOCK, 0);
	assert_int_equal(guest.vmx.interruptibility, 0);
}

static void test_windows(void **state)
{
	(void)state;
	vmx_guest_setup();
	assert_true(vmx_intr_allowed(&guest.vmx.vcpu));
	guest.vmx.vcpu.pending.type = EVENT_EXCEPTION;
	assert_false(vmx_intr_allowed(&guest.vmx.vcpu));
	guest.vmx.vcpu.pending.type = EVENT_NONE;
	guest.vmx.interruptibility = VMX_BLOCK_MOV_SS;
	assert_false(vmx_intr_allowed(&guest.vmx.vcpu));
	guest.vmx.interruptibility = VMX_BLOCK_STI;
	assert_false(vmx_intr_allowed(&guest.vmx.vcpu));
	guest.vmx.interruptibility = VMX_BLOCK_NMI;
	assert_true(vmx_intr_allowed(&guest.vmx.vcpu));
	guest.vmx.interruptibility = 0;
	guest.vmx.vcpu.rflags &= ~RFLAGS_IF;
	assert_false(vmx_intr_allowed(&guest.vmx.vcpu));
	vmx_intr_window(&guest.vmx.vcpu);
	vmx_guest_exit(VMX_EXIT_INTR_WINDOW, 0, 0);
	assert_int_equal(guest.entered.proc, VMX_PROC_INTR_WINDOW);
	assert_int_equal(guest.vmx.proc, 0);
	/* Delivered in another way: the window is closed. */
	vmx_intr_window(&guest.vmx.vcpu);
	inject((struct vcpu_event){.type = EVENT_INTR, .vector = 0x60});
	assert_int_equal(guest.entered.proc, 0);
}

static void test_double_faults(void **state)
{
	(void)state;
	vmx_guest_setup();
	vmx_queue_exception(&guest.vmx, EXC_GP, true, 8);
	assert_true(guest.vmx.vcpu.pending.vector == EXC_GP && guest.vmx.vcpu.pending.error == 8);
	vmx_queue_exception(&guest.vmx, EXC_NP, true, 8);
	assert_true(guest.vmx.vcpu.pending.vector == EXC_DF && guest.vmx.vcpu.pending.error == 0);
	guest.vmx.vcpu.pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = EXC_PF};
	vmx_queue_exception(&guest.vmx, EXC_PF, true, 2);
	assert_int_equal(guest.vmx.vcpu.pending.vector, EXC_DF);
	guest.vmx.vcpu.pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = EXC_GP};
	vmx_queue_exception(&guest.vmx, EXC_PF, true, 2);
	assert_int_equal(guest.vmx.vcpu.pending.vector, EXC_PF);
	guest.vmx.vcpu.pending = (struct vcpu_event){.type = EVENT_INTR, .vector = EXC_GP};
	vmx_queue_exception(&guest.vmx, EXC_GP, true, 0);
	assert_int_equal(guest.vmx.vcpu.pending.vector, EXC_GP);
}

static void test_event_check(void **state)
{
	static const struct vcpu_event good[] = {
		{0},
		{.type = EVENT_INTR, .vector = 255},
		{.type = EVENT_NMI, .vector = 2, .in_delivery = 1},
		{.type = EVENT_EXCEPTION, .vector = EXC_PF, .has_error = 1},
		{.type = EVENT_EXCEPTION, .vector = EXC_BP, .insn_len = 1},
		{.type = EVENT_SOFT_INTR, .vector = 3, .insn_len = 15},
	};
	static const struct vcpu_event bad[] = {
		{.type = EVENT_SOFT_INTR + 1},
		{.type = EVENT_INTR, .vector = 32, .has_error = 1},
		{.type = EVENT_INTR, .vector = 32, .in_delivery = 2},
		{.type = EVENT_NMI, .vector = 3},
		{.type = EVENT_EXCEPTION, .vector = EXC_PF},
		{.type = EVENT_EXCEPTION, .vector = EXC_UD, .has_error = 1},
		{.type = EVENT_EXCEPTION, .vector = EXC_NMI},
		{.type = EVENT_EXCEPTION, .vector = 32},
		{.type = EVENT_SOFT_INTR, .vector = 3},
		{.type = EVENT_SOFT_INTR, .vector = 3, .insn_len = 16},
	};

	(void)state;
	vmx_guest_setup();
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(vmx_event_check(&good[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(vmx_event_check(&bad[i]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_injection),     cmocka_unit_test(test_vectoring),
		cmocka_unit_test(test_nmi_vectoring), cmocka_unit_test(test_nmi_window),
		cmocka_unit_test(test_nmi_unblocked), cmocka_unit_test(test_windows),
		cmocka_unit_test(test_double_faults), cmocka_unit_test(test_event_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
