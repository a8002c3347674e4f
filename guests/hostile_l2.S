/* SPDX-License-Identifier: MIT */
/* The hostile tests' L2: does what RCX says (enum hvm_op), then VMMCALL. */
	.section .text
	.globl hvm_code
hvm_code:
	cmp $1, %rcx
	je read
	cmp $2, %rcx
	je write
	cmp $3, %rcx
	je call
	cmp $4, %rcx
	je cpuid
	cmp $5, %rcx
	je tsc
	cmp $6, %rcx
	je ud
	cmp $7, %rcx
	je out
	cmp $8, %rcx
	je msr
end:	vmmcall
	ud2
read:	mov (%rbx), %rdx
	jmp end
write:	mov %rdx, (%rbx)
	jmp end
call:	call *%rbx
	jmp end
cpuid:	mov %rbx, %rax
	xor %ecx, %ecx
	cpuid
	mov %rbx, %rdx
	jmp end
tsc:	rdtsc
	shl $32, %rdx
	or %rax, %rdx
	jmp end
ud:	ud2
out:	out %al, $0x80
	jmp end
msr:	mov %rbx, %rcx
	rdmsr
	shl $32, %rdx
	or %rax, %rdx
	jmp end

	/* Code to put anywhere: RDX = a number; return. Eight bytes. */
	.balign 8
	.globl hvm_snippet
hvm_snippet:
	mov $0x11, %edx
	ret
	.balign 8

	.section .note.GNU-stack, "", @progbits
