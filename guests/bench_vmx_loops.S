/* SPDX-License-Identifier: MIT */
/* What is measured on VMX, instruction by instruction (guests/bench_vmx.h). */
#include "guests/regs.inc"

	.set GUEST_PHYSICAL, 0x2400	/* lib/vmcs_fields.def */
	.set EXIT_REASON, 0x4402
	.set GUEST_RIP, 0x681e
	.set HOST_RSP, 0x6c14
	.set HOST_RIP, 0x6c16
	.set EPT_VIOLATION, 48
	.set EPT_RWX_WB, 0x37

	.section .text

	.macro loop_of name, insn:vararg
	.globl \name
\name:
	\insn
	dec %rdi
	jnz \name
	ret
	.endm

	loop_of bench_vmcall, vmcall
	loop_of bench_vmread, vmread %rsi, %rax
	loop_of bench_vmwrite, vmwrite %rdx, %rsi
	loop_of bench_vmptrld, vmptrld (%rsi)
	loop_of bench_vmclear, vmclear (%rsi)
	loop_of bench_invept, invept (%rdx), %rsi
	loop_of bench_invvpid, invvpid (%rdx), %rsi

	.globl bench_vmptrld_two
bench_vmptrld_two:
	vmptrld (%rdx)
	vmptrld (%rsi)
	dec %rdi
	jnz bench_vmptrld_two
	ret

	/* Exits are to come back here, to the label. L2 leaves R8 to R15 alone. */
	.macro enter exit
	push_preserved
	mov $HOST_RSP, %eax
	vmwrite %rsp, %rax
	mov $HOST_RIP, %eax
	mov $\exit, %r10d
	vmwrite %r10, %rax
	mov $EXIT_REASON, %r13d
	mov $GUEST_RIP, %r14d
	.endm

	.globl bench_vmresume
bench_vmresume:
	enter 1f
	vmresume
	ud2
1:	vmread %r13, %rax
	return_preserved

	.globl bench_vmresume_many
bench_vmresume_many:
	enter 1f
	mov %rdi, %r12
2:	vmresume
	ud2
1:	vmread %r13, %rax
	vmread %r14, %rcx
	add $3, %rcx
	vmwrite %rcx, %r14
	dec %r12
	jnz 2b
	return_preserved

	.globl bench_vmresume_map
bench_vmresume_map:
	enter 1f
	mov %rcx, %r12
	mov %r8, %r15
	mov $GUEST_PHYSICAL, %r14d
2:	vmresume
	ud2
1:	vmread %r13, %rax
	cmp $EPT_VIOLATION, %eax
	jne 3f
	vmread %r14, %r8
	mov %r8, %r9
	shr $12, %r9
	and $~0xfff, %r8
	or $EPT_RWX_WB, %r8
	mov %r8, (%r12, %r9, 8)
	test %r15, %r15
	jz 2b
	mov $1, %ecx
	invept (%r15), %rcx
	jmp 2b
3:	return_preserved

	.globl bench_l2_vmcall
bench_l2_vmcall:
	vmcall
	jmp bench_l2_vmcall

	.globl bench_l2_rdmsr
bench_l2_rdmsr:
	mov %edx, %ecx
1:	rdmsr
	dec %rdi
	jnz 1b
	vmcall

	.globl bench_l2_stride
bench_l2_stride:
	movb $1, (%rdi)
	add %rdx, %rdi
	dec %rsi
	jnz bench_l2_stride
	vmcall

	.section .note.GNU-stack, "", @progbits
