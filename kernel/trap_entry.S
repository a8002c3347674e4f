/* SPDX-License-Identifier: MIT */
/*
 * One stub per vector, 16 bytes each: push an error code where the processor pushed none, push
 * the vector, save the registers, call trap_dispatch.
 */
#define WITH_ERROR_CODE 0x60227d00	/* lib/x86.h: EXC_WITH_ERROR_CODE */

	.section .text
	.balign 16
	.global trap_stubs
trap_stubs:
	.set	vector, 0
	.rept	256
	.balign	16
	.if	(vector >= 32) || !((WITH_ERROR_CODE >> (vector & 31)) & 1)
	pushq	$0
	.endif
	pushq	$vector
	jmp	trap_common
	.set	vector, vector + 1
	.endr

	.type trap_common, @function
trap_common:
	cld
	pushq	%rax
	pushq	%rbx
	pushq	%rcx
	pushq	%rdx
	pushq	%rsi
	pushq	%rdi
	pushq	%rbp
	pushq	%r8
	pushq	%r9
	pushq	%r10
	pushq	%r11
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, %rdi
	call	trap_dispatch
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%r11
	popq	%r10
	popq	%r9
	popq	%r8
	popq	%rbp
	popq	%rdi
	popq	%rsi
	popq	%rdx
	popq	%rcx
	popq	%rbx
	popq	%rax
	addq	$16, %rsp
	iretq
	.size trap_common, . - trap_common
