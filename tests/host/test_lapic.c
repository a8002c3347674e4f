// SPDX-License-Identifier: MIT
/* objects: devices/lapic.o devices/lapic_regs.o devices/lapic_timer.o
 * tests/host/lapic_cpu.o
 */
/* The local APIC against SDM 3A chapter 10: priorities, destinations, errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/lapic_cpu.h"

static void test_after_reset(void **state)
{
	(void)state;
	lapic_init(&apic, 3);
	assert_int_equal(apic_get(0x20), 3 << 24);
	assert_int_equal(apic_get(0x30), LAPIC_VERSION);
	assert_int_equal(apic_get(0xf0), 0xff);
	assert_int_equal(apic_get(0xe0), 0xffffffff);
	for (u32 i = 0; i < 6; i++)
		assert_int_equal(apic_get(0x320 + 16 * i), 0x10000);
	assert_int_equal(apic.s.base, 0xfee00800);
	lapic_init(&apic, 0);
	assert_int_equal(apic.s.base, 0xfee00900);
	/* Switched off by software: nothing comes in, and the LVT stays masked. */
	apic_raise(0x40, false);
	assert_int_equal(lapic_pending(&apic), -1);
	apic_set(0x320, 0x40);
	assert_int_equal(apic_get(0x320), 0x10040);
}

static void test_priorities(void **state)
{
	(void)state;
	apic_raise(0x41, false);
	apic_raise(0x93, false);
	assert_int_equal(apic_get(0x220), 1 << 1);
	assert_int_equal(lapic_pending(&apic), 0x93);
	lapic_acknowledge(&apic, 0x93);
	assert_int_equal(apic_get(0xa0), 0x90);
	assert_int_equal(lapic_pending(&apic), -1);
	apic_raise(0x9f, false); /* of the same class */
	assert_int_equal(lapic_pending(&apic), -1);
	apic_raise(0xa0, false);
	assert_int_equal(lapic_pending(&apic), 0xa0);
	lapic_acknowledge(&apic, 0xa0);
	apic_set(0xb0, 0);
	assert_int_equal(lapic_pending(&apic), -1);
	apic_set(0xb0, 0);
	assert_int_equal(lapic_pending(&apic), 0x9f);
	assert_int_equal(apic_eois, 0);
}

static void test_task_priority(void **state)
{
	(void)state;
	apic_set(0x80, 0x45);
	assert_int_equal(apic_cr8, 4);
	assert_int_equal(apic_get(0x80), 0x45);
	apic_raise(0x4f, false);
	assert_int_equal(lapic_pending(&apic), -1);
	assert_int_equal(lapic_held_priority(&apic), 4);
	apic_cr8 = 3; /* MOV to CR8 */
	assert_int_equal(lapic_pending(&apic), 0x4f);
	assert_int_equal(lapic_held_priority(&apic), 0);
	assert_int_equal(apic_get(0xa0), 0x35);
	/* What is in service holds it back, and not CR8. */
	lapic_acknowledge(&apic, 0x4f);
	apic_raise(0x42, false);
	assert_int_equal(lapic_held_priority(&apic), 0);
}

static void test_level_and_eoi(void **state)
{
	(void)state;
	apic_raise(0x51, true);
	assert_int_equal(apic_get(0x1a0), 1 << 17);
	lapic_acknowledge(&apic, 0x51);
	apic_set(0xb0, 0);
	assert_int_equal(apic_eois, 1);
	assert_int_equal(apic_eoi_vector, 0x51);
	apic_raise(0x51, false);
	assert_int_equal(apic_get(0x1a0), 0);
	apic_set(0xb0, 0); /* nothing in service */
	assert_int_equal(apic_eois, 1);
}

static void test_ipi(void **state)
{
	(void)state;
	apic_set(0x310, 2 << 24);
	apic_set(0x300, 0x4042);
	assert_int_equal(apic_sent, 1);
	assert_int_equal(apic_last.dest, 2);
	assert_int_equal(apic_last.vector, 0x42);
	assert_int_equal(apic_shorthand, APIC_DEST_FIELD);
	apic_set(0x300, 0x44c00); /* to itself, an NMI, logical */
	assert_int_equal(apic_last.delivery, APIC_NMI);
	assert_int_equal(apic_shorthand, APIC_DEST_SELF);
	assert_true(apic_last.logical);
	apic_set(0x300, 0xc0008500 & ~0xc0000000); /* INIT, level, de-assert */
	assert_int_equal(apic_sent, 2);
	apic_set(0x300, 0x4500);
	assert_int_equal(apic_sent, 3);
	assert_int_equal(apic_last.delivery, APIC_INIT);
	assert_int_equal(apic_get(0x300), 0x4500);
}

static void test_errors(void **state)
{
	(void)state;
	apic_set(0x370, 0x71);
	apic_set(0x300, 0x4005); /* an illegal vector */
	assert_int_equal(apic_sent, 0);
	assert_int_equal(lapic_pending(&apic), 0x71);
	assert_int_equal(apic_get(0x280), 0);
	apic_set(0x280, 0);
	assert_int_equal(apic_get(0x280), 0x20);
	apic_raise(0x0f, false);
	apic_set(0x280, 0);
	assert_int_equal(apic_get(0x280), 0x40);
	(void)apic_get(0x40); /* no such register */
	apic_set(0x280, 0);
	assert_int_equal(apic_get(0x280), 0x80);
	apic_set(0x280, 0);
	assert_int_equal(apic_get(0x280), 0);
	/* An error interrupt with an illegal vector is an error, once. */
	apic_set(0x370, 0x05);
	(void)apic_get(0x40);
	apic_set(0x280, 0);
	assert_int_equal(apic_get(0x280) & 0x80, 0x80);
}

static void test_logical_destinations(void **state)
{
	struct apic_message m = {.logical = true};

	(void)state;
	apic_set(0xd0, 0x04000000);
	m.dest = 0x06;
	assert_true(lapic_is_dest(&apic, &m));
	m.dest = 0x0a;
	assert_false(lapic_is_dest(&apic, &m));
	m.dest = 0xff;
	assert_true(lapic_is_dest(&apic, &m));
	apic_set(0xe0, 0); /* clusters */
	apic_set(0xd0, 0x24000000);
	m.dest = 0x26;
	assert_true(lapic_is_dest(&apic, &m));
	m.dest = 0x36;
	assert_false(lapic_is_dest(&apic, &m));
	m.dest = 0x21;
	assert_false(lapic_is_dest(&apic, &m));
}

static void test_physical_destinations(void **state)
{
	struct apic_message m = {.dest = 0};

	(void)state;
	assert_true(lapic_is_dest(&apic, &m));
	m.dest = 1;
	assert_false(lapic_is_dest(&apic, &m));
	m.dest = 0xff;
	assert_true(lapic_is_dest(&apic, &m));
	apic_to_x2();
	assert_false(lapic_is_dest(&apic, &m));
	m.dest = ~0u;
	assert_true(lapic_is_dest(&apic, &m));
}

static void test_extint(void **state)
{
	(void)state;
	assert_false(lapic_takes_extint(&apic));
	apic_set(0x350, 0x700);
	assert_true(lapic_takes_extint(&apic));
	apic_set(0x350, 0x10700);
	assert_false(lapic_takes_extint(&apic));
	lapic_init(&apic, 0);
	assert_false(lapic_takes_extint(&apic));
	lapic_virtual_wire(&apic);
	assert_true(lapic_takes_extint(&apic));
}

static void test_odd_accesses(void **state)
{
	(void)state;
	apic_set(0x80, 0x31);
	assert_int_equal(lapic_read(&apic, 0x80, 1), 0x31);
	assert_int_equal(lapic_read(&apic, 0x84, 4), 0);
	lapic_write(&apic, 0x80, 1, 0x70);
	lapic_write(&apic, 0x82, 4, 0x70);
	assert_int_equal(apic_get(0x80), 0x31);
}

#define REFUSED(expr)                                             \
	do {                                                      \
		struct lapic_state s = apic.s;                    \
		expr;                                             \
		assert_int_equal(lapic_load(&apic, &s), -EINVAL); \
	} while (0)

static void test_impossible_states(void **state)
{
	struct lapic_state same;

	(void)state;
	apic_raise(0x40, true);
	same = apic.s;
	assert_int_equal(lapic_load(&apic, &same), 0);
	assert_int_equal(lapic_pending(&apic), 0x40);
	REFUSED(s.base = 0xfee00500);
	REFUSED(s.base += 0x1000);
	REFUSED(s.armed = 2);
	REFUSED(s.armed = 1);
	REFUSED(s.id = 1);
	REFUSED(s.divide = 4);
	REFUSED(s.tpr_low = 16);
	REFUSED(s.timer_start = 1ull << 63);
	REFUSED(s.irr[0] = 1);
	REFUSED(s.isr[0] = 1 << 15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_after_reset, apic_setup),
		cmocka_unit_test_setup(test_priorities, apic_setup),
		cmocka_unit_test_setup(test_task_priority, apic_setup),
		cmocka_unit_test_setup(test_level_and_eoi, apic_setup),
		cmocka_unit_test_setup(test_ipi, apic_setup),
		cmocka_unit_test_setup(test_errors, apic_setup),
		cmocka_unit_test_setup(test_logical_destinations, apic_setup),
		cmocka_unit_test_setup(test_physical_destinations, apic_setup),
		cmocka_unit_test_setup(test_extint, apic_setup),
		cmocka_unit_test_setup(test_odd_accesses, apic_setup),
		cmocka_unit_test_setup(test_impossible_states, apic_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
