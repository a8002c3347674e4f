// SPDX-License-Identifier: MIT
// objects: kernel/exits.o kernel/exit_io.o kernel/cpuid.o kernel/msr.o tests/host/exits_vm.o
/*
 * What L0 does about exits: exceptions on top of each other, I/O of each size, MSRs and CPUID, the
 * ends.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/cpu.h"
#include "lib/x86.h"
#include "tests/host/exits_vm.h"

/* SDM 3A table 6-5: what comes of @second while @first is delivered. */
static u8 combine(u8 first, u8 second)
{
	vcpu.pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = first};
	vcpu_inject_exception(&vcpu, second, false, 0);
	assert_int_equal(vcpu.pending.type, EVENT_EXCEPTION);
	return vcpu.pending.vector;
}

static void test_double_fault(void **state)
{
	(void)state;
	assert_int_equal(combine(EXC_GP, EXC_GP), EXC_DF);
	assert_int_equal(vcpu.pending.has_error, 1);
	assert_int_equal(combine(EXC_DE, EXC_NP), EXC_DF);
	assert_int_equal(combine(EXC_PF, EXC_PF), EXC_DF);
	assert_int_equal(combine(EXC_PF, EXC_GP), EXC_DF);
	assert_int_equal(combine(EXC_GP, EXC_PF), EXC_PF);
	assert_int_equal(combine(EXC_UD, EXC_GP), EXC_GP);
	assert_int_equal(combine(EXC_GP, EXC_UD), EXC_UD);
	assert_false(vm.ended);
	vcpu.pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = EXC_DF};
	vcpu_inject_exception(&vcpu, EXC_GP, true, 0);
	assert_true(vm.ended);
	assert_non_null(strstr(vm.end_reason, "double fault"));
}

static void test_exception_replaces_interrupt(void **state)
{
	(void)state;
	vcpu.pending = (struct vcpu_event){.type = EVENT_INTR, .vector = 0x60};
	vcpu_inject_exception(&vcpu, EXC_NP, true, 0x302);
	assert_int_equal(vcpu.pending.type, EVENT_EXCEPTION);
	assert_int_equal(vcpu.pending.vector, EXC_NP);
	assert_int_equal(vcpu.pending.error, 0x302);
}

static void test_in(void **state)
{
	static const u64 merged[] = {
		[1] = 0xffffffffffffff12, [2] = 0xffffffffffff3322, [4] = 0x11223342};

	(void)state;
	for (u8 size = 1; size <= 4; size *= 2) {
		vcpu.gpr[RAX] = ~0ull;
		run_exit((struct vm_exit){.kind = EXIT_IO,
					  .io = {.port = 0x3fa, .size = size, .in = true}});
		assert_int_equal(vcpu.gpr[RAX], merged[size]);
	}
	assert_int_equal(skipped, 3);
	/* Nobody there: all ones, of that size. */
	vcpu.gpr[RAX] = 0;
	run_exit((struct vm_exit){.kind = EXIT_IO, .io = {.port = 0x80, .size = 1, .in = true}});
	assert_int_equal(vcpu.gpr[RAX], 0xff);
	vcpu.gpr[RAX] = 0;
	run_exit((struct vm_exit){.kind = EXIT_IO, .io = {.port = 0x3f7, .size = 4, .in = true}});
	assert_int_equal(vcpu.gpr[RAX], 0xffffffff);
}

static void test_out(void **state)
{
	(void)state;
	vcpu.gpr[RAX] = 0x1122334455667788;
	run_exit((struct vm_exit){.kind = EXIT_IO, .io = {.port = 0x3ff, .size = 1}});
	assert_int_equal(written.offset, 7);
	assert_int_equal(written.size, 1);
	assert_int_equal(written.val & 0xff, 0x88);
	written.size = 0;
	run_exit((struct vm_exit){.kind = EXIT_IO, .io = {.port = 0x400, .size = 1}});
	assert_int_equal(written.size, 0);
	assert_int_equal(skipped, 2);
	run_exit((struct vm_exit){.kind = EXIT_IO,
				  .io = {.port = 0x3f8, .size = 1, .string = true}});
	assert_int_equal(vcpu.pending.vector, EXC_GP);
	assert_int_equal(skipped, 2);
}

static void msr(u32 index, bool write, u64 val)
{
	vcpu.pending.type = EVENT_NONE;
	vcpu.gpr[RAX] = 0xaaaaaaaa00000000ull | (u32)val;
	vcpu.gpr[RDX] = 0xaaaaaaaa00000000ull | val >> 32;
	run_exit((struct vm_exit){.kind = EXIT_MSR, .msr = {index, write}});
}

static bool faulted(void)
{
	return vcpu.pending.type == EVENT_EXCEPTION && vcpu.pending.vector == EXC_GP &&
	       vcpu.pending.has_error && vcpu.pending.error == 0;
}

static void test_msrs(void **state)
{
	(void)state;
	msr(MSR_EFER, true, 0x0022334455667788);
	assert_false(faulted());
	assert_int_equal(efer, 0x0022334455667788);
	msr(MSR_EFER, false, 0);
	assert_int_equal(vcpu.gpr[RAX], 0x55667788);
	assert_int_equal(vcpu.gpr[RDX], 0x00223344);
	assert_int_equal(skipped, 2);
	msr(MSR_EFER, true, ~0ull);
	assert_true(faulted());
	msr(0x12345, false, 0);
	assert_true(faulted());
	msr(0x12345, true, 0);
	assert_true(faulted());
	assert_int_equal(skipped, 2);
	msr(MSR_MTRR_DEF_TYPE, false, 0);
	assert_int_equal(vcpu.gpr[RAX], 0x806);
	msr(MSR_MTRR_DEF_TYPE, true, 0x806);
	assert_false(faulted());
	msr(MSR_MTRR_DEF_TYPE, true, 0);
	assert_false(faulted());
	/* No such type, no fixed ranges, no such bit. */
	msr(MSR_MTRR_DEF_TYPE, true, 0x802);
	assert_true(faulted());
	msr(MSR_MTRR_DEF_TYPE, true, 0xc06);
	assert_true(faulted());
	msr(MSR_MTRR_DEF_TYPE, true, 0x1806);
	assert_true(faulted());
	msr(MSR_MTRRCAP, true, 0);
	assert_true(faulted());
	msr(MSR_BIOS_SIGN_ID, true, 5);
	assert_false(faulted());
}

static void cpuid_exit(u32 leaf, u32 index)
{
	vcpu.gpr[RAX] = leaf;
	vcpu.gpr[RCX] = index;
	run_exit((struct vm_exit){.kind = EXIT_CPUID});
}

static void test_cpuid(void **state)
{
	(void)state;
	cpuid_init();
	cpuid_exit(CPUID_HYPERVISOR, 0);
	assert_memory_equal(&vcpu.gpr[RBX], "Clea", 4);
	assert_memory_equal(&vcpu.gpr[RCX], "veCl", 4);
	assert_memory_equal(&vcpu.gpr[RDX], "eave", 4);
	cpuid_exit(CPUID_FEATURES, 0);
	assert_int_equal(vcpu.gpr[RCX] & CPUID_1_ECX_HYPERVISOR, CPUID_1_ECX_HYPERVISOR);
	assert_int_equal(vcpu.gpr[RCX] & (CPUID_1_ECX_VMX | BIT(3)), 0);
	assert_true(vcpu.gpr[RCX] & CPUID_1_ECX_X2APIC);
	assert_true(vcpu.gpr[RDX] & CPUID_1_EDX_APIC);
	cpuid_exit(CPUID_VENDOR, 0);
	assert_in_range(vcpu.gpr[RAX], 1, CPUID_XSAVE);
	cpuid_exit(CPUID_EXT8, 0);
	assert_in_range(vcpu.gpr[RAX] >> 8, 32, 48);
	/* Leaves that nobody has thought about, and subleaves that are not there. */
	for (u32 leaf = 0xe; leaf < 0x30; leaf++) {
		cpuid_exit(leaf, 0);
		assert_int_equal(vcpu.gpr[RAX] | vcpu.gpr[RBX] | vcpu.gpr[RCX] | vcpu.gpr[RDX], 0);
	}
	cpuid_exit(CPUID_EXT_FEATURES, 1);
	assert_int_equal(vcpu.gpr[RAX] | vcpu.gpr[RBX] | vcpu.gpr[RCX] | vcpu.gpr[RDX], 0);
}

/* Of what this machine's processor says in each register, those bits. */
static void cpuid_is(u32 leaf, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	struct cpuid c = cpuid(leaf, index);

	cpuid_exit(leaf, index);
	assert_int_equal(vcpu.gpr[RAX], c.eax & eax);
	assert_int_equal(vcpu.gpr[RBX], c.ebx & ebx);
	assert_int_equal(vcpu.gpr[RCX], c.ecx & ecx);
	assert_int_equal(vcpu.gpr[RDX], c.edx & edx);
}

/* Which leaf is which, and which subleaf of it. */
static void test_cpuid_leaves(void **state)
{
	static const u32 whole[] = {0x80000002, 0x80000003, 0x80000004, 0x80000005, 0x80000006};
	static const u32 nothing[] = {3,	  5,	      0x10,	  0x3fffffff, 0x40000001,
				      0x8000000b, 0x8000000f, 0x80000010, 0xc0000000, 0xffffffff};

	(void)state;
	cpuid_init();
	for (u32 i = 0; i < ARRAY_SIZE(whole); i++) {
		cpuid_is(whole[i], 0, ~0u, ~0u, ~0u, ~0u);
		cpuid_is(whole[i], 1, ~0u, ~0u, ~0u, ~0u);
	}
	for (u32 i = 0; i < ARRAY_SIZE(nothing); i++)
		cpuid_is(nothing[i], 0, 0, 0, 0, 0);
	cpuid_is(CPUID_XSAVE, 3, 0, 0, 0, 0);
	cpuid_is(CPUID_XSAVE, 0xffffffff, 0, 0, 0, 0);
	if (!cpuid_xcr0_mask())
		skip();
	cpuid_is(CPUID_XSAVE, 1, 7, 0, 0, 0);
	cpuid_is(CPUID_XSAVE, 2, ~0u, ~0u, 0, 0);
}

/* Without its length known it is executed once more, and must then find what it was given. */
static void test_cpuid_again(void **state)
{
	(void)state;
	cpuid_init();
	skip_result = -EAGAIN;
	vcpu.gpr[RBX] = 5;
	vcpu.gpr[RDX] = 6;
	cpuid_exit(CPUID_HYPERVISOR, 7);
	assert_int_equal(skipped, 1);
	assert_int_equal(vcpu.gpr[RAX], CPUID_HYPERVISOR);
	assert_int_equal(vcpu.gpr[RCX], 7);
	assert_int_equal(vcpu.gpr[RBX], 5);
	assert_int_equal(vcpu.gpr[RDX], 6);
	skip_result = 0;
	cpuid_exit(CPUID_HYPERVISOR, 7);
	assert_memory_equal(&vcpu.gpr[RBX], "Clea", 4);
}

static void ends_with(enum exit_kind kind, const char *words)
{
	exits_setup(NULL);
	run_exit((struct vm_exit){.kind = kind});
	assert_true(vm.ended);
	assert_true(vm.exit_status < 0);
	assert_non_null(strstr(vm.end_reason, words));
}

static void test_ends(void **state)
{
	(void)state;
	ends_with(EXIT_SHUTDOWN, "triple fault");
	ends_with(EXIT_ENTRY_FAILED, "refused");
	ends_with(EXIT_OTHER, "nobody asked for");
	ends_with(EXIT_VIRT_INSN, "nested state");
	for (int k = 0; k < EXIT_KIND_NR; k++)
		assert_non_null(exit_kind_name((enum exit_kind)k));
}

static void test_xsetbv(void **state)
{
	static const struct {
		u32 ecx;
		u64 val;
	} bad[] = {{0, 0}, {0, XCR0_SSE}, {1, 1}, {0, XCR0_X87 | XCR0_AVX}, {0, 1ull << 63 | 1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		exits_setup(NULL);
		vcpu.gpr[RCX] = bad[i].ecx;
		vcpu.gpr[RAX] = (u32)bad[i].val;
		vcpu.gpr[RDX] = bad[i].val >> 32;
		run_exit((struct vm_exit){.kind = EXIT_XSETBV});
		assert_true(faulted());
		assert_int_equal(skipped, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_double_fault, exits_setup),
		cmocka_unit_test_setup(test_exception_replaces_interrupt, exits_setup),
		cmocka_unit_test_setup(test_in, exits_setup),
		cmocka_unit_test_setup(test_out, exits_setup),
		cmocka_unit_test_setup(test_msrs, exits_setup),
		cmocka_unit_test_setup(test_cpuid, exits_setup),
		cmocka_unit_test_setup(test_cpuid_leaves, exits_setup),
		cmocka_unit_test_setup(test_cpuid_again, exits_setup),
		cmocka_unit_test_setup(test_ends, exits_setup),
		cmocka_unit_test_setup(test_xsetbv, exits_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
