// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o tests/host/nested_vm.o */
/* Dirty bits, while shadow pages are looked at for being recycled, and while they wait for it. */
#include "tests/host/dirty_bits_nested.h"

#define TABLES 8

static void tables(void)
{
	for (u64 i = 0; i < TABLES; i++)
		map_and_write(i * MB2, 0x10 + i);
	enable();
}

/* A page is zapped, and what was written below it is in no bitmap until that is emptied. */
static void test_zapped_but_not_empty(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	tables();
	v.mmu.shadow_step = 1;
	for (u64 i = 0; i < TABLES; i++)
		write_at(i * MB2);
	nv_lock(&v);
	shadow_page_zap(&v.mmu, nv_sp(&v, 0, 2), &b);
	nv_unlock(&v, &b);
	assert_false(list_empty(&v.mmu.shadow_zapped));
	scan();
	assert_int_equal(read_data(), TABLES);
	/* Empty at last, which tells nothing new. */
	nv_lock(&v);
	shadow_zap_wait(&v.mmu, &b);
	nv_unlock(&v, &b);
	scan();
	assert_int_equal(read_data(), 0);
	dirty_log_disable(&v.mmu, v.slot);
}

/* All pages are looked at, and are found to be used: a scan must know that. */
static void test_looked_at_by_the_limit(void **state)
{
	struct flush_batch b = FLUSH_BATCH_INIT;

	(void)state;
	tables();
	cool();
	for (u64 i = 0; i < TABLES; i++)
		write_at(i * MB2);
	nv_lock(&v);
	v.mmu.max_shadow_pages = v.mmu.stats.mmu_shadow_pages;
	assert_int_equal(shadow_make_room(&v.mmu, 1, &b), 0);
	nv_unlock(&v, &b);
	assert_int_equal(nv_level(&v, 0), 0);
	assert_int_equal(nv_level(&v, 3 * MB2), 1);
	scan();
	assert_int_equal(read_data(), TABLES);
	dirty_log_disable(&v.mmu, v.slot);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_zapped_but_not_empty),
		T(test_looked_at_by_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
