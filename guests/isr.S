/* SPDX-License-Identifier: MIT */
/* 256 interrupt entry points, 16 bytes each, that lead to isr_dispatch(struct isr_frame *). */
	.section .text
	.balign 16
	.globl isr_stubs
isr_stubs:
	.set vector, 0
	.rept 256
	.balign 16
	/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX push an error code themselves. */
	.set has_error, 0
	.if vector < 32
	.set has_error, (0x60227d00 >> vector) & 1
	.endif
	.if !has_error
	push $0
	.endif
	push $vector
	jmp isr_common
	.set vector, vector + 1
	.endr

#ifdef __x86_64__
isr_common:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	cld
	mov %rsp, %rdi
	call isr_dispatch
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rbp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp
	iretq
#else
isr_common:
	pusha
	cld
	push %esp
	call isr_dispatch
	add $4, %esp
	popa
	add $8, %esp
	iret
#endif

	.section .note.GNU-stack, "", @progbits
