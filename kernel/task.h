/* SPDX-License-Identifier: MIT */
/*
 * Tasks: threads of L0 with a guarded 16K stack each, switched cooperatively. A task stays on
 * the processor that it was created for. L0 runs with interrupts off; the timer's tick
 * is taken at marked points (resched_point, the vCPUs' run loop, idle) and asks for a switch.
 *
 * No task may yield, sleep or wait while it holds a spinlock or an rwlock.
 */
#pragma once

#include "lib/list.h"
#include "lib/lock.h"
#include "lib/types.h"

struct percpu;
struct task;

/* One per processor, inside its struct percpu. */
struct run_queue {
	struct spinlock lock;	   /* all of this, and the state of its tasks */
	struct list_head runnable; /* struct task.link, the next one first */
	struct list_head sleepers; /* struct task.link, the first to wake first */
	struct task *current;
	struct task *idle;
	bool scheduling; /* task_init_cpu has been called */
};

void run_queue_init(struct run_queue *rq);

/*
 * Makes tasks possible on this processor. What runs now becomes its idle task, and must call
 * task_idle() in the end.
 */
void task_init_cpu(void);
__noreturn void task_idle(void);

/*
 * Creates a task on this processor that runs fn(arg) when its turn comes; it ends when fn
 * returns or calls task_exit. @name is copied (15 characters are kept). NULL when memory or
 * stacks (256) are out. Somebody must task_join it.
 */
struct task *task_create(const char *name, void (*fn)(void *arg), void *arg) __must_check;

/* The same, on processor @cpu. */
struct task *task_create_on(struct percpu *cpu, const char *name, void (*fn)(void *arg),
			    void *arg) __must_check;

__noreturn void task_exit(void);

/* Waits until @t has ended and frees it. Once per task. */
void task_join(struct task *t);

/* Lets the other runnable tasks of this processor run first. */
void task_yield(void);

/* Waits at least @ns nanoseconds, to the resolution of the tick (1 ms). */
void task_sleep(u64 ns);

struct task *task_current(void);
/* The current task's name; "boot" before there are tasks. */
const char *task_name(void);
/* Each task has a number of its own, from 1; 0 before there are tasks. */
u64 task_id(void);

/* One word for the task's user, 0 at first: the vCPU of a vCPU's task, for example. */
void task_set_data(struct task *t, void *data);
void *task_data(const struct task *t);

/* The tick or a wake-up asked this processor to switch tasks. */
bool need_resched(void);

/* A marked point of long work: takes pending interrupts, and yields if it should. No locks. */
void resched_point(void);

/* Does @address lie in a guard page of the current task's stack? */
bool task_stack_guard(u64 address);

/* --- waiting --- */

struct wait_queue {
	struct spinlock lock; /* waiters */
	struct list_head waiters;
};

struct wait_entry {
	struct list_head link;
	struct task *task;
};

void wait_queue_init(struct wait_queue *wq);

/* Wakes all that wait. What they wait for must have been made true before. */
void wait_wake(struct wait_queue *wq);

/*
 * Waits until @condition is true. It is evaluated again after every wait_wake, and may not yield
 * or sleep itself.
 */
#define wait_event(wq, condition)                                                          \
	do {                                                                               \
		struct wait_entry entry_;                                                  \
                                                                                           \
		for (wait_begin((wq), &entry_); !(condition); wait_begin((wq), &entry_)) { \
			wait_block();                                                      \
			wait_end((wq), &entry_);                                           \
		}                                                                          \
		wait_end((wq), &entry_);                                                   \
	} while (0)

/* The same, at most @ns nanoseconds: the condition may be false afterwards. */
#define wait_event_timeout(wq, condition, ns)                                       \
	do {                                                                        \
		u64 until_ = time_ns() + (ns);                                      \
		struct wait_entry entry_;                                           \
                                                                                    \
		for (wait_begin((wq), &entry_); !(condition) && time_ns() < until_; \
		     wait_begin((wq), &entry_)) {                                   \
			wait_block_until(until_);                                   \
			wait_end((wq), &entry_);                                    \
		}                                                                   \
		wait_end((wq), &entry_);                                            \
	} while (0)

/* The steps of the macros above. */
void wait_begin(struct wait_queue *wq, struct wait_entry *e);
void wait_block(void);
void wait_block_until(u64 time);
void wait_end(struct wait_queue *wq, struct wait_entry *e);
