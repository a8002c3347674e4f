// SPDX-License-Identifier: MIT
/*
 * Lets what was split because it was executed become huge again, if it is not executed any more: in
 * each period a part of it, the oldest first, as KVM does. What is executed still is split again by
 * its next fault.
 */
#include "kernel/log.h"
#include "kernel/params.h"
#include "kernel/task.h"
#include "kernel/time.h"
#include "kernel/vm.h"
#include "kernel/workers.h"
#include "mmu/nx_huge.h"

/* Without a period of its own: each page is recovered after an hour, on average. */
#define HOUR_MS (3600 * 1000ull)

static void recover(struct vm *vm, void *arg)
{
	u64 splits = __atomic_load_n(&vm->mmu.stats.nx_lpage_splits, __ATOMIC_RELAXED);

	(void)arg;
	mmu_nx_recover(&vm->mmu, DIV_ROUND_UP(splits, params.nx_huge_pages_recovery_ratio));
}

static void nx_recovery_task(void *arg)
{
	u64 ms = params.nx_huge_pages_recovery_period_ms;

	(void)arg;
	if (!ms)
		ms = MAX(HOUR_MS / params.nx_huge_pages_recovery_ratio, 1ull);
	for (;;) {
		task_sleep(ms * NSEC_PER_MSEC);
		vm_for_each(recover, NULL);
	}
}

int nx_recovery_start(void)
{
	if (!vm_nx_huge_pages() || !params.nx_huge_pages_recovery_ratio)
		return 0;
	return task_create("nx-recovery", nx_recovery_task, NULL) ? 0 : -ENOMEM;
}
