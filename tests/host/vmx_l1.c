// SPDX-License-Identifier: MIT
/* What vmx/nested_insn.c needs of its neighbours, and an L1 for it. */
#include "tests/host/vmx_l1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/x86.h"
#include "mmu/pt_walk.h"

struct vmx_host vmx_host;
struct l1 l1;

static struct vm vm;

/* --- the neighbours -------------------------------------------------------------------------- */

void vmx_vmcs_use(const struct vmx_vcpu *v)
{
	(void)v;
}

u32 vmx_cpl(void)
{
	return l1.cpl;
}

void vmx_set_dr6(struct vmx_vcpu *v, u64 clear, u64 set)
{
	(void)v, (void)clear, (void)set;
}

void vmx_set_cr2(struct vmx_vcpu *v, u64 cr2)
{
	(void)v, (void)cr2;
}

int vmx_translate(struct vmx_vcpu *v, u64 linear, u32 access, struct pt_walk *w)
{
	(void)v, (void)linear, (void)access, (void)w;
	return -EFAULT;
}

int vmx_linear_to_gpa(struct vcpu *vcpu, u64 linear, bool write, gpa_t *gpa)
{
	(void)write;
	if (linear / PAGE_SIZE == FAULTING / PAGE_SIZE) {
		vmx_queue_exception(to_vmx(vcpu), EXC_PF, true, 0);
		return -EFAULT;
	}
	gpa->v = linear;
	return 0;
}

static bool inside(gpa_t gpa, size_t len)
{
	return gpa.v < MEMORY && gpa.v + len <= MEMORY;
}

int guest_read(struct mmu *mmu, gpa_t gpa, void *dst, size_t len)
{
	(void)mmu;
	if (!inside(gpa, len))
		return -EFAULT;
	memcpy(dst, l1.memory + gpa.v, len);
	return 0;
}

int guest_write(struct mmu *mmu, gpa_t gpa, const void *src, size_t len)
{
	(void)mmu;
	l1.writes++;
	if (!inside(gpa, len))
		return -EFAULT;
	memcpy(l1.memory + gpa.v, src, len);
	return 0;
}

/* --- L1 -------------------------------------------------------------------------------------- */

struct vmcs12 *l1_vmcs(u64 gpa)
{
	return (struct vmcs12 *)(l1.memory + gpa);
}

/* 64-bit code in VMX operation, VMCS_A current; every flag that an outcome clears is set. */
void l1_setup(void)
{
	fake_vmx_init();
	memset(&l1, 0, sizeof(l1));
	vmx_host.limits = (struct vmx_limits){
		.cr0_fixed0 = 0x80000021,
		.cr0_fixed1 = 0xffffffff,
		.cr4_fixed0 = CR4_VMXE,
		.cr4_fixed1 = 0x3767ff,
		.maxphyaddr = MAXPHYS,
	};
	vmx_host.cr0_owned = CR0_PE | CR0_PG;
	l1.vmx.vcpu.vm = &vm;
	l1.vmx.vpid = &l1.vmx.vpid01;
	l1.vmx.vcpu.rflags = RFLAGS_FIXED | RFLAGS_IF | ARITH;
	l1.vmx.vcpu.rip = RIP;
	l1.vmx.nested =
		(struct vmx_nested_state){.vmxon = 1, .vmxon_pointer = REGION, .current = VMCS_A};
	*fake_field(VMCS_guest_cr0) = 0x80000021;
	*fake_field(VMCS_cr0_shadow) = 0x80000021;
	*fake_field(VMCS_cr4_shadow) = CR4_VMXE;
	*fake_field(VMCS_guest_efer) = EFER_LMA | EFER_LME;
	*fake_field(VMCS_guest_cs_ar) = 0xa09b;
	l1_vmcs(REGION)->revision = VMCS12_REVISION;
	l1_vmcs(VMCS_A)->revision = VMCS12_REVISION;
	l1_vmcs(VMCS_B)->revision = VMCS12_REVISION;
	l1_vmcs(FOREIGN)->revision = VMCS12_REVISION ^ 1;
	/* (%rax), 64 bits, in DS */
	l1.vmx.vcpu.gpr[RAX] = OPERAND;
	*fake_field(VMCS_exit_insn_info) = 2 << 7 | SEG_DS << 15 | BIT(22) | (u32)RAX << 23;
}

void l1_pointer(u64 value)
{
	memcpy(l1.memory + OPERAND, &value, sizeof(value));
}

void l1_execute(enum vmx_exit_reason reason)
{
	const struct vm_exit exit = {.code = reason, .insn_len = LENGTH};

	assert_int_equal(vmx_nested_insn(&l1.vmx, &exit), NESTED_DONE);
}

static void assert_flags(u64 flags)
{
	assert_int_equal(l1.vmx.vcpu.pending.type, EVENT_NONE);
	assert_int_equal(l1.vmx.vcpu.rip, RIP + LENGTH);
	assert_int_equal(l1.vmx.vcpu.rflags & ARITH, flags);
	assert_int_equal(l1.vmx.vcpu.rflags & ~ARITH, RFLAGS_FIXED | RFLAGS_IF);
}

void assert_success(void)
{
	assert_flags(0);
}

void assert_fail_invalid(void)
{
	assert_flags(RFLAGS_CF);
}

void assert_fail(u32 error)
{
	assert_flags(RFLAGS_ZF);
	assert_int_equal(l1_vmcs(VMCS_A)->insn_error, error);
}

void assert_fault(u8 vector)
{
	assert_int_equal(l1.vmx.vcpu.pending.type, EVENT_EXCEPTION);
	assert_int_equal(l1.vmx.vcpu.pending.vector, vector);
	assert_int_equal(l1.vmx.vcpu.rip, RIP);
	assert_int_equal(l1.vmx.vcpu.rflags & ARITH, ARITH);
	assert_int_equal(l1.writes, 0);
}
