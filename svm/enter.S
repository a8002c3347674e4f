/* SPDX-License-Identifier: MIT */
/*
 * The world switch, APM 2 15.5 and 15.17; called by svm_enter() of svm.h with
 * rdi: u64 gpr[16], rsi: VMCB, rdx: the VMCB for VMLOAD and VMSAVE, rcx: the host's. It returns with
 * RBP and RSP as they were and nothing else.
 *
 * VMRUN and #VMEXIT switch RAX, RSP, RIP, RFLAGS and the control registers; VMLOAD and VMSAVE
 * FS, GS, TR, LDTR and the system-call MSRs, always in vmcb01, because L1 and L2 share those.
 * GIF is clear from CLGI on, so neither interrupt nor NMI sees the guest's GS or TR. IF is set at
 * VMRUN: with V_INTR_MASKING it decides whether a physical interrupt ends the guest (15.21.1).
 */
	.set RCX, 8
	.set RDX, 16
	.set RBX, 24
	.set RBP, 40
	.set RSI, 48
	.set RDI, 56
	.set R8, 64
	.set R9, 72
	.set R10, 80
	.set R11, 88
	.set R12, 96
	.set R13, 104
	.set R14, 112
	.set R15, 120

	.text
	.globl svm_world_switch
	.type svm_world_switch, @function
svm_world_switch:
	pushq	%rbp
	pushq	%rcx			/* 16(%rsp): host */
	pushq	%rdx			/* 8(%rsp): vmload */
	pushq	%rdi			/* 0(%rsp): gpr */

	clgi
	sti
	movq	%rdx, %rax
	vmload	%rax
	movq	%rsi, %rax
	movq	RCX(%rdi), %rcx
	movq	RDX(%rdi), %rdx
	movq	RBX(%rdi), %rbx
	movq	RBP(%rdi), %rbp
	movq	RSI(%rdi), %rsi
	movq	R8(%rdi), %r8
	movq	R9(%rdi), %r9
	movq	R10(%rdi), %r10
	movq	R11(%rdi), %r11
	movq	R12(%rdi), %r12
	movq	R13(%rdi), %r13
	movq	R14(%rdi), %r14
	movq	R15(%rdi), %r15
	movq	RDI(%rdi), %rdi

	vmrun	%rax

	movq	(%rsp), %rax
	movq	%rcx, RCX(%rax)
	movq	%rdx, RDX(%rax)
	movq	%rbx, RBX(%rax)
	movq	%rbp, RBP(%rax)
	movq	%rsi, RSI(%rax)
	movq	%rdi, RDI(%rax)
	movq	%r8, R8(%rax)
	movq	%r9, R9(%rax)
	movq	%r10, R10(%rax)
	movq	%r11, R11(%rax)
	movq	%r12, R12(%rax)
	movq	%r13, R13(%rax)
	movq	%r14, R14(%rax)
	movq	%r15, R15(%rax)
	movq	8(%rsp), %rax
	vmsave	%rax
	movq	16(%rsp), %rax
	vmload	%rax
	cli
	stgi

	addq	$24, %rsp
	popq	%rbp
	ret
	.size svm_world_switch, . - svm_world_switch

	.section .note.GNU-stack, "", @progbits
