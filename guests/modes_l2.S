/* SPDX-License-Identifier: MIT */
/* The L2 of modes.c: does what ECX says (enum modes_op), then VMMCALL. EBX: where, EDX: a value. */
	.section .text
	.globl modes_l2
modes_l2:
	cmp $1, %ecx
	je read
	cmp $2, %ecx
	je write
	cmp $3, %ecx
	je call
end:	vmmcall
	ud2
read:	mov (%ebx), %edx
	jmp end
write:	mov %edx, (%ebx)
	jmp end
call:	call *%ebx
	jmp end

	/* Code to put anywhere: EDX = 0x11; return. Eight bytes. */
	.balign 8
	.globl modes_snippet
modes_snippet:
	mov $0x11, %edx
	ret
	.balign 8

	.section .note.GNU-stack, "", @progbits
