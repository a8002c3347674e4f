/* SPDX-License-Identifier: MIT */
/* The world switch of VMX, SDM 3C 26 and 27. */
#include "guests/regs.inc"

	.set HOST_RSP, 0x6c14		/* lib/vmcs_fields.def */
	.set EXIT_RFLAGS, 2		/* SDM 3C 27.5.3 */

	.section .text
	/* u32 vmx_enter(struct virt_regs *regs, bool resume): 0, 1 VMfailInvalid, 2 VMfailValid */
	.globl vmx_enter
vmx_enter:
	push_preserved
	push %rdi		/* 0(%rsp): registers */
	mov $HOST_RSP, %eax
	vmwrite %rsp, %rax
	jbe failed
	test %esi, %esi		/* no MOV changes what this finds */

	mov RAX(%rdi), %rax
	load_regs
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
	save_regs
	pop %rbx
	mov %rbx, RDI(%rdi)
	pushfq
	pop %rbx
	cmp $EXIT_RFLAGS, %rbx
	je 3f
	movq $1, DAMAGED(%rdi)
3:	xor %eax, %eax
4:	return_preserved

	.section .note.GNU-stack, "", @progbits
