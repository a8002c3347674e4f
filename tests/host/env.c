// SPDX-License-Identifier: MIT
/* The MMU's world on the host: allocations, flushes, interruptions, trace. See env.h. */
#define _GNU_SOURCE /* a recursive mutex by its initialiser */
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/host/env_internal.h"

void (*env_on_resched)(void);
void (*env_on_flush)(struct mmu *mmu, u32 trees);
bool env_quiet, env_threaded;
u64 env_random_value = 0x9e3779b97f4a7c15ull;
struct mmu *env_watched;

static pthread_mutex_t guard = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
struct env_page *env_pages[PAGE_BUCKETS];
static u64 live, live_before, alloc_count, alloc_failed, fail_one, fail_from;
static u64 violations, warnings, resched_every, resched_calls, resched_count;
static char last_warning[256];
static u64 traced[MMU_EV_NR], trace_args[MMU_EV_NR][4];
static u64 flushes[BIT(MMU_TREE_NR)];

void env_lock(void)
{
	pthread_mutex_lock(&guard);
}

void env_unlock(void)
{
	pthread_mutex_unlock(&guard);
}

void env_violation(const char *fmt, ...)
{
	va_list ap;

	violations++;
	if (env_quiet)
		return;
	fprintf(stderr, "violation: ");
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
}

void env_reset(void)
{
	env_on_change = env_before_cmpxchg = NULL;
	env_on_resched = NULL;
	env_on_flush = NULL;
	env_choose = NULL;
	env_quiet = env_threaded = false;
	env_watched = NULL;
	live_before = live; /* a test that failed may have left some */
	alloc_count = alloc_failed = fail_one = fail_from = 0;
	violations = warnings = resched_every = resched_calls = resched_count = 0;
	last_warning[0] = 0;
	memset(traced, 0, sizeof(traced));
	memset(trace_args, 0, sizeof(trace_args));
	memset(flushes, 0, sizeof(flushes));
	env_history_clear();
	tlb_drop();
}

/* --- allocations ------------------------------------------------------------------------ */

static bool may_allocate(void)
{
	alloc_count++;
	if (env_watched && !env_threaded && rwlock_held(&env_watched->lock))
		env_violation("allocation under mmu_lock");
	if ((fail_one && --fail_one == 0) || (fail_from && fail_from <= alloc_count)) {
		alloc_failed++;
		return false;
	}
	return true;
}

void env_fail_after(u64 n)
{
	fail_one = n;
}

void env_fail_from(u64 n)
{
	fail_from = n ? alloc_count + n : 0;
}

u64 env_alloc_count(void)
{
	return alloc_count;
}

u64 env_alloc_failed(void)
{
	return alloc_failed;
}

u64 env_live_allocs(void)
{
	return live - live_before;
}

static struct env_page **page_slot(u64 addr)
{
	struct env_page **pp = &env_pages[(addr >> PAGE_SHIFT) * 0x9e3779b97f4a7c15ull >> 52];

	while (*pp && (u64)(*pp)->va != addr)
		pp = &(*pp)->next;
	return pp;
}

struct env_page *env_page_find(u64 addr)
{
	return *page_slot(addr & PAGE_MASK);
}

void *env_page_alloc_raw(void)
{
	struct env_page *page = NULL, **pp;

	env_lock();
	if (may_allocate()) {
		page = calloc(1, sizeof(*page));
		page->va = aligned_alloc(PAGE_SIZE, PAGE_SIZE);
		memset(page->va, 0x5b, PAGE_SIZE); /* "present", of memory that is nobody's */
		pp = page_slot((u64)page->va);
		*pp = page;
		live++;
	}
	env_unlock();
	return page ? page->va : NULL;
}

void *env_page_alloc(void)
{
	void *va = env_page_alloc_raw();

	return va ? memset(va, 0, PAGE_SIZE) : NULL;
}

void env_page_free(void *va)
{
	struct env_page **pp, *page;

	env_lock();
	pp = page_slot((u64)va);
	page = *pp;
	if (!page) {
		fprintf(stderr, "env_page_free of what is no page: %p\n", va);
		abort();
	}
	if (page->links)
		env_violation("page %p freed while %u entries lead to it", va, page->links);
	if (page->visible)
		env_page_hide(page);
	tlb_page_freed(va);
	*pp = page->next;
	free(page->va);
	free(page->copy);
	free(page);
	live--;
	env_unlock();
}

void *env_page_private(hpa_t hpa)
{
	struct env_page *page;

	env_lock();
	page = env_page_find(hpa.v);
	env_unlock();
	return page ? page->private : NULL;
}

void env_page_set_private(hpa_t hpa, void *p)
{
	env_lock();
	env_page_find(hpa.v)->private = p;
	env_unlock();
}

void *env_alloc(size_t size)
{
	void *p = NULL;

	env_lock();
	if (may_allocate()) {
		p = calloc(1, size ? size : 1);
		live++;
	}
	env_unlock();
	return p;
}

void env_free(void *p)
{
	if (!p)
		return;
	env_lock();
	live--;
	env_unlock();
	free(p);
}

hpa_t env_hpa(const void *va)
{
	return (hpa_t){(u64)va};
}

void *env_va(hpa_t hpa)
{
	return (void *)hpa.v;
}

/* --- flushes, interruptions, trace ------------------------------------------------------ */

void env_flush(struct mmu *mmu, u32 trees)
{
	flushes[trees & (BIT(MMU_TREE_NR) - 1)]++;
	if (env_on_flush)
		env_on_flush(mmu, trees);
	tlb_flushed(mmu, trees);
}

u64 env_flushes(u32 trees)
{
	u64 n = 0;

	for (u32 t = 0; t < BIT(MMU_TREE_NR); t++)
		n += t & trees ? flushes[t] : 0;
	return n;
}

void env_contend_after(u64 n)
{
	resched_every = n;
	resched_calls = 0;
}

bool env_need_resched(void)
{
	return resched_every && ++resched_calls % resched_every == 0;
}

void env_resched(void)
{
	resched_count++;
	if (env_watched && rwlock_held(&env_watched->lock))
		env_violation("env_resched() under mmu_lock");
	if (env_watched && !env_threaded && tlb_stale(env_watched))
		env_violation("others run while a flush is owed");
	if (env_on_resched)
		env_on_resched();
}

u64 env_resched_count(void)
{
	return resched_count;
}

u64 env_random(void)
{
	return env_random_value;
}

void lock_relax(void)
{
	sched_yield();
}

void env_trace(enum mmu_event ev, u64 a, u64 b, u64 c, u64 d)
{
	__atomic_fetch_add(&traced[ev], 1, __ATOMIC_RELAXED);
	memcpy(trace_args[ev], (u64[]){a, b, c, d}, sizeof(trace_args[ev]));
}

u64 env_traced(enum mmu_event ev)
{
	return traced[ev];
}

u64 env_trace_arg(enum mmu_event ev, int arg)
{
	return trace_args[ev][arg];
}

void env_warn(const char *fmt, ...)
{
	va_list ap;

	warnings++;
	va_start(ap, fmt);
	vsnprintf(last_warning, sizeof(last_warning), fmt, ap);
	va_end(ap);
	if (!env_quiet)
		fprintf(stderr, "warning: %s\n", last_warning);
}

u64 env_violations(void)
{
	return violations;
}

u64 env_warnings(void)
{
	return warnings;
}

const char *env_last_warning(void)
{
	return last_warning;
}

void assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}
