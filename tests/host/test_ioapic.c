// SPDX-License-Identifier: MIT
// objects: devices/ioapic.o
/* The I/O APIC against its data sheet, through its two windows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/ioapic.h"

static struct ioapic io;
static struct apic_message last;
static int sent;

static void send(void *ctx, const struct apic_message *m)
{
	(void)ctx;
	last = *m;
	sent++;
}

static int setup(void **state)
{
	(void)state;
	io = (struct ioapic){.send = send};
	sent = 0;
	ioapic_init(&io);
	return 0;
}

static u32 get(u8 reg)
{
	ioapic_write(&io, 0, 4, reg);
	return (u32)ioapic_read(&io, 0x10, 4);
}

static void set(u8 reg, u32 val)
{
	ioapic_write(&io, 0, 4, reg);
	ioapic_write(&io, 0x10, 4, val);
}

static void entry(u32 pin, u64 val)
{
	set((u8)(0x11 + 2 * pin), (u32)(val >> 32));
	set((u8)(0x10 + 2 * pin), (u32)val);
}

#define LEVEL  0x8000ull
#define MASKED 0x10000ull

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(get(1), 0x00170020);
	set(0, 0xffffffff);
	assert_int_equal(get(0), 0x0f000000);
	assert_int_equal(get(2), 0x0f000000);
	assert_int_equal(get(0x10), 0x10000); /* masked */
	set(0x10, 0xffffffff);
	set(0x11, 0xffffffff);
	assert_int_equal(get(0x10), 0x1afff); /* no status, no remote IRR */
	assert_int_equal(get(0x11), 0xff000000);
	assert_int_equal(get(0x40), 0);
	assert_int_equal(ioapic_read(&io, 0x10, 1), 0);
	assert_int_equal(ioapic_read(&io, 0x20, 4), 0);
	assert_int_equal(ioapic_read(&io, 0, 4), 0x40);
}

static void test_edge(void **state)
{
	(void)state;
	entry(4, 0x0500000000000831);
	ioapic_set(&io, 4, true);
	assert_int_equal(sent, 1);
	assert_int_equal(last.vector, 0x31);
	assert_int_equal(last.dest, 5);
	assert_true(last.logical);
	assert_false(last.level);
	assert_int_equal(last.delivery, APIC_FIXED);
	ioapic_set(&io, 4, true);
	assert_int_equal(sent, 1);
	ioapic_set(&io, 4, false);
	ioapic_set(&io, 4, true);
	assert_int_equal(sent, 2);
}

/* An edge that comes while its entry is masked is not lost. */
static void test_masked_edge(void **state)
{
	(void)state;
	entry(4, MASKED | 0x31);
	ioapic_set(&io, 4, true);
	ioapic_set(&io, 4, false);
	assert_int_equal(sent, 0);
	entry(4, 0x31);
	assert_int_equal(sent, 1);
	entry(4, 0x31);
	assert_int_equal(sent, 1);
}

static void test_level(void **state)
{
	(void)state;
	entry(9, LEVEL | 0x40);
	ioapic_set(&io, 9, true);
	assert_int_equal(sent, 1);
	assert_true(last.level);
	assert_int_equal(get(0x22) & 0x4000, 0x4000);
	ioapic_set(&io, 9, true);
	assert_int_equal(sent, 1);
	ioapic_eoi(&io, 0x41); /* another's */
	assert_int_equal(sent, 1);
	ioapic_eoi(&io, 0x40); /* still high: again */
	assert_int_equal(sent, 2);
	ioapic_set(&io, 9, false);
	ioapic_write(&io, 0x40, 4, 0x40); /* the EOI register does the same */
	assert_int_equal(sent, 2);
	assert_int_equal(get(0x22) & 0x4000, 0);
}

/* Linux ends a stuck interrupt so: masked and edge, then as it was. */
static void test_remote_irr_by_detour(void **state)
{
	(void)state;
	entry(9, LEVEL | 0x40);
	ioapic_set(&io, 9, true);
	entry(9, MASKED | 0x40);
	assert_int_equal(get(0x22) & 0x4000, 0);
	entry(9, LEVEL | 0x40);
	assert_int_equal(sent, 2);
}

static void test_delivery_modes(void **state)
{
	(void)state;
	entry(1, 0x131);
	ioapic_set(&io, 1, true);
	assert_int_equal(last.delivery, APIC_LOWEST);
	entry(2, 0x400);
	ioapic_set(&io, 2, true);
	assert_int_equal(last.delivery, APIC_NMI);
	entry(3, 0x700);
	ioapic_set(&io, 3, true);
	assert_int_equal(last.delivery, APIC_EXTINT);
}

#define REFUSED(expr)                                            \
	do {                                                     \
		struct ioapic_state s = io.s;                    \
		expr;                                            \
		assert_int_equal(ioapic_load(&io, &s), -EINVAL); \
	} while (0)

static void test_impossible_states(void **state)
{
	struct ioapic_state same;

	(void)state;
	entry(9, LEVEL | 0x40);
	ioapic_set(&io, 9, true);
	same = io.s;
	assert_int_equal(ioapic_load(&io, &same), 0);
	REFUSED(s.entry[23] |= BIT(12));
	REFUSED(s.entry[0] |= BIT(32));
	REFUSED(s.lines = BIT(24));
	REFUSED(s.irr = BIT(24));
	REFUSED(s.id = 1);
	REFUSED(s.select = 256);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, setup),
		cmocka_unit_test_setup(test_edge, setup),
		cmocka_unit_test_setup(test_masked_edge, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_remote_irr_by_detour, setup),
		cmocka_unit_test_setup(test_delivery_modes, setup),
		cmocka_unit_test_setup(test_impossible_states, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
