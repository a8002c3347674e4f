/* SPDX-License-Identifier: MIT */
/* The VMX instructions as L1 executes them, and how they reach their operands. */
#pragma once

#include "vmx/vmcs12.h"
#include "vmx/vmx.h"

/* "Cle1": the layout of struct vmcs12. L1 reads it in its IA32_VMX_BASIC. */
#define VMCS12_REVISION 0x31656c43u

/* VMXON, VMXOFF, VMCLEAR, VMPTRLD, VMPTRST, VMREAD, VMWRITE. Others are #UD. */
enum nested_result vmx_nested_insn(struct vmx_vcpu *vmx, const struct vm_exit *exit);

/* operand.c: @size bytes, at most 8, at the instruction's memory operand. 0; -EFAULT: queued. */
int __must_check vmx_operand_read(struct vmx_vcpu *vmx, void *buf, u32 size);
int __must_check vmx_operand_write(struct vmx_vcpu *vmx, const void *buf, u32 size);
