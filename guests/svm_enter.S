/* SPDX-License-Identifier: MIT */
/* The world switch, APM 2 15.5 and 15.17. */
	.set RBX, 0
	.set RCX, 8
	.set RDX, 16
	.set RSI, 24
	.set RDI, 32
	.set RBP, 40
	.set R8, 48
	.set R9, 56
	.set R10, 64
	.set R11, 72
	.set R12, 80
	.set R13, 88
	.set R14, 96
	.set R15, 104
	.set DAMAGED, 112

	.section .text
	/* void svm_enter(struct virt_regs *regs, u64 vmcb, u64 host_vmcb) */
	.globl svm_enter
svm_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
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

	mov RBX(%rdi), %rbx
	mov RCX(%rdi), %rcx
	mov RDX(%rdi), %rdx
	mov RSI(%rdi), %rsi
	mov RBP(%rdi), %rbp
	mov R8(%rdi), %r8
	mov R9(%rdi), %r9
	mov R10(%rdi), %r10
	mov R11(%rdi), %r11
	mov R12(%rdi), %r12
	mov R13(%rdi), %r13
	mov R14(%rdi), %r14
	mov R15(%rdi), %r15
	mov RDI(%rdi), %rdi
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

	mov %rbx, RBX(%rdi)
	mov %rcx, RCX(%rdi)
	mov %rdx, RDX(%rdi)
	mov %rsi, RSI(%rdi)
	mov %rbp, RBP(%rdi)
	mov %r8, R8(%rdi)
	mov %r9, R9(%rdi)
	mov %r10, R10(%rdi)
	mov %r11, R11(%rdi)
	mov %r12, R12(%rdi)
	mov %r13, R13(%rdi)
	mov %r14, R14(%rdi)
	mov %r15, R15(%rdi)
	mov 8(%rsp), %rbx
	mov %rbx, RDI(%rdi)

	mov 16(%rsp), %rax
	vmload %rax
	stgi
	cld
	add $24, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
