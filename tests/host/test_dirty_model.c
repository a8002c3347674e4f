// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/*
 * No write is lost. The model is a migration: copy all, then again and again what the log says;
 * whatever was written when and by whom, in the end the copy must equal the memory.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/audit.h"
#include "mmu/dirty_log.h"
#include "mmu/guest_mem.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/env.h"

#define P2M LEVEL_PAGES(PG_LEVEL_2M)
#define P1G LEVEL_PAGES(PG_LEVEL_1G)

static struct mmu mmu;
static struct audit audit;
static struct memslot *slot;

static u64 seed;
static u64 below(u64 n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (seed >> 33) % n;
}

static void setup(u64 base, u64 npages, int level, bool eager, enum dirty_tracking dirty)
{
	env_reset();
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
	mmu.cfg.eager_page_split = eager;
	mmu.cfg.dirty = dirty;
	slot = env_slot(&mmu, 7, base, npages, 0, level);
	assert_non_null(slot);
}

static void check(void)
{
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	assert_int_equal(tlb_stale(&mmu), 0);
	assert_int_equal(env_violations(), 0);
}

static void end(void)
{
	check();
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static u64 gpa_of(u64 page)
{
	return (slot->base.v + page) << PAGE_SHIFT;
}

static u64 in_memory(u64 page)
{
	u64 v;

	memcpy(&v, env_va(memslot_hpa(slot, (gfn_t){slot->base.v + page}, NULL)), sizeof(v));
	return v;
}

static int vcpu_write(u64 page, u64 value)
{
	return env_vcpu_write(&mmu, gpa_of(page), &value, sizeof(value));
}

static u64 *copy, *log_out, *hot, nr_hot;
/*
 * Bitmaps: pages written since their bits were last taken, and pages that may have been. The second
 * of each: by the time when the log is read.
 */
static u64 *written[2], *maybe[2];
static u64 writes, skipped;

static void random_write(void)
{
	u64 page = hot[below(nr_hot)], value = below(BIT(31)) + 1, old = in_memory(page);
	int r;

	switch (below(4)) {
	case 0:
		r = guest_write(&mmu, (gpa_t){gpa_of(page)}, &value, sizeof(value));
		break;
	case 1:
		r = guest_cmpxchg(&mmu, (gpa_t){gpa_of(page)}, old, value, 8);
		break;
	default:
		r = vcpu_write(page, value);
		break;
	}
	if (r) {
		assert_int_equal(r, -ENOMEM);
		assert_true(env_alloc_failed() > 0);
		skipped++;
		return;
	}
	writes++;
	assert_int_equal(in_memory(page), value);
	bitmap_set(written[0], page);
}

static void random_read(void)
{
	u64 v;
	int r = env_vcpu_read(&mmu, gpa_of(hot[below(nr_hot)]), &v, sizeof(v));

	assert_true(r == FAULT_FIXED || r == -ENOMEM);
}

static void other_tasks(void)
{
	for (int i = 0; i < 3; i++) {
		random_write();
		random_read();
	}
}

/*
 * A vCPU goes on with what its TLB holds until the flush reaches it. Its page's bit may be taken
 * already; whoever took it has not read the page yet.
 */
static void write_in_flush(struct mmu *m, u32 trees)
{
	(void)trees;
	for (int i = 0; i < 8; i++) {
		u64 page = hot[below(nr_hot)], value = below(BIT(31)) + 1;

		if (!env_vcpu_try_write(m, gpa_of(page), &value, sizeof(value)))
			continue;
		writes++;
		/* Through what is cached with D: in the copy already, or in the next one. */
		if (m->cfg.dirty == DIRTY_DBIT)
			bitmap_set(maybe[0], page);
	}
}

/* Moves the bit of @page. */
static void pass_on(u64 *const map[2], u64 page)
{
	if (bitmap_test(map[0], page))
		bitmap_set(map[1], page);
	bitmap_clear(map[0], page);
}

/* Page @i of those from @first on, whose bits were taken. */
static void transfer_page(u64 first, u64 i, bool exact)
{
	bool bit = bitmap_test(log_out, i), must = bitmap_test(written[1], first + i);

	if (must && !bit)
		fail_msg("page %lu was written and is not in the log", first + i);
	if (exact && bit && !must && !bitmap_test(maybe[0], first + i) &&
	    !bitmap_test(maybe[1], first + i))
		fail_msg("page %lu is in the log and was not written", first + i);
	bitmap_clear(written[1], first + i);
	if (!bit)
		return;
	copy[first + i] = in_memory(first + i);
	/* What was written while the log was read is in the copy. */
	bitmap_clear(written[0], first + i);
	bitmap_clear(maybe[1], first + i);
}

/* Takes the bits of [first, first + n) and copies those pages, as a migration does. */
static void transfer(u64 first, u64 n, bool exact)
{
	u64 got;

	memset(log_out, 0xff, BITMAP_WORDS(n) * 8);
	for (u64 i = first; i < first + n; i++) {
		pass_on(written, i);
		pass_on(maybe, i);
	}
	dirty_log_sync(&mmu);
	got = dirty_log_read_clear(&mmu, slot, first, n, log_out);
	assert_int_equal(got, bitmap_count(log_out, n));
	for (u64 i = 0; i < n; i++)
		transfer_page(first, i, exact);
	if (n % 64) /* nothing beyond the end */
		assert_int_equal(log_out[n / 64] >> (n % 64), 0);
}

struct model {
	u64 base, npages;
	int level;
	bool eager;
	enum dirty_log_mode mode;
	enum dirty_tracking dirty;
	int contend; /* env_contend_after() */
	int fail;    /* one allocation of about so many fails; 0: none */
};

static void model_start(const struct model *m)
{
	setup(m->base, m->npages, m->level, m->eager, m->dirty);
	copy = calloc(m->npages, 8);
	log_out = calloc(BITMAP_WORDS(m->npages), 8);
	for (int i = 0; i < 2; i++) {
		written[i] = calloc(BITMAP_WORDS(m->npages), 8);
		maybe[i] = calloc(BITMAP_WORDS(m->npages), 8);
	}
	nr_hot = 40;
	hot = calloc(nr_hot, 8);
	for (u64 i = 0; i < nr_hot; i++)
		hot[i] = i < 10 ? i : below(m->npages);
	hot[10] = m->npages - 1;
	writes = skipped = 0;
	for (int i = 0; i < 60; i++)
		other_tasks();
}

static void model_run(const struct model *m)
{
	bool exact;

	model_start(m);
	env_contend_after(m->contend);
	env_on_resched = other_tasks;
	env_on_flush = write_in_flush;
	env_fail_after(m->fail ? below(m->fail) + 2 : 0); /* the bitmap itself can be had */
	assert_int_equal(dirty_log_enable(&mmu, slot, m->mode), 0);
	env_fail_after(0);
	/* Whatever was written up to here, logged or not, is copied now. */
	for (u64 i = 0; i < m->npages; i++)
		copy[i] = in_memory(i);
	memset(written[0], 0, BITMAP_WORDS(m->npages) * 8);
	env_on_flush = NULL;
	check();
	env_on_flush = write_in_flush;
	/* Without -ENOMEM nothing but what was written since the start is marked. */
	exact = !m->fail && m->mode == DIRTY_PROTECT_ALL;
	for (int step = 0; step < 60; step++) {
		u64 first = below(m->npages) & ~63ull, n = (below(300) + 1) * 64;

		if (m->fail)
			env_fail_after(below(m->fail) + 1);
		other_tasks();
		n = MIN(n, m->npages - first);
		transfer(first, n, exact && !m->contend);
		env_fail_after(0);
		check();
	}
	/* Stop and copy. */
	env_on_resched = NULL;
	env_on_flush = NULL;
	transfer(0, m->npages, false);
	for (u64 i = 0; i < m->npages; i++)
		if (copy[i] != in_memory(i))
			fail_msg("page %lu: the copy is stale", i);
	assert_int_equal(dirty_log_count(&mmu, slot), 0);
	assert_true(writes > 200 && (m->fail || !skipped));
	env_on_resched = other_tasks;
	dirty_log_disable(&mmu, slot);
	other_tasks();
	end();
	free(copy);
	free(log_out);
	for (int i = 0; i < 2; i++) {
		free(written[i]);
		free(maybe[i]);
	}
	free(hot);
}

static void test_no_write_is_lost(void **state)
{
	static const u64 bases[] = {0, 37, P2M - 1}, sizes[] = {3 * P2M, 4 * P2M + 77};

	(void)state;
	seed = 4711;
	for (int round = 0; round < 192; round++) {
		struct model m = {
			.dirty = round & 1 ? DIRTY_DBIT : DIRTY_WP,
			.base = bases[round / 2 % 3],
			.npages = sizes[round / 6 % 2],
			.level = round / 12 % 2 + 1,
			.eager = round / 24 % 2,
			.mode = round / 48 % 2 ? DIRTY_INITIALLY_SET : DIRTY_PROTECT_ALL,
			.contend = round >= 96 ? 1 + below(20) : 0,
			.fail = round / 2 % 5 == 4 ? 6 : 0,
		};

		model_run(&m);
	}
}

static void test_no_write_is_lost_1g(void **state)
{
	(void)state;
	seed = 42;
	for (int round = 0; round < 8; round++) {
		struct model m = {.npages = P1G + P2M,
				  .level = 3,
				  .eager = round & 1,
				  .dirty = round & 4 ? DIRTY_DBIT : DIRTY_WP,
				  .mode = round & 2 ? DIRTY_INITIALLY_SET : DIRTY_PROTECT_ALL,
				  .contend = 50};

		model_run(&m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_write_is_lost),
		cmocka_unit_test(test_no_write_is_lost_1g),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
