/* SPDX-License-Identifier: MIT */
/*
 * The Multiboot specification, version 0.6.96: the header that a kernel carries, and the
 * information that a boot loader hands to it. Cleave's own loader of L1 kernels and the
 * guests share this file.
 */
#pragma once

#ifndef __ASSEMBLER__
#include "lib/types.h"
#endif

/* The header stands 4-byte aligned within the first 8192 bytes of the file. */
#define MULTIBOOT1_SEARCH	8192
#define MULTIBOOT1_HEADER_MAGIC 0x1badb002
#define MULTIBOOT1_BOOT_MAGIC	0x2badb002 /* in EAX at the kernel's entry; EBX: the info */

/* Header flags. Bits 0 to 15 are requirements: a loader refuses the ones it does not know. */
#define MULTIBOOT1_PAGE_ALIGN  0x00000001
#define MULTIBOOT1_MEMORY_INFO 0x00000002
#define MULTIBOOT1_VIDEO_MODE  0x00000004
#define MULTIBOOT1_AOUT_KLUDGE 0x00010000 /* load addresses are in the header, not in ELF */
#define MULTIBOOT1_REQUIRED    0x0000ffff

/* multiboot1_info.flags: which fields are valid. */
#define MULTIBOOT1_INFO_MEMORY	    0x00000001
#define MULTIBOOT1_INFO_BOOTDEV	    0x00000002
#define MULTIBOOT1_INFO_CMDLINE	    0x00000004
#define MULTIBOOT1_INFO_MODS	    0x00000008
#define MULTIBOOT1_INFO_AOUT_SYMS   0x00000010
#define MULTIBOOT1_INFO_ELF_SHDR    0x00000020
#define MULTIBOOT1_INFO_MMAP	    0x00000040
#define MULTIBOOT1_INFO_LOADER_NAME 0x00000200

#define MULTIBOOT1_MMAP_AVAILABLE 1
#define MULTIBOOT1_MMAP_RESERVED  2
#define MULTIBOOT1_MMAP_ACPI	  3
#define MULTIBOOT1_MMAP_NVS	  4
#define MULTIBOOT1_MMAP_BAD	  5

#ifndef __ASSEMBLER__

struct multiboot1_header {
	u32 magic;
	u32 flags;
	u32 checksum; /* magic + flags + checksum == 0 */
	/* Valid with MULTIBOOT1_AOUT_KLUDGE only; physical addresses. */
	u32 header_addr;
	u32 load_addr;
	u32 load_end_addr; /* 0: the whole file */
	u32 bss_end_addr;  /* 0: no bss */
	u32 entry_addr;
};

struct multiboot1_info {
	u32 flags;
	u32 mem_lower; /* KiB from 0, at most 640 */
	u32 mem_upper; /* KiB from 1 MiB to the first hole */
	u32 boot_device;
	u32 cmdline; /* physical address of a NUL-terminated string */
	u32 mods_count;
	u32 mods_addr;
	u32 syms[4];
	u32 mmap_length; /* bytes */
	u32 mmap_addr;
	u32 drives_length;
	u32 drives_addr;
	u32 config_table;
	u32 boot_loader_name;
	u32 apm_table;
};

struct multiboot1_module {
	u32 start;
	u32 end; /* first byte after it */
	u32 string;
	u32 reserved;
};

/* `size` does not count itself: the next entry is at size + 4 bytes. */
struct multiboot1_mmap_entry {
	u32 size;
	u64 addr;
	u64 len;
	u32 type;
} __packed;

_Static_assert(sizeof(struct multiboot1_header) == 32, "Multiboot header");
_Static_assert(offsetof(struct multiboot1_info, mmap_length) == 44, "Multiboot info");
_Static_assert(offsetof(struct multiboot1_info, boot_loader_name) == 64, "Multiboot info");
_Static_assert(sizeof(struct multiboot1_mmap_entry) == 24, "Multiboot memory map entry");

#endif
