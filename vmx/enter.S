/* SPDX-License-Identifier: MIT */
/*
 * The world switch, SDM 3C 26.3 and 27.5:
 * bool vmx_enter(u64 gpr[16], u64 *host_rsp, bool launched)
 *
 * Entry and exit switch RSP, RIP, RFLAGS, control and segment registers and the MSRs of the VMCS. The
 * host's RSP is written only when it is not what the VMCS has, *host_rsp.
 */
	.set RAX, 0
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
	.set HOST_RSP, 0x6c14		/* lib/vmcs_fields.def */

	.text
	.globl vmx_enter
	.type vmx_enter, @function
vmx_enter:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	pushq	%rdi			/* 0(%rsp): gpr */

	cmpq	%rsp, (%rsi)
	je	1f
	movq	%rsp, (%rsi)
	movl	$HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jbe	vmx_failed
1:	testb	%dl, %dl		/* ZF until the entry: MOV leaves it alone */
	movq	RAX(%rdi), %rax
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
	jz	2f
	vmresume
	jmp	vmx_failed
2:	vmlaunch

vmx_failed:				/* VMfail: the host's state is untouched */
	xorl	%eax, %eax
	jmp	3f

	.globl vmx_exit_here
vmx_exit_here:
	xchgq	%rdi, (%rsp)
	movq	%rax, RAX(%rdi)
	movq	%rcx, RCX(%rdi)
	movq	%rdx, RDX(%rdi)
	movq	%rbx, RBX(%rdi)
	movq	%rbp, RBP(%rdi)
	movq	%rsi, RSI(%rdi)
	movq	%r8, R8(%rdi)
	movq	%r9, R9(%rdi)
	movq	%r10, R10(%rdi)
	movq	%r11, R11(%rdi)
	movq	%r12, R12(%rdi)
	movq	%r13, R13(%rdi)
	movq	%r14, R14(%rdi)
	movq	%r15, R15(%rdi)
	movq	(%rsp), %rax
	movq	%rax, RDI(%rdi)
	movl	$1, %eax

3:	addq	$8, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size vmx_enter, . - vmx_enter

	.section .note.GNU-stack, "", @progbits
