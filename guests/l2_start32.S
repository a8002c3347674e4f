/* SPDX-License-Identifier: MIT */
/* A 32-bit L2's entry, and the checks that C cannot do; l2_start.S is the 64-bit one. */
	.set PARAMS, 0x8000		/* L2_PARAMS */
	.set INTERRUPT_STACK, 8		/* in struct l2_params */

	.set L2_PARAMS_VMX, 0x8028	/* &l2_params->vmx, l2_abi.h */

	.section .text.start, "ax"
	.globl l2_start
l2_start:
	lgdt gdtr
	ljmp $0x08, $1f
1:	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	/* Pushes of all kinds meet a page that L1 takes away now and then. */
	mov PARAMS + INTERRUPT_STACK, %esp
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
	push %ebx
	push %ebp
	push %esi
	push %edi
	mov 20(%esp), %edi
	mov 28(%esp), %eax
	lea 1(%edi), %ebx
	lea 2(%edi), %ecx
	lea 3(%edi), %edx
	lea 4(%edi), %esi
	lea 6(%edi), %ebp
	testl $1, L2_PARAMS_VMX
	stc				/* ZF stays */
	jnz 1f
	vmmcall
	jmp 2f
1:	vmcall
2:	sbb $-1, %eax			/* EAX: the hypercall's result 0; carry survives */
	sub %edi, %ebx
	sub %edi, %ecx
	sub %edi, %edx
	sub %edi, %esi
	sub %edi, %ebp
	sub 20(%esp), %edi
	or %edi, %eax
	xor $1, %ebx
	or %ebx, %eax
	xor $2, %ecx
	or %ecx, %eax
	xor $3, %edx
	or %edx, %eax
	xor $4, %esi
	or %esi, %eax
	xor $6, %ebp
	or %ebp, %eax
	xor %edx, %edx
	pop %edi
	pop %esi
	pop %ebp
	pop %ebx
	ret

	.data
	.balign 16
	.globl l2_gdt, l2_gdt_tss
l2_gdt:
	.quad 0
	.quad 0x00cf9a000000ffff
	.quad 0x00cf92000000ffff
l2_gdt_tss:
	.quad 0
gdtr:
	.word . - l2_gdt - 1
	.long l2_gdt

	.section .note.GNU-stack, "", @progbits
