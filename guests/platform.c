// SPDX-License-Identifier: MIT
/*
 * What is around L1: Cleave's test device (an external interrupt on demand, marks for L0's trace,
 * the number of migrations), or a PC's interrupt controller and timer in its place.
 */
#include "guests/l1.h"

#define TEST_SIGNATURE	0xe0 /* read: TEST_PRESENT */
#define TEST_VECTOR	0xe1
#define TEST_PHASE	0xe2
#define TEST_MIGRATIONS 0xe3
#define TEST_TIMER	0xe4 /* dword, microseconds */
#define TEST_PRESENT	0xc1

#define TIMER_VECTOR 0x60 /* with the PIC it is also the first of its eight */

#define PIC1_COMMAND	  0x20
#define PIC1_DATA	  0x21
#define PIC2_DATA	  0xa1
#define PIC_EOI		  0x20
#define PIC_READ_REQUESTS 0x0a
#define PIT_CHANNEL0	  0x40
#define PIT_COMMAND	  0x43
#define PIT_KHZ		  1193

static bool test_device;

static void end_of_interrupt(u8 vector)
{
	if (!test_device && vector == TIMER_VECTOR)
		outb(PIC1_COMMAND, PIC_EOI);
}

static void pit_one_shot(u32 count)
{
	outb(PIT_COMMAND, 0x30);
	outb(PIT_CHANNEL0, (u8)count);
	outb(PIT_CHANNEL0, (u8)(count >> 8));
}

static void pic_program(u8 mask)
{
	outb(PIC1_COMMAND, 0x11);
	outb(PIC1_DATA, TIMER_VECTOR);
	outb(PIC1_DATA, 4);
	outb(PIC1_DATA, 1);
	outb(PIC1_DATA, mask);
	outb(PIC2_DATA, 0xff);
}

/* What the firmware's timer still raises is waited for, and forgotten by programming anew. */
static void pic_init(void)
{
	pic_program(0xff);
	pit_one_shot(1);
	outb(PIC1_COMMAND, PIC_READ_REQUESTS);
	while (!(inb(PIC1_COMMAND) & 1))
		;
	pic_program(0xfe);
}

void platform_init(void)
{
	test_device = inb(TEST_SIGNATURE) == TEST_PRESENT;
	cpu_interrupt_hook = end_of_interrupt;
	if (!test_device)
		pic_init();
	interrupts_on();
}

bool platform_has_test_device(void)
{
	return test_device;
}

void platform_phase(enum phase phase)
{
	if (test_device)
		outb(TEST_PHASE, (u8)phase);
}

u8 platform_migrations(void)
{
	return test_device ? inb(TEST_MIGRATIONS) : 0;
}

void platform_timer(u32 us)
{
	if (test_device) {
		outb(TEST_VECTOR, TIMER_VECTOR);
		outl(TEST_TIMER, us);
		return;
	}
	pit_one_shot(MIN(us * PIT_KHZ / 1000 + 1, 65535u));
}

u64 platform_timer_interrupts(void)
{
	return cpu_interrupts[TIMER_VECTOR];
}
