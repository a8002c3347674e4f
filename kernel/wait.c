// SPDX-License-Identifier: MIT
/* Sleeping for a time, and waiting for a condition that another task makes true. */
#include "kernel/task_internal.h"
#include "kernel/time.h"

/* Under the queue's lock. */
static void sleeper_add(struct run_queue *rq, struct task *t)
{
	struct task *other;

	list_for_each_entry(other, &rq->sleepers, link)
	{
		if (other->wake_time > t->wake_time)
			break;
	}
	list_add_tail(&t->link, &other->link);
}

void task_sleep(u64 ns)
{
	u64 until = time_ns() + ns;
	struct run_queue *rq = this_queue();

	while (time_ns() < until) {
		spin_lock(&rq->lock);
		rq->current->state = TASK_BLOCKED;
		spin_unlock(&rq->lock);
		wait_block_until(until);
	}
}

void wait_queue_init(struct wait_queue *wq)
{
	*wq = (struct wait_queue){0};
	list_init(&wq->waiters);
}

static void task_wake(struct task *t)
{
	struct run_queue *rq = &t->cpu->run_queue;

	spin_lock(&rq->lock);
	task_make_runnable(rq, t);
	spin_unlock(&rq->lock);
}

void wait_wake(struct wait_queue *wq)
{
	struct wait_entry *e;

	spin_lock(&wq->lock);
	list_for_each_entry(e, &wq->waiters, link)
	{
		task_wake(e->task);
	}
	spin_unlock(&wq->lock);
}

/* Blocked first, then look at the condition: a wake-up in between is not lost. */
void wait_begin(struct wait_queue *wq, struct wait_entry *e)
{
	struct run_queue *rq = this_queue();

	e->task = rq->current;
	assert(e->task != rq->idle);
	spin_lock(&wq->lock);
	list_add_tail(&e->link, &wq->waiters);
	spin_unlock(&wq->lock);
	spin_lock(&rq->lock);
	e->task->state = TASK_BLOCKED;
	spin_unlock(&rq->lock);
}

void wait_end(struct wait_queue *wq, struct wait_entry *e)
{
	struct run_queue *rq = this_queue();

	spin_lock(&rq->lock);
	e->task->state = TASK_RUNNABLE;
	spin_unlock(&rq->lock);
	spin_lock(&wq->lock);
	list_del(&e->link);
	spin_unlock(&wq->lock);
}

void wait_block_until(u64 time)
{
	struct run_queue *rq = this_queue();
	struct task *t = rq->current;

	spin_lock(&rq->lock);
	if (t->state == TASK_BLOCKED) {
		t->wake_time = time;
		if (time)
			sleeper_add(rq, t);
		schedule_locked(rq);
		t->wake_time = 0;
	}
	spin_unlock(&rq->lock);
}

void wait_block(void)
{
	wait_block_until(0);
}
