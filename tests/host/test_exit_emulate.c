// SPDX-License-Identifier: MIT
// objects: kernel/exit_fault.o kernel/exit_emulate.o kernel/emulate*.o
// objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/emulate_vm.o
// objects: ext/zydis/Decoder.o ext/zydis/DecoderData.o ext/zydis/SharedData.o
/*
 * What becomes of faults on shadowed tables and outside of memory: with a real MMU, and a vendor
 * whose guest has its code where the test puts it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/emulate_vm.h"

#define MOV    "\x48\x89\x03" /* mov %rax, (%rbx) */
#define MOVUPS "\x0f\x11\x03" /* movups %xmm0, (%rbx) */

/* --- shadowed tables --- */

static void check_stored(void)
{
	assert_int_equal(*ev_word(EV_PD + 8), 0x1234000);
	assert_int_equal(ev.vcpu.rip, EV_RIP + 3);
	assert_true(ev_tracked(EV_PD));
	assert_int_equal(ev.vm.mmu.stats.pf_emulate, 1);
	assert_int_equal(ev.vm.mmu.stats.mmu_shadow_zapped, 0);
	assert_false(ev.vm.ended);
}

static void test_l1_stores_an_entry(void **state)
{
	(void)state;
	EV_CODE(MOV);
	ev.vcpu.gpr[RAX] = 0x1234000;
	ev.vcpu.gpr[RBX] = EV_PD + 8;
	ev_fault(EV_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	check_stored();
}

static void test_l2_stores_an_entry(void **state)
{
	(void)state;
	EV_CODE(MOV);
	ev.vcpu.guest_mode = true;
	ev.vcpu.gpr[RAX] = 0x1234000;
	ev.vcpu.gpr[RBX] = EV_L2_PD + 8;
	ev_fault(EV_L2_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	check_stored();
	assert_int_equal(ev.reflected, 0);
}

/* The instruction's bytes come from two pages. */
static void test_code_in_two_pages(void **state)
{
	(void)state;
	EV_CODE(MOV);
	ev.page_end = 1;
	ev.vcpu.gpr[RAX] = 0x1234000;
	ev.vcpu.gpr[RBX] = EV_PD + 8;
	ev_fault(EV_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	check_stored();
}

/* #PF was queued for the second one: that is all that happens. */
static void test_code_that_faults(void **state)
{
	(void)state;
	EV_CODE(MOV);
	ev.page_end = 1;
	ev.fetch_error = -EFAULT;
	ev.vcpu.gpr[RBX] = EV_PD + 8;
	ev_fault(EV_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_int_equal(ev.vcpu.rip, EV_RIP);
	assert_true(ev_tracked(EV_PD));
	assert_int_equal(ev.vm.mmu.stats.pf_emulate, 0);
}

/* Two entries at once, and neither whole. */
static void test_store_across_entries(void **state)
{
	(void)state;
	EV_CODE(MOV);
	ev.vcpu.gpr[RAX] = 0;
	ev.vcpu.gpr[RBX] = EV_PD + 4;
	ev_fault(EV_PD + 4, PFERR_W | PFERR_P | PFERR_U);
	assert_int_equal(ev.vcpu.rip, EV_RIP + 3);
	assert_true(ev_tracked(EV_PD));
	/* The table below lost its only place. */
	assert_false(ev_tracked(EV_PT));
	assert_int_equal(*ev_word(EV_PD), EV_PT | EV_RWX | BIT(5));
}

static void check_let_go(u64 error)
{
	u64 was = *ev_word(EV_PD + 8);

	ev.vcpu.gpr[RBX] = EV_PD + 8;
	ev.vcpu.gpr[RAX] = 0x1234000;
	ev_fault(EV_PD + 8, error);
	assert_int_equal(ev.vcpu.rip, EV_RIP);
	assert_int_equal(*ev_word(EV_PD + 8), was);
	assert_false(ev_tracked(EV_PD));
	assert_int_equal(ev.vm.mmu.stats.pf_emulate, 0);
	assert_false(ev.vm.ended);
	/* The guest makes it itself. */
	assert_int_equal(mmu_tdp_fault(&ev.vm.mmu, (gpa_t){EV_PD + 8}, error), FAULT_FIXED);
}

static void test_what_cannot_be_carried_out(void **state)
{
	(void)state;
	EV_CODE(MOVUPS);
	check_let_go(PFERR_W | PFERR_P | PFERR_U);
}

/* The processor sets A or D in the guest's own table; the instruction is not to blame. */
static void test_page_walk_writes(void **state)
{
	(void)state;
	EV_CODE(MOV);
	check_let_go(PFERR_W | PFERR_P | PFERR_U | PFERR_TABLE);
}

static void test_delivery_of_an_event_writes(void **state)
{
	(void)state;
	EV_CODE(MOV);
	ev.vcpu.pending = (struct vcpu_event){.type = EVENT_INTR, .in_delivery = 1};
	check_let_go(PFERR_W | PFERR_P | PFERR_U);
}

static void test_code_that_l1_took_away(void **state)
{
	(void)state;
	EV_CODE(MOV);
	ev.page_end = 1;
	ev.fetch_error = -EAGAIN;
	check_let_go(PFERR_W | PFERR_P | PFERR_U);
}

/* L2 does that to the table that maps the write: shadowed anew each time, so it would never end. */
static void test_no_headway_ends_the_vm(void **state)
{
	(void)state;
	EV_CODE(MOVUPS);
	ev.vcpu.guest_mode = true;
	ev.vcpu.gpr[RBX] = EV_L2_PD + 8;
	for (int i = 0; i < 1000; i++)
		ev_fault(EV_L2_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_false(ev.vm.ended);
	for (int i = 0; i < 3000 && !ev.vm.ended; i++)
		ev_fault(EV_L2_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_true(ev.vm.ended);
	assert_non_null(strstr(ev.vm.end_reason, "nested tables that map that write"));
	assert_non_null(strstr(ev.vm.end_reason, ": 0f 11 03"));
}

static void test_string_step_by_step(void **state)
{
	(void)state;
	EV_CODE("\xf3\x48\xab"); /* rep stosq */
	ev.vcpu.gpr[RDI] = EV_PD + 8;
	ev.vcpu.gpr[RCX] = 3;
	ev.vcpu.rflags |= RFLAGS_TF | RFLAGS_RF;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(ev.vcpu.rip, EV_RIP);
		ev_fault(ev.vcpu.gpr[RDI], PFERR_W | PFERR_P | PFERR_U);
		assert_int_equal(ev.traps, i + 1);
		assert_int_equal(!(ev.vcpu.rflags & RFLAGS_RF), i == 2);
	}
	assert_int_equal(ev.vcpu.rip, EV_RIP + 3);
	assert_int_equal(ev.vcpu.gpr[RCX], 0);
	assert_int_equal(ev.vcpu.gpr[RDI], EV_PD + 32);
}

/* What MOVS reads: #PF was queued; or L1's tables have changed, and L2 is to see to it. */
static void test_other_operand_faults(void **state)
{
	(void)state;
	EV_CODE("\x48\xa5"); /* movsq */
	ev.vcpu.gpr[RDI] = EV_PD + 8;
	ev.translate_error = -EFAULT;
	ev_fault(EV_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_int_equal(ev.vcpu.rip, EV_RIP);
	assert_true(ev_tracked(EV_PD));
	ev.translate_error = -EAGAIN;
	ev_fault(EV_PD + 8, PFERR_W | PFERR_P | PFERR_U);
	assert_int_equal(ev.vcpu.rip, EV_RIP);
	assert_false(ev_tracked(EV_PD));
	assert_false(ev.vm.ended);
}

/* --- outside of memory --- */

static void test_outside(void **state)
{
	(void)state;
	ev.vcpu.gpr[RBX] = EV_OUTSIDE;
	EV_CODE("\x48\x8b\x03"); /* mov (%rbx), %rax */
	ev_fault(EV_OUTSIDE, PFERR_U);
	assert_int_equal(ev.vcpu.gpr[RAX], ~0ull);
	EV_CODE("\x66\x8b\x0b"); /* mov (%rbx), %cx */
	ev_fault(EV_OUTSIDE, PFERR_U);
	assert_int_equal(ev.vcpu.gpr[RCX], 0xffff);
	EV_CODE(MOV);
	ev_fault(EV_OUTSIDE, PFERR_U | PFERR_W);
	ev.vcpu.gpr[RBX]++;
	ev_fault(EV_OUTSIDE + 1, PFERR_U | PFERR_W);
	EV_CODE("\xf0\xff\x43\xff"); /* lock incl -1(%rbx) */
	ev_fault(EV_OUTSIDE, PFERR_U | PFERR_W);
	assert_true(ev.vcpu.rflags & RFLAGS_ZF);
	assert_int_equal(ev.vcpu.rip, EV_RIP + 3 + 3 + 3 + 3 + 4);
	assert_false(ev.vm.ended);
}

static void test_outside_ends_the_vm(void **state)
{
	(void)state;
	ev.vcpu.gpr[RBX] = EV_OUTSIDE;
	EV_CODE(MOVUPS);
	ev_fault(EV_OUTSIDE, PFERR_U | PFERR_W);
	assert_true(ev.vm.ended);
	assert_string_equal(
		ev.vm.end_reason,
		"it wrote to 0x1000000000, outside of its 8 MiB of memory, at rip 0x1000: "
		"0f 11 03");
}

static void test_execution_outside(void **state)
{
	(void)state;
	EV_CODE(MOV);
	ev_fault(EV_OUTSIDE, PFERR_U | PFERR_I);
	assert_true(ev.vm.ended);
	assert_string_equal(ev.vm.end_reason, "it executed 0x1000000000, outside of its 8 MiB of "
					      "memory, at rip 0x1000");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, ev_setup, ev_teardown)
	const struct CMUnitTest tests[] = {
		T(test_l1_stores_an_entry),
		T(test_l2_stores_an_entry),
		T(test_code_in_two_pages),
		T(test_code_that_faults),
		T(test_store_across_entries),
		T(test_what_cannot_be_carried_out),
		T(test_page_walk_writes),
		T(test_delivery_of_an_event_writes),
		T(test_code_that_l1_took_away),
		T(test_no_headway_ends_the_vm),
		T(test_string_step_by_step),
		T(test_other_operand_faults),
		T(test_outside),
		T(test_outside_ends_the_vm),
		T(test_execution_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
