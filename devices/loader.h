/* SPDX-License-Identifier: MIT */
/*
 * What the loaders of guest kernels share: the image and its modules (none of it trusted), where in
 * the VM's memory something is already, and the map of that memory.
 */
#pragma once

#include "lib/types.h"

struct mmu;
struct vcpu_state;

#define LOADER_PARTS   64
#define LOADER_MODULES 8

struct loader_module {
	const u8 *data;
	size_t size;
	const char *cmdline;
};

struct loader {
	struct mmu *mmu;
	u64 low, high; /* bytes of memory: from 0 on, and from 4G on */
	const u8 *image;
	size_t size;
	const char *cmdline;
	const struct loader_module *modules; /* beside the kernel */
	u32 nr_modules;
	/* What is taken: [start, end), bytes. */
	struct {
		u64 start, end;
	} used[LOADER_PARTS];
	u32 nr_used;
	char *why; /* a failure: one sentence for people */
	size_t why_size;
};

/* Writes the sentence and returns @err. */
__printf(3, 4) int loader_fail(struct loader *l, int err, const char *fmt, ...);
/*
 * Copies @filesz bytes at @data to @gpa, zeroes up to @memsz, and notes that it is taken. 0,
 * -ENOSPC, -ENOEXEC when there are too many parts.
 */
int __must_check loader_put(struct loader *l, u64 gpa, const void *data, u64 filesz, u64 memsz);
/* The lowest free place at or above @from that ends at or below @end. 0, -ENOSPC. */
int __must_check loader_place(struct loader *l, u64 from, u64 end, u64 size, u64 *gpa);
/* The highest free one below @end, page-aligned. 0, -ENOSPC. */
int __must_check loader_place_high(struct loader *l, u64 end, u64 size, u64 *gpa);

/*
 * What all kernels find at @rip: general registers of 0, interrupts off, and flat segments with the
 * selectors @code, with @attrib (as in a VMCB) for CS, and the next one for data. Control registers
 * and descriptor tables stay as they are.
 */
void loader_flat_state(struct vcpu_state *s, u64 rip, u16 code, u16 attrib);

/* --- the memory's map, as a PC has it --- */

#define LOADER_LOW_END	   0xa0000u /* conventional memory */
#define LOADER_TABLES	   0xe0000u /* ACPI's tables, where a PC has its firmware */
#define LOADER_TABLES_SIZE 0x20000u
#define LOADER_HIGH	   0x100000u /* where memory goes on */
#define LOADER_4G	   0x100000000ull

/* E820 types, which are Multiboot's, too. */
enum { MAP_USABLE = 1, MAP_RESERVED = 2 };

struct memory_map_entry {
	u64 addr, len;
	u32 type;
};
#define LOADER_MAP_MAX 4
/* Returns the number of entries. */
u32 loader_map(const struct loader *l, struct memory_map_entry map[LOADER_MAP_MAX]);
