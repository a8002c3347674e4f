// SPDX-License-Identifier: MIT
// objects: devices/pic.o
/* The 8259A pair against its data sheet, through its ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/pic.h"

static struct pic pic;

static void master(u16 port, u8 val)
{
	pic_master_out(&pic, port, 1, val);
}

static void slave(u16 port, u8 val)
{
	pic_slave_out(&pic, port, 1, val);
}

/* ICW1 with ICW4, vectors 20h and 28h, the cascade, 8086 mode and @icw4's bits. */
static void program(u8 icw4)
{
	master(0, 0x11);
	master(1, 0x20);
	master(1, 0x04);
	master(1, 0x01 | icw4);
	slave(0, 0x11);
	slave(1, 0x28);
	slave(1, 0x02);
	slave(1, 0x01);
}

static int setup(void **state)
{
	(void)state;
	pic_init(&pic);
	program(0);
	return 0;
}

static u8 irr(void)
{
	master(0, 0x0a);
	return (u8)pic_master_in(&pic, 0, 1);
}

static u8 isr(void)
{
	master(0, 0x0b);
	return (u8)pic_master_in(&pic, 0, 1);
}

static void pulse(u32 irq)
{
	pic_set(&pic, irq, true);
	pic_set(&pic, irq, false);
}

static void test_edge(void **state)
{
	(void)state;
	assert_false(pic_pending(&pic));
	pic_set(&pic, 3, true);
	assert_true(pic_pending(&pic));
	assert_int_equal(irr(), 8);
	assert_int_equal(pic_acknowledge(&pic), 0x23);
	assert_int_equal(irr(), 0);
	assert_int_equal(isr(), 8);
	/* It stays high: no second edge. */
	master(0, 0x20);
	assert_int_equal(isr(), 0);
	assert_false(pic_pending(&pic));
	pic_set(&pic, 3, false);
	pic_set(&pic, 3, true);
	assert_true(pic_pending(&pic));
}

static void test_level(void **state)
{
	(void)state;
	pic_elcr_out(&pic, 0, 1, 0xff);
	pic_elcr_out(&pic, 1, 1, 0xff);
	assert_int_equal(pic_elcr_in(&pic, 0, 1), 0xf8);
	assert_int_equal(pic_elcr_in(&pic, 1, 1), 0xde);
	assert_int_equal(pic_elcr_in(&pic, 0, 2), 0xdef8);
	pic_set(&pic, 5, true);
	assert_int_equal(pic_acknowledge(&pic), 0x25);
	assert_false(pic_pending(&pic));
	master(0, 0x65); /* specific EOI of 5 */
	assert_true(pic_pending(&pic));
	pic_set(&pic, 5, false);
	assert_false(pic_pending(&pic));
}

static void test_priorities(void **state)
{
	(void)state;
	pulse(4);
	pulse(1);
	assert_int_equal(pic_acknowledge(&pic), 0x21);
	assert_false(pic_pending(&pic)); /* 4 is below 1 */
	pulse(0);
	assert_int_equal(pic_acknowledge(&pic), 0x20);
	assert_int_equal(isr(), 3);
	master(0, 0x20); /* ends 0, then 1 */
	assert_int_equal(isr(), 2);
	master(0, 0x20);
	assert_int_equal(pic_acknowledge(&pic), 0x24);
}

static void test_mask(void **state)
{
	(void)state;
	master(1, 0x10);
	assert_int_equal(pic_master_in(&pic, 1, 1), 0x10);
	pulse(4);
	assert_false(pic_pending(&pic));
	assert_int_equal(irr(), 0x10);
	master(1, 0);
	assert_int_equal(pic_acknowledge(&pic), 0x24);
}

static void test_cascade(void **state)
{
	(void)state;
	pulse(8);
	assert_int_equal(irr(), 4);
	assert_int_equal(pic_acknowledge(&pic), 0x28);
	assert_int_equal(isr(), 4);
	/* A higher one of the second chip's waits for the first's EOI but in the nested mode. */
	slave(0, 0x20);
	pulse(10);
	assert_false(pic_pending(&pic));
	master(0, 0x20);
	assert_int_equal(pic_acknowledge(&pic), 0x2a);
	/* Two at once: the master's input comes up again after the first. */
	slave(0, 0x20);
	master(0, 0x20);
	pulse(9);
	pulse(12);
	assert_int_equal(pic_acknowledge(&pic), 0x29);
	slave(0, 0x20);
	master(0, 0x20);
	assert_int_equal(pic_acknowledge(&pic), 0x2c);
}

static void test_special_fully_nested(void **state)
{
	(void)state;
	program(0x10);
	pulse(12);
	assert_int_equal(pic_acknowledge(&pic), 0x2c);
	pulse(9);
	assert_true(pic_pending(&pic));
	assert_int_equal(pic_acknowledge(&pic), 0x29);
	pulse(13);
	assert_false(pic_pending(&pic));
}

/* The cascade's input cannot be driven from outside. */
static void test_cascade_is_no_input(void **state)
{
	(void)state;
	pic_set(&pic, 2, true);
	assert_false(pic_pending(&pic));
}

static void test_spurious(void **state)
{
	(void)state;
	pic_elcr_out(&pic, 0, 1, 0x20);
	pic_set(&pic, 5, true);
	pic_set(&pic, 5, false); /* gone before the processor asks */
	assert_int_equal(pic_acknowledge(&pic), 0x27);
	assert_int_equal(isr(), 0);
}

static void test_automatic_eoi_rotates(void **state)
{
	(void)state;
	program(0x02);
	master(0, 0x80); /* rotate in automatic EOI */
	pulse(3);
	assert_int_equal(pic_acknowledge(&pic), 0x23);
	assert_int_equal(isr(), 0);
	pulse(3);
	pulse(4);
	assert_int_equal(pic_acknowledge(&pic), 0x24); /* 3 is the lowest now */
	master(0, 0x00);
}

static void test_rotation(void **state)
{
	(void)state;
	master(0, 0xc2); /* 2 is the lowest, 3 the highest */
	pulse(0);
	pulse(3);
	assert_int_equal(pic_acknowledge(&pic), 0x23);
	master(0, 0xa0); /* EOI and rotate: 3 is the lowest */
	assert_int_equal(isr(), 0);
	pulse(4);
	assert_int_equal(pic_acknowledge(&pic), 0x24);
	master(0, 0xe4); /* specific, and rotate */
	assert_int_equal(pic_acknowledge(&pic), 0x20);
}

static void test_special_mask(void **state)
{
	(void)state;
	pulse(1);
	(void)pic_acknowledge(&pic);
	pulse(5);
	assert_false(pic_pending(&pic));
	master(0, 0x68); /* special mask mode */
	master(1, 0x02); /* what is in service is masked: lower ones may come */
	assert_int_equal(pic_acknowledge(&pic), 0x25);
	master(0, 0x48);
	pulse(6);
	assert_false(pic_pending(&pic));
}

static void test_poll(void **state)
{
	(void)state;
	master(0, 0x0c);
	assert_int_equal(pic_master_in(&pic, 0, 1), 0);
	pulse(6);
	master(0, 0x0c);
	assert_int_equal(pic_master_in(&pic, 0, 1), 0x86);
	assert_int_equal(isr(), 0x40);
}

/* ICW1 clears the masks, what is in service, and edges that wait. */
static void test_initialization(void **state)
{
	(void)state;
	master(1, 0xff);
	pulse(1);
	master(0, 0x10); /* no ICW4: two more words */
	master(1, 0x47); /* the low bits of a vector are the input's */
	master(1, 0x04);
	assert_int_equal(pic_master_in(&pic, 1, 1), 0);
	assert_false(pic_pending(&pic));
	master(1, 0x80); /* a mask again */
	assert_int_equal(pic_master_in(&pic, 1, 1), 0x80);
	pulse(1);
	assert_int_equal(pic_acknowledge(&pic), 0x41);
}

/* A request of the second chip's outlasts the initialization of the first. */
static void test_cascade_after_initialization(void **state)
{
	(void)state;
	pulse(9);
	master(0, 0x11);
	master(1, 0x20);
	master(1, 0x04);
	master(1, 0x01);
	assert_int_equal(pic_acknowledge(&pic), 0x29);
}

#define REFUSED(expr)                                          \
	do {                                                   \
		struct pic s = pic;                            \
		expr;                                          \
		assert_int_equal(pic_load(&pic, &s), -EINVAL); \
	} while (0)

static void test_impossible_states(void **state)
{
	struct pic same = pic;

	(void)state;
	assert_int_equal(pic_load(&pic, &same), 0);
	REFUSED(s.chip[0].level = 1);
	REFUSED(s.chip[1].level = 1);
	REFUSED(s.chip[0].base = 1);
	REFUSED(s.chip[0].init = 1);
	REFUSED(s.chip[0].init = 5);
	REFUSED(s.chip[1].icw4 = 4);
	REFUSED(s.chip[0].wants_icw4 = 2);
	REFUSED(s.chip[0].lowest = 8);
	REFUSED(s.chip[1].rotate = 2);
	REFUSED(s.chip[0].special_mask = 2);
	REFUSED(s.chip[0].read_isr = 2);
	REFUSED(s.chip[0].poll = 2);
	REFUSED(s.chip[0].reserved[1] = 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_edge, setup),
		cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_priorities, setup),
		cmocka_unit_test_setup(test_mask, setup),
		cmocka_unit_test_setup(test_cascade, setup),
		cmocka_unit_test_setup(test_special_fully_nested, setup),
		cmocka_unit_test_setup(test_cascade_is_no_input, setup),
		cmocka_unit_test_setup(test_spurious, setup),
		cmocka_unit_test_setup(test_automatic_eoi_rotates, setup),
		cmocka_unit_test_setup(test_rotation, setup),
		cmocka_unit_test_setup(test_special_mask, setup),
		cmocka_unit_test_setup(test_poll, setup),
		cmocka_unit_test_setup(test_initialization, setup),
		cmocka_unit_test_setup(test_cascade_after_initialization, setup),
		cmocka_unit_test_setup(test_impossible_states, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
