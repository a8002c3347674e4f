// SPDX-License-Identifier: MIT
/* The scheduler: a run queue per processor, switching in turn, sleepers woken by the clock. */
#include "kernel/task.h"
#include "kernel/cpu.h"
#include "kernel/kmem.h"
#include "kernel/paging.h"
#include "kernel/panic.h"
#include "kernel/percpu.h"
#include "kernel/task_internal.h"
#include "kernel/time.h"
#include "lib/bitmap.h"
#include "lib/printf.h"

void task_switch(u64 *save_rsp, u64 load_rsp);
void task_start(void);
void task_main(void);

static struct {
	struct spinlock lock; /* slots */
	u64 slots[BITMAP_WORDS(STACK_SLOTS)];
	u64 last_id; /* atomic */
} tasks;

void run_queue_init(struct run_queue *rq)
{
	*rq = (struct run_queue){0};
	list_init(&rq->runnable);
	list_init(&rq->sleepers);
}

/* --- choosing, under the queue's lock --- */

void task_make_runnable(struct run_queue *rq, struct task *t)
{
	if (t->state != TASK_BLOCKED)
		return;
	t->state = TASK_RUNNABLE;
	list_del(&t->link);
	if (t != rq->current)
		list_add_tail(&t->link, &rq->runnable);
	t->cpu->need_resched = true;
}

static void wake_sleepers(struct run_queue *rq)
{
	struct task *t;

	while ((t = list_first_entry_or_null(&rq->sleepers, struct task, link))) {
		if (t->wake_time > time_ns())
			return;
		task_make_runnable(rq, t);
	}
}

static struct task *pick_next(struct run_queue *rq)
{
	struct task *t = list_first_entry_or_null(&rq->runnable, struct task, link);

	if (!t)
		return rq->idle;
	list_del(&t->link);
	return t;
}

/* The lock is held across the switch: each task releases what the one before it took. */
void schedule_locked(struct run_queue *rq)
{
	struct task *prev = rq->current, *next;

	wake_sleepers(rq);
	this_cpu()->need_resched = false;
	if (prev->state == TASK_RUNNABLE && prev != rq->idle)
		list_add_tail(&prev->link, &rq->runnable);
	next = pick_next(rq);
	if (next == prev)
		return;
	rq->current = next;
	trace(task_switch, prev->id, next->id, 0, 0);
	task_switch(&prev->rsp, next->rsp);
}

/* --- the tasks' own calls --- */

void task_yield(void)
{
	struct run_queue *rq = this_queue();

	if (!rq->scheduling)
		return;
	spin_lock(&rq->lock);
	schedule_locked(rq);
	spin_unlock(&rq->lock);
}

void lock_relax(void)
{
	task_yield();
}

bool need_resched(void)
{
	return READ_ONCE(this_cpu()->need_resched);
}

void resched_point(void)
{
	interrupts_poll();
	if (need_resched())
		task_yield();
}

struct task *task_current(void)
{
	return this_queue()->current;
}

const char *task_name(void)
{
	struct task *t = task_current();

	return t ? t->name : "boot";
}

u64 task_id(void)
{
	struct task *t = task_current();

	return t ? t->id : 0;
}

void task_set_data(struct task *t, void *data)
{
	t->data = data;
}

void *task_data(const struct task *t)
{
	return t->data;
}

bool task_stack_guard(u64 address)
{
	struct task *t = task_current();
	u64 slot, offset;

	if (!t || t->stack_slot == STACK_SLOTS) {
		extern u8 boot_stack_guard[];

		return address - (u64)boot_stack_guard < PAGE_SIZE;
	}
	slot = STACK_AREA + t->stack_slot * STACK_SLOT_SIZE;
	offset = address - slot;
	return offset < STACK_SLOT_SIZE &&
	       (offset < STACK_OFFSET || offset >= STACK_OFFSET + STACK_SIZE);
}

/* --- birth and death --- */

static void slot_free(u32 slot)
{
	spin_lock(&tasks.lock);
	bitmap_clear(tasks.slots, slot);
	spin_unlock(&tasks.lock);
}

/* The top of a mapped stack, or 0. */
static u64 slot_alloc(u32 *slot)
{
	u64 top;

	spin_lock(&tasks.lock);
	*slot = (u32)bitmap_find_next_clear(tasks.slots, STACK_SLOTS, 0);
	if (*slot < STACK_SLOTS)
		bitmap_set(tasks.slots, *slot);
	spin_unlock(&tasks.lock);
	if (*slot == STACK_SLOTS)
		return 0;
	top = stack_map(*slot);
	if (!top)
		slot_free(*slot);
	return top;
}

static void task_fill(struct task *t, struct percpu *cpu, const char *name, u32 slot)
{
	*t = (struct task){.cpu = cpu, .stack_slot = slot};
	t->id = __atomic_add_fetch(&tasks.last_id, 1, __ATOMIC_RELAXED);
	list_init(&t->link);
	wait_queue_init(&t->joiners);
	snprintf(t->name, sizeof(t->name), "%s", name);
}

/* What task_switch pops: six registers, then task_start's address. */
static u64 stack_prepare(u64 top)
{
	u64 *sp = (u64 *)top;

	*--sp = 0; /* task_start is entered as if called: rsp = 16n + 8 */
	*--sp = (u64)task_start;
	for (int i = 0; i < 6; i++)
		*--sp = 0;
	return (u64)sp;
}

struct task *task_create_on(struct percpu *cpu, const char *name, void (*fn)(void *arg), void *arg)
{
	struct task *t = kzalloc(sizeof(*t));
	u32 slot;
	u64 top = t ? slot_alloc(&slot) : 0;

	if (!top) {
		kfree(t);
		return NULL;
	}
	task_fill(t, cpu, name, slot);
	t->fn = fn;
	t->arg = arg;
	t->rsp = stack_prepare(top);
	t->state = TASK_BLOCKED;
	spin_lock(&cpu->run_queue.lock);
	task_make_runnable(&cpu->run_queue, t);
	spin_unlock(&cpu->run_queue.lock);
	return t;
}

struct task *task_create(const char *name, void (*fn)(void *arg), void *arg)
{
	return task_create_on(this_cpu(), name, fn, arg);
}

/* The new task's first C function: it holds the queue's lock from the switch. */
void task_main(void)
{
	struct task *t = task_current();

	spin_unlock(&this_queue()->lock);
	t->fn(t->arg);
	task_exit();
}

static bool task_ended(struct task *t)
{
	struct run_queue *rq = &t->cpu->run_queue;
	bool dead;

	/* Under the lock: a dead task has left its stack for good. */
	spin_lock(&rq->lock);
	dead = t->state == TASK_DEAD && rq->current != t;
	spin_unlock(&rq->lock);
	return dead;
}

void task_exit(void)
{
	struct run_queue *rq = this_queue();
	struct task *t = rq->current;

	assert(t != rq->idle);
	spin_lock(&rq->lock);
	t->state = TASK_DEAD;
	spin_unlock(&rq->lock);
	wait_wake(&t->joiners);
	spin_lock(&rq->lock);
	schedule_locked(rq);
	panic("a task ran after its end");
}

void task_join(struct task *t)
{
	/* On another processor the task may still be on its way out after it woke us. */
	wait_event(&t->joiners, t->state == TASK_DEAD);
	while (!task_ended(t))
		task_yield();
	slot_free(t->stack_slot);
	kfree(t);
}

/* --- the idle task --- */

void task_init_cpu(void)
{
	static struct task idle_of_boot_cpu;
	struct percpu *cpu = this_cpu();
	struct task *t = cpu->id == 0 ? &idle_of_boot_cpu : kzalloc(sizeof(*t));

	if (!t)
		panic("out of memory for processor %u", cpu->id);
	task_fill(t, cpu, "idle", STACK_SLOTS);
	cpu->run_queue.idle = t;
	cpu->run_queue.current = t;
	cpu->run_queue.scheduling = true;
}

void task_idle(void)
{
	struct run_queue *rq = this_queue();

	for (;;) {
		task_yield();
		/* Interrupts are off: nothing can become runnable between this look and HLT. */
		if (list_empty(&rq->runnable))
			interrupts_wait();
	}
}
