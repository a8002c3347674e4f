// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * The dirty log by dirty bits, in the nested tree: L2 writes without a fault, by whatever address,
 * and no write is missing in what a scan brings.
 */
#include "tests/host/dirty_bits_nested.h"

/* L1's 4K pages: gfns in any order, so that a table's neighbours are anywhere in the log. */
static void test_pages_of_l1(void **state)
{
	(void)state;
	for (u64 i = 0; i < 200; i++)
		map_and_write(i * PAGE_SIZE, i * 37 % 211);
	enable();
	for (u64 round = 1; round < 5; round++) {
		u64 n = 0;

		for (u64 i = 0; i < 200; i += round, n++)
			write_at(i * PAGE_SIZE);
		scan();
		assert_int_equal(read_data(), n);
		for (u64 i = 0; i < 200; i++)
			assert_int_equal(bitmap_test(out, i * 37 % 211), i % round == 0);
	}
	scan();
	assert_int_equal(read_data(), 0);
	dirty_log_disable(&v.mmu, v.slot);
}

/* Split eagerly: direct pages, whose 64 neighbours are one word of the log. */
static void test_huge_pages_of_l1(void **state)
{
	(void)state;
	nv_map(&v, 0, 0, 2, L1_RWX);
	nv_map(&v, 7 * MB2, 1024, 2, L1_RWX);
	assert_int_equal(nv_write(&v, 0, 1), FAULT_FIXED);
	assert_int_equal(nv_write(&v, 7 * MB2, 1), FAULT_FIXED);
	assert_int_equal(nv_level(&v, 0), 2);
	enable();
	assert_int_equal(nv_level(&v, 0), 1);
	scan();
	assert_int_equal(read_data(), 0);
	for (u64 i = 0; i < 512; i += 3) {
		write_at(i * PAGE_SIZE);
		write_at(7 * MB2 + i * PAGE_SIZE + PAGE_SIZE);
	}
	scan();
	assert_int_equal(read_data(), 2 * 171);
	for (u64 i = 0; i < 512; i++) {
		assert_int_equal(bitmap_test(out, i), i % 3 == 0);
		assert_int_equal(bitmap_test(out, 1024 + i), i % 3 == 1);
	}
	dirty_log_disable(&v.mmu, v.slot);
}

/* One page by several names, in one table and in others. */
static void test_aliases(void **state)
{
	static const u64 names[] = {0, 5 * PAGE_SIZE, MB2, GB1};

	(void)state;
	for (int i = 0; i < 4; i++)
		map_and_write(names[i], 0x10);
	enable();
	for (int i = 0; i < 4; i++) {
		write_at(names[i]);
		sync_and_expect(0x10);
		scan();
		assert_int_equal(read_data(), 0);
	}
	dirty_log_disable(&v.mmu, v.slot);
}

/* A write between the scan and the taking of its bit is in what is read then. */
static void test_written_before_its_bit_is_taken(void **state)
{
	(void)state;
	map_and_write(0, 0x10);
	enable();
	write_at(0);
	scan();
	write_at(0);
	expect(0x10);
	assert_false(leaf_dirty(0));
	scan();
	assert_int_equal(read_data(), 0);
	dirty_log_disable(&v.mmu, v.slot);
}

/* Between clearing A and the flush a write goes through a cached entry: A stays clear. */
static u64 late;
static void write_in_flush(struct mmu *mmu, u32 trees)
{
	bool present;
	void *va;

	if (!(trees & BIT(MMU_TREE_NESTED)))
		return;
	env_on_flush = NULL;
	assert_true(cpu_access(mmu, MMU_TREE_NESTED, v.n.root->spt, late, PFERR_W, &va, &present));
}

static void test_written_before_the_flush(void **state)
{
	(void)state;
	for (u64 i = 0; i < 4; i++) {
		map_and_write(i * MB2, 0x10 + i);
		map_and_write(i * MB2 + PAGE_SIZE, 0x20 + i);
	}
	enable();
	cool();
	/* Warm after it was cold: that it was must be forgotten. */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(nv_read(&v, 2 * MB2), FAULT_FIXED);
		late = 2 * MB2 + PAGE_SIZE;
		env_on_flush = write_in_flush;
		scan();
		assert_null(env_on_flush);
		assert_int_equal(*nv_sptep(&v, 2 * MB2, 2) & dbit.fmt->accessed, 0);
		assert_int_equal(read_data(), 0);
		sync_and_expect(0x22);
		cool();
	}
	dirty_log_disable(&v.mmu, v.slot);
}

static void test_what_is_looked_at(void **state)
{
	u64 flushes;

	(void)state;
	for (u64 i = 0; i < 8; i++)
		map_and_write(i * MB2, 0x10 + i);
	enable();
	cool();
	assert_int_equal(nv_read(&v, 3 * MB2), FAULT_FIXED);
	flushes = env_flushes(BIT(MMU_TREE_NESTED));
	scan();
	assert_int_equal(scanned, 1);
	/* That A was cleared owes a flush by itself. */
	assert_int_equal(env_flushes(BIT(MMU_TREE_NESTED)), flushes + 1);
	scan();
	assert_int_equal(scanned, 1);
	assert_int_equal(skipped, 7 + 1); /* the TDP tree as a whole */
	scan();
	assert_int_equal(scanned, 0);
	assert_int_equal(env_flushes(BIT(MMU_TREE_NESTED)), flushes + 1);
	write_at(3 * MB2);
	sync_and_expect(0x13);
	dirty_log_disable(&v.mmu, v.slot);
}

/* While the lock is dropped pages are zapped and made; none that was there is left out. */
static u64 rests;
static void zap_and_make(void)
{
	struct flush_batch b = FLUSH_BATCH_INIT;
	u64 i = rests++ % 16;

	rwlock_write_lock(&v.mmu.lock);
	if (nv_sp(&v, i * MB2, 1))
		shadow_page_zap(&v.mmu, nv_sp(&v, i * MB2, 1), &b);
	flush_pay(&v.mmu, &b);
	rwlock_write_unlock(&v.mmu.lock);
	if (rests % 3)
		assert_int_equal(nv_read(&v, i * MB2), FAULT_FIXED);
}

static void test_pages_come_and_go(void **state)
{
	(void)state;
	for (u64 i = 0; i < 16; i++)
		map_and_write(i * MB2, 0x10 + i);
	enable();
	for (int round = 0; round < 8; round++) {
		u64 mapped = 0;

		for (u64 i = 0; i < 16; i++)
			assert_int_equal(nv_write(&v, i * MB2, 1), FAULT_FIXED);
		env_contend_after(1);
		env_on_resched = zap_and_make;
		scan();
		env_contend_after(0);
		env_on_resched = NULL;
		assert_int_equal(read_data(), 16);
		assert_int_equal(out[0], 0xffffull << 16);
		for (u64 i = 0; i < 16; i++)
			mapped += nv_level(&v, i * MB2) == 1;
		assert_true(mapped > 0);
	}
	assert_true(rests > 32);
	dirty_log_disable(&v.mmu, v.slot);
}

/* The audit sees D where no scan looks, and only there. */
static void test_audit(void **state)
{
	struct audit a;

	(void)state;
	map_and_write(0, 0x10);
	enable();
	cool();
	env_hw_set(nv_sptep(&v, 0, 1), dbit.fmt->dirty);
	env_quiet = true;
	assert_int_equal(mmu_audit(&v.mmu, &a), 1);
	env_hw_set(nv_sptep(&v, 0, 2), dbit.fmt->accessed);
	assert_int_equal(mmu_audit(&v.mmu, &a), 0);
	env_quiet = false;
	dirty_log_disable(&v.mmu, v.slot);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_pages_of_l1),
		T(test_huge_pages_of_l1),
		T(test_aliases),
		T(test_written_before_its_bit_is_taken),
		T(test_written_before_the_flush),
		T(test_what_is_looked_at),
		T(test_pages_come_and_go),
		T(test_audit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
