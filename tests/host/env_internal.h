/* SPDX-License-Identifier: MIT */
/* What the files of the host's environment share. */
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

extern struct env_page *env_pages[PAGE_BUCKETS]; /* by address */
void env_lock(void);
void env_unlock(void);
struct env_page *env_page_find(u64 addr);
/* @page can be reached no longer: nor can what it leads to. env_lock(). */
void env_page_hide(struct env_page *page);
extern struct mmu *env_watched;
__printf(1, 2) void env_violation(const char *fmt, ...);

/* The model TLB: @page goes away; a flush of @trees took place. */
void tlb_page_freed(const void *page);
void tlb_flushed(struct mmu *mmu, u32 trees);
