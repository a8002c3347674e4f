// SPDX-License-Identifier: MIT
/* objects: devices/lapic.o devices/lapic_regs.o devices/lapic_timer.o
 * tests/host/lapic_cpu.o
 */
/* The x2APIC's MSRs, and the ways between the modes, against SDM 3A 10.12. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/host/lapic_cpu.h"

static void test_x2apic_registers(void **state)
{
	u64 val;

	(void)state;
	assert_int_equal(lapic_msr_read(&apic, 0x802, &val), -EINVAL);
	apic_set(0x80, 0x20);
	apic_to_x2();
	assert_int_equal(lapic_read(&apic, 0x20, 4), ~0ull); /* the page is gone */
	assert_int_equal(lapic_msr_read(&apic, 0x802, &val), 0);
	assert_int_equal(val, 0);
	assert_int_equal(lapic_msr_read(&apic, 0x808, &val), 0);
	assert_int_equal(val, 0x20);
	assert_int_equal(lapic_msr_read(&apic, 0x80d, &val), 0);
	assert_int_equal(val, 1);
	/* Absent ones, read-only ones, write-only ones. */
	assert_int_equal(lapic_msr_read(&apic, 0x80e, &val), -EINVAL);
	assert_int_equal(lapic_msr_read(&apic, 0x831, &val), -EINVAL);
	assert_int_equal(lapic_msr_read(&apic, 0x80b, &val), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x802, 0), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x80d, 1), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x839, 1), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x880, 1), -EINVAL);
	/* Reserved bits. */
	assert_int_equal(lapic_msr_write(&apic, 0x80b, 1), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x808, 0x100), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x80f, 1ull << 32), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x828, 1), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x832, 0x100), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x83e, 0x4), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x830, 0x1000), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x900, 0), -ENOENT);
	assert_int_equal(lapic_msr_read(&apic, 0x7ff, &val), -ENOENT);
}

static void test_x2apic_ipis(void **state)
{
	u64 val;

	(void)state;
	apic_to_x2();
	assert_int_equal(lapic_msr_write(&apic, 0x830, 0x1234567800004042), 0);
	assert_int_equal(apic_last.dest, 0x12345678);
	assert_int_equal(lapic_msr_read(&apic, 0x830, &val), 0);
	assert_int_equal(val, 0x1234567800004042);
	assert_int_equal(lapic_msr_write(&apic, 0x83f, 0x99), 0);
	assert_int_equal(lapic_pending(&apic), 0x99);
	assert_int_equal(lapic_msr_write(&apic, 0x83f, 0x100), -EINVAL);
	assert_int_equal(lapic_msr_write(&apic, 0x83f, 0x05), 0);
	assert_int_equal(lapic_msr_write(&apic, 0x828, 0), 0);
	assert_int_equal(lapic_msr_read(&apic, 0x828, &val), 0);
	assert_int_equal(val, 0x20);
}

/* 10.12.5, figure 10-27. */
static void test_mode_changes(void **state)
{
	u64 val;

	(void)state;
	assert_int_equal(lapic_msr_write(&apic, 0x1b, 0xfee00500), -EINVAL); /* EXTD alone */
	assert_int_equal(lapic_msr_write(&apic, 0x1b, 0xfee01900), -EINVAL); /* elsewhere */
	apic_to_x2();
	assert_int_equal(lapic_msr_write(&apic, 0x1b, 0xfee00900), -EINVAL); /* back */
	assert_int_equal(lapic_msr_write(&apic, 0x1b, 0xfee00100), 0);
	assert_int_equal(lapic_msr_read(&apic, 0x1b, &val), 0);
	assert_int_equal(val, 0xfee00100);
	assert_true(lapic_takes_extint(&apic));
	assert_int_equal(lapic_msr_write(&apic, 0x1b, 0xfee00d00), -EINVAL); /* off to x2 */
	assert_int_equal(lapic_msr_write(&apic, 0x1b, 0xfee00900), 0);
	assert_int_equal(apic_get(0xf0), 0xff); /* as after a reset */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_x2apic_registers, apic_setup),
		cmocka_unit_test_setup(test_x2apic_ipis, apic_setup),
		cmocka_unit_test_setup(test_mode_changes, apic_setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
