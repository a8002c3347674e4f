// SPDX-License-Identifier: MIT
// objects: devices/pit.o devices/pit_counter.o
/* The 8254 against its data sheet, through its ports, with a clock that the test turns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/pit.h"

#define NEVER (~0ull)

static struct pit pit;
static u64 t;
static int rises, rearmed;
static bool line;

static u64 now(void *ctx)
{
	(void)ctx;
	return t;
}

static void irq(void *ctx, bool high)
{
	(void)ctx;
	rises += high && !line;
	line = high;
}

static void rearm(void *ctx)
{
	(void)ctx;
	rearmed++;
}

static int setup(void **state)
{
	(void)state;
	pit = (struct pit){.now = now, .irq = irq, .rearm = rearm};
	t = 1000000;
	rises = rearmed = 0;
	line = false;
	pit_init(&pit);
	return 0;
}

/* @n ticks and half a one later. */
static void after(u64 n)
{
	t = 1000000 + (n * 2 + 1) * 1000000000ull / PIT_HZ / 2;
}

static void control(u8 val)
{
	pit_out(&pit, 3, 1, val);
}

static void load(int counter, u16 count)
{
	pit_out(&pit, (u16)counter, 1, count & 0xff);
	pit_out(&pit, (u16)counter, 1, count >> 8);
}

static u32 latched(int counter)
{
	u32 low;

	control((u8)(counter << 6));
	low = pit_in(&pit, (u16)counter, 1);
	return low | pit_in(&pit, (u16)counter, 1) << 8;
}

static u32 status(int counter)
{
	control((u8)(0xe0 | 2 << counter));
	return pit_in(&pit, (u16)counter, 1);
}

static void test_interrupt_on_terminal_count(void **state)
{
	(void)state;
	control(0x30);
	assert_int_equal(status(0), 0x70); /* OUT low, no count yet */
	assert_int_equal(pit_tick(&pit), NEVER);
	load(0, 1000);
	assert_true(rearmed);
	assert_int_equal(status(0), 0x30);
	after(400);
	assert_int_equal(latched(0), 600);
	(void)pit_tick(&pit);
	assert_int_equal(rises, 0);
	after(1000);
	(void)pit_tick(&pit);
	assert_int_equal(rises, 1);
	assert_int_equal(status(0), 0xb0);
	after(1002);
	assert_int_equal(latched(0), 0xfffe); /* it counts on */
	assert_int_equal(pit_tick(&pit), NEVER);
	assert_int_equal(rises, 1);
	control(0x30); /* OUT falls */
	assert_false(line);
}

static void test_due(void **state)
{
	u64 due;

	(void)state;
	control(0x30);
	load(0, 1000);
	due = pit_tick(&pit);
	t = due - 1;
	(void)pit_tick(&pit);
	assert_int_equal(rises, 0);
	t = due;
	(void)pit_tick(&pit);
	assert_int_equal(rises, 1);
}

static void test_rate_generator(void **state)
{
	(void)state;
	control(0x34);
	load(0, 100);
	assert_int_equal(rises, 1); /* OUT goes high with the control word */
	rises = 0;
	for (u64 i = 1; i <= 5; i++) {
		after(100 * i - 2);
		assert_int_equal(latched(0), 2);
		assert_int_equal(status(0) & 0x80, 0x80);
		after(100 * i - 1);
		(void)pit_tick(&pit);
		assert_int_equal(status(0) & 0x80, 0); /* low for one tick */
		after(100 * i);
		assert_int_equal(latched(0), 100);
		(void)pit_tick(&pit);
		assert_int_equal(rises, i);
	}
	/* Periods that were missed are one interrupt. */
	after(5000);
	assert_true(pit_tick(&pit) != NEVER);
	assert_int_equal(rises, 6);
}

static void test_square_wave(void **state)
{
	(void)state;
	control(0xb6);
	load(2, 101);
	assert_int_equal(speaker_in(&pit, 0, 1) & 0x23, 0x20); /* its gate is closed: OUT high */
	speaker_out(&pit, 0, 1, 0xf1);
	after(49);
	assert_int_equal(speaker_in(&pit, 0, 1) & 0x23, 0x21);
	after(10);
	assert_int_equal(latched(2), 80); /* by twos, from an even number */
	after(51);
	assert_int_equal(speaker_in(&pit, 0, 1) & 0x20, 0);
	after(101);
	assert_int_equal(speaker_in(&pit, 0, 1) & 0x20, 0x20);
	assert_int_equal(rises, 0);
}

static void test_gate_stops_counting(void **state)
{
	(void)state;
	control(0xb0);
	speaker_out(&pit, 0, 1, 1);
	load(2, 1000);
	after(100);
	speaker_out(&pit, 0, 1, 0);
	after(500);
	assert_int_equal(latched(2), 900);
	speaker_out(&pit, 0, 1, 1);
	after(600);
	assert_in_range(latched(2), 799, 801);
}

static void test_one_shot(void **state)
{
	(void)state;
	control(0xb2);
	load(2, 100);
	assert_int_equal(speaker_in(&pit, 0, 1) & 0x20, 0x20);
	speaker_out(&pit, 0, 1, 1); /* the trigger */
	after(50);
	assert_int_equal(speaker_in(&pit, 0, 1) & 0x20, 0);
	after(101);
	assert_int_equal(speaker_in(&pit, 0, 1) & 0x20, 0x20);
}

static void test_strobe(void **state)
{
	(void)state;
	control(0x38);
	load(0, 10);
	rises = 0;
	after(9);
	assert_int_equal(status(0) & 0x80, 0x80);
	after(10);
	assert_int_equal(status(0) & 0x80, 0);
	(void)pit_tick(&pit);
	assert_int_equal(rises, 0);
	after(11);
	(void)pit_tick(&pit);
	assert_int_equal(rises, 1);
	assert_int_equal(status(0) & 0x80, 0x80);
	after(100000);
	assert_int_equal(pit_tick(&pit), NEVER);
	assert_int_equal(rises, 1);
}

static void test_decimal(void **state)
{
	(void)state;
	control(0x35);
	load(0, 0x0100);
	after(1);
	assert_int_equal(latched(0), 0x0099);
	load(0, 0);
	t = 1000000;
	control(0x31);
	load(0, 0);
	after(1);
	assert_int_equal(latched(0), 0x9999);
}

static void test_single_bytes(void **state)
{
	(void)state;
	control(0x14); /* low byte only */
	pit_out(&pit, 0, 1, 0x80);
	after(1);
	assert_int_equal(pit_in(&pit, 0, 1), 0x7f);
	t = 1000000;
	control(0x24); /* high byte only */
	pit_out(&pit, 0, 1, 0x02);
	after(1);
	assert_int_equal(pit_in(&pit, 0, 1), 0x01);
}

/* A latched count stays until it is read, both bytes of it; a second latch changes nothing. */
static void test_latch(void **state)
{
	(void)state;
	control(0x34);
	load(0, 0x4000);
	after(0x10);
	control(0x00);
	after(0x1000);
	control(0x00);
	assert_int_equal(pit_in(&pit, 0, 1), 0xf0);
	assert_int_equal(pit_in(&pit, 0, 1), 0x3f);
	assert_int_equal(latched(0), 0x3000);
}

/* Read-back of status and count: the status is read first. */
static void test_read_back(void **state)
{
	(void)state;
	control(0x34);
	load(0, 0x4000);
	after(0);
	control(0xc2);
	assert_int_equal(pit_in(&pit, 0, 1), 0xb4);
	assert_int_equal(pit_in(&pit, 0, 1), 0x00);
	assert_int_equal(pit_in(&pit, 0, 1), 0x40);
}

static void test_a_full_count(void **state)
{
	(void)state;
	control(0x30);
	load(0, 0);
	after(65535);
	(void)pit_tick(&pit);
	assert_int_equal(rises, 0);
	after(65536);
	(void)pit_tick(&pit);
	assert_int_equal(rises, 1);
}

/* Ticks are counted as exactly after years as at the start. */
static void test_years(void **state)
{
	u64 due;

	(void)state;
	t = 100ull * 365 * 86400 * 1000000000;
	control(0x34);
	load(0, 1193);
	rises = 0;
	for (int i = 1; i < 100; i++) {
		due = pit_tick(&pit);
		assert_in_range(due - t, 1, 1000000);
		t = due;
		(void)pit_tick(&pit);
		assert_int_equal(rises, i);
	}
}

#define REFUSED(expr)                                          \
	do {                                                   \
		struct pit_state s = pit.s;                    \
		expr;                                          \
		assert_int_equal(pit_load(&pit, &s), -EINVAL); \
	} while (0)

static void test_state_moves(void **state)
{
	struct pit_state s;

	(void)state;
	control(0x34);
	load(0, 1000);
	after(400);
	s = pit.s;
	pit_init(&pit);
	assert_int_equal(pit_load(&pit, &s), 0);
	assert_int_equal(latched(0), 600);
	REFUSED(s.counter[1].count = 0);
	REFUSED(s.counter[1].count = 65537);
	REFUSED(s.counter[1].mode = 6);
	REFUSED(s.counter[1].access = 0);
	REFUSED(s.counter[1].access = 4);
	REFUSED(s.counter[1].bcd = 2);
	REFUSED(s.counter[1].running = 2);
	REFUSED(s.counter[1].latch_bytes = 3);
	REFUSED(s.counter[1].start = 1ull << 63);
	REFUSED(s.speaker = 4);
	REFUSED(s.reserved = 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_interrupt_on_terminal_count, setup),
		cmocka_unit_test_setup(test_due, setup),
		cmocka_unit_test_setup(test_rate_generator, setup),
		cmocka_unit_test_setup(test_square_wave, setup),
		cmocka_unit_test_setup(test_gate_stops_counting, setup),
		cmocka_unit_test_setup(test_one_shot, setup),
		cmocka_unit_test_setup(test_strobe, setup),
		cmocka_unit_test_setup(test_decimal, setup),
		cmocka_unit_test_setup(test_single_bytes, setup),
		cmocka_unit_test_setup(test_latch, setup),
		cmocka_unit_test_setup(test_read_back, setup),
		cmocka_unit_test_setup(test_a_full_count, setup),
		cmocka_unit_test_setup(test_years, setup),
		cmocka_unit_test_setup(test_state_moves, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
