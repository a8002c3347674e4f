/* SPDX-License-Identifier: MIT */
/* The world switch of VMX, SDM 3C 26 and 27. */
	.set RBX, 0			/* struct virt_regs */
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
	.set RAX, 120

	.set HOST_RSP, 0x6c14		/* lib/vmcs_fields.def */
	.set EXIT_RFLAGS, 2		/* SDM 3C 27.5.3 */

	.section .text
	/* u32 vmx_enter(struct virt_regs *regs, bool resume): 0, 1 VMfailInvalid, 2 VMfailValid */
	.globl vmx_enter
vmx_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdi		/* 0(%rsp): registers */
	mov $HOST_RSP, %eax
	vmwrite %rsp, %rax
	jbe failed
	test %esi, %esi		/* no MOV changes what this finds */

	mov RAX(%rdi), %rax
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
	jnz 1f
	vmlaunch
	jmp failed
1:	vmresume
failed:
	mov $1, %eax
	jc 2f
	mov $2, %eax
2:	pop %rdi
	jmp 4f

	.globl vmx_exit_point
vmx_exit_point:
	xchg %rdi, (%rsp)
	mov %rax, RAX(%rdi)
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
	pop %rbx
	mov %rbx, RDI(%rdi)
	pushfq
	pop %rbx
	cmp $EXIT_RFLAGS, %rbx
	je 3f
	movq $1, DAMAGED(%rdi)
3:	xor %eax, %eax
4:	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
