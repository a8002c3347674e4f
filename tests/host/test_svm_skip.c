// SPDX-License-Identifier: MIT
// objects: svm/nested*.o svm/intr.o svm/asid.o svm/gif.o svm/skip.o svm/fetch.o svm/paging.o
// objects: svm/vmcb.o mmu/*.o lib/lock.o tests/host/env*.o tests/host/svm_vm.o
/*
 * Moving past an instruction whose length the processor does not tell: each of them with prefixes
 * and at the end of a page, and what else the end of an instruction does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "tests/host/svm_vm.h"

/* CPUID, and with a prefix: other code at the same address. */
#define HERE  "\x0f\xa2"
#define THERE "\x66\x0f\xa2"
#define OTHER 0x24000ull /* the page of the second one */

static struct svm_vcpu *svm;

static int skip_at(u64 rip, u32 code)
{
	const struct vm_exit exit = {.kind = EXIT_CPUID, .code = code};

	svm->vcpu.rip = rip;
	svm->vcpu.pending.type = EVENT_NONE;
	return svm_skip(&svm->vcpu, &exit);
}

/* How long CPUID at @rip is found to be; 0: that cannot be told. */
static u64 length(u64 rip)
{
	return skip_at(rip, SVM_EXIT_CPUID) ? 0 : svm->vcpu.rip - rip;
}

static void put(u64 gpa, const char *code)
{
	memset(sv_va(gpa), 0, 16);
	memcpy(sv_va(gpa), code, strlen(code));
}

static void start(bool l2, u64 np)
{
	u64 base = l2 && np ? SV_L2_BASE : 0;

	sv_make(0);
	svm = sv.vcpus[0];
	put(base + SV_L1_CODE, HERE);
	put(base + OTHER, THERE);
	if (!l2)
		return;
	sv_vmcb12(0)->control.nested_ctl = np;
	svm->vcpu.rip = SV_L1_CODE + 0x100;
	svm->vcpu.gpr[RAX] = SV_VMCB(0);
	sv_virt_insn(svm, SVM_EXIT_VMRUN);
	assert_true(svm->vcpu.guest_mode);
}

static void finish(void)
{
	assert_false(sv.vm.ended);
	assert_int_equal(sv_end(), 0);
}

static const struct {
	u32 code;
	const char *bytes;
} insns[] = {
	{SVM_EXIT_RDTSC, "\x0f\x31"},	    {SVM_EXIT_RDPMC, "\x0f\x33"},
	{SVM_EXIT_CPUID, "\x0f\xa2"},	    {SVM_EXIT_INVD, "\x0f\x08"},
	{SVM_EXIT_PAUSE, "\x90"},	    {SVM_EXIT_HLT, "\xf4"},
	{SVM_EXIT_INVLPGA, "\x0f\x01\xdf"}, {SVM_EXIT_VMRUN, "\x0f\x01\xd8"},
	{SVM_EXIT_VMMCALL, "\x0f\x01\xd9"}, {SVM_EXIT_VMLOAD, "\x0f\x01\xda"},
	{SVM_EXIT_VMSAVE, "\x0f\x01\xdb"},  {SVM_EXIT_STGI, "\x0f\x01\xdc"},
	{SVM_EXIT_CLGI, "\x0f\x01\xdd"},    {SVM_EXIT_SKINIT, "\x0f\x01\xde"},
	{SVM_EXIT_RDTSCP, "\x0f\x01\xf9"},  {SVM_EXIT_WBINVD, "\x0f\x09"},
	{SVM_EXIT_MONITOR, "\x0f\x01\xc8"}, {SVM_EXIT_MWAIT, "\x0f\x01\xc9"},
	{SVM_EXIT_XSETBV, "\x0f\x01\xd1"},  {SVM_EXIT_MSR, "\x0f\x32"},
};

/* Instruction @i with @prefixes before it, @at bytes into its page, which is read already or not.
 */
static void check_insn(u32 i, u32 prefixes, u64 at)
{
	u64 len = prefixes + strlen(insns[i].bytes), rip = SV_L1_CODE + at;

	svm->vcpu.rip = rip;
	sv_put_code(svm, "\x66\xf2\x2e\x48", prefixes);
	svm->vcpu.rip = rip + prefixes;
	sv_put_code(svm, insns[i].bytes, (u32)strlen(insns[i].bytes));
	for (int again = 0; again < 2; again++) {
		assert_int_equal(skip_at(rip, insns[i].code), 0);
		assert_int_equal(svm->vcpu.rip, rip + len);
		assert_int_equal(svm->vcpu.pending.type, EVENT_NONE);
	}
	/* Another one by now: nothing is skipped. */
	svm->vcpu.rip = rip + len - 1;
	sv_put_code(svm, "\xcc", 1);
	assert_int_equal(skip_at(rip, insns[i].code), -EFAULT);
	assert_int_equal(svm->vcpu.rip, rip);
	assert_int_equal(svm->vcpu.pending.vector, EXC_UD);
}

static void test_insns(void **state)
{
	(void)state;
	start(false, 0);
	for (u32 i = 0; i < ARRAY_SIZE(insns); i++)
		for (u32 prefixes = 0; prefixes <= 4; prefixes++)
			for (u64 at = 0; at <= PAGE_SIZE; at += at < PAGE_SIZE - 8 ? 1022 : 1)
				check_insn(i, prefixes, at);
	assert_int_equal(skip_at(SV_L1_CODE, SVM_EXIT_TASK_SWITCH), -EFAULT);
	assert_int_equal(svm->vcpu.pending.vector, EXC_UD);
	finish();
}

/* Several pages of code, more than are remembered. */
static void test_many_pages(void **state)
{
	(void)state;
	start(false, 0);
	for (u64 i = 0; i < 16; i++)
		put(SV_L1_CODE + i * PAGE_SIZE, i & 4 ? THERE : HERE);
	for (u64 i = 0; i < 64; i++)
		assert_int_equal(length(SV_L1_CODE + i * 5 % 16 * PAGE_SIZE),
				 i * 5 % 16 & 4 ? 3 : 2);
	finish();
}

/* What follows a page in the machine's memory is not what follows it for the guest. */
static void test_next_page(void **state)
{
	u64 last = SV_L1_CODE + PAGE_SIZE - 1;

	(void)state;
	start(false, 0);
	assert_int_equal(length(SV_L1_CODE), 2);
	*(u8 *)sv_va(last) = 0x0f;
	*(u8 *)sv_va(last + 1) = 0xa2;
	assert_int_equal(length(last), 2);
	sv_map(0, SV_L1_ROOT, last + 1, OTHER, 1);
	assert_int_equal(skip_at(last, SVM_EXIT_CPUID), -EFAULT);
	assert_int_equal(svm->vcpu.pending.vector, EXC_UD);
	finish();
}

/* The second half of the instruction is not mapped. */
static void test_page_missing(void **state)
{
	u64 last = SV_L1_CODE + PAGE_SIZE - 1;

	(void)state;
	start(false, 0);
	*(u8 *)sv_va(last) = 0x0f;
	*sv_map(0, SV_L1_ROOT, last + 1, last + 1, 1) = 0;
	assert_int_equal(skip_at(last, SVM_EXIT_CPUID), -EFAULT);
	assert_int_equal(svm->vcpu.pending.vector, EXC_PF);
	assert_int_equal(svm->vmcb->save.cr2, last + 1);
	assert_int_equal(svm->vcpu.rip, last);
	/* One that ends there needs no more. */
	*(u8 *)sv_va(last) = 0xf4;
	assert_int_equal(skip_at(last, SVM_EXIT_HLT), 0);
	finish();
}

/* By L1's nested tables it is not: L2 is entered again and faults there. */
static void test_nested_page_missing(void **state)
{
	(void)state;
	start(true, SVM_NP_ENABLE);
	*sv_map(0, SV_NP_ROOT, SV_L1_CODE, 0, 1) = 0;
	assert_int_equal(skip_at(SV_L1_CODE, SVM_EXIT_CPUID), -EFAULT);
	assert_int_equal(svm->vcpu.pending.type, EVENT_NONE);
	assert_int_equal(svm->vcpu.rip, SV_L1_CODE);
	finish();
}

/* --- what else the end of an instruction does --- */

static void test_end_of_instruction(void **state)
{
	(void)state;
	start(false, 0);
	svm->vcpu.rflags |= RFLAGS_RF;
	svm->vmcb->control.int_state = SVM_INTERRUPT_SHADOW;
	assert_int_equal(length(SV_L1_CODE), 2);
	assert_int_equal(svm->vcpu.rflags & RFLAGS_RF, 0);
	assert_int_equal(svm->vmcb->control.int_state, 0);
	assert_int_equal(svm->vcpu.pending.type, EVENT_NONE);
	svm->vcpu.rflags |= RFLAGS_TF;
	assert_int_equal(length(SV_L1_CODE), 2);
	assert_int_equal(svm->vcpu.pending.type, EVENT_EXCEPTION);
	assert_int_equal(svm->vcpu.pending.vector, EXC_DB);
	assert_int_equal(svm->vmcb->save.dr6 & BIT(14), BIT(14));
	finish();
}

/* Compatibility mode: CS has a base, and RIP 32 bits. */
static void test_32_bit(void **state)
{
	(void)state;
	start(false, 0);
	svm->vmcb->save.cs.attrib = VMCB_SEG_CODE32;
	svm->vmcb->save.cs.base = SV_L1_CODE + 1;
	for (int again = 0; again < 3; again++) {
		assert_int_equal(skip_at(0xffffffff, SVM_EXIT_CPUID), 0);
		assert_int_equal(svm->vcpu.rip, 1);
	}
	/* Its RIP is no address, even if there is code. */
	svm->vmcb->save.cs.attrib = VMCB_SEG_CODE64;
	assert_int_equal(length(SV_L1_CODE), 2);
	svm->vmcb->save.cs.attrib = VMCB_SEG_CODE32;
	svm->vmcb->save.cs.base = OTHER - SV_L1_CODE;
	assert_int_equal(length(SV_L1_CODE), 3);
	finish();
}

/* What the processor tells is believed if it can be true. */
static void test_told(void **state)
{
	(void)state;
	start(false, 0);
	svm_host.features |= SVM_FEATURE_NRIPS;
	svm->vmcb->control.next_rip = SV_L1_CODE + 15;
	assert_int_equal(length(SV_L1_CODE), 15);
	svm->vmcb->control.next_rip = SV_L1_CODE + 16;
	assert_int_equal(length(SV_L1_CODE), 2);
	svm->vmcb->control.next_rip = 0;
	assert_int_equal(length(SV_L1_CODE), 2);
	svm->vmcb->control.next_rip = SV_L1_CODE;
	assert_int_equal(length(SV_L1_CODE), 2);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_insns),
		cmocka_unit_test(test_many_pages),
		cmocka_unit_test(test_next_page),
		cmocka_unit_test(test_page_missing),
		cmocka_unit_test(test_nested_page_missing),
		cmocka_unit_test(test_end_of_instruction),
		cmocka_unit_test(test_32_bit),
		cmocka_unit_test(test_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
