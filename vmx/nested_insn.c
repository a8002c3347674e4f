// SPDX-License-Identifier: MIT
/*
 * The instructions by which L1 manages its VMCSs, SDM 3C 30.3. vmcs12 is nowhere but in L1's
 * memory: VMREAD and VMWRITE go there, and an entry works on a copy.
 */
#include "vmx/nested_insn.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"
#include "vmx/asm.h"
#include "vmx/nested_check_internal.h"

/* Exit information of VMREAD and VMWRITE, table 27-14. */
#define INFO_REG1     3 /* the operand, where it is a register */
#define INFO_REGISTER BIT(10)
#define INFO_REG2     28 /* the one that is always a register */

/* --- outcomes, 30.2 -------------------------------------------------------------------------- */

static enum nested_result fault(struct vmx_vcpu *vmx, u8 vector)
{
	vmx_queue_exception(vmx, vector, vector == EXC_GP, 0);
	return NESTED_DONE;
}

static enum nested_result outcome(struct vmx_vcpu *vmx, const struct vm_exit *exit, u64 flags)
{
	vmx->vcpu.rflags = (vmx->vcpu.rflags & ~RFLAGS_ARITH) | flags;
	(void)vmx_skip(&vmx->vcpu, exit);
	return NESTED_DONE;
}

static enum nested_result succeed(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	return outcome(vmx, exit, 0);
}

static enum nested_result fail_invalid(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	return outcome(vmx, exit, RFLAGS_CF);
}

static gpa_t current_at(const struct vmx_vcpu *vmx, u32 offset)
{
	return (gpa_t){vmx->nested.current + offset};
}

static bool has_current(const struct vmx_vcpu *vmx)
{
	return vmx->nested.current != VMCS12_NONE;
}

/* VMfail: the error's number is in the current VMCS, where there is one. */
static enum nested_result fail(struct vmx_vcpu *vmx, const struct vm_exit *exit, u32 error)
{
	if (!has_current(vmx))
		return fail_invalid(vmx, exit);
	(void)!guest_write(vmx_mmu(vmx), current_at(vmx, offsetof(struct vmcs12, insn_error)),
			   &error, sizeof(error));
	return outcome(vmx, exit, RFLAGS_ZF);
}

/* --- VMXON and VMXOFF ------------------------------------------------------------------------ */

/* What makes each of them undefined, whatever the mode of VMX. */
static bool undefined(const struct vmx_vcpu *vmx)
{
	bool long_mode = vmcs_read(VMCS_guest_efer) & EFER_LMA;

	return !(vmx_cr0() & CR0_PE) || vmx->vcpu.rflags & RFLAGS_VM ||
	       (long_mode && !vmx_code_is_64bit());
}

static bool pointer_bad(u64 pointer)
{
	return vmx_page_bad(pointer, &vmx_host.limits);
}

/* The revision at the start of a region; one that no region has where there is no memory. */
static u32 revision_at(struct vmx_vcpu *vmx, u64 pointer)
{
	u32 revision;

	if (guest_read(vmx_mmu(vmx), (gpa_t){pointer}, &revision, sizeof(revision)))
		return ~0u;
	return revision;
}

/* 23.8: with VMX operation on, as L1 is offered it, these may not be otherwise. */
static bool fixed_bits_bad(void)
{
	const struct vmx_limits *l = &vmx_host.limits;

	return vmx_fixed_bad(vmx_cr0(), l->cr0_fixed0, l->cr0_fixed1, 0) ||
	       vmx_fixed_bad(vmx_cr4(), l->cr4_fixed0, l->cr4_fixed1, 0);
}

static enum nested_result vmxon(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	u64 pointer;

	if (undefined(vmx) || !(vmx_cr4() & CR4_VMXE))
		return fault(vmx, EXC_UD);
	if (vmx_cpl() || (!vmx->nested.vmxon && fixed_bits_bad()))
		return fault(vmx, EXC_GP);
	if (vmx->nested.vmxon)
		return fail(vmx, exit, VMX_ERROR_VMXON_IN_ROOT);
	if (vmx_operand_read(vmx, &pointer, sizeof(pointer)))
		return NESTED_DONE;
	if (pointer_bad(pointer) || revision_at(vmx, pointer) != VMCS12_REVISION)
		return fail_invalid(vmx, exit);
	vmx->nested.vmxon = 1;
	vmx->nested.vmxon_pointer = pointer;
	vmx->nested.current = VMCS12_NONE;
	vmx_cr_masks(vmx);
	return succeed(vmx, exit);
}

static enum nested_result vmxoff(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	vmx->nested.vmxon = 0;
	vmx->nested.vmxon_pointer = VMCS12_NONE;
	vmx->nested.current = VMCS12_NONE;
	vmx_cr_masks(vmx);
	return succeed(vmx, exit);
}

/* --- pointers -------------------------------------------------------------------------------- */

static enum nested_result vmclear(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	static const u32 clear;
	u64 pointer;

	if (vmx_operand_read(vmx, &pointer, sizeof(pointer)))
		return NESTED_DONE;
	if (pointer_bad(pointer))
		return fail(vmx, exit, VMX_ERROR_VMCLEAR_ADDRESS);
	if (pointer == vmx->nested.vmxon_pointer)
		return fail(vmx, exit, VMX_ERROR_VMCLEAR_VMXON);
	(void)!guest_write(vmx_mmu(vmx), (gpa_t){pointer + offsetof(struct vmcs12, launched)},
			   &clear, sizeof(clear));
	if (pointer == vmx->nested.current)
		vmx->nested.current = VMCS12_NONE;
	vmx_cr_masks(vmx);
	return succeed(vmx, exit);
}

/* Bit 31 of the revision marks a shadow VMCS; there is no shadowing for L1. */
static enum nested_result vmptrld(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	u64 pointer;

	if (vmx_operand_read(vmx, &pointer, sizeof(pointer)))
		return NESTED_DONE;
	if (pointer_bad(pointer))
		return fail(vmx, exit, VMX_ERROR_VMPTRLD_ADDRESS);
	if (pointer == vmx->nested.vmxon_pointer)
		return fail(vmx, exit, VMX_ERROR_VMPTRLD_VMXON);
	if (revision_at(vmx, pointer) != VMCS12_REVISION)
		return fail(vmx, exit, VMX_ERROR_VMPTRLD_REVISION);
	vmx->nested.current = pointer;
	return succeed(vmx, exit);
}

static enum nested_result vmptrst(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	if (vmx_operand_write(vmx, &vmx->nested.current, sizeof(vmx->nested.current)))
		return NESTED_DONE;
	return succeed(vmx, exit);
}

/* --- fields ---------------------------------------------------------------------------------- */

/* In 64-bit code operands have 64 bits, else 32. */
static u32 operand_size(void)
{
	return vmx_code_is_64bit() ? sizeof(u64) : sizeof(u32);
}

u64 vmx_insn_register(const struct vmx_vcpu *vmx)
{
	u64 encoding = vmx->vcpu.gpr[vmcs_read(VMCS_exit_insn_info) >> INFO_REG2 & 15];

	return vmx_code_is_64bit() ? encoding : (u32)encoding;
}

/* An encoding's lowest bit names the upper half of a 64-bit field, 24.11.2. */
static u32 place_of(const struct vmcs_field_info *f, u64 encoding, u32 *size)
{
	u32 half = encoding & 1;

	*size = half ? sizeof(u32) : vmcs_field_size(f);
	return (u32)f->offset + half * (u32)sizeof(u32);
}

static enum nested_result vmread(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	u32 info = (u32)vmcs_read(VMCS_exit_insn_info), size;
	u64 encoding = vmx_insn_register(vmx), value = 0;
	const struct vmcs_field_info *f = vmcs_field_of_l1(encoding);
	gpa_t at;

	if (!has_current(vmx))
		return fail_invalid(vmx, exit);
	if (!f)
		return fail(vmx, exit, VMX_ERROR_NO_SUCH_FIELD);
	at = current_at(vmx, place_of(f, encoding, &size));
	if (guest_read(vmx_mmu(vmx), at, &value, size))
		value = ~0ull >> (64 - 8 * size);
	if (operand_size() == sizeof(u32))
		value = (u32)value;
	if (info & INFO_REGISTER)
		vmx->vcpu.gpr[info >> INFO_REG1 & 15] = value;
	else if (vmx_operand_write(vmx, &value, operand_size()))
		return NESTED_DONE;
	return succeed(vmx, exit);
}

static enum nested_result vmwrite(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	u32 info = (u32)vmcs_read(VMCS_exit_insn_info), size;
	u64 encoding = vmx_insn_register(vmx), value = 0;
	const struct vmcs_field_info *f = vmcs_field_of_l1(encoding);
	gpa_t at;

	if (!has_current(vmx))
		return fail_invalid(vmx, exit);
	if (info & INFO_REGISTER)
		value = vmx->vcpu.gpr[info >> INFO_REG1 & 15];
	else if (vmx_operand_read(vmx, &value, operand_size()))
		return NESTED_DONE;
	if (!f)
		return fail(vmx, exit, VMX_ERROR_NO_SUCH_FIELD);
	if (f->kind == VMCS_DATA)
		return fail(vmx, exit, VMX_ERROR_READ_ONLY_FIELD);
	if (operand_size() == sizeof(u32))
		value = (u32)value;
	at = current_at(vmx, place_of(f, encoding, &size));
	(void)!guest_write(vmx_mmu(vmx), at, &value, size);
	return succeed(vmx, exit);
}

static enum nested_result invalidate(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	int error = vmx_nested_invalidate(vmx, (enum vmx_exit_reason)exit->code);

	if (error < 0)
		return NESTED_DONE;
	return error ? fail(vmx, exit, (u32)error) : succeed(vmx, exit);
}

/* --- all of them ----------------------------------------------------------------------------- */

enum nested_result vmx_nested_insn(struct vmx_vcpu *vmx, const struct vm_exit *exit)
{
	vmx_vmcs_use(vmx);
	if (exit->code == VMX_EXIT_VMXON)
		return vmxon(vmx, exit);
	if (undefined(vmx) || !vmx->nested.vmxon)
		return fault(vmx, EXC_UD);
	if (vmx_cpl())
		return fault(vmx, EXC_GP);
	switch (exit->code) {
	case VMX_EXIT_VMXOFF:
		return vmxoff(vmx, exit);
	case VMX_EXIT_VMCLEAR:
		return vmclear(vmx, exit);
	case VMX_EXIT_VMPTRLD:
		return vmptrld(vmx, exit);
	case VMX_EXIT_VMPTRST:
		return vmptrst(vmx, exit);
	case VMX_EXIT_VMREAD:
		return vmread(vmx, exit);
	case VMX_EXIT_VMWRITE:
		return vmwrite(vmx, exit);
	case VMX_EXIT_INVEPT:
	case VMX_EXIT_INVVPID:
		return invalidate(vmx, exit);
	}
	return fault(vmx, EXC_UD);
}
