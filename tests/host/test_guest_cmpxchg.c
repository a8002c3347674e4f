// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/*
 * L0's exchanges in guest memory beside a vCPU that changes the same word all the time: none of
 * its changes gets lost, whatever the size, as L0 would lose L1's edits of its tables.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/guest_mem.h"
#include "tests/host/env.h"

#define WANTED 300000 /* exchanges that succeed */
#define TRIES  20000000

static struct mmu mmu;
static bool stop;

struct word {
	void *p;
	int size;
	u64 added; /* by the vCPU, to the lower half */
};

static void *vcpu(void *arg)
{
	struct word *w = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (w->size == 8)
			__atomic_fetch_add((u64 *)w->p, 1, __ATOMIC_SEQ_CST);
		else
			__atomic_fetch_add((u32 *)w->p, 1, __ATOMIC_SEQ_CST);
		w->added++;
	}
	return NULL;
}

enum how { CMPXCHG, SET_AD, SET_AD_LOCKED };

static int exchange_one(const struct word *w, gpa_t gpa, enum how how, u64 old, u64 new)
{
	bool done;

	if (how == CMPXCHG)
		return guest_cmpxchg(&mmu, gpa, old, new, w->size);
	if (how == SET_AD)
		return guest_set_ad(&mmu, gpa, old, new, w->size);
	rwlock_write_lock(&mmu.lock);
	done = guest_set_ad_locked(&mmu.slots[0], gpa_to_gfn(gpa), w->p, old, new);
	rwlock_write_unlock(&mmu.lock);
	return done ? 0 : -EAGAIN;
}

/* Adds to the upper half by exchange, in @gpa's word, until it has succeeded often enough. */
static u64 exchange(const struct word *w, gpa_t gpa, enum how how)
{
	u64 done = 0, step = BIT(w->size * 4);

	for (u64 i = 0; done < WANTED && i < TRIES; i++) {
		u64 old;
		int r;

		assert_int_equal(guest_read_entry(&mmu, gpa, &old, w->size), 0);
		r = exchange_one(w, gpa, how, old, old + step);
		assert_true(r == 0 || r == -EAGAIN);
		done += r == 0;
	}
	return done;
}

static void run(int size, enum how how)
{
	struct memslot *slot;
	struct word w = {.size = size};
	u64 done, now, half = GENMASK(size * 4 - 1, 0);
	gpa_t gpa = {0x1008};
	pthread_t t;

	env_reset();
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
	slot = env_slot(&mmu, 0, 0, 512, 0, PG_LEVEL_2M);
	w.p = (char *)env_va(memslot_hpa(slot, (gfn_t){1}, NULL)) + 8;
	stop = false;
	assert_int_equal(pthread_create(&t, NULL, vcpu, &w), 0);
	done = exchange(&w, gpa, how);
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(t, NULL);
	assert_int_equal(guest_read_entry(&mmu, gpa, &now, size), 0);
	/* The lower half may have been carried over into the upper one. */
	assert_int_equal(now, (w.added + (done << (size * 4))) & (half << (size * 4) | half));
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_eight_bytes(void **state)
{
	(void)state;
	run(8, CMPXCHG);
	run(8, SET_AD);
	run(8, SET_AD_LOCKED);
}

static void test_four_bytes(void **state)
{
	(void)state;
	run(4, CMPXCHG);
	run(4, SET_AD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_eight_bytes),
		cmocka_unit_test(test_four_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
