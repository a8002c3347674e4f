/* SPDX-License-Identifier: MIT */
/* Memory pressure: when page-table pages of the VMs are given back. */
#pragma once

#include "lib/types.h"

/* After each page that was taken: wakes the task that gives back, if little is left. Any task, any
 * lock but those of wait queues. */
void reclaim_look(void);
/*
 * Gives back up to @pages of each VM, the coldest first; returns how many that were. No lock held;
 * may sleep.
 */
u64 reclaim_now(u64 pages);

/* kernel/mmu_env.c: what is taken for page tables and their bookkeeping now. */
u64 mmu_env_bytes(void);
