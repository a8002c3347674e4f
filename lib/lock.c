// SPDX-License-Identifier: MIT
/* Spinlock, reader/writer lock and mutex from compiler atomics; see lib/lock.h for the rules. */
#include "lib/lock.h"

static u32 load(const u32 *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static bool cas(u32 *p, u32 old, u32 new)
{
	return __atomic_compare_exchange_n(p, &old, new, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void cpu_relax(void)
{
	__builtin_ia32_pause();
}

void spin_lock(struct spinlock *l)
{
	u32 ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (load(&l->serving) != ticket)
		cpu_relax();
}

bool spin_trylock(struct spinlock *l)
{
	u32 serving = load(&l->serving);

	return cas(&l->next, serving, serving + 1);
}

void spin_unlock(struct spinlock *l)
{
	debug_assert(spin_held(l));
	/* Only the holder writes @serving. */
	__atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

bool spin_held(const struct spinlock *l)
{
	return load(&l->next) != load(&l->serving);
}

bool spin_contended(const struct spinlock *l)
{
	return load(&l->next) - load(&l->serving) > 1;
}

static bool rwlock_read_try(struct rwlock *l)
{
	u32 state = load(&l->state);

	return state != RWLOCK_WRITER && load(&l->writers) == 0 && cas(&l->state, state, state + 1);
}

void rwlock_read_lock(struct rwlock *l)
{
	if (rwlock_read_try(l))
		return;
	__atomic_fetch_add(&l->readers, 1, __ATOMIC_RELAXED);
	while (!rwlock_read_try(l))
		cpu_relax();
	__atomic_fetch_sub(&l->readers, 1, __ATOMIC_RELAXED);
}

void rwlock_read_unlock(struct rwlock *l)
{
	debug_assert(load(&l->state) != 0 && load(&l->state) != RWLOCK_WRITER);
	__atomic_fetch_sub(&l->state, 1, __ATOMIC_RELEASE);
}

bool rwlock_write_trylock(struct rwlock *l)
{
	return cas(&l->state, 0, RWLOCK_WRITER);
}

void rwlock_write_lock(struct rwlock *l)
{
	if (rwlock_write_trylock(l))
		return;
	__atomic_fetch_add(&l->writers, 1, __ATOMIC_RELAXED);
	while (!rwlock_write_trylock(l))
		cpu_relax();
	__atomic_fetch_sub(&l->writers, 1, __ATOMIC_RELAXED);
}

void rwlock_write_unlock(struct rwlock *l)
{
	debug_assert(rwlock_held_write(l));
	__atomic_store_n(&l->state, 0, __ATOMIC_RELEASE);
}

bool rwlock_contended(const struct rwlock *l)
{
	return load(&l->writers) != 0 || load(&l->readers) != 0;
}

bool rwlock_held_write(const struct rwlock *l)
{
	return load(&l->state) == RWLOCK_WRITER;
}

bool rwlock_held(const struct rwlock *l)
{
	return load(&l->state) != 0;
}

bool mutex_trylock(struct mutex *m)
{
	return cas(&m->held, 0, 1);
}

void mutex_lock(struct mutex *m)
{
	if (mutex_trylock(m))
		return;
	__atomic_fetch_add(&m->waiters, 1, __ATOMIC_RELAXED);
	while (!mutex_trylock(m))
		lock_relax();
	__atomic_fetch_sub(&m->waiters, 1, __ATOMIC_RELAXED);
}

void mutex_unlock(struct mutex *m)
{
	debug_assert(mutex_held(m));
	__atomic_store_n(&m->held, 0, __ATOMIC_RELEASE);
}

bool mutex_held(const struct mutex *m)
{
	return load(&m->held) != 0;
}

bool mutex_contended(const struct mutex *m)
{
	return load(&m->waiters) != 0;
}
