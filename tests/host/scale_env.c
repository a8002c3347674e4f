// SPDX-License-Identifier: MIT
/* See scale_env.h. */
#include "tests/host/scale_env.h"

#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mmu/spte.h"

#define ARENA_PAGES (6ull << 20) /* 24 GiB of address space, for tables */
#define LARGE	    (1ull << 20) /* objects from this size on are kept for the next VM */

struct scale_counts scale_counts;
struct scale_memory scale_memory;

/* The compiler calls this wherever control may go more than one way. */
__attribute__((no_sanitize("coverage"))) void __sanitizer_cov_trace_pc(void)
{
	scale_counts.steps++;
}

/* --- memory ------------------------------------------------------------------------------- */

static char *arena;
static u64 *arena_private; /* a word for each page */
static u64 arena_used;	   /* pages from here on have never been handed out */
static void *free_pages;   /* linked through their first words */

static void *reserve(u64 bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	/* Fewer faults. */
	madvise(p, bytes, MADV_HUGEPAGE);
	return p;
}

static void take(s64 bytes)
{
	scale_memory.bytes += (u64)bytes;
	scale_memory.peak = MAX(scale_memory.peak, scale_memory.bytes);
}

void *env_page_alloc_raw(void)
{
	void *page = free_pages;

	if (!arena) {
		arena = reserve(ARENA_PAGES * PAGE_SIZE);
		arena_private = reserve(ARENA_PAGES * sizeof(u64));
	}
	if (page)
		free_pages = *(void **)page;
	else if (arena_used < ARENA_PAGES)
		page = arena + arena_used++ * PAGE_SIZE;
	else
		return NULL;
	scale_memory.pages++;
	take(PAGE_SIZE);
	return page;
}

void *env_page_alloc(void)
{
	void *page = env_page_alloc_raw();

	return page ? memset(page, 0, PAGE_SIZE) : NULL;
}

static u64 *private_of(const void *page)
{
	return &arena_private[((const char *)page - arena) / PAGE_SIZE];
}

void env_page_free(void *page)
{
	*private_of(page) = 0;
	*(void **)page = free_pages;
	free_pages = page;
	scale_memory.pages--;
	take(-(s64)PAGE_SIZE);
}

void *env_page_private(hpa_t page)
{
	return (void *)*private_of(env_va(page));
}

void env_page_set_private(hpa_t page, void *p)
{
	*private_of(env_va(page)) = (u64)p;
}

/* Stands before each object. */
struct object {
	u64 size;
	struct object *next; /* of the large ones that are free */
};
static struct object *free_large;

static struct object *large_again(u64 size)
{
	for (struct object **o = &free_large; *o; o = &(*o)->next) {
		struct object *found = *o;

		if (found->size != size)
			continue;
		*o = found->next;
		memset(found + 1, 0, size);
		return found;
	}
	return NULL;
}

void *env_alloc(size_t size)
{
	struct object *o = size >= LARGE ? large_again(size) : NULL;

	if (!o && size >= LARGE)
		o = reserve(sizeof(*o) + size);
	else if (!o)
		o = calloc(1, sizeof(*o) + size);
	if (!o)
		return NULL;
	o->size = size;
	scale_memory.objects++;
	take((s64)size);
	return o + 1;
}

void env_free(void *p)
{
	struct object *o = p;

	if (!p)
		return;
	o--;
	scale_memory.objects--;
	take(-(s64)o->size);
	if (o->size < LARGE) {
		free(o);
		return;
	}
	o->next = free_large;
	free_large = o;
}

hpa_t env_hpa(const void *va)
{
	return (hpa_t){(u64)va};
}

void *env_va(hpa_t hpa)
{
	return (void *)hpa.v;
}

/* --- entries ------------------------------------------------------------------------------ */

u64 env_pte_cmpxchg(u64 *p, u64 old, u64 new)
{
	u64 was = *p;

	scale_counts.exchanges++;
	if (was == old)
		*p = new;
	return was;
}

void env_pte_clear(u64 *p, u64 bits)
{
	scale_counts.exchanges++;
	*p &= ~bits;
}

bool env_pte_clear_run(u64 *p, u64 n, u64 bits)
{
	bool had = false;

	for (u64 i = 0; i < n; i++) {
		if (p[i] & bits) {
			env_pte_clear(&p[i], bits);
			had = true;
		}
	}
	return had;
}

u64 env_pte_take_64(u64 *p, u64 bits)
{
	u64 had = 0;

	for (int i = 0; i < 64; i++) {
		if (p[i] & bits) {
			env_pte_clear(&p[i], bits);
			had |= BIT(i);
		}
	}
	return had;
}

/* --- the rest ----------------------------------------------------------------------------- */

void env_flush(struct mmu *mmu, u32 trees)
{
	(void)mmu, (void)trees;
	scale_counts.flushes++;
}

u64 env_random(void)
{
	return 0x123456789abcdefull; /* the same each time, as are then all counts */
}

/* Now and then somebody else wants the CPU. */
bool env_need_resched(void)
{
	static u64 asked;

	return ++asked % 1024 == 0;
}

void env_resched(void)
{
	scale_counts.rests++;
}

void lock_relax(void)
{
	fprintf(stderr, "a lock is not free, and there is one thread\n");
	abort();
}

void env_trace(enum mmu_event ev, u64 a, u64 b, u64 c, u64 d)
{
	(void)ev, (void)a, (void)b, (void)c, (void)d;
}

void env_warn(const char *fmt, ...)
{
	va_list ap;

	scale_counts.warnings++;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\n");
}

void assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}

u64 scale_instructions(void)
{
	static int fd = -2;
	struct perf_event_attr attr = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
	};
	u64 n = 0;

	if (fd == -2)
		fd = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	return fd >= 0 && read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

double scale_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

u64 scale_available(void)
{
	FILE *f = fopen("/proc/meminfo", "r");
	unsigned long long kib = 0;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemAvailable: %llu kB", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib << 10;
}

bool scale_walk_and_write(const struct mmu *mmu, u64 *table, u64 addr)
{
	const struct pt_format *fmt = mmu->cfg.fmt;

	for (int level = fmt->levels;; level--) {
		u64 *e = &table[addr >> LEVEL_SHIFT(level) & 511];

		if (!spte_present(mmu, *e))
			return false;
		if (spte_is_leaf(mmu, *e, level) && !spte_writable(mmu, *e))
			return false;
		*e |= fmt->accessed;
		if (spte_is_leaf(mmu, *e, level)) {
			*e |= fmt->dirty;
			return true;
		}
		table = env_va(spte_hpa(mmu, *e));
	}
}
