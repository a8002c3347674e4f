/* SPDX-License-Identifier: MIT */
/*
 * The MMU's only door to the world. kernel/mmu_env.c supplies these for the machine,
 * tests/host/env.c for the host, where pages are separate allocations (so that an overrun is
 * caught), allocations fail on demand, every visible change is recorded, and a model TLB
 * keeps whatever no flush has covered.
 */
#pragma once

#include "lib/types.h"

struct mmu;

/*
 * Page-table pages: 4096 bytes, zeroed, aligned. NULL when memory is out. May sleep: never
 * called under mmu_lock. Freeing is allowed under any lock.
 */
void *env_page_alloc(void);
/* The same, but what is in the page is anything: for whoever fills all of it. */
void *env_page_alloc_raw(void);
void env_page_free(void *page);

/* One word for each page-table page: its struct shadow_page, or NULL. */
void *env_page_private(hpa_t page);
void env_page_set_private(hpa_t page, void *p);

/* Small objects and arrays, zeroed; size in bytes. As above: NULL when out, may sleep. */
void *env_alloc(size_t size);
void env_free(void *p);

/* All of physical memory is mapped; these two only add or remove the offset. */
hpa_t env_hpa(const void *va);
void *env_va(hpa_t hpa);

/*
 * The one store by which an entry that a processor may be walking changes: replaces *p by
 * @new if it still is @old, as one locked operation. Returns what *p was before: success
 * when that equals @old. The host records it, and may play the processor first, which sets
 * A and D behind our back.
 */
u64 env_pte_cmpxchg(u64 *p, u64 old, u64 new);

/*
 * Clears @bits in *p as one locked operation, keeping what the processor sets meanwhile. For
 * holders of mmu_lock for writing: nobody else changes the entry in another way. Recorded alike.
 */
void env_pte_clear(u64 *p, u64 bits);
/* The same for each of the @n entries from @p on that has one of @bits. True when any had. */
bool env_pte_clear_run(u64 *p, u64 n, u64 bits);
/* The same for the 64 entries from @p on and one @bit, below bit 32. Which had it: n for entry n.
 */
u64 env_pte_take_64(u64 *p, u64 bit);

/*
 * Makes every physical CPU that may be running a vCPU of @mmu's VM leave the guest, and
 * returns when each has; a vCPU that is not running compares flush generations at its next
 * entry. @trees: a mask of BIT(MMU_TREE_*) that tells whose translations are stale.
 */
void env_flush(struct mmu *mmu, u32 trees);

/*
 * A number that a guest cannot guess, where the machine has one to give: a hash by it alone cannot
 * be filled on purpose.
 */
u64 env_random(void);

/* True when a long walk should drop its lock: another task waits for this CPU. */
bool env_need_resched(void);
/* Lets other tasks run. No lock may be held except slots_lock. */
void env_resched(void);

/* A trace event; see mmu/trace.def for the events and what a to d mean. */
enum mmu_event {
#define MMU_EVENT(name, format) MMU_EV_##name,
#include "mmu/trace.def"
#undef MMU_EVENT
	MMU_EV_NR
};
void env_trace(enum mmu_event ev, u64 a, u64 b, u64 c, u64 d);

/* One line for the person at the console: something is wrong, but L0 goes on. */
__printf(1, 2) void env_warn(const char *fmt, ...);
