// SPDX-License-Identifier: MIT
/* mmu/env.h on the machine: pages, exchange of entries, flushes, scheduling, messages. */
#include "kernel/cpu.h"
#include "kernel/kmem.h"
#include "kernel/log.h"
#include "kernel/page_alloc.h"
#include "kernel/params.h"
#include "kernel/reclaim.h"
#include "kernel/task.h"
#include "kernel/trace.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "lib/take_bit.h"
#include "mmu/env.h"
#include "mmu/flush.h"

/*
 * Bytes taken for page tables and their bookkeeping, held below l0_mem= when that is given: a
 * run out of memory can then be had where one wants it.
 */
static u64 env_bytes;

static bool env_take(u64 bytes)
{
	u64 now = __atomic_add_fetch(&env_bytes, bytes, __ATOMIC_RELAXED);

	if (!params.l0_mem || now <= params.l0_mem)
		return true;
	__atomic_sub_fetch(&env_bytes, bytes, __ATOMIC_RELAXED);
	return false;
}

u64 mmu_env_bytes(void)
{
	return __atomic_load_n(&env_bytes, __ATOMIC_RELAXED);
}

static void env_give(u64 bytes)
{
	__atomic_sub_fetch(&env_bytes, bytes, __ATOMIC_RELAXED);
}

void *env_page_alloc_raw(void)
{
	hpa_t hpa;

	bool taken = env_take(PAGE_SIZE);

	if (taken && mem_alloc(1, &hpa)) {
		env_give(PAGE_SIZE);
		taken = false;
	}
	reclaim_look();
	return taken ? hpa_to_ptr(hpa) : NULL;
}

void *env_page_alloc(void)
{
	void *page = env_page_alloc_raw();

	return page ? memset(page, 0, PAGE_SIZE) : NULL;
}

void env_page_free(void *page)
{
	page_free(page);
	env_give(PAGE_SIZE);
}

void *env_page_private(hpa_t page)
{
	return (void *)page_private(page);
}

void env_page_set_private(hpa_t page, void *p)
{
	page_set_private(page, (u64)p);
}

/* Not counted in env_bytes: these are small, and their size is not known when they are freed. */
void *env_alloc(size_t size)
{
	return kzalloc(size);
}

void env_free(void *p)
{
	kfree(p);
}

hpa_t env_hpa(const void *va)
{
	return ptr_to_hpa(va);
}

void *env_va(hpa_t hpa)
{
	return hpa_to_ptr(hpa);
}

u64 env_pte_cmpxchg(u64 *p, u64 old, u64 new)
{
	__atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	return old;
}

void env_pte_clear(u64 *p, u64 bits)
{
	__atomic_and_fetch(p, ~bits, __ATOMIC_SEQ_CST);
}

/* Not where there is nothing to clear: looking is cheaper. */
static inline void pte_clear_some(u64 *p, u64 bits)
{
	if (READ_ONCE(*p) & bits)
		__atomic_and_fetch(p, ~bits, __ATOMIC_SEQ_CST);
}

/* Is none of @bits set in these eight? */
static inline bool eight_lack(const u64 *p, u64 bits)
{
	u64 any = READ_ONCE(p[0]) | READ_ONCE(p[1]) | READ_ONCE(p[2]) | READ_ONCE(p[3]) |
		  READ_ONCE(p[4]) | READ_ONCE(p[5]) | READ_ONCE(p[6]) | READ_ONCE(p[7]);

	return !(any & bits);
}

/* There is one of these for each 4K page: eight at a time. */
bool env_pte_clear_run(u64 *p, u64 n, u64 bits)
{
	for (; n >= 8 && eight_lack(p, bits); n -= 8)
		p += 8;
	for (; n && !(READ_ONCE(*p) & bits); n--)
		p++;
	if (!n)
		return false;
	for (; n >= 8; n -= 8, p += 8) {
		pte_clear_some(&p[0], bits);
		pte_clear_some(&p[1], bits);
		pte_clear_some(&p[2], bits);
		pte_clear_some(&p[3], bits);
		pte_clear_some(&p[4], bits);
		pte_clear_some(&p[5], bits);
		pte_clear_some(&p[6], bits);
		pte_clear_some(&p[7], bits);
	}
	for (; n; n--, p++)
		pte_clear_some(p, bits);
	return true;
}

/* A call of its own: inlined, it would share its caller's 64 loads, in registers that there are
 * not. */
__noinline u64 env_pte_take_64(u64 *p, u64 bit)
{
	return take_bit_64(p, bit);
}

/* The processor's own numbers; it may have none ready for a moment (SDM 1 7.3.17). */
u64 env_random(void)
{
	u32 features = cpuid(CPUID_FEATURES, 0).ecx;
	u64 v = 0;

	for (int tries = 0; (features & CPUID_1_ECX_RDRAND) && tries < 10; tries++)
		if (rdrand(&v))
			return v;
	/* Without them: when we ask; but runs that an emulator counts are to be alike. */
	return features & CPUID_1_ECX_HYPERVISOR ? 0x9e3779b97f4a7c15ull
						 : rdtsc() * 0xbf58476d1ce4e5b9ull;
}

/*
 * With one physical CPU there is nobody else to stop: this task runs, so no vCPU does, and each
 * compares flush generations at its next entry (tlb_tag_enter).
 */
void env_flush(struct mmu *mmu, u32 trees)
{
	(void)mmu;
	(void)trees;
}

/* Asked in the middle of long walks, so the tick that answers it is let in here. */
bool env_need_resched(void)
{
	interrupts_poll();
	return need_resched();
}

void env_resched(void)
{
	resched_point();
}

/* kernel/trace.def starts with the MMU's events, so the numbers are the same. */
void env_trace(enum mmu_event ev, u64 a, u64 b, u64 c, u64 d)
{
	trace_event((enum trace_id)ev, a, b, c, d);
}

void env_warn(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	log_warn("mmu: %s", line);
}
