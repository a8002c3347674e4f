// SPDX-License-Identifier: MIT
/* objects: kernel/vcpu_state.o devices/uart.o devices/line.o devices/pic.o devices/pit.o
 * devices/pit_counter.o devices/rtc.o lib/calendar.o devices/lapic.o devices/lapic_regs.o
 * devices/lapic_timer.o devices/ioapic.o
 */
/* The fields of a described struct cover it: what is left out would not move in a migration. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/ioapic.h"
#include "devices/pic.h"
#include "devices/pit.h"
#include "devices/rtc.h"
#include "devices/uart.h"
#include "kernel/vcpu.h"

static void check(const struct state_desc *desc, size_t size)
{
	u8 *seen = calloc(1, size);

	assert_int_equal(desc->size, size);
	assert_true(desc->version >= 1);
	for (u32 i = 0; i < desc->nr_fields; i++) {
		const struct state_field *f = &desc->fields[i];

		assert_true(f->size > 0 && f->offset + f->size <= size);
		for (u32 b = f->offset; b < f->offset + f->size; b++)
			assert_int_equal(seen[b]++, 0);
		for (u32 k = 0; k < i; k++)
			assert_string_not_equal(f->name, desc->fields[k].name);
	}
	for (size_t b = 0; b < size; b++)
		if (!seen[b])
			fail_msg("%s: byte %zu is in no field", desc->name, b);
	free(seen);
}

static void test_covered(void **state)
{
	(void)state;
	check(&vcpu_state_desc, sizeof(struct vcpu_state));
	check(&uart_state_desc, sizeof(struct uart_state));
	check(&pic_state_desc, sizeof(struct pic));
	check(&pit_state_desc, sizeof(struct pit_state));
	check(&rtc_state_desc, sizeof(struct rtc_state));
	check(&lapic_state_desc, sizeof(struct lapic_state));
	check(&ioapic_state_desc, sizeof(struct ioapic_state));
}

static void test_initial_fpu(void **state)
{
	static u8 fpu[VCPU_FPU_SIZE];
	u16 fcw;
	u32 mxcsr;

	(void)state;
	memset(fpu, 0xaa, sizeof(fpu));
	vcpu_fpu_init(fpu);
	memcpy(&fcw, fpu, 2);
	memcpy(&mxcsr, fpu + 24, 4);
	assert_int_equal(fcw, 0x37f);
	assert_int_equal(mxcsr, 0x1f80);
	for (int i = 512; i < VCPU_FPU_SIZE; i++)
		assert_int_equal(fpu[i], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covered),
		cmocka_unit_test(test_initial_fpu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
