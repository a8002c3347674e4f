/* SPDX-License-Identifier: MIT */
/* What env.c and env_vm.c share. */
#pragma once

#include "tests/host/env.h"

/* A page-table page and, while a processor could reach it, what the history says is in it. */
struct env_page {
	struct env_page *next;
	u64 *va;
	void *private;
	u64 *copy;
	u32 links; /* visible entries that lead here */
	bool visible, root;
};
#define PAGE_BUCKETS 4096

struct env_page *env_page_find(u64 addr);
extern struct mmu *env_watched;
__printf(1, 2) void env_violation(const char *fmt, ...);

/* The model TLB: @page goes away; a flush of @trees took place. */
void tlb_page_freed(const void *page);
void tlb_flushed(struct mmu *mmu, u32 trees);
