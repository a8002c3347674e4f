/* SPDX-License-Identifier: MIT */
/* What of the ELF format a loader of executables reads (System V ABI, chapters 4 and 5). */
#pragma once

#include "lib/types.h"

#define ELF_MAGIC	"\177ELF"
#define ELF_CLASS	4 /* index in ident */
#define ELF_DATA	5
#define ELF_CLASS32	1
#define ELF_CLASS64	2
#define ELF_DATA_LITTLE 1
#define ELF_TYPE_EXEC	2
#define ELF_MACHINE_386 3
#define ELF_MACHINE_X64 62
#define ELF_PT_LOAD	1

struct elf32_header {
	u8 ident[16];
	u16 type, machine;
	u32 version, entry, phoff, shoff, flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf64_header {
	u8 ident[16];
	u16 type, machine;
	u32 version;
	u64 entry, phoff, shoff;
	u32 flags;
	u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf32_segment {
	u32 type, offset, vaddr, paddr, filesz, memsz, flags, align;
};

struct elf64_segment {
	u32 type, flags;
	u64 offset, vaddr, paddr, filesz, memsz, align;
};

_Static_assert(sizeof(struct elf32_header) == 52 && sizeof(struct elf64_header) == 64,
	       "ELF header");
_Static_assert(sizeof(struct elf32_segment) == 32 && sizeof(struct elf64_segment) == 56,
	       "ELF program header");
