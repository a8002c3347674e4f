// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/*
 * L1 changes an entry of its tables, at any level, and flushes, while a fault of L2 has walked them
 * but waits for the lock: what the walk read must not come into force any more.
 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2  LEVEL_SIZE(PG_LEVEL_2M)
#define ADDR (3 * MB2 + 0x5000)

static struct nested_vm v;

static void *fault(void *result)
{
	struct nested_fault out;
	int level;

	*(int *)result =
		nested_fault_walk(&v.mmu, &v.n, (ngpa_t){ADDR}, ACC_READ | ACC_USER, &out, &level);
	return NULL;
}

/* L1's store and flush as L0 carries them out, in one: mmu_lock is held. */
static void change_and_flush(u64 gpa, u64 value)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	shadow_write_entries(&v.mmu, v.slot, (gpa_t){gpa}, 8, &b);
	*(u64 *)nv_va(&v, gpa) = value;
	shadow_sync_all(&v.mmu, &b);
	flush_pay(&v.mmu, &b);
}

/*
 * Entry @level on the way to ADDR gets @value while the fault waits. @known: the shadow of the way
 * is there, but for the last entry.
 */
static void race(int level, u64 value, bool known)
{
	u64 gpa = nv_entry_gpa(&v, v.root, ADDR, level);
	pthread_t t;
	int r = -1;

	if (known)
		assert_int_equal(nv_read(&v, ADDR + PAGE_SIZE), FAULT_FIXED);
	env_threaded = true;
	rwlock_write_lock(&v.mmu.lock);
	assert_int_equal(pthread_create(&t, NULL, fault, &r), 0);
	while (!__atomic_load_n(&v.mmu.lock.writers, __ATOMIC_SEQ_CST))
		sched_yield();
	change_and_flush(gpa, value);
	rwlock_write_unlock(&v.mmu.lock);
	pthread_join(t, NULL);
	env_threaded = false;
	env_watch_root(v.n.root->spt);
	/* Looked at once more, or the entry's place was empty. */
	assert_true(r == FAULT_FIXED || r == FAULT_REFLECT);
	assert_int_equal(nv_level(&v, ADDR), 0);
	nv_check(&v);
}

/* Tables like those in use, which lead to other memory. */
static u64 other_way(int level)
{
	u64 to = 0x30ull << PAGE_SHIFT | L1_RWX | L1_A | L1_D;

	for (int l = 1; l < level; l++) {
		u64 table = nv_table(&v);

		*(u64 *)nv_va(&v, table + (ADDR >> LEVEL_SHIFT(l) & 511) * 8) = to;
		to = table | L1_RWX | L1_A;
	}
	return to;
}

static void run(int level, bool known, bool gone)
{
	u64 *sptep, value;

	nv_make(&v, 8 * 512, PG_LEVEL_2M, NULL);
	nv_map(&v, ADDR, 0x10, 1, L1_RWX | L1_A | L1_D);
	nv_map(&v, ADDR + PAGE_SIZE, 0x11, 1, L1_RWX | L1_A | L1_D);
	/* A is set all the way, so that the walk takes no lock. */
	for (int l = 2; l <= 4; l++)
		*(u64 *)nv_va(&v, nv_entry_gpa(&v, v.root, ADDR, l)) |= L1_A;
	value = gone ? 0 : other_way(level);
	race(level, value, known);
	if (gone) {
		assert_int_equal(nv_read(&v, ADDR), FAULT_REFLECT);
	} else {
		assert_int_equal(nv_read(&v, ADDR), FAULT_FIXED);
		sptep = nv_sptep(&v, ADDR, 1);
		assert_non_null(sptep);
		assert_int_equal(spte_hpa(&v.mmu, *sptep).v,
				 env_hpa(nv_va(&v, 0x30ull << PAGE_SHIFT)).v);
	}
	nv_check(&v);
	assert_int_equal(nv_end(&v), 0);
}

static void test_every_level(void **state)
{
	(void)state;
	for (int level = 1; level <= 4; level++) {
		for (int i = 0; i < 4; i++)
			run(level, i & 1, i & 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
