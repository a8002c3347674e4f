// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/tdp_vm.o */
/*
 * Which slot and which bit a leaf's D belongs to, however slots and tables lie to each other; and
 * what happens to D when the leaf goes.
 */
#include "tests/host/dirty_bits.h"

/* Words of the log and of the tables need not lie alike, and a slot may end anywhere. */
static void test_slots_of_any_alignment(void **state)
{
	static const u64 bases[] = {0, 1, 37, 64, 511, 512 + 63}, sizes[] = {1, 63, 64, 65, 700};

	(void)state;
	for (u64 b = 0; b < ARRAY_SIZE(bases); b++) {
		for (u64 s = 0; s < ARRAY_SIZE(sizes); s++) {
			setup(bases[b], sizes[s], 1);
			for (u64 i = 0; i < sizes[s]; i++)
				read_page(i);
			enable(DIRTY_PROTECT_ALL);
			for (u64 step = 1; step < 5; step++) {
				for (u64 i = 0; i < sizes[s]; i += step)
					write_page(i, step);
				assert_int_equal(sync_and_read(), (sizes[s] + step - 1) / step);
				for (u64 i = 0; i < sizes[s]; i++)
					assert_int_equal(bitmap_test(out, i), i % step == 0);
			}
			vm_end();
		}
	}
}

/* Side by side in one table; each has its own log, or none. */
static void test_slots_side_by_side(void **state)
{
	struct memslot *s[3];

	(void)state;
	s[0] = vm(&dbit, 0, 100, 1);
	s[1] = env_slot(&mmu, 1, 100, 50, 0, 1);
	s[2] = env_slot(&mmu, 2, 160, 700, 0, 1);
	for (int i = 0; i < 3; i++) {
		slot = s[i];
		for (u64 page = 0; page < 50; page++)
			read_page(page);
	}
	for (u32 logged = 0; logged < 8; logged++) {
		for (u32 i = 0; i < 3; i++) {
			slot = s[i];
			if (logged & BIT(i))
				enable(DIRTY_PROTECT_ALL);
			for (u64 page = i; page < 50; page += 10 + i)
				write_page(page, 1);
		}
		dirty_log_sync(&mmu);
		for (u32 i = 0; i < 3; i++) {
			slot = s[i];
			assert_int_equal(read_all(),
					 logged & BIT(i) ? (50 - i + 9 + i) / (10 + i) : 0);
			for (u64 page = 0; page < 50; page++)
				assert_int_equal(bitmap_test(out, page),
						 (logged & BIT(i)) && page % (10 + i) == i);
			if (logged & BIT(i))
				dirty_log_disable(&mmu, slot);
		}
		check();
	}
	vm_end();
}

/* Far from each other, in either order. */
static void test_slots_far_apart(void **state)
{
	(void)state;
	for (u64 first = 0; first < 2; first++) {
		struct memslot *s[2];

		s[0] = vm(&dbit, first * 3 * PAGES_1G, 100, 1);
		s[1] = env_slot(&mmu, 1, (1 - first) * 3 * PAGES_1G, 100, 0, 1);
		for (int i = 0; i < 2; i++) {
			slot = s[i];
			read_page(7);
			enable(DIRTY_PROTECT_ALL);
			write_page(7, 1);
		}
		dirty_log_sync(&mmu);
		for (int i = 0; i < 2; i++) {
			slot = s[i];
			assert_int_equal(read_all(), 1);
			assert_int_equal(out[0], BIT(7));
		}
		vm_end();
	}
}

/* Every mask of a few bits, against the same done one by one. */
static void test_mark_masked(void **state)
{
	struct memslot *s[2];
	u64 model[2][3];

	(void)state;
	s[0] = vm(&dbit, 70, 100, 1);
	s[1] = env_slot(&mmu, 1, 170, 90, 0, 1);
	for (int logged = 0; logged < 4; logged++) {
		for (u64 gfn = 0; gfn < 300; gfn++) {
			u64 mask = 0;

			memset(model, 0, sizeof(model));
			for (u64 n = 0; n < 64; n++) {
				u64 g = gfn + n;

				if ((gfn * 7 + n * n) % 3)
					continue;
				mask |= BIT(n);
				for (int i = 0; i < 2; i++)
					if ((logged & (1 << i)) && g - s[i]->base.v < s[i]->npages)
						bitmap_set(model[i], g - s[i]->base.v);
			}
			for (int i = 0; i < 2; i++)
				if (logged & (1 << i))
					assert_int_equal(
						dirty_log_enable(&mmu, s[i], DIRTY_PROTECT_ALL), 0);
			dirty_log_mark_masked(&mmu, (gfn_t){gfn}, mask);
			for (int i = 0; i < 2; i++) {
				if (!(logged & (1 << i)))
					continue;
				assert_memory_equal(s[i]->dirty_bitmap, model[i],
						    BITMAP_WORDS(s[i]->npages) * 8);
				dirty_log_disable(&mmu, s[i]);
			}
		}
	}
	vm_end();
}

/* A D that goes with its leaf is in the log; one that stays is found by the next scan. */
static void test_leaf_goes(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	setup(0, PAGES_2M, 1);
	for (u64 i = 0; i < 20; i++)
		read_page(i);
	enable(DIRTY_PROTECT_ALL);
	for (u64 i = 0; i < 20; i += 2)
		write_page(i, 1);
	lock_all();
	tdp_zap_range(&mmu, 3, 7, &b);
	tdp_write_protect_gfn(&mmu, (gfn_t){10}, &b);
	tdp_write_protect_gfn(&mmu, (gfn_t){11}, &b);
	unlock_all(&b);
	assert_int_equal(dirty_log_count(&mmu, slot), 2);
	check();
	assert_int_equal(sync_and_read(), 10);
	assert_int_equal(out[0], 0x55555);
	vm_end();
}

/* The last look at the entry, then the processor sets D, then it goes: D is noticed. */
static void set_dirty(u64 *p, u64 old, u64 new)
{
	(void)old;
	(void)new;
	env_before_cmpxchg = NULL;
	env_hw_set(p, dbit.fmt->dirty);
}

static void test_written_as_it_goes(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	setup(0, PAGES_2M, 1);
	enable(DIRTY_PROTECT_ALL);
	read_page(3);
	lock_all();
	env_before_cmpxchg = set_dirty;
	tdp_zap_range(&mmu, 3, 4, &b);
	unlock_all(&b);
	assert_null(env_before_cmpxchg);
	assert_int_equal(read_all(), 1);
	assert_int_equal(out[0], BIT(3));
	vm_end();
}

/* L0 writes by itself: it marks, and sets no D. */
static void test_written_by_l0(void **state)
{
	u64 one = 1;

	(void)state;
	setup(0, PAGES_2M, 1);
	enable(DIRTY_PROTECT_ALL);
	read_page(3);
	assert_int_equal(guest_write(&mmu, (gpa_t){3 << PAGE_SHIFT}, &one, 8), 0);
	assert_false(leaf_dirty(3));
	assert_int_equal(read_all(), 1);
	assert_int_equal(sync_and_read(), 0);
	vm_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slots_of_any_alignment),
		cmocka_unit_test(test_slots_side_by_side),
		cmocka_unit_test(test_slots_far_apart),
		cmocka_unit_test(test_mark_masked),
		cmocka_unit_test(test_leaf_goes),
		cmocka_unit_test(test_written_as_it_goes),
		cmocka_unit_test(test_written_by_l0),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
