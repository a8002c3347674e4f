/* SPDX-License-Identifier: MIT */
/* The VMX instructions as L1 executes them, and how they reach their operands. */
#pragma once

#include "vmx/vmcs12.h"
#include "vmx/vmx.h"

/* "Cle1": the layout of struct vmcs12. L1 reads it in its IA32_VMX_BASIC. */
#define VMCS12_REVISION 0x31656c43u

/* VMXON, VMXOFF, VMCLEAR, VMPTRLD, VMPTRST, VMREAD, VMWRITE, INVEPT, INVVPID. Others are #UD. */
enum nested_result vmx_nested_insn(struct vmx_vcpu *vmx, const struct vm_exit *exit);

/* The register operand of VMREAD, VMWRITE, INVEPT, INVVPID: a field's encoding, a type. */
u64 vmx_insn_register(const struct vmx_vcpu *vmx);

/*
 * nested_inv.c: INVEPT or INVVPID, which are neither undefined nor forbidden. 0, the number of a
 * VM-instruction error, or -EFAULT: an exception is queued.
 */
int __must_check vmx_nested_invalidate(struct vmx_vcpu *vmx, enum vmx_exit_reason insn);

/* operand.c: @size bytes, of a write at most 8, at the instruction's memory operand. 0; -EFAULT:
 * queued. */
int __must_check vmx_operand_read(struct vmx_vcpu *vmx, void *buf, u32 size);
int __must_check vmx_operand_write(struct vmx_vcpu *vmx, const void *buf, u32 size);
