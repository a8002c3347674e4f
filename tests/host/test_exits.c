// SPDX-License-Identifier: MIT
// objects: kernel/exits.o kernel/exit_io.o kernel/cpuid.o kernel/msr.o
/*
 * What L0 does about exits, with a vendor that only takes notes: exceptions on top of each other,
 * I/O of each size, MSRs and CPUID, who gets L2's exits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/exits.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"
#include "lib/x86.h"

static struct vm vm;
static struct vcpu vcpu;
static int skipped, reflected, faults;
static u64 reflected_code;
static bool l1_owns;
static int skip_result;
static u8 skip_queues; /* an exception's vector, 0: none */
static u64 efer;
static struct {
	u16 offset;
	int size;
	u32 val;
} written;

void vm_end(struct vm *v, int status, const char *fmt, ...)
{
	va_list ap;

	if (v->ended)
		return;
	va_start(ap, fmt);
	vsnprintf(v->end_reason, sizeof(v->end_reason), fmt, ap);
	va_end(ap);
	v->exit_status = status;
	v->ended = true;
}

void trace_event(enum trace_id id, u64 a, u64 b, u64 c, u64 d)
{
	(void)id, (void)a, (void)b, (void)c, (void)d;
}

bool trace_enabled(enum trace_id id)
{
	(void)id;
	return false;
}

void exit_fault(struct vcpu *v, const struct vm_exit *exit)
{
	(void)v, (void)exit;
	faults++;
}

static int skip_insn(struct vcpu *v, const struct vm_exit *exit)
{
	(void)exit;
	skipped++;
	if (skip_queues)
		v->pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = skip_queues};
	return skip_result;
}

static int read_msr(struct vcpu *v, u32 msr, u64 *val)
{
	(void)v;
	*val = efer;
	return msr == MSR_EFER ? 0 : -ENOENT;
}

static int write_msr(struct vcpu *v, u32 msr, u64 val)
{
	(void)v;
	if (msr != MSR_EFER)
		return -ENOENT;
	if (val & 0xff00000000000000ull)
		return -EINVAL;
	efer = val;
	return 0;
}

static void vendor_cpuid(struct vcpu *v, u32 leaf, u32 index, u32 r[4])
{
	(void)v, (void)leaf, (void)index, (void)r;
}

static bool owns(struct vcpu *v, const struct vm_exit *exit)
{
	(void)v, (void)exit;
	return l1_owns;
}

static enum nested_result reflect(struct vcpu *v, const struct vm_exit *exit)
{
	(void)v;
	reflected++;
	reflected_code = exit->code;
	return NESTED_DONE;
}

static enum nested_result dead(struct vcpu *v, const struct vm_exit *exit)
{
	(void)v, (void)exit;
	return NESTED_DEAD;
}

static const struct vendor_ops ops = {.shutdown_code = 0x7f,
				      .skip = skip_insn,
				      .msr_read = read_msr,
				      .msr_write = write_msr,
				      .cpuid = vendor_cpuid,
				      .nested_owns = owns,
				      .nested_reflect = reflect,
				      .virt_insn = dead};
const struct vendor_ops *vendor = &ops;

static u32 device_in(void *dev, u16 offset, int size)
{
	(void)dev;
	return 0x11223300u + offset + ((u32)size << 4);
}

static void device_out(void *dev, u16 offset, int size, u32 val)
{
	(void)dev;
	written.offset = offset;
	written.size = size;
	written.val = val;
}

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	memset(&written, 0, sizeof(written));
	vcpu.vm = &vm;
	vm.pio[0] = (struct pio_device){0x3f8, 8, NULL, device_in, device_out};
	vm.nr_pio = 1;
	skipped = reflected = faults = 0;
	l1_owns = false;
	skip_result = 0;
	skip_queues = 0;
	return 0;
}

static void run_exit(struct vm_exit exit)
{
	exit_handle(&vcpu, &exit);
}

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

/* L2 must not end L1's machine by a triple fault that L1 intercepts. */
static void test_l2_triple_fault(void **state)
{
	(void)state;
	vcpu.guest_mode = true;
	l1_owns = true;
	vcpu.pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = EXC_DF};
	vcpu_inject_exception(&vcpu, EXC_AC, true, 0);
	assert_false(vm.ended);
	assert_int_equal(reflected, 1);
	assert_int_equal(reflected_code, 0x7f);
	assert_int_equal(vcpu.pending.type, EVENT_NONE);
	l1_owns = false;
	vcpu.pending = (struct vcpu_event){.type = EVENT_EXCEPTION, .vector = EXC_DF};
	vcpu_inject_exception(&vcpu, EXC_AC, true, 0);
	assert_true(vm.ended);
	assert_non_null(strstr(vm.end_reason, "L2"));
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
	msr(MSR_MTRR_DEF_TYPE, true, 0x800);
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
	assert_int_equal(vcpu.gpr[RCX] & (CPUID_1_ECX_VMX | CPUID_1_ECX_X2APIC | BIT(3)), 0);
	assert_int_equal(vcpu.gpr[RDX] & CPUID_1_EDX_APIC, 0);
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

static void test_halt(void **state)
{
	(void)state;
	vcpu.rflags = RFLAGS_IF;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_true(vcpu.halted);
	assert_false(vm.ended);
	vcpu.rflags = 0;
	vcpu.guest_mode = true;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_false(vm.ended);
	vcpu.guest_mode = false;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_true(vm.ended);
	assert_non_null(strstr(vm.end_reason, "halted for good"));
}

/* A vCPU that has something to do does not halt: it would never do it. */
static void test_halt_not_done(void **state)
{
	(void)state;
	vcpu.rflags = RFLAGS_IF;
	skip_result = -EAGAIN; /* the code's page is gone: L2 is to fault there */
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_false(vcpu.halted);
	skip_result = -EFAULT;
	skip_queues = EXC_PF;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_false(vcpu.halted);
	skip_result = 0;
	skip_queues = EXC_DB;
	run_exit((struct vm_exit){.kind = EXIT_HLT});
	assert_false(vcpu.halted);
	assert_int_equal(vcpu.pending.vector, EXC_DB);
	assert_false(vm.ended);
}

/* L1 gets what it intercepts, but never L0's interrupts, nor faults before L0 has looked. */
static void test_who_owns(void **state)
{
	(void)state;
	vcpu.guest_mode = true;
	l1_owns = true;
	run_exit((struct vm_exit){.kind = EXIT_CPUID});
	assert_int_equal(reflected, 1);
	assert_int_equal(skipped, 0);
	run_exit((struct vm_exit){.kind = EXIT_HOST});
	run_exit((struct vm_exit){.kind = EXIT_FAULT});
	assert_int_equal(reflected, 1);
	assert_int_equal(faults, 1);
	vcpu.guest_mode = false;
	run_exit((struct vm_exit){.kind = EXIT_CPUID});
	assert_int_equal(reflected, 1);
	assert_int_equal(skipped, 1);
	assert_int_equal(vcpu.stats.exits, 4);
	assert_int_equal(vcpu.stats.nested_exits, 3);
	assert_int_equal(vcpu.stats.exits_by_kind[EXIT_CPUID], 2);
}

static void ends_with(enum exit_kind kind, const char *words)
{
	setup(NULL);
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
		setup(NULL);
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
		cmocka_unit_test_setup(test_double_fault, setup),
		cmocka_unit_test_setup(test_l2_triple_fault, setup),
		cmocka_unit_test_setup(test_exception_replaces_interrupt, setup),
		cmocka_unit_test_setup(test_in, setup),
		cmocka_unit_test_setup(test_out, setup),
		cmocka_unit_test_setup(test_msrs, setup),
		cmocka_unit_test_setup(test_cpuid, setup),
		cmocka_unit_test_setup(test_halt, setup),
		cmocka_unit_test_setup(test_halt_not_done, setup),
		cmocka_unit_test_setup(test_who_owns, setup),
		cmocka_unit_test_setup(test_ends, setup),
		cmocka_unit_test_setup(test_xsetbv, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
