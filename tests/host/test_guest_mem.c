// SPDX-License-Identifier: MIT
/* objects: lib/lock.o mmu/*.o tests/host/env*.o */
/* L0's access to guest memory: bounds, the dirty log, and tracked tables of L1's. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "mmu/dirty_log.h"
#include "mmu/guest_mem.h"
#include "mmu/shadow_mmu.h"
#include "tests/host/env.h"

static struct mmu mmu;
static struct memslot *low, *high;

/* Pages 2 to 9, then 10 to 12 with other memory behind them, then a hole, ROM at 14. */
static void setup(void)
{
	env_reset();
	assert_int_equal(env_mmu_make(&mmu, NULL), 0);
	low = env_slot(&mmu, 0, 2, 8, 0, 1);
	high = env_slot(&mmu, 1, 10, 3, 0, 1);
	assert_true(low && high && env_slot(&mmu, 2, 14, 1, MEMSLOT_READONLY, 1));
	assert_int_equal(mmu_enable_nested(&mmu), 0); /* who tracks has a hash */
	assert_int_equal(dirty_log_enable(&mmu, low, DIRTY_PROTECT_ALL), 0);
}

static u8 *byte(u64 gpa)
{
	struct memslot *slot = memslot_find(&mmu, (gfn_t){gpa >> 12});

	return (u8 *)env_va(memslot_hpa(slot, (gfn_t){gpa >> 12}, NULL)) + (gpa & 4095);
}

static int rd(u64 gpa, void *dst, size_t len)
{
	return guest_read(&mmu, (gpa_t){gpa}, dst, len);
}

static int wr(u64 gpa, const void *src, size_t len)
{
	return guest_write(&mmu, (gpa_t){gpa}, src, len);
}

static void test_bounds(void **state)
{
	u8 buf[3 * 4096], back[3 * 4096];

	(void)state;
	setup();
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (u8)(i * 7 + 1);
	/* Across pages and slots. */
	assert_int_equal(wr(0x8123, buf, sizeof(buf)), 0);
	for (u64 i = 0; i < sizeof(buf); i++)
		assert_int_equal(*byte(0x8123 + i), buf[i]);
	assert_int_equal(rd(0x8123, back, sizeof(back)), 0);
	assert_memory_equal(buf, back, sizeof(buf));
	assert_int_equal(low->dirty_bitmap[0], 0xc0); /* gfns 8 and 9 */
	/* The first and the last byte. */
	assert_int_equal(wr(0x2000, buf, 1), 0);
	assert_int_equal(wr(0xcfff, buf, 1), 0);
	assert_int_equal(wr(0x1fff, buf, 2), -EFAULT);
	assert_int_equal(rd(0x1fff, back, 2), -EFAULT);
	assert_int_equal(rd(0xcfff, back, 2), -EFAULT);
	/* Part of it outside: nothing is written, nothing is marked. */
	memset(byte(0xc000), 0x55, 4096);
	low->dirty_bitmap[0] = 0;
	assert_int_equal(wr(0xc800, buf, 4096), -EFAULT);
	for (u64 i = 0; i < 4096; i++)
		assert_int_equal(*byte(0xc000 + i), 0x55);
	/* ROM can be read. */
	assert_int_equal(wr(0xe000, buf, 8), -EFAULT);
	assert_int_equal(*byte(0xe000), 0);
	assert_int_equal(rd(0xe000, back, 4096), 0);
	/* Nothing at all, and around the end of the address space. */
	assert_int_equal(wr(0, buf, 0), 0);
	assert_int_equal(wr(~0ull - 3, buf, 8), -EFAULT);
	assert_int_equal(rd(~0ull - 3, back, 8), -EFAULT);
	assert_int_equal(low->dirty_bitmap[0], 0);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_entries(void **state)
{
	u64 e, v = 0x1122334455667788;

	(void)state;
	setup();
	assert_int_equal(wr(0x3008, &v, 8), 0);
	low->dirty_bitmap[0] = 0;
	assert_int_equal(guest_read_entry(&mmu, (gpa_t){0x3008}, &e, 8), 0);
	assert_int_equal(e, v);
	assert_int_equal(guest_read_entry(&mmu, (gpa_t){0x300c}, &e, 4), 0);
	assert_int_equal(e, 0x11223344);
	assert_int_equal(guest_read_entry(&mmu, (gpa_t){0x300c}, &e, 8), -EFAULT);
	assert_int_equal(guest_read_entry(&mmu, (gpa_t){0x1000}, &e, 8), -EFAULT);

	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0x3008}, v + 1, 5, 8), -EAGAIN);
	assert_int_equal(low->dirty_bitmap[0], 0);
	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0x3008}, v, 5, 8), 0);
	assert_int_equal(low->dirty_bitmap[0], 2);
	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0x300c}, 0, 9, 4), 0);
	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0x300c}, 8, 10, 4), -EAGAIN);
	assert_int_equal(guest_read_entry(&mmu, (gpa_t){0x3008}, &e, 8), 0);
	assert_int_equal(e, 9ull << 32 | 5);
	low->dirty_bitmap[0] = 0;
	assert_int_equal(guest_set_ad(&mmu, (gpa_t){0x3008}, e, e | 0x60, 8), 0);
	assert_int_equal(low->dirty_bitmap[0], 2);
	assert_int_equal(guest_set_ad(&mmu, (gpa_t){0x3008}, e, e | 0x20, 8), -EAGAIN);
	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0x300a}, 0, 1, 4), -EFAULT);
	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0xe000}, 0, 1, 4), -EFAULT);
	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0xd000}, 0, 1, 8), -EFAULT);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

/*
 * Whoever takes the dirty bit holds mmu_lock and reads the memory after it: so the write is made
 * under mmu_lock, and the bit comes last. The first store to a protected page tells.
 */
static bool trapped, locked_in_trap, marked_in_trap;

static void on_trap(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if (trapped || (u64)info->si_addr >> 12 != (u64)byte(0x3000) >> 12)
		abort();
	trapped = true;
	locked_in_trap = rwlock_held(&mmu.lock);
	marked_in_trap = low->dirty_bitmap[0] != 0;
	mprotect(byte(0x3000), PAGE_SIZE, PROT_READ | PROT_WRITE);
}

static void set_trap(void)
{
	low->dirty_bitmap[0] = 0;
	trapped = false;
	mprotect(byte(0x3000), PAGE_SIZE, PROT_READ);
}

static void check_trap(void)
{
	assert_true(trapped && locked_in_trap);
	assert_false(marked_in_trap);
	assert_int_equal(low->dirty_bitmap[0], 2);
	assert_false(rwlock_held(&mmu.lock));
}

static void test_bit_comes_last(void **state)
{
	struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO}, old;
	u64 v = 5;

	(void)state;
	setup();
	sigaction(SIGSEGV, &trap, &old);
	set_trap();
	assert_int_equal(wr(0x3008, &v, 8), 0);
	check_trap();
	set_trap();
	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0x3008}, 5, 6, 8), 0);
	check_trap();
	set_trap();
	assert_int_equal(guest_set_ad(&mmu, (gpa_t){0x3008}, 6, 0x26, 8), 0);
	check_trap();
	low->write_track[1] = 1; /* gfn 3 */
	set_trap();
	assert_int_equal(wr(0x3008, &v, 8), 0);
	check_trap();
	low->write_track[1] = 0;
	sigaction(SIGSEGV, &old, NULL);
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_tracked(void **state)
{
	u64 v = 77, e;

	(void)state;
	setup();
	low->write_track[3] = 1; /* gfn 5 */
	assert_int_equal(wr(0x4ff8, &v, 8), 0);
	assert_int_equal(mmu.stats.mmu_pte_write, 0);
	assert_int_equal(wr(0x4ffc, &v, 8), 0); /* reaches into it */
	assert_int_equal(mmu.stats.mmu_pte_write, 1);
	assert_int_equal(wr(0x6000, &v, 8), 0);
	assert_int_equal(mmu.stats.mmu_pte_write, 1);
	assert_int_equal(guest_read_entry(&mmu, (gpa_t){0x5000}, &e, 8), 0);
	assert_int_equal(guest_cmpxchg(&mmu, (gpa_t){0x5000}, e, 1, 8), 0);
	assert_int_equal(mmu.stats.mmu_pte_write, 2);
	/* A and D take nothing from what the tables grant. */
	assert_int_equal(guest_set_ad(&mmu, (gpa_t){0x5000}, 1, 0x21, 8), 0);
	assert_int_equal(mmu.stats.mmu_pte_write, 2);
	assert_int_equal(low->dirty_bitmap[0], 0x1c);
	low->write_track[3] = 0;
	assert_int_equal(env_mmu_end(&mmu), 0);
}

static void test_page_at_a_time(void **state)
{
	struct guest_page page;

	(void)state;
	setup();
	assert_int_equal(guest_page_find(&mmu, (gfn_t){1}, &page), -EFAULT);
	assert_int_equal(guest_page_find(&mmu, (gfn_t){14}, &page), -EFAULT);
	assert_int_equal(guest_page_find(&mmu, (gfn_t){4}, &page), 0);
	assert_ptr_equal(page.va, byte(0x4000));
	assert_false(rwlock_held(&mmu.lock));
	guest_page_write_begin(&mmu, &page);
	assert_true(rwlock_held(&mmu.lock) && !rwlock_held_write(&mmu.lock));
	assert_int_equal(low->dirty_bitmap[0], 0);
	guest_page_write_end(&mmu, &page);
	assert_false(rwlock_held(&mmu.lock));
	assert_int_equal(low->dirty_bitmap[0], 4);
	low->write_track[2] = 1;
	guest_page_write_begin(&mmu, &page);
	assert_true(rwlock_held_write(&mmu.lock));
	assert_int_equal(mmu.stats.mmu_pte_write, 1);
	guest_page_write_end(&mmu, &page);
	assert_false(rwlock_held(&mmu.lock));
	low->write_track[2] = 0;
	assert_ptr_equal(guest_page_read(&mmu, (gfn_t){14}), byte(0xe000));
	assert_null(guest_page_read(&mmu, (gfn_t){13}));
	assert_int_equal(env_mmu_end(&mmu), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),	       cmocka_unit_test(test_entries),
		cmocka_unit_test(test_bit_comes_last), cmocka_unit_test(test_tracked),
		cmocka_unit_test(test_page_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
