/* SPDX-License-Identifier: MIT */
/*
 * Physical memory. Pieces have page-table levels: 1 is 4K, 2 is 2M, 3 is 1G. All of RAM is
 * mapped one to one, so a piece at hpa is at (void *)hpa. One spinlock inside; callable from
 * tasks, not from interrupt handlers.
 */
#pragma once

#include "kernel/bootinfo.h"
#include "kernel/ranges.h"
#include "lib/types.h"

/*
 * Takes one piece; its content is whatever was there. Bigger pieces are broken only when no
 * smaller one will do. -ENOMEM.
 */
int __must_check mem_alloc(int level, hpa_t *out);
void mem_free(hpa_t hpa, int level);

/* 2^order pages in a row, aligned to their size; not zeroed. -ENOMEM. */
int __must_check mem_alloc_order(unsigned int order, hpa_t *out);
void mem_free_order(hpa_t hpa, unsigned int order);

/*
 * Was this frame handed out and given back since boot? Then it holds what L0 or a guest left there;
 * else what the machine had at boot. For whoever holds it.
 */
bool mem_is_reused(hpa_t hpa);

/* One zeroed 4K page, or NULL. */
void *page_alloc(void) __must_check;
void page_free(void *page);

/*
 * One word for each 4K frame of RAM, for whoever holds the frame: 0 when the frame is taken,
 * forgotten when it is freed. The holder's locks apply.
 */
u64 page_private(hpa_t hpa);
void page_set_private(hpa_t hpa, u64 value);

/* Is it RAM that the allocator rules (free or in use)? Not: L0's image, modules, devices. */
bool mem_is_ram(hpa_t hpa);

struct mem_stats {
	u64 total, free;  /* bytes */
	u64 available[4]; /* [1..3]: how many pieces of that level could be had now */
};

void mem_stats(struct mem_stats *s);
/* The same as mem_stats' free, as it was a moment ago: takes no lock. */
u64 mem_free_bytes(void);

static inline void *hpa_to_ptr(hpa_t hpa)
{
	return (void *)hpa.v;
}

/* Only for memory that is mapped one to one: not for tasks' stacks. */
static inline hpa_t ptr_to_hpa(const void *p)
{
	return (hpa_t){(u64)p};
}

/* --- boot only, in this order --- */

/*
 * Sorts out the memory map: what is RAM, and what of it may be given away, which leaves out the
 * first MiB, the image, the modules, the loader's block and everything that any range reserves.
 * Ends the machine with a line when that is too little or too much to keep track of.
 */
void mem_boot_init(const struct bootinfo *info);

/* What paging_init maps: RAM and ACPI's memory. */
const struct ranges *mem_boot_mapped(void);

/* Zeroed memory from below @limit, for ever. Ends the machine with a line when there is none. */
void *mem_boot_alloc(u64 size, u64 align, u64 limit);

/* Hands the rest to the allocator. After paging_init. */
void page_alloc_init(void);
