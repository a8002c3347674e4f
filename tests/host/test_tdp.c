// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/tdp_vm.o */
/* The TDP tree: its iterator, unmapping, the end, other formats, and the audit of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/shadow_mmu.h"
#include "tests/host/tdp_vm.h"

static void test_iter(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 visits[5] = {0}, last = 0;
	struct tdp_iter it;

	(void)state;
	vm(NULL, 0, PAGES_1G, 1);
	fault(0, 0);
	fault(PAGES_2M + 1, 0);
	lock_all();
	tdp_for_each (it, &mmu, 1, 10, 2 * PAGES_2M + 5) {
		visits[it.level]++;
		assert_int_equal(it.gfn % LEVEL_PAGES(it.level), 0);
		assert_true(it.gfn >= last);
		last = it.gfn;
	}
	assert_int_equal(visits[4], 1);
	assert_int_equal(visits[3], 1);
	assert_int_equal(visits[2], 3);
	assert_int_equal(visits[1], 502 + 512);
	/* A restart visits the root's entry again and then comes back to the same place. */
	memset(visits, 0, sizeof(visits));
	tdp_for_each (it, &mmu, 2, 0, 3 * PAGES_2M) {
		visits[it.level]++;
		if (it.gfn == PAGES_2M && visits[4] == 1) {
			tdp_iter_restart(&it);
			continue;
		}
	}
	assert_int_equal(visits[4], 2);
	assert_int_equal(visits[3], 2);
	assert_int_equal(visits[2], 4);
	/* Nothing, and beyond the end of the address space. */
	tdp_for_each (it, &mmu, 1, 5, 5)
		fail();
	tdp_for_each (it, &mmu, 1, BIT(36), ~0ull)
		fail();
	unlock_all(&b);
	vm_end();
}

/* --- unmapping and the end -------------------------------------------------------------- */

static void test_zap(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	vm(NULL, 0, 8 * PAGES_2M, 2);
	assert_non_null(env_slot(&mmu, 1, 8 * PAGES_2M, PAGES_2M, 0, 1));
	for (u64 gfn = 0; gfn < 8 * PAGES_2M + 100; gfn += gfn < 8 * PAGES_2M ? PAGES_2M : 1) {
		assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
		assert_true(tlb_touch(&mmu, gfn << PAGE_SHIFT));
	}
	lock_all();
	tdp_zap_range(&mmu, 3 * PAGES_2M + 1, 4 * PAGES_2M + 1, &b);
	tdp_zap_range(&mmu, 8 * PAGES_2M + 10, 8 * PAGES_2M + 20, &b);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
	assert_int_equal(tlb_stale(&mmu), 2 + 10);
	assert_int_equal(tdp_leaves(2), 6);
	assert_int_equal(tdp_leaves(1), 90);
	unlock_all(&b);
	assert_int_equal(tlb_stale(&mmu), 0);
	lock_all();
	tdp_zap_range(&mmu, 3 * PAGES_2M, 5 * PAGES_2M, &b);
	assert_int_equal(b.owed, 0); /* nothing was there any more */
	tdp_zap_range(&mmu, 0, ~0ull, &b);
	unlock_all(&b);
	assert_int_equal(tdp_leaves(1) + tdp_leaves(2), 0);
	vm_end();
}

static void test_leaks_are_reported(void **state)
{
	(void)state;
	vm(NULL, 0, PAGES_2M, 2);
	fault(0, 0);
	env_quiet = true;
	mmu.stats.tdp_pages++;
	assert_int_equal(mmu_audit(&mmu, &audit), 1);
	assert_int_equal(mmu_destroy(&mmu), 1);
	assert_non_null(strstr(env_last_warning(), "TDP tables left: 1"));
	env_guest_free();
}

static void test_ept(void **state)
{
	struct mmu_config cfg = {.fmt = &pt_formats[PT_FMT_EPT4],
				 .maxphyaddr = 48,
				 .max_leaf_level = PG_LEVEL_1G,
				 .eager_page_split = true};
	struct memslot *slot = vm(&cfg, 0, PAGES_1G, 3);
	int level;

	(void)state;
	assert_int_equal(fault(9, 0), FAULT_FIXED);
	/* R W X, write-back, leaf, A, D (SDM 3C 28.3.2). */
	assert_int_equal(*leaf_of(9, &level) & 0xfff, 7 | 6 << 3 | BIT(7) | BIT(8) | BIT(9));
	assert_int_equal(mmu.tdp_root[0] & 0xfff, 7 | BIT(8));
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(*leaf_of(9, &level) & 0xfff, 5 | 6 << 3 | BIT(8) | BIT(9));
	assert_int_equal(fault(9, BIT(1)), FAULT_FIXED);
	assert_true(writable(9));
	dirty_log_disable(&mmu, slot);
	assert_int_equal(tdp_leaves(3), 1);
	vm_end();
}

static void test_bad_config(void **state)
{
	struct mmu_config cfg = {
		.fmt = &pt_formats[PT_FMT_PAE], .maxphyaddr = 48, .max_leaf_level = PG_LEVEL_1G};

	(void)state;
	env_reset();
	memset(&mmu, 0, sizeof(mmu));
	assert_int_equal(mmu_init(&mmu, &cfg, NULL), -EINVAL);
	cfg.fmt = &pt_formats[PT_FMT_LONG4];
	cfg.max_leaf_level = 4;
	assert_int_equal(mmu_init(&mmu, &cfg, NULL), -EINVAL);
	cfg.max_leaf_level = 3;
	env_fail_after(1);
	assert_int_equal(mmu_init(&mmu, &cfg, NULL), -ENOMEM);
	assert_int_equal(env_live_allocs(), 0);
}

/* --- the audit sees what is wrong ------------------------------------------------------- */

static void expect_audit(const char *words)
{
	u64 errors;

	env_quiet = true;
	errors = mmu_audit(&mmu, &audit);
	env_quiet = false;
	assert_int_not_equal(errors, 0);
	if (!strstr(audit.first, words))
		fail_msg("audit says \"%s\", not \"%s\"", audit.first, words);
}

static void set_leaf(u64 gfn, u64 value)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos = {.mmu = &mmu};

	pos.sptep = leaf_of(gfn, &pos.level);
	lock_all();
	spte_set(&pos, value, NULL, &b);
	unlock_all(&b);
}

static void test_audit_of_leaves(void **state)
{
	struct memslot *slot = vm(NULL, PAGES_2M, 4 * PAGES_2M, 1);
	const u64 gfn = PAGES_2M + 77;
	int level;
	u64 good;

	(void)state;
	assert_non_null(env_slot(&mmu, 1, 16 * PAGES_2M, PAGES_2M, MEMSLOT_READONLY, 1));
	assert_int_equal(fault(gfn, BIT(1)), FAULT_FIXED);
	assert_int_equal(fault(16 * PAGES_2M, 0), FAULT_FIXED);
	good = *leaf_of(gfn, &level);
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	assert_int_equal(audit.leaves[MMU_TREE_TDP][0], 2);

	set_leaf(gfn, good + PAGE_SIZE); /* another page, of the same slot even */
	expect_audit("maps memory that is not its gfn's");
	expect_audit("gfn 24d");
	set_leaf(gfn, spte_make_leaf(&mmu, env_hpa(mmu.tdp_root), 1, ACC_ALL)); /* L0's own */
	expect_audit("maps memory that is not its gfn's");
	set_leaf(gfn, good);
	set_leaf(16 * PAGES_2M, *leaf_of(16 * PAGES_2M, &level) | BIT(1));
	expect_audit("writable in a read-only slot");
	set_leaf(16 * PAGES_2M, *leaf_of(16 * PAGES_2M, &level) & ~BIT(1));
	assert_int_equal(mmu_enable_nested(&mmu), 0);
	slot->write_track[77] = 1;
	expect_audit("writable over a tracked table");
	slot->write_track[77] = 0;
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	set_leaf(gfn, good);
	expect_audit("without its dirty bit");
	dirty_log_mark(slot, (gfn_t){gfn});
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	dirty_log_disable(&mmu, slot);
	mmu.stats.pages[MMU_TREE_TDP][0]++;
	expect_audit("TDP 4K leaves");
	mmu.stats.pages[MMU_TREE_TDP][0]--;
	vm_end();
}

/* Changes the entry of @level that is for @gfn. Its old value. */
static u64 set_entry(u64 gfn, int level, u64 value)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct tdp_iter it;
	u64 old = 0;

	lock_all();
	tdp_for_each (it, &mmu, level, gfn, gfn + 1) {
		struct spte_pos pos = tdp_iter_pos(&it);

		if (it.level != level)
			continue;
		old = spte_set(&pos, value, NULL, &b);
		it.old = value;
	}
	unlock_all(&b);
	return old;
}

static void test_audit_of_structure(void **state)
{
	const u64 base = PAGES_2M, end = 5 * PAGES_2M + 5;
	struct memslot *slot = vm(NULL, base, end - base, 1);
	u64 table, big;

	(void)state;
	assert_int_equal(fault(base, 0), FAULT_FIXED);
	assert_int_equal(fault(end - 1, 0), FAULT_FIXED);
	set_entry(end, 1, spte_make_leaf(&mmu, memslot_hpa(slot, (gfn_t){base}, NULL), 1, ACC_ALL));
	expect_audit("outside of every slot");
	set_entry(end, 1, 0);
	big = spte_make_leaf(&mmu, memslot_hpa(slot, (gfn_t){3 * PAGES_2M}, NULL), 2, ACC_ALL);
	set_entry(3 * PAGES_2M, 2, big);
	expect_audit("larger than the memory behind it");
	set_entry(3 * PAGES_2M, 2, 0);
	table = set_entry(base, 2, 0);
	set_entry(base, 2, table & ~BIT(1));
	expect_audit("malformed");
	set_entry(base, 2, table);
	vm_end();

	slot = vm(NULL, 0, PAGES_1G + 7, 3);
	assert_int_equal(fault(0, 0), FAULT_FIXED);
	mmu.cfg.max_leaf_level = PG_LEVEL_2M;
	expect_audit("larger than allowed");
	mmu.cfg.max_leaf_level = PG_LEVEL_1G;
	mmu.cfg.nx_huge_pages = true;
	expect_audit("huge and executable");
	mmu.cfg.nx_huge_pages = false;
	set_entry(PAGES_1G, 3,
		  spte_make_leaf(&mmu, memslot_hpa(slot, (gfn_t){0}, NULL), 3, ACC_ALL));
	expect_audit("reaches out of its slot");
	set_entry(PAGES_1G, 3, 0);
	mmu.stats.nx_lpage_splits++;
	expect_audit("NX splits");
	mmu.stats.nx_lpage_splits--;
	vm_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_iter),
		cmocka_unit_test(test_zap),
		cmocka_unit_test(test_leaks_are_reported),
		cmocka_unit_test(test_ept),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_audit_of_leaves),
		cmocka_unit_test(test_audit_of_structure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
