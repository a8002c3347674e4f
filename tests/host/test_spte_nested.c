// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/*
 * SPTEs of the nested tree: rmap and parent link follow every change. And the test environment
 * itself: plain stores and stale translations must not escape it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/rmap.h"
#include "mmu/shadow_mmu.h"
#include "mmu/shadow_page.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/env.h"

#define P1G LEVEL_PAGES(PG_LEVEL_1G)

static struct mmu mmu;
static struct memslot *slot;

static void setup(void)
{
	env_reset();
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
	slot = env_slot(&mmu, 0, 0, P1G, 0, 3);
	assert_non_null(slot);
}

static hpa_t mem(u64 gfn)
{
	return memslot_hpa(slot, (gfn_t){gfn}, NULL);
}

/* --- consequences in the nested tree ------------------------------------------------------ */

static struct mmu_caches caches;

static struct shadow_page *make_page(int level, u64 gfn, struct flush_batch *b)
{
	union page_role role = {
		.level = level, .fmt = PT_FMT_LONG4, .direct = 1, .access = ACC_ALL};
	bool created;

	return shadow_page_get(&mmu, (gfn_t){gfn}, role, &caches, &created, b);
}

static u64 rmap_len(u64 gfn, int level)
{
	return rmap_count(rmap_get(slot, (gfn_t){gfn}, level));
}

static struct spte_pos at(struct shadow_page *sp, int i, u64 gfn)
{
	return (struct spte_pos){
		.mmu = &mmu, .sp = sp, .sptep = &sp->spt[i], .gfn = {gfn}, .level = sp->role.level};
}

static void test_nested(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct shadow_page *top, *mid, *low;
	struct spte_pos pos;
	u64 huge;

	(void)state;
	setup();
	assert_int_equal(mmu_enable_nested(&mmu), 0);
	assert_int_equal(mmu_caches_fill(&mmu, &caches, 8, 8, 0, 40), 0);
	rwlock_write_lock(&mmu.lock);
	top = make_page(3, 0, &b);
	mid = make_page(2, 0, &b);
	low = make_page(1, 0, &b);
	env_watch_root(top->spt);

	/* A table: parent link, no leaf counted. */
	pos = at(top, 0, 0);
	spte_set(&pos, spte_make_table(&mmu, mid->spt), &caches, &b);
	assert_int_equal(rmap_count(&mid->parents), 1);
	assert_int_equal(top->present, 1);
	/* A huge leaf: rmap at its level. */
	pos = at(mid, 0, 0);
	huge = spte_make_leaf(&mmu, mem(0), 2, ACC_ALL);
	spte_set(&pos, huge, &caches, &b);
	assert_int_equal(rmap_len(5, 2), 1);
	assert_int_equal(mmu.stats.pages[MMU_TREE_NESTED][1], 1);
	assert_int_equal(mid->present, 1);
	assert_int_equal(b.owed, 0);
	/* Only rights change: the lists stay. */
	spte_clear_bits(&pos, BIT(1), &b);
	assert_int_equal(rmap_len(0, 2), 1);
	assert_int_equal(b.owed, BIT(MMU_TREE_NESTED));
	flush_pay(&mmu, &b);
	spte_set(&pos, huge, NULL, &b);

	/* Split: the children's entries while filling, the huge one's and the link when published.
	 */
	for (int i = 0; i < 512; i++) {
		struct spte_pos child = at(low, i, i);

		spte_init(&child, spte_make_split_child(&mmu, huge, 2, i), &caches);
	}
	assert_int_equal(rmap_len(511, 1), 1);
	assert_int_equal(low->present, 512);
	assert_int_equal(mmu.stats.pages[MMU_TREE_NESTED][0], 512);
	assert_int_equal(rmap_len(0, 2), 1);
	spte_set(&pos, spte_make_table(&mmu, low->spt), &caches, &b);
	assert_int_equal(b.owed, 0);
	assert_int_equal(rmap_len(0, 2), 0);
	assert_int_equal(rmap_count(&low->parents), 1);
	assert_int_equal(mmu.stats.pages[MMU_TREE_NESTED][1], 0);
	assert_int_equal(mmu.stats.tdp_pages, 0); /* that is the other tree's */

	/* A leaf instead of another of other memory: each in its own gfn's list. */
	pos = at(low, 7, 7);
	pos.gfn.v = 1000; /* direct pages do not map so, but the lists do not care */
	spte_set(&pos, spte_make_leaf(&mmu, mem(1000), 1, ACC_ALL), &caches, &b);
	assert_int_equal(rmap_len(7, 1), 0);
	assert_int_equal(rmap_len(1000, 1), 1);
	assert_int_equal(low->present, 512);
	assert_int_equal(b.owed, BIT(MMU_TREE_NESTED));
	flush_pay(&mmu, &b);
	spte_set(&pos, 0, &caches, &b);
	assert_int_equal(rmap_len(1000, 1), 0);
	assert_int_equal(low->present, 511);
	assert_int_equal(mmu.stats.pages[MMU_TREE_NESTED][0], 511);

	/* Split again where the table grants less: owed. */
	pos = at(mid, 0, 0);
	spte_set(&pos, huge, &caches, &b);
	assert_int_equal(rmap_count(&low->parents), 0);
	assert_int_equal(rmap_len(0, 2), 1);
	flush_pay(&mmu, &b);
	spte_set(&pos, spte_make_table(&mmu, low->spt), &caches, &b);
	assert_int_equal(b.owed, BIT(MMU_TREE_NESTED));
	flush_pay(&mmu, &b);
	assert_int_equal(env_check_no_plain_stores(), 0);

	shadow_zap_all(&mmu, &b);
	flush_pay(&mmu, &b);
	rwlock_write_unlock(&mmu.lock);
	mmu_caches_free(&caches);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

/* --- the test environment itself ---------------------------------------------------------- */

static void test_plain_store_is_seen(void **state)
{
	u64 *table;

	(void)state;
	setup();
	assert_int_equal(mmu_tdp_fault(&mmu, (gpa_t){0}, 0), FAULT_FIXED);
	assert_int_equal(env_check_no_plain_stores(), 0);
	table = env_va(spte_hpa(&mmu, mmu.tdp_root[0]));
	env_hw_set(&table[0], BIT(6));
	assert_int_equal(env_check_no_plain_stores(), 0);
	table[0] ^= BIT(9);
	env_quiet = true;
	assert_int_equal(env_check_no_plain_stores(), 1);
	table[0] ^= BIT(9);
	assert_int_equal(env_violations(), 1);
	env_reset();
	mmu_destroy(&mmu);
	env_guest_free();
}

static void test_stale_tlb_is_seen(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	setup();
	assert_int_equal(mmu_tdp_fault(&mmu, (gpa_t){0}, BIT(1)), FAULT_FIXED);
	assert_true(tlb_touch(&mmu, 0));
	assert_int_equal(tlb_stale(&mmu), 0);
	rwlock_write_lock(&mmu.lock);
	tdp_wrprot_range(&mmu, 0, 1, &b);
	assert_int_equal(tlb_stale(&mmu), 1);
	flush_pay(&mmu, &b);
	assert_int_equal(tlb_stale(&mmu), 0);
	rwlock_write_unlock(&mmu.lock);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_plain_store_is_seen),
		cmocka_unit_test(test_stale_tlb_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
