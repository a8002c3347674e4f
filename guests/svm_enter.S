/* SPDX-License-Identifier: MIT */
/* The world switch, APM 2 15.5 and 15.17. */
#include "guests/regs.inc"

	.section .text
	/* void svm_enter(struct virt_regs *regs, u64 vmcb, u64 host_vmcb) */
	.globl svm_enter
svm_enter:
	push_preserved
	push %rdx		/* 16(%rsp): host VMCB */
	push %rdi		/* 8(%rsp): registers */
	push %rsi		/* 0(%rsp): VMCB */

	mov %rdx, %rax
	vmsave %rax
	clgi
	/* With GIF clear nothing is delivered here; in the guest IF decides about INTR exits. */
	sti
	mov %rsi, %rax
	vmload %rax

	load_regs
	stc
	vmrun %rax
	/* RAX, RSP and RFLAGS are what they were: the carry that was just set says so. */
	.globl svm_exit_point
svm_exit_point:
	xchg %rdi, 8(%rsp)
	jnc 1f
	cmp %rax, (%rsp)
	je 2f
1:	movq $1, DAMAGED(%rdi)
2:	mov (%rsp), %rax
	vmsave %rax

	save_regs
	mov 8(%rsp), %rbx
	mov %rbx, RDI(%rdi)

	mov 16(%rsp), %rax
	vmload %rax
	stgi
	cld
	add $24, %rsp
	return_preserved

	.section .note.GNU-stack, "", @progbits
