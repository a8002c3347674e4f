/* SPDX-License-Identifier: MIT */
/* What the tests of dirty bits in the TDP tree share: a VM that tracks by them, and its guest. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/guest_mem.h"
#include "mmu/pt_walk.h"
#include "tests/host/tdp_vm.h"

static const struct mmu_config dbit = {
	.fmt = &pt_formats[PT_FMT_LONG4],
	.maxphyaddr = 48,
	.max_leaf_level = PG_LEVEL_1G,
	.eager_page_split = true,
	.dirty = DIRTY_DBIT,
};
static struct memslot *slot;
static u64 out[PAGES_1G / 64];

static inline void setup(u64 base, u64 npages, int level)
{
	slot = vm(&dbit, base, npages, level);
}

static inline void enable(enum dirty_log_mode mode)
{
	assert_int_equal(dirty_log_enable(&mmu, slot, mode), 0);
}

static inline void check(void)
{
	assert_int_equal(mmu_audit(&mmu, &audit), 0);
	assert_int_equal(tlb_stale(&mmu), 0);
	assert_int_equal(env_violations(), 0);
}

static inline void write_page(u64 page, u64 value)
{
	u64 gpa = (slot->base.v + page) << PAGE_SHIFT;

	assert_int_equal(env_vcpu_write(&mmu, gpa, &value, sizeof(value)), FAULT_FIXED);
}

static inline void read_page(u64 page)
{
	u64 v, gpa = (slot->base.v + page) << PAGE_SHIFT;

	assert_int_equal(env_vcpu_read(&mmu, gpa, &v, sizeof(v)), FAULT_FIXED);
}

static inline u64 faults(void)
{
	return mmu.stats.pf_fixed + mmu.stats.pf_spurious;
}

/* All of the log, into out. */
static inline u64 read_all(void)
{
	return dirty_log_read_clear(&mmu, slot, 0, slot->npages, out);
}

static inline u64 sync_and_read(void)
{
	dirty_log_sync(&mmu);
	return read_all();
}

static inline bool leaf_dirty(u64 page)
{
	int level;
	u64 *leaf = leaf_of(slot->base.v + page, &level);

	assert_non_null(leaf);
	return *leaf & dbit.fmt->dirty;
}
