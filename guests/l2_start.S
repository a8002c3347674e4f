/* SPDX-License-Identifier: MIT */
/* L2's entry, in 64-bit mode with L1's page tables and stack, and checks that C cannot do. */
#include "guests/regs.inc"

	.set L2_PARAMS_VMX, 0x8028	/* &l2_params->vmx, l2_abi.h */

	.section .text.start, "ax"
	.globl l2_start
l2_start:
	lgdt gdtr
	push $0x08
	lea 1f(%rip), %rax
	push %rax
	lretq
1:	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	fninit
	xor %ebp, %ebp
	call l2_main
2:	hlt
	jmp 2b

	.text
	/*
	 * u64 l2_check_registers(u64 pattern, u64 hypercall): all registers across one exit, each
	 * with a value of its own. 0 when all came back.
	 */
	.globl l2_check_registers
l2_check_registers:
	push_preserved
	push %rsi
	push %rdi
	mov %rsi, %rax
	lea 1(%rdi), %rbx
	lea 2(%rdi), %rcx
	lea 3(%rdi), %rdx
	lea 4(%rdi), %rsi
	lea 6(%rdi), %rbp
	lea 8(%rdi), %r8
	lea 9(%rdi), %r9
	lea 10(%rdi), %r10
	lea 11(%rdi), %r11
	lea 12(%rdi), %r12
	lea 13(%rdi), %r13
	lea 14(%rdi), %r14
	lea 15(%rdi), %r15
	testl $1, L2_PARAMS_VMX
	stc				/* ZF stays */
	jnz 1f
	vmmcall
	jmp 2f
1:	vmcall
2:	sbb $-1, %rax			/* RAX: the hypercall's result 0; carry survives */
	sub %rdi, %rbx
	sub %rdi, %rcx
	sub %rdi, %rdx
	sub %rdi, %rsi
	sub %rdi, %rbp
	sub %rdi, %r8
	sub %rdi, %r9
	sub %rdi, %r10
	sub %rdi, %r11
	sub %rdi, %r12
	sub %rdi, %r13
	sub %rdi, %r14
	sub %rdi, %r15
	sub (%rsp), %rdi
	or %rdi, %rax
	xor $1, %rbx
	or %rbx, %rax
	xor $2, %rcx
	or %rcx, %rax
	xor $3, %rdx
	or %rdx, %rax
	xor $4, %rsi
	or %rsi, %rax
	xor $6, %rbp
	or %rbp, %rax
	xor $8, %r8
	or %r8, %rax
	xor $9, %r9
	or %r9, %rax
	xor $10, %r10
	or %r10, %rax
	xor $11, %r11
	or %r11, %rax
	xor $12, %r12
	or %r12, %rax
	xor $13, %r13
	or %r13, %rax
	xor $14, %r14
	or %r14, %rax
	xor $15, %r15
	or %r15, %rax
	pop %rdi
	pop %rsi
	return_preserved

	.data
	.balign 16
	.globl l2_gdt, l2_gdt_tss
l2_gdt:
	.quad 0
	.quad 0x00209a0000000000
	.quad 0x00cf92000000ffff
l2_gdt_tss:
	.quad 0x0000890000000067
	.quad 0
gdtr:
	.word . - l2_gdt - 1
	.quad l2_gdt

	.section .note.GNU-stack, "", @progbits
