/* SPDX-License-Identifier: MIT */
/*
 * What L2 executes, in three modes of the processor, at address 1000h: in each round it counts in
 * the first word of each of its pages, writes to a port, writes to and reads from a device's memory,
 * and halts. L1's program (kvm_l2.c) checks all of it.
 */
#define ROUND_PORT 0x10
#define DEVICE	   0xa0000

	.section .rodata

	.macro	blob name
	.balign	16
	.global	\name
\name:
	.endm

/* Pages from 10000h on: ES, as a segment has 64 KiB. */
	.code16
	blob	l2_real
1:	movw	$0x1000, %ax
	movw	%ax, %es
	movw	$16, %cx
	xorw	%di, %di
2:	incl	%es:(%di)
	addw	$0x1000, %di
	loop	2b
	movb	$0x5a, %al
	outb	%al, $ROUND_PORT
	movw	$(DEVICE >> 4), %ax
	movw	%ax, %es
	movl	$0x12345678, %es:0
	movl	%es:4, %ebx
	hlt
	jmp	1b
	.global	l2_real_end
l2_real_end:

/* Pages from 100000h on. */
	.code32
	blob	l2_protected
1:	movl	$256, %ecx
	movl	$0x100000, %edi
2:	incl	(%edi)
	addl	$0x1000, %edi
	loop	2b
	movb	$0x5a, %al
	outb	%al, $ROUND_PORT
	movl	$0x12345678, DEVICE
	movl	DEVICE + 4, %ebx
	hlt
	jmp	1b
	.global	l2_protected_end
l2_protected_end:

	.code64
	blob	l2_long
1:	movl	$256, %ecx
	movl	$0x100000, %edi
2:	incl	(%rdi)
	addq	$0x1000, %rdi
	loop	2b
	movb	$0x5a, %al
	outb	%al, $ROUND_PORT
	movl	$DEVICE, %edi
	movl	$0x12345678, (%rdi)
	movl	4(%rdi), %ebx
	hlt
	jmp	1b
	.global	l2_long_end
l2_long_end:

	.section .note.GNU-stack, "", @progbits
