/* SPDX-License-Identifier: MIT */
/* What is measured, instruction by instruction (guests/bench.h says what each function does). */
#include "guests/regs.inc"

	.set VMCB_EXIT_CODE, 0x70
	.set VMCB_EXIT_INFO_2, 0x80
	.set VMCB_RIP, 0x400 + 0x178
	.set EXIT_NPF, 0x400
	.set NPT_RW, 7

	.section .text

	.globl bench_cpuid
bench_cpuid:
	push %rbx
1:	xor %eax, %eax
	cpuid
	dec %rdi
	jnz 1b
	pop %rbx
	ret

	.globl bench_vmmcall
bench_vmmcall:
	vmmcall
	dec %rdi
	jnz bench_vmmcall
	ret

	.globl bench_out80
bench_out80:
	out %al, $0x80
	dec %rdi
	jnz bench_out80
	ret

	.globl bench_vmload
bench_vmload:
	mov %rsi, %rax
1:	vmload %rax
	dec %rdi
	jnz 1b
	ret

	.globl bench_vmsave
bench_vmsave:
	mov %rsi, %rax
1:	vmsave %rax
	dec %rdi
	jnz 1b
	ret

	.globl bench_invlpga
bench_invlpga:
	mov %rsi, %rax
	mov %edx, %ecx
1:	invlpga %rax, %ecx
	dec %rdi
	jnz 1b
	ret

	.globl bench_touch
bench_touch:
	orb $0, (%rdi)
	add $4096, %rdi
	dec %rsi
	jnz bench_touch
	ret

	/* Below, L2 leaves RBX and R8 to R15 alone, so L1 keeps its own there. */

	.globl bench_vmrun
bench_vmrun:
	push_preserved
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	clgi
	vmrun %rax
	stgi
	return_preserved

	.globl bench_vmrun_many
bench_vmrun_many:
	push_preserved
	mov %rdi, %rax
	mov %rsi, %r12
	clgi
1:	vmrun %rax
	addq $3, VMCB_RIP(%rax)
	dec %r12
	jnz 1b
	stgi
	return_preserved

	.globl bench_switch_many
bench_switch_many:
	push_preserved
	mov %rdi, %r14
	mov %rsi, %r12
	mov %rdx, %r13
1:	clgi
	mov %r13, %rax
	vmsave %rax
	mov %r14, %rax
	vmload %rax
	vmrun %rax
	vmsave %rax
	mov %r13, %rax
	vmload %rax
	stgi
	addq $3, VMCB_RIP(%r14)
	dec %r12
	jnz 1b
	return_preserved

	.globl bench_vmrun_map
bench_vmrun_map:
	push_preserved
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %r12
	shr $12, %r8
	shl $3, %r8
	sub %r8, %r12
	clgi
1:	vmrun %rax
	cmpl $EXIT_NPF, VMCB_EXIT_CODE(%rax)
	jne 2f
	mov VMCB_EXIT_INFO_2(%rax), %r8
	mov %r8, %r9
	shr $12, %r9
	and $~0xfff, %r8
	or $NPT_RW, %r8
	mov %r8, (%r12, %r9, 8)
	jmp 1b
2:	stgi
	return_preserved

	.globl bench_l2_vmmcall
bench_l2_vmmcall:
	vmmcall
	jmp bench_l2_vmmcall

	.globl bench_l2_cpuid
bench_l2_cpuid:
	mov %rbx, %r15
1:	xor %eax, %eax
	cpuid
	dec %rdi
	jnz 1b
	mov %r15, %rbx
	vmmcall

	.globl bench_l2_write
bench_l2_write:
	movb $1, (%rdi)
	add $4096, %rdi
	dec %rsi
	jnz bench_l2_write
	vmmcall

	.section .note.GNU-stack, "", @progbits
