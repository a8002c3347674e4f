// SPDX-License-Identifier: MIT
/* lib/lock.c with real threads: exclusion, shared readers, a waiting writer's preference. */
// objects: lib/lock.o
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "lib/lock.h"

#define THREADS 3
#define ROUNDS	400

static int relaxed;

void lock_relax(void)
{
	__atomic_fetch_add(&relaxed, 1, __ATOMIC_RELAXED);
	sched_yield();
}

void assert_failed(const char *expr, const char *file, int line)
{
	mock_assert(0, expr, file, line);
	abort();
}

/* Each lock must keep these from being seen in the middle of a change. */
static struct {
	struct spinlock spin;
	struct rwlock rw;
	struct mutex mutex;
	volatile u64 a, b;
	int wrong;
} shared;

static void change(void)
{
	u64 v = shared.a;

	if (shared.b != v)
		shared.wrong++;
	shared.a = v + 1;
	if (v % 64 == 0)
		sched_yield();
	shared.b = v + 1;
}

static void *spin_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		spin_lock(&shared.spin);
		change();
		spin_unlock(&shared.spin);
		sched_yield();
	}
	return NULL;
}

static void *mutex_thread(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++) {
		mutex_lock(&shared.mutex);
		change();
		mutex_unlock(&shared.mutex);
	}
	return NULL;
}

static void *rw_thread(void *arg)
{
	for (int i = 0; i < ROUNDS; i++) {
		if ((i + (int)(intptr_t)arg) % 4 == 0) {
			rwlock_write_lock(&shared.rw);
			change();
			rwlock_write_unlock(&shared.rw);
		} else {
			rwlock_read_lock(&shared.rw);
			if (shared.a != shared.b)
				__atomic_fetch_add(&shared.wrong, 1, __ATOMIC_RELAXED);
			rwlock_read_unlock(&shared.rw);
		}
		sched_yield();
	}
	return NULL;
}

static void run_threads(void *(*fn)(void *arg), u64 changes)
{
	pthread_t threads[THREADS];

	shared.a = shared.b = 0;
	shared.wrong = 0;
	for (intptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, fn, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(shared.wrong, 0);
	assert_int_equal(shared.a, changes);
}

static void test_spin_threads(void **state)
{
	(void)state;
	run_threads(spin_thread, THREADS * ROUNDS);
	assert_false(spin_held(&shared.spin));
}

static void test_mutex_threads(void **state)
{
	(void)state;
	run_threads(mutex_thread, THREADS * ROUNDS);
	assert_false(mutex_held(&shared.mutex));
}

static void test_rw_threads(void **state)
{
	(void)state;
	run_threads(rw_thread, THREADS * ROUNDS / 4);
	assert_false(rwlock_held(&shared.rw));
}

static void test_spin_states(void **state)
{
	struct spinlock l = {0};

	(void)state;
	assert_true(spin_trylock(&l));
	assert_true(spin_held(&l));
	assert_false(spin_trylock(&l));
	assert_false(spin_contended(&l));
	l.next++; /* somebody took a ticket */
	assert_true(spin_contended(&l));
	l.next--;
	spin_unlock(&l);
	assert_false(spin_held(&l));
	expect_assert_failure(spin_unlock(&l));
}

static void test_rw_states(void **state)
{
	struct rwlock l = {0};

	(void)state;
	rwlock_read_lock(&l);
	rwlock_read_lock(&l);
	assert_true(rwlock_held(&l));
	assert_false(rwlock_held_write(&l));
	assert_false(rwlock_write_trylock(&l));
	rwlock_read_unlock(&l);
	assert_false(rwlock_write_trylock(&l));
	rwlock_read_unlock(&l);
	assert_true(rwlock_write_trylock(&l));
	assert_true(rwlock_held_write(&l));
	assert_false(rwlock_write_trylock(&l));
	rwlock_write_unlock(&l);
	assert_false(rwlock_held(&l));
	expect_assert_failure(rwlock_read_unlock(&l));
	expect_assert_failure(rwlock_write_unlock(&l));
}

static struct {
	struct rwlock lock;
	int reader_in;
} preference;

static void *late_reader(void *arg)
{
	rwlock_read_lock(&preference.lock);
	__atomic_store_n(&preference.reader_in, 1, __ATOMIC_SEQ_CST);
	rwlock_read_unlock(&preference.lock);
	return arg;
}

static void *waiting_writer(void *arg)
{
	int *reader_was_in = arg;

	rwlock_write_lock(&preference.lock);
	*reader_was_in = __atomic_load_n(&preference.reader_in, __ATOMIC_SEQ_CST);
	rwlock_write_unlock(&preference.lock);
	return NULL;
}

/* While a writer waits for the first reader, another reader must wait for the writer. */
static void test_writer_first(void **state)
{
	pthread_t writer, reader;
	int reader_was_in = -1;

	(void)state;
	rwlock_read_lock(&preference.lock);
	assert_false(rwlock_contended(&preference.lock));
	pthread_create(&writer, NULL, waiting_writer, &reader_was_in);
	while (!READ_ONCE(preference.lock.writers))
		sched_yield();
	assert_true(rwlock_contended(&preference.lock));
	pthread_create(&reader, NULL, late_reader, NULL);
	while (!READ_ONCE(preference.lock.readers))
		sched_yield();
	rwlock_read_unlock(&preference.lock);
	pthread_join(writer, NULL);
	pthread_join(reader, NULL);
	assert_int_equal(reader_was_in, 0);
	assert_int_equal(preference.reader_in, 1);
	assert_false(rwlock_contended(&preference.lock));
}

static void *mutex_waiter(void *arg)
{
	struct mutex *m = arg;

	mutex_lock(m);
	mutex_unlock(m);
	return NULL;
}

/* Who waits for a mutex lets others run instead of spinning. */
static void test_mutex_sleeps(void **state)
{
	struct mutex m = {0};
	pthread_t waiter;

	(void)state;
	assert_true(mutex_trylock(&m));
	assert_false(mutex_trylock(&m));
	assert_false(mutex_contended(&m));
	relaxed = 0;
	pthread_create(&waiter, NULL, mutex_waiter, &m);
	while (__atomic_load_n(&relaxed, __ATOMIC_RELAXED) < 3)
		sched_yield();
	assert_true(mutex_contended(&m));
	mutex_unlock(&m);
	pthread_join(waiter, NULL);
	assert_false(mutex_held(&m));
	assert_false(mutex_contended(&m));
	expect_assert_failure(mutex_unlock(&m));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spin_states),  cmocka_unit_test(test_rw_states),
		cmocka_unit_test(test_spin_threads), cmocka_unit_test(test_mutex_threads),
		cmocka_unit_test(test_rw_threads),   cmocka_unit_test(test_writer_first),
		cmocka_unit_test(test_mutex_sleeps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
