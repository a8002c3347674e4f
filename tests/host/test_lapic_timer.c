// SPDX-License-Identifier: MIT
/* objects: devices/lapic.o devices/lapic_regs.o devices/lapic_timer.o
 * tests/host/lapic_cpu.o
 */
/* The local APIC's timer against SDM 3A 10.5.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/lapic_cpu.h"

static void test_one_shot(void **state)
{
	(void)state;
	apic_set(0x3e0, 0x3); /* by 16 */
	apic_set(0x320, 0x60);
	apic_set(0x380, 100);
	assert_true(apic_rearms);
	assert_int_equal(lapic_tick(&apic), 1000 + 1600);
	apic_ns = 1000 + 160;
	assert_int_equal(apic_get(0x390), 90);
	apic_ns = 1000 + 1599;
	(void)lapic_tick(&apic);
	assert_int_equal(lapic_pending(&apic), -1);
	apic_ns = 1000 + 1600;
	assert_int_equal(lapic_tick(&apic), NEVER);
	assert_int_equal(lapic_pending(&apic), 0x60);
	assert_int_equal(apic_get(0x390), 0);
	assert_int_equal(apic_get(0x380), 100);
}

static void test_periodic(void **state)
{
	(void)state;
	apic_set(0x3e0, 0xb); /* by 1 */
	apic_set(0x320, 0x20060);
	apic_set(0x380, 1000);
	for (int i = 1; i < 4; i++) {
		u64 due = lapic_tick(&apic);

		assert_int_equal(due, 1000 + 1000 * i);
		apic_ns = due;
		(void)lapic_tick(&apic);
		assert_int_equal(lapic_pending(&apic), 0x60);
		lapic_acknowledge(&apic, 0x60);
		apic_set(0xb0, 0);
	}
	apic_ns += 10300; /* late: one interrupt, and on the same beat */
	assert_int_equal(lapic_tick(&apic), 4000 + 11000);
	assert_int_equal(lapic_pending(&apic), 0x60);
	assert_int_equal(apic_get(0x390), 700);
	apic_set(0x380, 0);
	assert_int_equal(lapic_tick(&apic), NEVER);
	assert_int_equal(apic_get(0x390), 0);
}

static void test_divisors(void **state)
{
	static const u8 codes[] = {0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa};

	(void)state;
	for (u32 i = 0; i < 8; i++) {
		apic_set(0x3e0, codes[i]);
		apic_set(0x380, 1000);
		assert_int_equal(lapic_tick(&apic), apic_ns + (1000ull << i));
	}
	/* In the middle of a count: what is left goes at the new pace. */
	apic_set(0x3e0, 0xb);
	apic_set(0x380, 1000);
	apic_ns += 400;
	apic_set(0x3e0, 0x0);
	assert_int_equal(apic_get(0x390), 600);
	assert_int_equal(lapic_tick(&apic), apic_ns + 1200);
}

static void test_masked_timer(void **state)
{
	(void)state;
	apic_set(0x3e0, 0xb);
	apic_set(0x320, 0x10060);
	apic_set(0x380, 10);
	apic_ns += 10;
	(void)lapic_tick(&apic);
	assert_int_equal(lapic_pending(&apic), -1);
	assert_int_equal(apic_get(0x200 + 16 * 3), 0);
}

static void test_deadline(void **state)
{
	u64 val;

	(void)state;
	assert_int_equal(lapic_msr_write(&apic, 0x6e0, 9000), 0);
	assert_int_equal(lapic_tick(&apic), NEVER); /* not in this mode: ignored */
	apic_set(0x320, 0x40060);
	apic_set(0x380, 10); /* ignored in this one */
	assert_int_equal(lapic_tick(&apic), NEVER);
	assert_int_equal(lapic_msr_write(&apic, 0x6e0, 9000), 0);
	assert_int_equal(lapic_msr_read(&apic, 0x6e0, &val), 0);
	assert_int_equal(val, 9000);
	assert_int_equal(lapic_tick(&apic), 1000 + 2000 + 1);
	assert_int_equal(apic_get(0x390), 0);
	apic_tsc = 9000;
	assert_int_equal(lapic_tick(&apic), NEVER);
	assert_int_equal(lapic_pending(&apic), 0x60);
	assert_int_equal(lapic_msr_read(&apic, 0x6e0, &val), 0);
	assert_int_equal(val, 0);
	/* A change of the mode disarms. */
	assert_int_equal(lapic_msr_write(&apic, 0x6e0, 99000), 0);
	apic_set(0x320, 0x60);
	assert_int_equal(lapic_tick(&apic), NEVER);
	apic_set(0x320, 0x40060);
	assert_int_equal(lapic_tick(&apic), NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_one_shot, apic_setup),
		cmocka_unit_test_setup(test_periodic, apic_setup),
		cmocka_unit_test_setup(test_divisors, apic_setup),
		cmocka_unit_test_setup(test_masked_timer, apic_setup),
		cmocka_unit_test_setup(test_deadline, apic_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
