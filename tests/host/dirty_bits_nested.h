/* SPDX-License-Identifier: MIT */
/* What the tests of dirty bits in the nested tree share: a VM that tracks by them, and its L2. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/bitmap.h"
#include "mmu/audit.h"
#include "mmu/dirty_log.h"
#include "mmu/shadow_internal.h"
#include "tests/host/nested_vm.h"

#define MB2   LEVEL_SIZE(PG_LEVEL_2M)
#define GB1   LEVEL_SIZE(PG_LEVEL_1G)
#define GB512 (512 * GB1)
#define DATA  (4 * 512ull) /* gfns below this are L2's; L1's tables are above */
#define PAGES (8 * 512ull)

static const struct mmu_config dbit = {
	.fmt = &pt_formats[PT_FMT_LONG4],
	.maxphyaddr = 48,
	.max_leaf_level = PG_LEVEL_1G,
	.eager_page_split = true,
	.dirty = DIRTY_DBIT,
};
static struct nested_vm v;
static u64 out[DATA / 64];
static u64 scanned, skipped;

static inline int setup(void **state)
{
	(void)state;
	nv_make(&v, PAGES, PG_LEVEL_2M, &dbit);
	return 0;
}

static inline int teardown(void **state)
{
	(void)state;
	return nv_end(&v);
}

static inline void map_and_write(u64 addr, u64 gfn)
{
	nv_map(&v, addr, gfn, 1, L1_RWX);
	assert_int_equal(nv_write(&v, addr, 1), FAULT_FIXED);
}

static inline void enable(void)
{
	assert_int_equal(dirty_log_enable(&v.mmu, v.slot, DIRTY_PROTECT_ALL), 0);
	nv_check(&v);
}

/* A write that takes no fault. */
static inline void write_at(u64 addr)
{
	u64 before = v.mmu.stats.nested_pf_fixed;

	assert_int_equal(nv_write(&v, addr, before), FAULT_FIXED);
	assert_int_equal(v.mmu.stats.nested_pf_fixed, before);
}

static inline void scan(void)
{
	u64 s = v.mmu.stats.dirty_tables_scanned, k = v.mmu.stats.dirty_tables_skipped;

	dirty_log_sync(&v.mmu);
	nv_check(&v);
	scanned = v.mmu.stats.dirty_tables_scanned - s;
	skipped = v.mmu.stats.dirty_tables_skipped - k;
}

/* What is dirty of L2's memory: pages, into out. */
static inline u64 read_data(void)
{
	u64 n = dirty_log_read_clear(&v.mmu, v.slot, 0, DATA, out);

	nv_check(&v);
	return n;
}

static inline void expect(u64 gfn)
{
	assert_int_equal(read_data(), 1);
	assert_true(bitmap_test(out, gfn));
}

static inline void sync_and_expect(u64 gfn)
{
	scan();
	expect(gfn);
}

/* Nothing is used any more, and that is known. */
static inline void cool(void)
{
	for (int i = 0; i < 3; i++)
		scan();
	assert_int_equal(scanned, 0);
	assert_true(skipped > 0);
}

static inline bool leaf_dirty(u64 addr)
{
	u64 *sptep = nv_sptep(&v, addr, 1);

	assert_non_null(sptep);
	return *sptep & dbit.fmt->dirty;
}
