// SPDX-License-Identifier: MIT
// objects: devices/rtc.o lib/calendar.o
/* The clock with battery against the MC146818's data sheet, and the calendar against known dates.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "devices/rtc.h"
#include "lib/calendar.h"

#define NSEC  1000000000ull
#define NEVER (~0ull)
#define EPOCH 1709210096ull /* 2024-02-29 12:34:56, a Thursday */

static struct rtc rtc;
static u64 t;
static bool line;
static int rises;

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
}

static int setup(void **state)
{
	(void)state;
	rtc = (struct rtc){.now = now, .irq = irq, .rearm = rearm};
	t = rises = 0;
	line = false;
	rtc_init(&rtc, EPOCH, 64 << 10);
	return 0;
}

static u8 get(u8 reg)
{
	rtc_out(&rtc, 0, 1, reg);
	return (u8)rtc_in(&rtc, 1, 1);
}

static void set(u8 reg, u8 val)
{
	rtc_out(&rtc, 0, 1, reg);
	rtc_out(&rtc, 1, 1, val);
}

static void test_calendar(void **state)
{
	(void)state;
	for (u64 s = 0; s < 5000000000ull; s += 7654321) {
		time_t at = (time_t)s;
		struct tm *tm = gmtime(&at);
		struct calendar c = calendar_of(s);

		assert_int_equal(c.year, tm->tm_year + 1900);
		assert_int_equal(c.month, tm->tm_mon + 1);
		assert_int_equal(c.day, tm->tm_mday);
		assert_int_equal(c.hour, tm->tm_hour);
		assert_int_equal(c.minute, tm->tm_min);
		assert_int_equal(c.second, tm->tm_sec);
		assert_int_equal(c.weekday, tm->tm_wday + 1);
		assert_int_equal(calendar_seconds(&c), s);
	}
}

static void check_time(u8 hour, u8 minute, u8 second)
{
	assert_int_equal(get(4), hour);
	assert_int_equal(get(2), minute);
	assert_int_equal(get(0), second);
}

static void test_reads_the_time(void **state)
{
	(void)state;
	check_time(0x12, 0x34, 0x56);
	assert_int_equal(get(6), 5);
	assert_int_equal(get(7), 0x29);
	assert_int_equal(get(8), 0x02);
	assert_int_equal(get(9), 0x24);
	assert_int_equal(get(0x32), 0x20);
	t += 12 * 3600 * NSEC;
	check_time(0x00, 0x34, 0x56);
	assert_int_equal(get(8), 0x03);
	assert_int_equal(get(7), 0x01);
}

static void test_formats(void **state)
{
	(void)state;
	set(11, 0x06); /* binary, 24 hours */
	check_time(12, 34, 56);
	set(11, 0x00); /* decimal, 12 hours */
	check_time(0x92, 0x34, 0x56);
	t += 12 * 3600 * NSEC;
	check_time(0x12, 0x34, 0x56); /* midnight is twelve */
	t += 3600 * NSEC;
	check_time(0x01, 0x34, 0x56);
}

static void test_set(void **state)
{
	(void)state;
	set(11, 0x82);
	set(4, 0x23);
	set(2, 0x59);
	set(0, 0x58);
	set(7, 0x31);
	set(8, 0x12);
	set(9, 0x99);
	set(0x32, 0x19);
	t += 10 * NSEC; /* it stands still meanwhile */
	check_time(0x23, 0x59, 0x58);
	set(11, 0x02);
	t += 2 * NSEC;
	check_time(0x00, 0x00, 0x00);
	assert_int_equal(get(0x32), 0x20);
	assert_int_equal(get(9), 0x00);
	assert_int_equal(get(8), 0x01);
	assert_int_equal(get(7), 0x01);
}

/* Whatever is written as a date, the clock goes on. */
static void test_nonsense(void **state)
{
	static const u8 regs[] = {0, 2, 4, 6, 7, 8, 9, 0x32};

	(void)state;
	for (int b = 0; b < 8; b += 2) {
		for (int v = 0; v < 256; v++) {
			set(11, (u8)b);
			for (size_t i = 0; i < sizeof(regs); i++)
				set(regs[i], (u8)v);
			(void)rtc_tick(&rtc);
			(void)get(0);
		}
	}
}

static void test_update_in_progress(void **state)
{
	(void)state;
	assert_int_equal(get(10), 0x26);
	t += NSEC - 100000;
	assert_int_equal(get(10), 0xa6);
	t += 200000;
	assert_int_equal(get(10), 0x26);
}

static void test_periodic(void **state)
{
	u64 due;

	(void)state;
	set(11, 0x42);
	due = rtc_tick(&rtc);
	assert_in_range(due, 976562, 976563); /* 1024 Hz */
	t = due;
	(void)rtc_tick(&rtc);
	assert_int_equal(rises, 1);
	/* No more before C was read, which says why. */
	t += 10 * 976562;
	(void)rtc_tick(&rtc);
	assert_int_equal(rises, 1);
	assert_int_equal(get(12) & 0xc0, 0xc0);
	assert_int_equal(get(12), 0);
	assert_false(line);
	t = rtc_tick(&rtc);
	(void)rtc_tick(&rtc);
	assert_int_equal(rises, 2);
	set(10, 0x20); /* no rate */
	assert_int_equal(rtc_tick(&rtc), NEVER);
}

static void test_update_ended(void **state)
{
	(void)state;
	set(11, 0x12);
	t = NSEC - 1;
	assert_int_equal(rtc_tick(&rtc), NSEC);
	assert_int_equal(rises, 0);
	t = NSEC;
	(void)rtc_tick(&rtc);
	assert_int_equal(rises, 1);
	assert_int_equal(get(12), 0xd0);
}

static void test_alarm(void **state)
{
	(void)state;
	set(1, 0x00);
	set(3, 0x35);
	set(5, 0xff); /* any hour */
	set(11, 0x22);
	for (int i = 1; i <= 3; i++) {
		t = (u64)i * NSEC;
		(void)rtc_tick(&rtc);
		assert_int_equal(rises, 0);
	}
	t = 4 * NSEC;
	(void)rtc_tick(&rtc);
	assert_int_equal(rises, 1);
	assert_int_equal(get(12) & 0xa0, 0xa0);
}

/* Flags come up without their interrupts, too: who enables one later finds it. */
static void test_flags_without_interrupts(void **state)
{
	(void)state;
	t = NSEC;
	assert_int_equal(get(12), 0x50);
	assert_int_equal(rises, 0);
	t = 2 * NSEC;
	(void)rtc_tick(&rtc);
	set(11, 0x12);
	assert_int_equal(rises, 1);
}

static void test_memory(void **state)
{
	(void)state;
	assert_int_equal(get(0x17) | get(0x18) << 8, 0xffff);
	assert_int_equal(get(0x34) | get(0x35) << 8, (64 - 15) * 16);
	set(0x50, 0x5a);
	set(0x7f, 0xa5);
	assert_int_equal(get(0x50), 0x5a);
	assert_int_equal(get(0x7f), 0xa5);
	assert_int_equal(get(0xff), 0xa5); /* bit 7 masks NMIs */
	set(13, 0);
	assert_int_equal(get(13), 0x80);
	assert_int_equal(rtc_in(&rtc, 0, 1), ~0u);
}

#define REFUSED(expr)                                          \
	do {                                                   \
		struct rtc_state s = rtc.s;                    \
		expr;                                          \
		assert_int_equal(rtc_load(&rtc, &s), -EINVAL); \
	} while (0)

static void test_state_moves(void **state)
{
	struct rtc_state s;

	(void)state;
	t = 5 * NSEC;
	s = rtc.s;
	rtc_init(&rtc, 0, 0);
	assert_int_equal(rtc_load(&rtc, &s), 0);
	check_time(0x12, 0x35, 0x01);
	REFUSED(s.index = 128);
	REFUSED(s.halted = 1); /* but SET is off */
	REFUSED(s.epoch = 1ull << 63);
	REFUSED(s.seconds = 1ull << 40);
	REFUSED(s.mem[10] |= 0x80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calendar),
		cmocka_unit_test_setup(test_reads_the_time, setup),
		cmocka_unit_test_setup(test_formats, setup),
		cmocka_unit_test_setup(test_set, setup),
		cmocka_unit_test_setup(test_nonsense, setup),
		cmocka_unit_test_setup(test_update_in_progress, setup),
		cmocka_unit_test_setup(test_periodic, setup),
		cmocka_unit_test_setup(test_update_ended, setup),
		cmocka_unit_test_setup(test_alarm, setup),
		cmocka_unit_test_setup(test_flags_without_interrupts, setup),
		cmocka_unit_test_setup(test_memory, setup),
		cmocka_unit_test_setup(test_state_moves, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
