// SPDX-License-Identifier: MIT
/*
 * Memory pressure: a task of its own gives back what the VMs' MMUs can do without when memory for
 * page tables gets low, before anybody has to wait for it; and who finds none at all gives back
 * some at once.
 */
#include "kernel/reclaim.h"
#include "kernel/page_alloc.h"
#include "kernel/params.h"
#include "kernel/task.h"
#include "kernel/time.h"
#include "kernel/vm.h"
#include "kernel/workers.h"
#include "mmu/reclaim.h"

/* Low is one part in so many, and no more than is good for anything. */
#define LOW_PART 16
#define LOW_MOST (4ull << 20)
/* Asked of each VM in its turn, so that none pays for all. */
#define BATCH_PAGES 16
/* Between two bouts, so that what is given back is not only what is made again. */
#define REST_NS (10 * NSEC_PER_MSEC)

static struct wait_queue pressure;
static bool wanted;
/* Below the one the task begins, at the other it ends: bytes. Constant once it runs. */
static u64 low, high;

static u64 bytes_left(void)
{
	u64 left = mem_free_bytes(), used = mmu_env_bytes();

	if (!params.l0_mem)
		return left;
	return MIN(left, used < params.l0_mem ? params.l0_mem - used : 0);
}

void reclaim_look(void)
{
	if (likely(bytes_left() >= low) || __atomic_exchange_n(&wanted, true, __ATOMIC_ACQ_REL))
		return;
	wait_wake(&pressure);
}

struct request {
	u64 pages, freed;
};

static void reclaim_vm(struct vm *vm, void *arg)
{
	struct request *r = arg;

	r->freed += mmu_reclaim(&vm->mmu, r->pages);
}

u64 reclaim_now(u64 pages)
{
	struct request r = {.pages = pages};

	vm_for_each(reclaim_vm, &r);
	return r.freed;
}

static void reclaim_task(void *arg)
{
	(void)arg;
	for (;;) {
		wait_event(&pressure, READ_ONCE(wanted));
		/* Where there is nothing to give back, looking again at once would not help. */
		while (bytes_left() < high && reclaim_now(BATCH_PAGES))
			task_yield();
		__atomic_store_n(&wanted, false, __ATOMIC_RELEASE);
		task_sleep(REST_NS);
	}
}

int reclaim_start(void)
{
	struct mem_stats stats;

	mem_stats(&stats);
	low = MIN((params.l0_mem ? params.l0_mem : stats.total) / LOW_PART, LOW_MOST);
	high = 2 * low;
	wait_queue_init(&pressure);
	return task_create("reclaim", reclaim_task, NULL) ? 0 : -ENOMEM;
}
