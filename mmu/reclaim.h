/* SPDX-License-Identifier: MIT */
/*
 * Giving memory back under pressure: what is kept for splitting first, as it maps nothing, then
 * shadow pages, the coldest first, as they are made again on demand. Roots in use stay.
 */
#pragma once

#include "mmu/mmu.h"

/*
 * Gives back @pages page-table pages or a few more, or fewer when there are no more to be had.
 * Returns how many. The processors' translations through them are flushed. Takes mmu_lock, and
 * slots_lock if nobody holds it: no lock held, as whoever holds slots_lock may wait for memory.
 */
u64 mmu_reclaim(struct mmu *mmu, u64 pages);
