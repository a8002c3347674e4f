/* SPDX-License-Identifier: MIT */
/* The world switch of a 32-bit kernel; svm_enter.S is the 64-bit one. Its guests have 32 bits. */
	.set RBX, 0
	.set RCX, 8
	.set RDX, 16
	.set RSI, 24
	.set RDI, 32
	.set RBP, 40
	.set DAMAGED, 112

	.section .text
	/* void svm_enter(struct virt_regs *regs, u64 vmcb, u64 host_vmcb) */
	.globl svm_enter
svm_enter:
	push %ebx
	push %ebp
	push %esi
	push %edi
	mov 20(%esp), %edi	/* registers */
	mov 24(%esp), %edx	/* VMCB */
	mov 32(%esp), %eax	/* host VMCB */
	push %eax		/* 8(%esp): host VMCB */
	push %edi		/* 4(%esp): registers */
	push %edx		/* 0(%esp): VMCB */

	vmsave %eax
	clgi
	/* With GIF clear nothing is delivered here; in the guest IF decides about INTR exits. */
	sti
	mov %edx, %eax
	vmload %eax

	mov RBX(%edi), %ebx
	mov RCX(%edi), %ecx
	mov RDX(%edi), %edx
	mov RSI(%edi), %esi
	mov RBP(%edi), %ebp
	mov RDI(%edi), %edi
	stc
	vmrun %eax
	/* EAX, ESP and EFLAGS are what they were: the carry that was just set says so. */
	.globl svm_exit_point
svm_exit_point:
	xchg %edi, 4(%esp)
	jnc 1f
	cmp %eax, (%esp)
	je 2f
1:	movl $1, DAMAGED(%edi)
2:	mov (%esp), %eax
	vmsave %eax

	mov %ebx, RBX(%edi)
	mov %ecx, RCX(%edi)
	mov %edx, RDX(%edi)
	mov %esi, RSI(%edi)
	mov %ebp, RBP(%edi)
	mov 4(%esp), %ebx
	mov %ebx, RDI(%edi)

	mov 8(%esp), %eax
	vmload %eax
	stgi
	cld
	add $12, %esp
	pop %edi
	pop %esi
	pop %ebp
	pop %ebx
	ret

	.section .note.GNU-stack, "", @progbits
