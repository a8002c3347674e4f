// SPDX-License-Identifier: MIT
/* objects: vmx/nested_timer.o */
/* The preemption timer as L1 has it, SDM 3C 25.5.1 and 26.7.4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmx/nested_timer.h"

static const struct vmx_limits limits = {.misc = 0x401e5}; /* once in 32 ticks of the TSC */

static struct vmx_l1_timer start(u32 pin, u32 count, u64 tsc)
{
	const struct vmcs12 v = {.pin_controls = pin, .preemption_timer = count};
	struct vmx_l1_timer t;

	vmx_l1_timer_start(&t, &v, &limits, tsc);
	return t;
}

/* It counts when bit 5 of the TSC changes, not 32 ticks after the entry. */
static void test_counts(void **state)
{
	struct vmx_l1_timer t = start(VMX_PIN_TIMER, 3, 0x1010);

	(void)state;
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 0x1010), 3);
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 0x101f), 3);
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 0x1020), 2);
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 0x105f), 1);
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 0x1060), 0);
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 0x999999), 0);
}

static void test_ends(void **state)
{
	struct vmx_l1_timer t = start(VMX_PIN_TIMER, 0, 77);

	(void)state;
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 77), 0);
	t = start(VMX_PIN_TIMER, ~0u, 77);
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 77), ~0u);
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 77 + 32), ~0u - 1);
}

static void test_off(void **state)
{
	struct vmx_l1_timer t = start(VMX_PIN_INTR, 0, 77);

	(void)state;
	assert_int_equal(vmx_l1_timer_left(&t, &limits, 99999), ~0u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
