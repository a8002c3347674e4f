/* SPDX-License-Identifier: MIT */
/* What a task is, and what the scheduler's two files need of each other. */
#pragma once

#include "kernel/percpu.h"
#include "kernel/task.h"

enum task_state {
	TASK_RUNNABLE, /* in the queue, or running */
	TASK_BLOCKED,  /* waits; it may still be running towards its switch */
	TASK_DEAD,
};

struct task {
	struct list_head link; /* in runnable or sleepers */
	enum task_state state; /* under its run queue's lock */
	u64 rsp;	       /* while it does not run */
	u64 wake_time;	       /* ns; 0: none */
	struct percpu *cpu;
	u32 stack_slot; /* STACK_SLOTS: the boot stack */
	u64 id;
	void (*fn)(void *arg);
	void *arg;
	void *data;
	struct wait_queue joiners;
	char name[16];
};

static inline struct run_queue *this_queue(void)
{
	return &this_cpu()->run_queue;
}

/* The next two: under the lock of the task's run queue. */

/* Ends what @t waits for; nothing when it does not wait. */
void task_make_runnable(struct run_queue *rq, struct task *t);

/* Switches to the next task, and returns when the caller is switched to again. */
void schedule_locked(struct run_queue *rq);
