// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/* SPTEs: their bits, and every consequence of a change in the TDP tree: counts and flushes. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/tdp_mmu.h"
#include "tests/host/env.h"

#define P2M LEVEL_PAGES(PG_LEVEL_2M)
#define P1G LEVEL_PAGES(PG_LEVEL_1G)

static struct mmu mmu;
static struct memslot *slot;

static void setup(enum pt_format_id fmt)
{
	const struct mmu_config cfg = {.fmt = &pt_formats[fmt],
				       .maxphyaddr = 48,
				       .max_leaf_level = PG_LEVEL_1G,
				       .eager_page_split = true};

	env_reset();
	assert_int_equal(env_mmu_make(&mmu, &cfg), 0);
	slot = env_slot(&mmu, 0, 0, P1G, 0, 3);
	assert_non_null(slot);
}

/* --- bits ------------------------------------------------------------------------------- */

static void test_bits_npt(void **state)
{
	const hpa_t hpa = {0x123456789000 & ~0x3fffffffull};
	const u64 nx = BIT(63), common = BIT(0) | BIT(2) | BIT(5);

	(void)state;
	setup(PT_FMT_LONG4);
	assert_int_equal(spte_make_leaf(&mmu, hpa, 1, ACC_ALL), hpa.v | common | BIT(1) | BIT(6));
	assert_int_equal(spte_make_leaf(&mmu, hpa, 1, ACC_READ | ACC_EXEC), hpa.v | common);
	assert_int_equal(spte_make_leaf(&mmu, hpa, 1, ACC_READ), hpa.v | common | nx);
	assert_int_equal(spte_make_leaf(&mmu, hpa, 2, ACC_READ | ACC_WRITE),
			 hpa.v | common | nx | BIT(1) | BIT(6) | BIT(7));
	assert_int_equal(spte_make_leaf(&mmu, hpa, 3, ACC_ALL),
			 hpa.v | common | BIT(1) | BIT(6) | BIT(7));
	assert_int_equal(spte_make_table(&mmu, env_va(hpa)), hpa.v | common | BIT(1));
	assert_false(spte_present(&mmu, ~BIT(0)));
	assert_true(spte_is_leaf(&mmu, BIT(0), 1));
	assert_false(spte_is_leaf(&mmu, BIT(0), 2));
	assert_true(spte_is_leaf(&mmu, BIT(0) | BIT(7), 2));
	assert_false(spte_is_leaf(&mmu, BIT(7), 2));
	for (u32 access = 0; access < 16; access++) {
		u64 spte = spte_make_leaf(&mmu, hpa, 2, access);

		assert_int_equal(spte_access(&mmu, spte), access | ACC_READ | ACC_USER);
		assert_int_equal(spte_writable(&mmu, spte), (access & ACC_WRITE) != 0);
		assert_false(spte_writable(&mmu, spte_wrprot(&mmu, spte)));
		assert_int_equal(spte_hpa(&mmu, spte).v, hpa.v);
	}
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_bits_ept(void **state)
{
	const hpa_t hpa = {0x40000000};
	const u64 wb = 6 << 3;

	(void)state;
	setup(PT_FMT_EPT4);
	assert_int_equal(spte_make_leaf(&mmu, hpa, 1, ACC_ALL), hpa.v | 7 | wb | BIT(8) | BIT(9));
	assert_int_equal(spte_make_leaf(&mmu, hpa, 1, ACC_READ), hpa.v | 1 | wb | BIT(8));
	assert_int_equal(spte_make_leaf(&mmu, hpa, 1, ACC_EXEC), hpa.v | 4 | wb | BIT(8));
	assert_int_equal(spte_make_leaf(&mmu, hpa, 2, ACC_ALL),
			 hpa.v | 7 | wb | BIT(7) | BIT(8) | BIT(9));
	/* Bits 6:3 of a table entry are reserved. */
	assert_int_equal(spte_make_table(&mmu, env_va(hpa)), hpa.v | 7 | BIT(8));
	assert_true(spte_present(&mmu, BIT(2)));
	assert_int_equal(spte_access(&mmu, BIT(2)), ACC_EXEC | ACC_USER);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_split_children(void **state)
{
	(void)state;
	for (int f = PT_FMT_LONG4; f <= PT_FMT_EPT4; f += PT_FMT_EPT4 - PT_FMT_LONG4) {
		setup(f);
		for (int level = 2; level <= 3; level++) {
			for (u32 access = ACC_READ; access < 16; access += 2) {
				const hpa_t hpa = {3 * LEVEL_SIZE(3)};
				u64 huge = spte_make_leaf(&mmu, hpa, level, access), table[512];

				if (access & ACC_EXEC)
					huge &= ~pt_formats[f].accessed;
				spte_fill_split(&mmu, table, huge, level);
				for (int i = 0; i < 512; i++) {
					hpa_t h = {hpa.v + i * LEVEL_SIZE(level - 1)};
					u64 want = spte_make_leaf(&mmu, h, level - 1, access);

					if (access & ACC_EXEC)
						want &= ~pt_formats[f].accessed;
					assert_int_equal(table[i], want);
					assert_int_equal(
						spte_make_split_child(&mmu, huge, level, i), want);
				}
			}
		}
		assert_int_equal(env_mmu_end(&mmu), 0);
	}
}

/* --- consequences: counts and flushes ---------------------------------------------------- */

/* One level-2 entry of the TDP tree takes each of these values after each other one. */
enum {
	EMPTY,
	RW,
	RW_CLEAN,
	RO,
	RO_CLEAN,
	RO_NX,
	RW_NX,
	OTHER,
	TABLE_EXACT,
	TABLE_RO,
	TABLE_HOLE,
	TABLE_CLEAN,
	TABLE_OTHER,
	TABLE_EMPTY,
	NR_VALUES
};

static const char *const names[] = {"empty",
				    "rw",
				    "rw clean",
				    "ro",
				    "ro clean",
				    "ro nx",
				    "rw nx",
				    "other",
				    "table",
				    "table with ro",
				    "table with hole",
				    "table with clean",
				    "table with other",
				    "empty table"};

static hpa_t mem(u64 gfn)
{
	return memslot_hpa(slot, (gfn_t){gfn}, NULL);
}

static u64 make_value(int kind, u64 **table)
{
	const u64 d = mmu.cfg.fmt->dirty, rw = spte_make_leaf(&mmu, mem(0), 2, ACC_ALL);
	u64 *t;

	*table = NULL;
	switch (kind) {
	case EMPTY:
		return 0;
	case RW:
		return rw;
	case RW_CLEAN:
		return rw & ~d;
	case RO:
		return spte_wrprot(&mmu, rw);
	case RO_CLEAN:
		return spte_wrprot(&mmu, rw & ~d);
	case RO_NX:
		return spte_make_leaf(&mmu, mem(0), 2, ACC_READ) | d;
	case RW_NX:
		return spte_make_leaf(&mmu, mem(0), 2, ACC_READ | ACC_WRITE);
	case OTHER:
		return spte_make_leaf(&mmu, mem(P2M), 2, ACC_ALL);
	}
	*table = t = env_page_alloc();
	if (kind != TABLE_EMPTY)
		spte_fill_split(&mmu, t, rw, 2);
	if (kind == TABLE_RO)
		t[511] = spte_wrprot(&mmu, t[511]);
	if (kind == TABLE_HOLE)
		t[0] = 0;
	if (kind == TABLE_CLEAN)
		t[17] &= ~d;
	if (kind == TABLE_OTHER)
		t[3] = spte_make_leaf(&mmu, mem(4), 1, ACC_ALL);
	return spte_make_table(&mmu, t);
}

/* What each value lets a processor do with one page of the range: 0 nothing. */
static u64 grants_at(int kind, const u64 *table, u64 value, int i)
{
	u64 e = value;

	(void)kind;
	if (table)
		e = table[i];
	else if (e)
		e = (e & ~BIT(7)) + (u64)i * PAGE_SIZE;
	return e & BIT(0) ? e : 0;
}

/* By the rule: an entry that was cached may do what the new one does not. */
static bool flush_expected(int from, u64 old, const u64 *t1, int to, u64 new, const u64 *t2)
{
	const u64 addr = GENMASK(51, 12), w = BIT(1), d = BIT(6);

	if (t1 && old != new)
		return true; /* the table goes away */
	for (int i = 0; i < 512; i++) {
		u64 was = grants_at(from, t1, old, i), is = grants_at(to, t2, new, i);

		if (was && (!is || ((was ^ is) & addr) || (was & ~is & w) || (is & ~was & BIT(63))))
			return true;
		/* What is cached without W is not written, dirty or not. */
		if ((was & w) && (was & ~is & d))
			return true;
	}
	return false;
}

static u64 count_leaves(const u64 *table)
{
	u64 n = 0;

	for (int i = 0; table && i < 512; i++)
		n += table[i] & 1;
	return n;
}

static void test_every_transition(void **state)
{
	struct spte_pos pos = {.mmu = &mmu, .level = 2};
	u64 *t1, *t2;

	(void)state;
	setup(PT_FMT_LONG4);
	assert_int_equal(mmu_tdp_fault(&mmu, (gpa_t){0}, 0), FAULT_FIXED);
	rwlock_write_lock(&mmu.lock);
	for (int from = 0; from < NR_VALUES; from++) {
		for (int to = 0; to < NR_VALUES; to++) {
			struct flush_batch b = FLUSH_BATCH_INIT;
			u64 old, new, *l3 = env_va(spte_hpa(&mmu, mmu.tdp_root[0])), *l2;
			bool want;

			rwlock_write_unlock(&mmu.lock);
			l2 = env_page_alloc();
			old = make_value(from, &t1);
			new = make_value(to, &t2);
			rwlock_write_lock(&mmu.lock);
			pos.sptep = &l3[0];
			pos.level = 3;
			spte_set(&pos, spte_make_table(&mmu, l2), NULL, &b);
			pos.sptep = &l2[0];
			pos.level = 2;
			spte_set(&pos, old, NULL, &b);
			flush_pay(&mmu, &b);
			assert_int_equal(mmu.stats.pages[0][1], old && !t1);
			assert_int_equal(mmu.stats.pages[0][0], count_leaves(t1));
			assert_int_equal(mmu.stats.tdp_pages, 2 + !!t1);

			want = flush_expected(from, old, t1, to, new, t2);
			assert_int_equal(spte_set(&pos, new, NULL, &b), old);
			if (b.owed != (want ? BIT(MMU_TREE_TDP) : 0))
				fail_msg("%s -> %s: owed %x, expected %d", names[from], names[to],
					 b.owed, want);
			assert_int_equal(mmu.stats.pages[0][1], new && !t2);
			assert_int_equal(mmu.stats.pages[0][0], count_leaves(t2));
			assert_int_equal(mmu.stats.tdp_pages, 2 + !!t2);
			/* And all of it goes with the table above. */
			pos.sptep = &l3[0];
			pos.level = 3;
			spte_set(&pos, 0, NULL, &b);
			assert_int_equal(mmu.stats.pages[0][1] + mmu.stats.pages[0][0], 0);
			assert_int_equal(mmu.stats.tdp_pages, 1);
			for (int t = 0; t < 3; t++) {
				u64 *tables[] = {t1, t2, l2};

				if (tables[t])
					flush_defer_free(&b, tables[t], 1);
			}
			flush_pay(&mmu, &b);
		}
	}
	rwlock_write_unlock(&mmu.lock);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

/* Setting A, or A and D, owes nothing; a lost exchange changes nothing. */
static void test_cmpxchg(void **state)
{
	const u64 a = pt_formats[PT_FMT_LONG4].accessed, d = pt_formats[PT_FMT_LONG4].dirty;
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos = {.mmu = &mmu, .level = 3};
	u64 leaf, old;

	(void)state;
	setup(PT_FMT_LONG4);
	assert_int_equal(mmu_tdp_fault(&mmu, (gpa_t){0}, BIT(1)), FAULT_FIXED);
	rwlock_write_lock(&mmu.lock);
	pos.sptep = env_va(spte_hpa(&mmu, mmu.tdp_root[0]));
	leaf = *pos.sptep;
	assert_int_equal(spte_clear_bits(&pos, a, &b), leaf);
	assert_int_equal(b.owed, 0);
	assert_int_equal(spte_clear_bits(&pos, d, &b), leaf & ~a);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
	flush_pay(&mmu, &b);
	assert_int_equal(spte_set(&pos, leaf, NULL, &b), leaf & ~(a | d));
	assert_int_equal(b.owed, 0);

	old = leaf & ~a; /* not what is there */
	assert_false(spte_cmpxchg(&pos, &old, 0, NULL, &b));
	assert_int_equal(old, leaf);
	assert_int_equal(*pos.sptep, leaf);
	assert_int_equal(mmu.stats.pages[0][2], 1);
	assert_int_equal(b.owed, 0);
	assert_true(spte_cmpxchg(&pos, &old, 0, NULL, &b));
	assert_int_equal(mmu.stats.pages[0][2], 0);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
	flush_pay(&mmu, &b);
	rwlock_write_unlock(&mmu.lock);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static u64 *hw_entry, hw_bits;
static void hw_once(u64 *p, u64 old, u64 new)
{
	(void)old;
	(void)new;
	if (p == hw_entry) {
		hw_entry = NULL;
		env_hw_set(p, hw_bits);
	}
}

/* What the processor sets while bits are cleared stays. */
static void test_clear_bits_keeps_ad(void **state)
{
	const u64 a = pt_formats[PT_FMT_LONG4].accessed, d = pt_formats[PT_FMT_LONG4].dirty;
	const u64 w = pt_formats[PT_FMT_LONG4].write;
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos = {.mmu = &mmu, .level = 1};
	u64 *table;

	(void)state;
	setup(PT_FMT_LONG4);
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_PROTECT_ALL), 0);
	for (u64 gfn = 0; gfn < 4; gfn++)
		assert_int_equal(mmu_tdp_fault(&mmu, (gpa_t){gfn << 12}, BIT(1)), FAULT_FIXED);
	rwlock_write_lock(&mmu.lock);
	table = env_va(spte_hpa(&mmu, mmu.tdp_root[0]));
	table = env_va(spte_hpa(&mmu, table[0]));
	table = env_va(spte_hpa(&mmu, table[0]));
	for (int i = 0; i < 4; i++) {
		pos.sptep = &table[i];
		spte_clear_bits(&pos, a | d, &b);
	}
	flush_pay(&mmu, &b);
	env_before_cmpxchg = hw_once;
	hw_bits = a | d;
	hw_entry = &table[0];
	pos.sptep = &table[0];
	assert_int_equal(spte_clear_bits(&pos, w, &b) & (a | d), a | d);
	assert_int_equal(table[0] & (a | d | w), a | d);
	hw_entry = &table[2];
	spte_wrprot_range(&mmu, table, 1, 2, &b);
	assert_int_equal(table[1] & (a | d | w), 0);
	assert_int_equal(table[2] & (a | d | w), a | d);
	assert_int_equal(table[3] & w, w);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
	flush_pay(&mmu, &b);
	/* Nothing to remove, nothing owed. */
	spte_wrprot_range(&mmu, table, 0, 2, &b);
	spte_wrprot_range(&mmu, table, 100, 511, &b);
	spte_wrprot_masked(&mmu, table, 5, &b);
	assert_int_equal(b.owed, 0);
	assert_int_equal(table[3] & w, w);
	spte_wrprot_masked(&mmu, table + 1, 5, &b); /* entries 1 and 3 */
	assert_int_equal(table[3] & w, 0);
	assert_int_equal(b.owed, BIT(MMU_TREE_TDP));
	flush_pay(&mmu, &b);
	rwlock_write_unlock(&mmu.lock);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bits_npt),       cmocka_unit_test(test_bits_ept),
		cmocka_unit_test(test_split_children), cmocka_unit_test(test_every_transition),
		cmocka_unit_test(test_cmpxchg),	       cmocka_unit_test(test_clear_bits_keeps_ad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
