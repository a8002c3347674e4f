// SPDX-License-Identifier: MIT
/*
 * The dirty log as a migration uses it: sync, take the bits, then copy what they name, again and
 * again, while vCPUs write. When they stop, one round more makes the copy equal to the memory.
 */
#include <string.h>

#include "lib/bitmap.h"
#include "mmu/dirty_log.h"
#include "tests/host/mmu_model_internal.h"

static u8 (*copies)[PAGE_SIZE];
static bool must[WATCHED]; /* written before the round began */

const u8 (*model_log_copies(void))[PAGE_SIZE]
{
	return (const u8(*)[PAGE_SIZE])copies;
}

void model_log_start(void)
{
	if (!copies)
		copies = malloc(WATCHED * PAGE_SIZE);
}

static const u8 *page_now(int i)
{
	return m.ram + model_watched_gfn(i) * PAGE_SIZE;
}

static bool differs(int i)
{
	return memcmp(copies[i], page_now(i), PAGE_SIZE) != 0;
}

void model_log_on(void)
{
	bool all_set = model_byte() & 1;
	int r;

	if (m.v.slot->dirty_bitmap)
		return;
	r = dirty_log_enable(&m.v.mmu, m.v.slot, all_set ? DIRTY_INITIALLY_SET : DIRTY_PROTECT_ALL);
	check(r == 0 || (r == -ENOMEM && m.starved));
	/* All is sent now, or as the log says: then nothing has arrived yet. */
	for (int i = 0; !r && i < WATCHED; i++) {
		if (all_set)
			memset(copies[i], 0xa5, PAGE_SIZE);
		else
			memcpy(copies[i], page_now(i), PAGE_SIZE);
	}
}

void model_log_off(void)
{
	dirty_log_disable(&m.v.mmu, m.v.slot);
}

static void round_begin(void)
{
	for (int i = 0; i < WATCHED; i++)
		must[i] = differs(i);
	dirty_log_sync(&m.v.mmu);
}

/* The vCPUs go on between the taking of the bits and the copying. */
static void work_besides(void)
{
	if (!(m.noise & NOISE_COPY))
		return;
	m.beside = true;
	for (u64 n = model_rnd() % 4; n; n--) {
		if (model_rnd() % 2)
			model_l2_access();
		else if (model_rnd() % 2)
			model_l1_access();
		else
			model_try_write();
	}
	m.beside = false;
}

static void transfer(u64 first, u64 npages)
{
	u64 out[RAM_PAGES / 64], n;

	n = dirty_log_read_clear(&m.v.mmu, m.v.slot, first, npages, out);
	check(n == bitmap_count(out, npages));
	work_besides();
	for (int i = 0; i < WATCHED; i++) {
		u64 page = model_watched_gfn(i) - first;

		if (page >= npages)
			continue;
		if (bitmap_test(out, page))
			memcpy(copies[i], page_now(i), PAGE_SIZE);
		else
			check(!must[i]);
	}
}

void model_log_round(void)
{
	u8 b = model_byte();
	u64 step = b & 0x40 ? RAM_PAGES : 64ull << (b & 7), first = (u64)(b >> 3 & 7) * 64;

	if (!m.v.slot->dirty_bitmap)
		return;
	round_begin();
	if (!(b & 0x80)) { /* not all of it */
		transfer(first, MIN(step, (u64)RAM_PAGES - first));
		return;
	}
	for (first = 0; first < RAM_PAGES; first += step)
		transfer(first, MIN(step, (u64)RAM_PAGES - first));
}

void model_log_last_round(void)
{
	u32 noise = m.noise;

	if (!m.v.slot->dirty_bitmap)
		return;
	m.noise = 0;
	round_begin();
	transfer(0, RAM_PAGES);
	for (int i = 0; i < WATCHED; i++)
		check(!differs(i));
	/* Whoever looks again finds nothing. */
	dirty_log_sync(&m.v.mmu);
	check(dirty_log_count(&m.v.mmu, m.v.slot) == 0);
	m.noise = noise;
}

/* --- the vCPUs' work besides --------------------------------------------------------------- */

static u32 choose(u32 n)
{
	u64 r = m.noise & NOISE_CHOICE ? model_rnd() : 0;

	return r & 4 ? (u32)((r >> 8) % n) : 0;
}

static void before_change(u64 *p, u64 old, u64 new)
{
	(void)p, (void)old, (void)new;
	if ((m.noise & NOISE_CHANGE) && model_rnd() % 4 == 0)
		model_try_write();
}

static void in_flush(struct mmu *mmu, u32 trees)
{
	(void)mmu, (void)trees;
	for (u64 n = m.noise & NOISE_FLUSH ? model_rnd() % 8 : 0; n; n--)
		model_try_write();
	for (int c = 0; c < VCPUS; c++)
		m.vcpus[c].entered = NULL;
}

static void on_resched(void)
{
	if (!(m.noise & NOISE_RESCHED))
		return;
	m.beside = true;
	if (model_rnd() % 2)
		model_l2_access();
	if (model_rnd() % 2)
		model_l1_access();
	if (model_rnd() % 4 == 0)
		model_store_entry(model_rnd() % 2);
	m.beside = false;
}

void model_noise_start(void)
{
	env_choose = choose;
	env_before_cmpxchg = before_change;
	env_on_flush = in_flush;
	env_on_resched = on_resched;
}

void model_noise_stop(void)
{
	env_choose = NULL;
	env_before_cmpxchg = NULL;
	env_on_flush = NULL;
	env_on_resched = NULL;
}
