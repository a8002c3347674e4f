// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/* rmap lists against a plain array: what is in them, how long they are, what they take and give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/rmap.h"
#include "mmu/shadow_page.h"
#include "tests/host/env.h"

#define MANY 100

static struct mmu mmu;
static struct mmu_caches caches;
static u64 sptes[MANY];

static int setup(void **state)
{
	(void)state;
	env_reset();
	memset(&mmu, 0, sizeof(mmu));
	memset(&caches, 0, sizeof(caches));
	return mmu_caches_fill(&mmu, &caches, 0, 0, 0, 16);
}

static int teardown(void **state)
{
	(void)state;
	mmu_caches_free(&caches);
	return mmu.stats.rmap_descs || env_live_allocs();
}

static bool holds(const struct rmap_head *head, const u64 *sptep)
{
	struct rmap_iter it;
	u64 *p;
	int found = 0;

	rmap_for_each (head, it, p)
		found += p == sptep;
	assert_true(found <= 1);
	return found;
}

static u64 descs_for(u32 n)
{
	return n > 1 ? (n + RMAP_DESC_ENTRIES - 1) / RMAP_DESC_ENTRIES : 0;
}

static void test_one_entry_takes_no_descriptor(void **state)
{
	struct rmap_head head = {0};

	(void)state;
	assert_false(rmap_needs_desc(&head));
	rmap_add(&mmu, &head, &sptes[0], &caches);
	assert_int_equal(caches.nr_descs, 16);
	assert_int_equal(rmap_count(&head), 1);
	assert_true(holds(&head, &sptes[0]));
	assert_true(rmap_needs_desc(&head));
	rmap_remove(&mmu, &head, &sptes[0]);
	assert_int_equal(head.val, 0);
}

static void test_needs_desc_says_when_one_is_taken(void **state)
{
	struct rmap_head head = {0};

	(void)state;
	for (u32 i = 0; i < MANY; i++) {
		bool needs = rmap_needs_desc(&head);
		int before = caches.nr_descs;

		rmap_add(&mmu, &head, &sptes[i], &caches);
		assert_int_equal(before - caches.nr_descs, needs);
		assert_int_equal(rmap_count(&head), i + 1);
		assert_int_equal(mmu.stats.rmap_descs, descs_for(i + 1));
		for (u32 j = 0; j < MANY; j++)
			assert_int_equal(holds(&head, &sptes[j]), j <= i);
	}
	for (u32 i = 0; i < MANY; i++)
		rmap_remove(&mmu, &head, &sptes[i]);
	assert_int_equal(head.val, 0);
}

static void remove_in_order(u32 n, u32 step)
{
	struct rmap_head head = {0};
	bool in[MANY] = {0};

	for (u32 i = 0; i < n; i++) {
		rmap_add(&mmu, &head, &sptes[i], &caches);
		in[i] = true;
	}
	for (u32 i = 0, at = 0; i < n; i++) {
		at = (at + step) % n;
		while (!in[at])
			at = (at + 1) % n;
		rmap_remove(&mmu, &head, &sptes[at]);
		in[at] = false;
		assert_int_equal(rmap_count(&head), n - 1 - i);
		assert_int_equal(mmu.stats.rmap_descs, descs_for(n - 1 - i));
		for (u32 j = 0; j < n; j++)
			assert_int_equal(holds(&head, &sptes[j]), in[j]);
	}
	assert_int_equal(head.val, 0);
}

static void refill(void)
{
	assert_int_equal(mmu_caches_fill(&mmu, &caches, 0, 0, 0, 16), 0);
}

static void test_removal_from_anywhere(void **state)
{
	(void)state;
	for (u32 n = 1; n <= 3 * RMAP_DESC_ENTRIES + 1; n += 1) {
		for (u32 step = 0; step < n; step += 5) {
			refill();
			remove_in_order(n, step);
		}
	}
}

static void test_random_against_an_array(void **state)
{
	struct rmap_head head = {0};
	bool in[MANY] = {0};
	u32 n = 0;

	(void)state;
	srand(1);
	for (int op = 0; op < 4000; op++) {
		u32 i = (u32)rand() % MANY;

		refill();
		if (in[i])
			rmap_remove(&mmu, &head, &sptes[i]);
		else
			rmap_add(&mmu, &head, &sptes[i], &caches);
		n += in[i] ? -1 : 1;
		in[i] = !in[i];
		assert_int_equal(rmap_count(&head), n);
		assert_int_equal(holds(&head, &sptes[i]), in[i]);
		assert_int_equal(mmu.stats.rmap_descs, descs_for(n));
	}
	for (u32 i = 0; i < MANY; i++) {
		if (in[i])
			rmap_remove(&mmu, &head, &sptes[i]);
	}
	assert_int_equal(head.val, 0);
}

static void test_heads_of_an_unaligned_slot(void **state)
{
	struct memslot *slot;

	(void)state;
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
	slot = env_slot(&mmu, 0, 0x1ff, 0x402, 0, PG_LEVEL_2M);
	assert_non_null(slot);
	env_fail_after(2);
	assert_int_equal(rmap_alloc_all(&mmu), -ENOMEM);
	assert_int_equal(rmap_alloc_all(&mmu), 0);
	assert_ptr_equal(rmap_get(slot, (gfn_t){0x1ff}, 1), slot->rmap[0]);
	assert_ptr_equal(rmap_get(slot, (gfn_t){0x600}, 1), slot->rmap[0] + 0x401);
	assert_ptr_equal(rmap_get(slot, (gfn_t){0x1ff}, 2), slot->rmap[1]);
	assert_ptr_equal(rmap_get(slot, (gfn_t){0x200}, 2), slot->rmap[1] + 1);
	assert_ptr_equal(rmap_get(slot, (gfn_t){0x600}, 2), slot->rmap[1] + 3);
	assert_ptr_equal(rmap_get(slot, (gfn_t){0x600}, 3), slot->rmap[2]);
	mmu_caches_free(&caches);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_entry_takes_no_descriptor, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_needs_desc_says_when_one_is_taken, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_removal_from_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_random_against_an_array, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heads_of_an_unaligned_slot, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
