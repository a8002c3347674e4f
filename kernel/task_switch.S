/* SPDX-License-Identifier: MIT */
/*
 * void task_switch(u64 *save_rsp, u64 load_rsp): what a C call may not destroy is pushed on the
 * old stack and popped from the new one. (Interrupts are off, and L0 uses no FPU.)
 */
	.section .text
	.global task_switch
	.type task_switch, @function
task_switch:
	pushq	%rbp
	pushq	%rbx
	pushq	%r12
	pushq	%r13
	pushq	%r14
	pushq	%r15
	movq	%rsp, (%rdi)
	movq	%rsi, %rsp
	popq	%r15
	popq	%r14
	popq	%r13
	popq	%r12
	popq	%rbx
	popq	%rbp
	ret
	.size task_switch, . - task_switch

/* A new task's first return address: frame pointer 0 ends backtraces. */
	.global task_start
	.type task_start, @function
task_start:
	xorl	%ebp, %ebp
	call	task_main
	ud2
	.size task_start, . - task_start
