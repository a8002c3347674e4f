/* SPDX-License-Identifier: MIT */
/* Between the two halves of the Multiboot 1 loader: the kernel, and the information for it. */
#pragma once

#include "lib/types.h"

struct mmu;

#define MULTIBOOT1_PARTS 64

struct multiboot1_loader {
	struct mmu *mmu;
	u64 mem; /* bytes of the VM's memory */
	const u8 *image;
	size_t size;
	/* What the kernel occupies: [start, end), bytes. */
	struct {
		u64 start, end;
	} used[MULTIBOOT1_PARTS];
	u32 nr_used;
	char *why;
	size_t why_size;
};

/* Writes the sentence and returns @err. */
__printf(3, 4) int multiboot1_fail(struct multiboot1_loader *l, int err, const char *fmt, ...);

/* Writes the information block where the kernel is not; *@gpa is its address. 0, -ENOSPC. */
int __must_check multiboot1_write_info(struct multiboot1_loader *l, const char *cmdline, u32 *gpa);
