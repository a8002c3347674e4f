/* SPDX-License-Identifier: MIT */
/*
 * From a Multiboot 1 loader to main() in 64-bit mode: the first 4 GiB mapped one to one with
 * 2M pages, a GDT with a TSS, a stack, SSE switched on. With LA57 defined: paging of 5 levels, where
 * the processor has it.
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
	.code32
	.globl _start
_start:
	cli
	cld
	mov $boot_stack_top, %esp
	mov %eax, boot_magic
	mov %ebx, boot_info

	/* 2048 leaves of 2M: present, writable, accessed, dirty, page size */
	mov $boot_pd, %edi
	mov $0xe3, %eax
	mov $2048, %ecx
1:	mov %eax, (%edi)
	movl $0, 4(%edi)
	add $0x200000, %eax
	add $8, %edi
	loop 1b
	movl $boot_pd + 0x0003, boot_pdpt
	movl $boot_pd + 0x1003, boot_pdpt + 8
	movl $boot_pd + 0x2003, boot_pdpt + 16
	movl $boot_pd + 0x3003, boot_pdpt + 24
	movl $boot_pdpt + 3, boot_pml4

	mov $0x620, %esi		/* CR4: PAE, OSFXSR, OSXMMEXCPT */
	mov $boot_pml4, %edi
#ifdef LA57
	movl $boot_pml4 + 3, boot_pml5
	mov $7, %eax
	xor %ecx, %ecx
	cpuid
	bt $16, %ecx
	jnc 2f
	or $0x1000, %esi		/* CR4: LA57 */
	mov $boot_pml5, %edi
2:
#endif
	mov %esi, %cr4
	mov %edi, %cr3
	mov $0xc0000080, %ecx		/* EFER: LME, NXE, SCE */
	mov $0x901, %eax
	xor %edx, %edx
	wrmsr
	mov $0x80010033, %eax		/* CR0: PG, WP, NE, ET, MP, PE */
	mov %eax, %cr0
	lgdt boot_gdtr
	ljmp $0x08, $start64

	.code64
start64:
	mov $0x10, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %ss
	xor %eax, %eax
	mov %eax, %fs
	mov %eax, %gs
	mov $boot_stack_top, %esp

	/* The TSS descriptor's base is scattered over its bytes. */
	mov $boot_tss, %eax
	mov %ax, boot_gdt_tss + 2
	shr $16, %eax
	mov %al, boot_gdt_tss + 4
	mov %ah, boot_gdt_tss + 7
	mov $0x18, %eax
	ltr %ax

	fninit
	mov boot_magic, %edi
	mov boot_info, %esi
	xor %ebp, %ebp
	call guest_start
1:	cli
	hlt
	jmp 1b

	.section .data
	.balign 16
boot_gdt:
	.quad 0
	.quad 0x00209a0000000000	/* 08: 64-bit code */
	.quad 0x00cf92000000ffff	/* 10: data */
boot_gdt_tss:
	.quad 0x0000890000000067	/* 18: TSS, 104 bytes */
	.quad 0
boot_gdtr:
	.word . - boot_gdt - 1
	.quad boot_gdt
	.globl boot_levels
boot_levels:
#ifdef LA57
	.long 5
#else
	.long 4
#endif
boot_magic:
	.long 0
boot_info:
	.long 0
	.balign 16
boot_tss:
	.fill 104, 1, 0

	.section .bss
	.balign 4096
	.globl boot_pml4
boot_pml4:
	.skip 4096
#ifdef LA57
boot_pml5:
	.skip 4096
#endif
boot_pdpt:
	.skip 4096
boot_pd:
	.skip 4 * 4096
	.skip 32768
	.globl boot_stack_top
boot_stack_top:

	.section .note.GNU-stack, "", @progbits
