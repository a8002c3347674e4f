// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/* Slots: their bounds, the memory behind them, how large a leaf may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "tests/host/env.h"

#define P2M LEVEL_PAGES(PG_LEVEL_2M)
#define P1G LEVEL_PAGES(PG_LEVEL_1G)

static struct mmu mmu;

static void setup(void)
{
	env_reset();
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
}

static int add(u64 base, u64 npages)
{
	struct memslot *slot;

	return memslot_add(&mmu, 0, (gfn_t){base}, npages, 0, &slot);
}

static void test_add_bounds(void **state)
{
	struct memslot *slot;

	(void)state;
	setup();
	assert_int_equal(add(0, 0), -EINVAL);
	assert_int_equal(add(BIT(36) - 1, 2), -EINVAL);
	assert_int_equal(add(BIT(36), 1), -EINVAL);
	assert_int_equal(add(~0ull, 2), -EINVAL);
	assert_int_equal(add(1, ~0ull), -EINVAL);
	assert_int_equal(memslot_add(&mmu, 3, (gfn_t){100}, 50, MEMSLOT_READONLY, &slot), 0);
	assert_int_equal(slot->id, 3);
	assert_int_equal(slot->flags, MEMSLOT_READONLY);
	assert_int_equal(add(149, 1), -EEXIST);
	assert_int_equal(add(100, 1), -EEXIST);
	assert_int_equal(add(99, 2), -EEXIST);
	assert_int_equal(add(0, 1000), -EEXIST);
	assert_int_equal(add(120, 3), -EEXIST);
	assert_int_equal(add(99, 1), 0);
	assert_int_equal(add(150, 1), 0);
	assert_int_equal(add(BIT(36) - 1, 1), 0);
	assert_int_equal(mmu.guest_pages, 53);
	assert_ptr_equal(memslot_find(&mmu, (gfn_t){100}), slot);
	assert_ptr_equal(memslot_find(&mmu, (gfn_t){149}), slot);
	assert_ptr_not_equal(memslot_find(&mmu, (gfn_t){99}), slot);
	assert_null(memslot_find(&mmu, (gfn_t){98}));
	assert_null(memslot_find(&mmu, (gfn_t){151}));
	assert_null(memslot_find(&mmu, (gfn_t){~0ull}));
	for (u64 i = 4; i < MEMSLOT_MAX; i++)
		assert_int_equal(add(1000 * i, 1), 0);
	assert_int_equal(add(100000, 1), -EEXIST);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_add_no_memory(void **state)
{
	u64 live;
	int n;

	(void)state;
	setup();
	live = env_live_allocs();
	for (n = 1;; n++) {
		env_fail_after(n);
		if (add(5, 3000) == 0)
			break;
		assert_int_equal(env_live_allocs(), live);
		assert_int_equal(mmu.nr_slots, 0);
		assert_null(memslot_find(&mmu, (gfn_t){5}));
	}
	assert_int_equal(n, 5);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

/* Against a list of which page was given what. */
static void test_pieces(void **state)
{
	const u64 base = P1G - P2M - 5, n = 2 * P1G;
	struct memslot *slot;
	u64 *want = calloc(n, sizeof(u64));

	(void)state;
	setup();
	assert_int_equal(memslot_add(&mmu, 0, (gfn_t){base}, n, 0, &slot), 0);
	/* Alignment and bounds. */
	assert_int_equal(
		memslot_set_piece(slot, (gfn_t){base - 1}, (hpa_t){SIZE_MAX & PAGE_MASK}, 1),
		-EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){base + n}, (hpa_t){PAGE_SIZE}, 1),
			 -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){base}, (hpa_t){7}, 1), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){base}, (hpa_t){0x200000}, 2), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){P1G}, (hpa_t){0x201000}, 2), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){P1G}, (hpa_t){0x200000}, 3), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){2 * P1G}, (hpa_t){BIT(30)}, 3), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){P1G}, (hpa_t){BIT(30)}, 4), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){P1G}, (hpa_t){BIT(30)}, 0), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){0}, (hpa_t){BIT(30)}, 3), -EINVAL);
	/* One of 1G, the rest 2M and 4K in scattered places. */
	assert_int_equal(memslot_set_piece(slot, (gfn_t){P1G}, (hpa_t){5 * BIT(30)}, 3), 0);
	for (u64 i = 0; i < P1G; i++)
		want[P1G - base + i] = 5 * BIT(30) + i * PAGE_SIZE;
	for (u64 gfn = base; gfn < base + n; gfn++) {
		u64 hpa = BIT(40) + ((gfn * 0x9e3779b9) & 0xffffff) * LEVEL_SIZE(2);
		bool big = gfn % P2M == 0 && gfn + P2M <= base + n && (gfn / P2M) % 3;

		if (want[gfn - base])
			continue;
		assert_int_equal(memslot_set_piece(slot, (gfn_t){gfn}, (hpa_t){hpa}, big ? 2 : 1),
				 0);
		for (u64 i = 0; i < (big ? P2M : 1); i++)
			want[gfn - base + i] = hpa + i * PAGE_SIZE;
	}
	/* Nothing twice. */
	assert_int_equal(memslot_set_piece(slot, (gfn_t){P1G}, (hpa_t){BIT(30)}, 3), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){P1G + P2M}, (hpa_t){BIT(30)}, 2), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){P1G + 9}, (hpa_t){BIT(30)}, 1), -EINVAL);
	assert_int_equal(memslot_set_piece(slot, (gfn_t){base}, (hpa_t){BIT(30)}, 1), -EINVAL);

	for (u64 gfn = base; gfn < base + n; gfn++) {
		int level;

		assert_int_equal(memslot_hpa(slot, (gfn_t){gfn}, &level).v, want[gfn - base]);
		if (gfn / P1G == 1)
			assert_int_equal(level, 3);
		else if (gfn >= P1G - P2M && gfn < base + n - 507 && (gfn / P2M) % 3)
			assert_int_equal(level, 2);
		else
			assert_int_equal(level, 1);
		if (level > 1) { /* the whole huge page is there and contiguous */
			u64 first = ALIGN_DOWN(gfn, LEVEL_PAGES(level));

			assert_int_equal(want[gfn - base] - want[first - base],
					 (gfn - first) * PAGE_SIZE);
			assert_int_equal(want[first - base] % LEVEL_SIZE(level), 0);
		}
	}
	free(want);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_index(void **state)
{
	const struct {
		u64 base, n, entries2, entries3;
	} cases[] = {
		{0, 1, 1, 1},	    {0, P2M, 1, 1},	{0, P2M + 1, 2, 1},
		{P2M - 1, 2, 2, 1}, {P1G - 1, 2, 2, 2}, {P1G - 1, P1G + 2, 514, 3},
		{P1G, P1G, 512, 1},
	};

	(void)state;
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		struct memslot slot = {.base = {cases[c].base}, .npages = cases[c].n};

		assert_int_equal(memslot_entries(&slot, 1), cases[c].n);
		assert_int_equal(memslot_entries(&slot, 2), cases[c].entries2);
		assert_int_equal(memslot_entries(&slot, 3), cases[c].entries3);
		for (int level = 1; level <= 3; level++) {
			u64 size = LEVEL_PAGES(level), last = 0;

			/* A new index exactly where a new aligned page begins. */
			for (u64 g = cases[c].base; g < cases[c].base + cases[c].n; g++) {
				last += g != cases[c].base && g % size == 0;
				assert_int_equal(memslot_index(&slot, (gfn_t){g}, level), last);
			}
		}
	}
}

static void test_max_level(void **state)
{
	const u64 base = P1G - P2M - 5, n = 2 * P1G + P2M;
	struct memslot *slot;

	(void)state;
	setup();
	slot = env_slot(&mmu, 0, base, n, 0, 3);
	assert_non_null(slot);
	for (u64 gfn = base; gfn < base + n; gfn += gfn % 3 + 1) {
		int want = 1;

		for (int level = 2; level <= 3; level++) {
			u64 first = ALIGN_DOWN(gfn, LEVEL_PAGES(level));

			if (first >= base && first + LEVEL_PAGES(level) <= base + n)
				want = level;
		}
		assert_int_equal(memslot_max_level(&mmu, slot, (gfn_t){gfn}), want);
	}
	/* What is tracked forbids it at both levels, for its own huge pages only. */
	slot->disallow_lpage[0][memslot_index(slot, (gfn_t){P1G + P2M}, 2)]++;
	slot->disallow_lpage[1][memslot_index(slot, (gfn_t){P1G + P2M}, 3)]++;
	assert_int_equal(memslot_max_level(&mmu, slot, (gfn_t){P1G + P2M + 1}), 1);
	assert_int_equal(memslot_max_level(&mmu, slot, (gfn_t){P1G}), 2);
	slot->disallow_lpage[0][memslot_index(slot, (gfn_t){P1G + P2M}, 2)]--;
	assert_int_equal(memslot_max_level(&mmu, slot, (gfn_t){P1G + P2M + 1}), 2);
	slot->disallow_lpage[1][memslot_index(slot, (gfn_t){P1G + P2M}, 3)]--;
	mmu.cfg.max_leaf_level = 2;
	assert_int_equal(memslot_max_level(&mmu, slot, (gfn_t){P1G}), 2);
	mmu.cfg.max_leaf_level = 3;
	assert_int_equal(dirty_log_enable(&mmu, slot, DIRTY_INITIALLY_SET), 0);
	assert_int_equal(memslot_max_level(&mmu, slot, (gfn_t){P1G}), 1);
	dirty_log_disable(&mmu, slot);
	assert_int_equal(memslot_max_level(&mmu, slot, (gfn_t){P1G}), 3);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_tracked_inside(void **state)
{
	struct memslot *slot;

	(void)state;
	setup();
	slot = env_slot(&mmu, 0, 10, 3 * P2M, 0, 1);
	slot->write_track[2 * P2M - 10] = 1; /* gfn 2 * P2M */
	assert_true(memslot_tracked_inside(slot, (gfn_t){2 * P2M + 5}, 2));
	assert_false(memslot_tracked_inside(slot, (gfn_t){2 * P2M + 5}, 1));
	assert_true(memslot_tracked_inside(slot, (gfn_t){2 * P2M}, 1));
	assert_false(memslot_tracked_inside(slot, (gfn_t){2 * P2M - 1}, 2));
	assert_true(memslot_tracked_inside(slot, (gfn_t){12}, 3));
	assert_false(memslot_tracked_inside(slot, (gfn_t){3 * P2M + 2}, 2)); /* over the end */
	slot->write_track[2 * P2M - 10] = 0;
	assert_int_equal(env_mmu_end(&mmu), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_bounds), cmocka_unit_test(test_add_no_memory),
		cmocka_unit_test(test_pieces),	   cmocka_unit_test(test_index),
		cmocka_unit_test(test_max_level),  cmocka_unit_test(test_tracked_inside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
