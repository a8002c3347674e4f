// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* The short way through a fault of L2: what it takes, what it leaves alone, what it leaves behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2    LEVEL_SIZE(PG_LEVEL_2M)
#define NPAGES 4096u
#define NONE   (-EAGAIN)
#define L1_ALL (L1_RWX | L1_A | L1_D)

static struct nested_vm v;
static struct nested_fault out;

/* L1 has pages 0x10 up at 0 up, one of which is mapped, so that all tables are shadowed. */
static void start(const struct mmu_config *cfg, u64 flags)
{
	nv_make(&v, NPAGES, PG_LEVEL_2M, cfg);
	for (u64 i = 0; i < 16; i++)
		nv_map(&v, i * PAGE_SIZE, 0x10 + i, 1, flags);
	nv_map(&v, 63 * PAGE_SIZE, 0x50, 1, L1_ALL);
	assert_int_equal(nv_read(&v, 63 * PAGE_SIZE), FAULT_FIXED);
}

static int teardown(void **state)
{
	(void)state;
	nv_check(&v);
	return nv_end(&v);
}

/* NONE: it took the long way. */
static int short_way(struct nested_mmu *n, u64 addr, u64 error)
{
	u64 walked = v.mmu.stats.nested_pf_walked;
	int r = mmu_nested_fault(&v.mmu, n, (ngpa_t){addr}, error, &out);

	return v.mmu.stats.nested_pf_walked == walked ? r : NONE;
}

static int fast(u64 addr, u32 access)
{
	u64 error =
		PFERR_U | (access & ACC_WRITE ? PFERR_W : 0) | (access & ACC_EXEC ? PFERR_I : 0);

	return short_way(&v.n, addr, error);
}

static u64 spte(u64 addr)
{
	return *nv_sptep(&v, addr, 1);
}

static void test_plain_ones_need_no_memory(void **state)
{
	u64 allocs, fixed;

	(void)state;
	start(NULL, L1_RWX);
	allocs = env_alloc_count();
	fixed = v.mmu.stats.nested_pf_fixed;
	mmu_caches_free(&v.n.caches);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
	assert_false(spte_writable(&v.mmu, spte(0x1000)));
	assert_int_equal(nv_fetch(&v, 0x2000), FAULT_FIXED);
	/* What was read may be written, too. */
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	assert_int_equal(v.mmu.stats.nested_pf_fixed, fixed + 4);
	assert_int_equal(env_alloc_count(), allocs);
	assert_int_equal(nv_entry(&v, 0, 1) & (L1_A | L1_D), L1_A | L1_D);
	assert_int_equal(nv_entry(&v, 0x2000, 1) & (L1_A | L1_D), L1_A);
}

static void test_reflected_without_memory(void **state)
{
	u64 allocs;

	(void)state;
	start(NULL, L1_RWX);
	allocs = env_alloc_count();
	assert_int_equal(nv_access(&v, 20 * PAGE_SIZE + 8, PFERR_W, NULL, &out), FAULT_REFLECT);
	assert_int_equal(out.error, PFERR_U | PFERR_W);
	assert_int_equal(out.addr, 20 * PAGE_SIZE + 8);
	assert_int_equal(nv_access(&v, 20 * PAGE_SIZE, PFERR_I, NULL, &out), FAULT_REFLECT);
	assert_int_equal(out.error, PFERR_U | PFERR_I);
	assert_int_equal(nv_read(&v, 20 * PAGE_SIZE), FAULT_REFLECT);
	assert_int_equal(v.mmu.stats.nested_pf_reflected, 3);
	assert_int_equal(env_alloc_count(), allocs);
	assert_int_equal(env_traced(MMU_EV_nested_fault), 3 + 1); /* with the one of start() */
	assert_int_equal(env_trace_arg(MMU_EV_nested_fault, 2), FAULT_REFLECT);
	assert_int_equal(env_trace_arg(MMU_EV_nested_fault, 3), 1);
}

/* A fetch is told from a read only where L1 could forbid it. */
static void test_reflected_without_nx(void **state)
{
	(void)state;
	start(NULL, L1_RWX);
	v.mode.nx = false;
	nv_sync(&v);
	assert_int_equal(nv_read(&v, 63 * PAGE_SIZE), FAULT_FIXED);
	assert_int_equal(fast(20 * PAGE_SIZE, ACC_EXEC), FAULT_REFLECT);
	assert_int_equal(out.error, PFERR_U);
}

/* No root, one that is gone, no way down, another kind of table. */
static void test_where_it_does_not_lead(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct nested_mmu none = {0};

	(void)state;
	start(NULL, L1_ALL);
	none.mode = v.mode;
	none.root_gpa = v.root;
	assert_int_equal(short_way(&none, 0, PFERR_U), NONE);
	nested_mmu_free(&v.mmu, &none);
	assert_int_equal(fast(MB2, 0), NONE);
	/* A huge leaf of our own, and one of L1's that we map by pieces. */
	nv_map(&v, 4 * MB2, 512, 2, L1_ALL);
	assert_int_equal(nv_read(&v, 4 * MB2), FAULT_FIXED);
	assert_int_equal(fast(4 * MB2, ACC_EXEC), NONE);
	assert_int_equal(nv_split(&v, 512, 1024), 0);
	nv_lock(&v);
	shadow_drop_spte(&v.mmu, nv_sptep(&v, 4 * MB2 + 0x3000, 1), &b);
	nv_unlock(&v, &b);
	assert_int_equal(fast(4 * MB2 + 0x3000, 0), NONE);
	nv_lock(&v);
	shadow_zap_all(&v.mmu, &b);
	nv_unlock(&v, &b);
	assert_true(v.n.root->role.invalid);
	assert_int_equal(fast(0, 0), NONE);
}

/* A page of a slot of ours may not be what stands in a table of 4-byte entries. */
static void test_four_byte_entries(void **state)
{
	u64 table;

	(void)state;
	nv_start(&v, NPAGES, PG_LEVEL_2M, NULL);
	v.mode.fmt = &pt_formats[PT_FMT_32];
	nv_use(&v);
	table = nv_table(&v);
	*(u32 *)nv_va(&v, v.root.v) = (u32)table | L1_RWX;
	for (u32 i = 0; i < 1024; i++)
		*(u32 *)nv_va(&v, table + i * 4) = (0x200 + i) << PAGE_SHIFT | L1_RWX;
	assert_int_equal(nv_read(&v, 0), FAULT_FIXED);
	assert_int_equal(fast(0x1000, 0), NONE);
	assert_int_equal(nv_read(&v, 0x1000), FAULT_FIXED);
}

/* The second way to a page takes a descriptor, if there is one in stock; more ways are not plain.
 */
static void test_aliases(void **state)
{
	int descs;

	(void)state;
	start(NULL, L1_ALL);
	for (u64 i = 0; i < 3; i++) {
		nv_map(&v, (16 + i) * PAGE_SIZE, 0x10, 1, L1_ALL);
		nv_map(&v, (20 + i) * PAGE_SIZE, 0x11, 1, L1_ALL);
	}
	assert_int_equal(fast(0, 0), FAULT_FIXED);
	assert_int_equal(fast(0x1000, 0), FAULT_FIXED);
	mmu_caches_free(&v.n.caches);
	assert_int_equal(fast(16 * PAGE_SIZE, 0), NONE);
	descs = v.n.caches.nr_descs;
	assert_int_equal(fast(20 * PAGE_SIZE, 0), FAULT_FIXED);
	assert_int_equal(v.n.caches.nr_descs, descs - 1);
	assert_int_equal(fast(21 * PAGE_SIZE, 0), NONE);
	assert_int_equal(rmap_count(rmap_get(v.slot, (gfn_t){0x11}, 1)), 3);
}

/* --- races ---------------------------------------------------------------------------------- */

static u64 *raced, raced_bits;

/* The processor uses the leaf just when that is to change. */
static void hw_sets(u64 *p, u64 old, u64 new)
{
	(void)old;
	(void)new;
	if (p != raced)
		return;
	raced = NULL;
	env_hw_set(p, raced_bits);
}

static void test_the_processor_sets_a_meanwhile(void **state)
{
	const u64 a = v.mmu.cfg.fmt->accessed;
	struct flush_batch b = FLUSH_BATCH_INIT;
	struct spte_pos pos;

	(void)state;
	start(NULL, L1_RWX);
	assert_int_equal(fast(0, ACC_WRITE), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	pos = shadow_pos(&v.mmu, nv_sp(&v, 0, 1), 0);
	nv_lock(&v);
	spte_clear_bits(&pos, a, &b);
	nv_unlock(&v, &b);
	raced = pos.sptep;
	raced_bits = a;
	env_before_cmpxchg = hw_sets;
	assert_int_equal(fast(0, ACC_WRITE), FAULT_FIXED);
	env_before_cmpxchg = NULL;
	assert_null(raced);
	assert_true(spte_writable(&v.mmu, spte(0)));
	assert_true(spte(0) & a);
	dirty_log_disable(&v.mmu, v.slot);
}

/* --- the dirty log -------------------------------------------------------------------------- */

static bool dirty(u64 gfn)
{
	return v.slot->dirty_bitmap[gfn / 64] & BIT(gfn % 64);
}

/* L0 writes L1's table, which is a page like any other. */
static void test_l1s_table_is_marked(void **state)
{
	u64 table;

	(void)state;
	start(NULL, L1_RWX);
	table = nv_entry_gpa(&v, v.root, 0, 1) >> PAGE_SHIFT;
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_int_equal(fast(0, 0), FAULT_FIXED);
	assert_true(dirty(table));
	assert_false(dirty(0x10));
	v.slot->dirty_bitmap[table / 64] = 0;
	/* Nothing to be set: nothing to be marked. */
	assert_int_equal(fast(0, 0), FAULT_FIXED);
	assert_false(dirty(table));
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_writes_after_the_log(void **state)
{
	u64 allocs;

	(void)state;
	start(NULL, L1_ALL);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	assert_false(spte_writable(&v.mmu, spte(0)));
	dirty_log_disable(&v.mmu, v.slot);
	allocs = env_alloc_count();
	assert_int_equal(fast(0, ACC_WRITE), FAULT_FIXED);
	assert_true(spte_writable(&v.mmu, spte(0)));
	assert_int_equal(env_alloc_count(), allocs);
	assert_int_equal(v.mmu.stats.dirty_faults, 0);
}

/* Both take W back for L1's sake, not the log's. */
static void test_what_has_lost_write_for_good(void **state)
{
	u64 table;

	(void)state;
	start(NULL, L1_ALL);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 0x1000, 1), FAULT_FIXED);
	/* A page that becomes a table of L1's. */
	nv_map(&v, 0x2000, 0x60, 1, L1_ALL);
	assert_int_equal(nv_write(&v, 0x2000, 1), FAULT_FIXED);
	table = 0x60ull << PAGE_SHIFT;
	*(u64 *)nv_va(&v, table) = 0x70ull << PAGE_SHIFT | L1_ALL;
	nv_set_entry(&v, MB2, 2, table | L1_RWX);
	assert_int_equal(nv_read(&v, MB2), FAULT_FIXED);
	assert_false(spte_writable(&v.mmu, spte(0x2000)));
	assert_int_equal(fast(0x2000, ACC_WRITE), NONE);
	/* L1's entry has lost D; its next write sets that again. */
	nv_set_entry(&v, 0, 1, nv_entry(&v, 0, 1) & ~L1_D);
	nv_sync(&v);
	assert_int_equal(fast(0, ACC_WRITE), FAULT_FIXED);
	assert_true(nv_entry(&v, 0, 1) & L1_D);
}

/* What loses a right is left to who pays for the flush. */
static void test_rights_that_go(void **state)
{
	(void)state;
	start(NULL, L1_RO | L1_A);
	assert_int_equal(nv_fetch(&v, 0), FAULT_FIXED);
	assert_int_equal(nv_fetch(&v, 0x1000), FAULT_FIXED);
	nv_set_entry(&v, 0, 1, nv_entry(&v, 0, 1) | L1_W | L1_NX | L1_D);
	nv_set_entry(&v, 0x1000, 1, nv_entry(&v, 0x1000, 1) | L1_W | L1_D);
	assert_int_equal(fast(0, ACC_WRITE), NONE);
	assert_int_equal(fast(0x1000, ACC_WRITE), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_fetch(&v, 0), FAULT_REFLECT);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		T(test_plain_ones_need_no_memory),
		T(test_reflected_without_memory),
		T(test_reflected_without_nx),
		T(test_where_it_does_not_lead),
		T(test_four_byte_entries),
		T(test_aliases),
		T(test_the_processor_sets_a_meanwhile),
		T(test_l1s_table_is_marked),
		T(test_writes_after_the_log),
		T(test_what_has_lost_write_for_good),
		T(test_rights_that_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
