/* SPDX-License-Identifier: MIT */
/* What the files of the host's environment share. */
#pragma once

#include "mmu/pt_format.h"
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

/* --- what the model of a processor has cached; env_lock() for all of it ------------------- */

/* Where a walk is: it has read the entries above @level, and reads one of @table's next. */
struct place {
	u64 *table;
	int level;
	u32 rights;
};

/*
 * Something cached for @key, an address without the bits that do not matter. A translation
 * (@level 0): of one 4K page, with the place of its leaf. An entry of @level that leads to a table:
 * @at is where it leads to, and its A was set.
 */
struct cached {
	struct mmu *mmu;
	const u64 *root;
	enum mmu_tree tree;
	int level;
	u64 key;
	struct place at;
	u64 hpa; /* of the 4K page */
	u32 rights;
	bool dirty;		      /* the leaf had D: nothing need be written to it */
	bool refused;		      /* what it lacks has led to a fault already */
	u64 tables[PT_MAX_LEVEL + 1]; /* passed on the way, by level; 0: none */
	int next;		      /* in its bucket; -1: none */
};

#define CACHED_MAX 4096
extern struct cached env_cached[CACHED_MAX];
extern int env_nr_cached;

u64 cached_key(u64 addr, int level);
/* The first that may be for @key; the others follow by their next. -1: none. */
int cached_first(const u64 *root, int level, u64 key);
/* What is there for the same and grants no more is forgotten; all else may be used as well. */
void cached_insert(const struct cached *c);
/* @page goes away; a flush of @trees took place. */
void tlb_page_freed(const void *page);
void tlb_flushed(struct mmu *mmu, u32 trees);
