/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader says: the Multiboot2 information, checked and copied, so that nobody
 * else reads the loader's block. Plain C, tested on the host with malformed blocks.
 */
#pragma once

#include "lib/types.h"

#define MULTIBOOT2_MAGIC 0x36d76289u

#define BOOTINFO_RANGES	    128
#define BOOTINFO_MODULES    16
#define BOOTINFO_CMDLINE    1024
#define BOOTINFO_MODULE_ARG 256

enum memory_kind {
	MEMORY_RAM = 1,
	MEMORY_RESERVED = 2,
	MEMORY_ACPI = 3, /* tables: readable, never given away */
	MEMORY_NVS = 4,
	MEMORY_BAD = 5,
};

/* [start, end), bytes; as the loader gave it, neither sorted nor aligned. */
struct memory_range {
	u64 start, end;
	enum memory_kind kind;
};

struct boot_module {
	u64 start, end; /* [start, end), bytes */
	char cmdline[BOOTINFO_MODULE_ARG];
};

enum framebuffer_kind {
	FRAMEBUFFER_NONE,
	FRAMEBUFFER_RGB,
	FRAMEBUFFER_TEXT,
};

struct framebuffer {
	enum framebuffer_kind kind;
	u64 address;
	u32 pitch;	   /* bytes per line */
	u32 width, height; /* pixels, or characters for text */
	u32 bpp;
	u8 red_shift, green_shift, blue_shift;
};

struct bootinfo {
	u64 block_start, block_end; /* the loader's block itself */
	struct memory_range ranges[BOOTINFO_RANGES];
	u32 range_count;
	struct boot_module modules[BOOTINFO_MODULES];
	u32 module_count;
	char cmdline[BOOTINFO_CMDLINE];
	char loader[64];
	struct framebuffer framebuffer;
	bool efi;      /* the loader names an EFI system table */
	u8 rsdp[36];   /* ACPI's root pointer; of version 1 only the first 20 bytes */
	u32 rsdp_size; /* 0: none */
};

/*
 * Reads @block (of at most @limit bytes) into @info. @address is where it lies in physical
 * memory. Returns 0; -EINVAL when its structure is broken; -ENOENT when it has no memory map;
 * -E2BIG when it holds more ranges, modules or command line than there is room for. *@why is
 * a sentence for people, in every case of failure.
 */
int __must_check bootinfo_parse(struct bootinfo *info, const void *block, size_t limit, u64 address,
				const char **why);

/* The machine's own, filled by boot/main.c before kernel_main; constant from then on. */
extern struct bootinfo bootinfo;
/* The time-stamp counter as the image began. Constant after that. */
extern u64 boot_tsc;
