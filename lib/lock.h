/* SPDX-License-Identifier: MIT */
/*
 * Locks made of atomics alone. The spinning ones may be taken anywhere but in interrupt
 * handlers, and their holder may not sleep or yield: with one processor the next one to ask
 * would spin for ever. The mutex sleeps, so its holder may.
 */
#pragma once

#include "lib/assert.h"
#include "lib/types.h"

/* Supplied by the environment: lets another task run. The host's tests supply their own. */
void lock_relax(void);

/* FIFO: whoever asks first is served first. All zeroes is a free lock. */
struct spinlock {
	u32 next;    /* the ticket that the next one to ask gets */
	u32 serving; /* the ticket that holds the lock */
};

void spin_lock(struct spinlock *l);
bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_held(const struct spinlock *l);
/* Somebody waits: for holders that can let go in the middle of long work. */
bool spin_contended(const struct spinlock *l);

/*
 * Many readers or one writer; a waiting writer keeps new readers out. Readers may not nest,
 * as a writer that waits in between would lock them out for ever. All zeroes is free.
 */
struct rwlock {
	u32 state;   /* RWLOCK_WRITER, or the number of readers */
	u32 writers; /* waiting for the write side */
	u32 readers; /* waiting for the read side */
};

#define RWLOCK_WRITER 0x80000000u

void rwlock_read_lock(struct rwlock *l);
void rwlock_read_unlock(struct rwlock *l);
void rwlock_write_lock(struct rwlock *l);
void rwlock_write_unlock(struct rwlock *l);
bool rwlock_write_trylock(struct rwlock *l);
bool rwlock_contended(const struct rwlock *l);
/* For checks: somebody (not necessarily the caller) holds the write side, or any side. */
bool rwlock_held_write(const struct rwlock *l);
bool rwlock_held(const struct rwlock *l);

/* Sleeps by lock_relax() while somebody else holds it. Not recursive. All zeroes is free. */
struct mutex {
	u32 held;
	u32 waiters;
};

void mutex_lock(struct mutex *m);
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_held(const struct mutex *m);
bool mutex_contended(const struct mutex *m);
