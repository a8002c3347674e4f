/* SPDX-License-Identifier: MIT */
/* What L2 does: it exits. */
	.section .text
	.globl vmxcheck_l2
vmxcheck_l2:
	vmcall
	jmp vmxcheck_l2

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
