// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/* Owed flushes, deferred frees and the tags that must notice both. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/env.h"

static struct mmu mmu;
static u64 live_in_flush, gen_in_flush[2];
static bool stale_in_flush;
static struct tlb_tag late;

static void setup(void)
{
	env_reset();
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
}

static void note_flush(struct mmu *m, u32 trees)
{
	(void)trees;
	live_in_flush = env_live_allocs();
	memcpy(gen_in_flush, m->flush_gen, sizeof(gen_in_flush));
	/* A vCPU that enters while the flush looks for running ones: it must flush itself. */
	stale_in_flush = tlb_tag_enter(m, &late);
}

static void pay(struct flush_batch *b)
{
	rwlock_write_lock(&mmu.lock);
	flush_pay(&mmu, b);
	rwlock_write_unlock(&mmu.lock);
}

static void test_nothing_owed(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	setup();
	flush_pay(&mmu, &b); /* without a lock even */
	assert_int_equal(env_flushes(3), 0);
	assert_int_equal(mmu.stats.remote_tlb_flush, 0);
	assert_int_equal(mmu.flush_gen[0] + mmu.flush_gen[1], 0);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_pay_once(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 live;

	(void)state;
	setup();
	live = env_live_allocs();
	env_on_flush = note_flush;
	flush_owe(&b, BIT(MMU_TREE_TDP));
	flush_owe(&b, BIT(MMU_TREE_TDP));
	for (int i = 0; i < 3; i++)
		flush_defer_free(&b, env_page_alloc(), BIT(MMU_TREE_NESTED));
	assert_int_equal(env_live_allocs(), live + 3);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP) | BIT(MMU_TREE_NESTED));
	tlb_tag_enter(&mmu, &late);
	pay(&b);
	/* Generations first, then the flush, and only then are pages freed. */
	assert_int_equal(gen_in_flush[MMU_TREE_TDP], 1);
	assert_int_equal(gen_in_flush[MMU_TREE_NESTED], 1);
	assert_true(stale_in_flush);
	assert_int_equal(live_in_flush, live + 3);
	assert_int_equal(env_live_allocs(), live);
	assert_int_equal(env_flushes(BIT(MMU_TREE_TDP)), 1);
	assert_int_equal(mmu.stats.remote_tlb_flush, 1);
	assert_int_equal(b.owed, 0);
	assert_null(b.free_pages);
	pay(&b);
	assert_int_equal(env_flushes(3), 1);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

/* A page that waits to be freed may still be walked: nothing in it may look present. */
static void test_deferred_page_is_harmless(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 *first = env_page_alloc(), *second = env_page_alloc();

	(void)state;
	setup();
	flush_defer_free(&b, first, BIT(MMU_TREE_TDP));
	flush_defer_free(&b, second, BIT(MMU_TREE_TDP));
	for (int f = PT_FMT_LONG4; f < PT_FMT_NR; f++) {
		assert_int_equal(first[0] & pt_formats[f].present, 0);
		assert_int_equal(second[0] & pt_formats[f].present, 0);
	}
	pay(&b);
	env_reset();
	assert_int_equal(env_live_allocs(), 0);
	mmu_destroy(&mmu);
}

static void owe(u32 trees)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	flush_owe(&b, trees);
	pay(&b);
}

static void test_tags(void **state)
{
	struct tlb_tag tdp = {.kind = TAG_TDP}, nested = {.kind = TAG_NESTED};

	(void)state;
	setup();
	owe(3);
	/* New tags know no generation. */
	assert_true(tlb_tag_enter(&mmu, &tdp));
	assert_true(tlb_tag_enter(&mmu, &nested));
	assert_false(tlb_tag_enter(&mmu, &tdp));
	assert_false(tlb_tag_enter(&mmu, &nested));
	/* The nested tree is nothing to L1's own tag. */
	owe(BIT(MMU_TREE_NESTED));
	assert_false(tlb_tag_enter(&mmu, &tdp));
	assert_true(tlb_tag_enter(&mmu, &nested));
	assert_false(tlb_tag_enter(&mmu, &nested));
	/* The other way round it obeys both. */
	owe(BIT(MMU_TREE_TDP));
	assert_true(tlb_tag_enter(&mmu, &tdp));
	assert_true(tlb_tag_enter(&mmu, &nested));
	assert_false(tlb_tag_enter(&mmu, &tdp));
	assert_false(tlb_tag_enter(&mmu, &nested));
	/* L1 asked for it: once. */
	nested.must_flush = true;
	assert_true(tlb_tag_enter(&mmu, &nested));
	assert_false(tlb_tag_enter(&mmu, &nested));
	tdp.must_flush = true;
	assert_true(tlb_tag_enter(&mmu, &tdp));
	assert_false(tlb_tag_enter(&mmu, &tdp));
	assert_int_equal(env_mmu_end(&mmu), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_owed),
		cmocka_unit_test(test_pay_once),
		cmocka_unit_test(test_deferred_page_is_harmless),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
