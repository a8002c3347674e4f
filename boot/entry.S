/* SPDX-License-Identifier: MIT */
/*
 * From GRUB to C. GRUB enters in 32-bit protected mode without paging (Multiboot2 3.3). Here
 * the first 4 GiB are mapped one to one with 2M pages that every long-mode CPU has, and
 * boot_main runs in long mode on a small stack. kernel/paging.c makes the real tables later.
 */

#define MB2_MAGIC      0xe85250d6
#define MB2_BOOT_MAGIC 0x36d76289
#define TAG_END        0
#define TAG_REQUEST    1
#define TAG_CONSOLE    4
#define TAG_FRAMEBUFFER 5
#define TAG_ALIGN      6
#define TAG_OPTIONAL   1

	.section .multiboot, "a"
	.balign 8
header:
	.long	MB2_MAGIC
	.long	0				/* i386 protected mode */
	.long	header_end - header
	.long	-(MB2_MAGIC + (header_end - header))

	.balign 8
	.short	TAG_REQUEST, 0
	.long	12
	.long	6				/* the memory map */

	.balign 8
	.short	TAG_CONSOLE, TAG_OPTIONAL
	.long	12
	.long	2				/* EGA text is understood; no console is fine */

	.balign 8
	.short	TAG_FRAMEBUFFER, TAG_OPTIONAL
	.long	20
	.long	0, 0, 0				/* any width, height, depth */

	.balign 8
	.short	TAG_ALIGN, 0			/* modules start at pages */
	.long	8

	.balign 8
	.short	TAG_END, 0
	.long	8
header_end:

	.section .text.boot, "ax"
	.code32
	.global _start
	.type _start, @function
_start:
	cli
	cld
	movl	$boot_stack_top, %esp
	movl	%eax, %edi			/* boot_main(magic, info) */
	movl	%ebx, %esi

	movl	$0x80000000, %eax
	cpuid
	cmpl	$0x80000001, %eax
	jb	no_long_mode
	movl	$0x80000001, %eax
	cpuid
	testl	$(1 << 29), %edx		/* LM */
	jz	no_long_mode

	/* Four page directories, entry n mapping 2M * n, present and writable. */
	xorl	%ecx, %ecx
1:	movl	%ecx, %eax
	shll	$21, %eax
	orl	$0x83, %eax
	movl	%eax, boot_pd(, %ecx, 8)
	movl	$0, boot_pd + 4(, %ecx, 8)
	incl	%ecx
	cmpl	$2048, %ecx
	jb	1b
	movl	$(boot_pd + 0x0003), boot_pdpt
	movl	$(boot_pd + 0x1003), boot_pdpt + 8
	movl	$(boot_pd + 0x2003), boot_pdpt + 16
	movl	$(boot_pd + 0x3003), boot_pdpt + 24
	movl	$(boot_pdpt + 3), boot_pml4

	movl	%cr4, %eax
	orl	$(1 << 5), %eax			/* PAE */
	movl	%eax, %cr4
	movl	$boot_pml4, %eax
	movl	%eax, %cr3
	movl	$0xc0000080, %ecx		/* EFER */
	rdmsr
	orl	$(1 << 8), %eax			/* LME */
	wrmsr
	movl	%cr0, %eax
	orl	$0x80000001, %eax		/* PG, PE */
	andl	$~0x60000000, %eax		/* caches on */
	movl	%eax, %cr0
	lgdt	boot_gdtr
	ljmpl	$0x08, $long_mode

	.code64
long_mode:
	movl	$0x10, %eax
	movl	%eax, %ds
	movl	%eax, %es
	movl	%eax, %ss
	xorl	%eax, %eax
	movl	%eax, %fs
	movl	%eax, %gs
	xorl	%ebp, %ebp			/* backtraces end here */
	call	boot_main
2:	cli
	hlt
	jmp	2b
	.size _start, . - _start

	/* No C can run: say it on the first serial port and on the text screen, and stop. */
	.code32
	.type no_long_mode, @function
no_long_mode:
	movl	$no_long_mode_text, %esi
	movl	$0xb8000, %edi
3:	lodsb
	testb	%al, %al
	jz	4f
	movb	$0x0f, %ah
	stosw
	movw	$0x3f8, %dx
	outb	%al, %dx
	jmp	3b
4:	cli
	hlt
	jmp	4b
	.size no_long_mode, . - no_long_mode

	.section .rodata
no_long_mode_text:
	.asciz	"cleave: this processor has no 64-bit mode; an x86-64 one is needed\r\n"

	.balign 8
boot_gdt:
	.quad	0
	.quad	0x00209a0000000000		/* 0x08: 64-bit code */
	.quad	0x00cf92000000ffff		/* 0x10: data */
boot_gdtr:
	.short	boot_gdtr - boot_gdt - 1
	.long	boot_gdt

	.section .bss
	.balign 4096
boot_pml4:
	.skip	4096
boot_pdpt:
	.skip	4096
boot_pd:
	.skip	4 * 4096
	/* kernel/paging.c leaves this page out of its map: the stack's guard. */
	.global boot_stack_guard
boot_stack_guard:
	.skip	4096
	.skip	4 * 4096
	.global boot_stack_top
boot_stack_top:
