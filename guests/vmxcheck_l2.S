/* SPDX-License-Identifier: MIT */
/* What L2 does: what RCX says (enum l2_op), with RBX an address, and then it exits. */
	.section .text
	.globl vmxcheck_l2
vmxcheck_l2:
	cmp $1, %rcx
	je 1f
	cmp $2, %rcx
	je 2f
	cmp $3, %rcx
	je 3f
	cmp $4, %rcx
	je 4f
	cmp $5, %rcx
	je 5f
	cmp $6, %rcx
	je 6f
	cmp $7, %rcx
	je 7f
	cmp $8, %rcx
	je 8f
	cmp $9, %rcx
	je 9f
0:	vmcall
	jmp vmxcheck_l2
1:	mov (%rbx), %rdx
	jmp 0b
2:	mov %rdx, 16(%rbx)
	jmp 0b
5:	rdtsc
	shl $32, %rdx
	or %rax, %rdx
	jmp 0b
6:	out %al, $0x80
	jmp 0b
7:	mov %ebx, %ecx
	rdmsr
	shl $32, %rdx
	or %rax, %rdx
	jmp 0b
8:	ud2
9:	mov %cr3, %rax
	mov %rax, %cr3
	jmp 0b
4:	mov %rdx, (%rbx)
	jmp 0b
3:	lea 8(%rbx), %rax
	call *%rax
	jmp 0b

	/* u64 vmxcheck_blocked_launch(void): VMLAUNCH just after MOV SS; its RFLAGS. */
	.globl vmxcheck_blocked_launch
vmxcheck_blocked_launch:
	mov %ss, %eax
	mov %eax, %ss
	vmlaunch
	pushfq
	pop %rax
	ret

	.section .note.GNU-stack, "", @progbits
