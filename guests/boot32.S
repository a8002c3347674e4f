/* SPDX-License-Identifier: MIT */
/*
 * From a Multiboot 1 loader to main() in 32-bit mode: a GDT with a TSS, a stack, SSE switched on.
 * Paging is off; the kernel picks its mode (paging32.c).
 */
#define __ASSEMBLER__ 1
#include "lib/multiboot1.h"

#define MULTIBOOT_FLAGS (MULTIBOOT1_PAGE_ALIGN | MULTIBOOT1_MEMORY_INFO)

	.section .multiboot, "a"
	.balign 4
	.long MULTIBOOT1_HEADER_MAGIC
	.long MULTIBOOT_FLAGS
	.long -(MULTIBOOT1_HEADER_MAGIC + MULTIBOOT_FLAGS)

	.section .text
	.globl _start
_start:
	cli
	cld
	mov $boot_stack_top, %esp
	mov %eax, %esi

	mov $boot_tss, %eax
	mov %ax, boot_gdt_tss + 2
	shr $16, %eax
	mov %al, boot_gdt_tss + 4
	mov %ah, boot_gdt_tss + 7
	lgdt boot_gdtr
	ljmp $0x08, $1f
1:	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $0x18, %eax
	ltr %ax

	mov $0x600, %eax		/* CR4: OSFXSR, OSXMMEXCPT */
	mov %eax, %cr4
	mov $0x00010033, %eax		/* CR0: WP, NE, ET, MP, PE */
	mov %eax, %cr0
	fninit
	xor %ebp, %ebp
	push %ebx
	push %esi
	call guest_start
1:	cli
	hlt
	jmp 1b

	.section .data
	.balign 16
boot_gdt:
	.quad 0
	.quad 0x00cf9a000000ffff	/* 08: 32-bit code */
	.quad 0x00cf92000000ffff	/* 10: data */
boot_gdt_tss:
	.quad 0x0000890000000067	/* 18: TSS, 104 bytes */
boot_gdtr:
	.word . - boot_gdt - 1
	.long boot_gdt
	.balign 16
boot_tss:
	.fill 104, 1, 0

	.section .bss
	.balign 4096
	.skip 32768
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
