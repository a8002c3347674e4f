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
0:	vmcall
	jmp vmxcheck_l2
1:	mov (%rbx), %rdx
	jmp 0b
2:	mov %rdx, 16(%rbx)
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
