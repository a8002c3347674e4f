// SPDX-License-Identifier: MIT
/* Reset, power, the ACPI timer, PCI configuration, the debug port; devices/board.h. */
#include "devices/board.h"
#include "kernel/vm.h"

#define NSEC 1000000000ull

#define FIELD(member) STATE_FIELD(struct board_state, member)

static const struct state_field fields[] = {
	FIELD(pci_address),  FIELD(acpi_status), FIELD(acpi_enable),
	FIELD(acpi_control), FIELD(line.len),	 FIELD(line.text),
};

const struct state_desc board_state_desc = {
	.name = "board",
	.version = 1,
	.size = sizeof(struct board_state),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

#define ACPI_ENABLED 1u /* SCI_EN: there is no other mode */

void board_init(struct board *b)
{
	b->s = (struct board_state){.acpi_control = ACPI_ENABLED};
}

/* A VM does not start again by itself: whoever resets it is told so. */
static void reset(struct board *b, const char *how)
{
	vm_end(b->vm, 0, "it reset itself, by %s", how);
}

/* --- ACPI 6.4, 4.8.3: the PM1 blocks and the timer --- */

enum { PM1_STATUS = 0, PM1_ENABLE = 2, PM1_CONTROL = 4, PM_TIMER = 8 };
#define STATUS_KNOWN  0x8731u
#define ENABLE_KNOWN  0x4721u
#define CONTROL_KNOWN 0x1c07u
#define SLEEP_TYPE(v) ((v) >> 10 & 7)
#define SLEEP_ENABLE  BIT(13)

/* 24 bits, as TMR_VAL_EXT is not set in the FADT. */
static u32 timer(const struct board *b)
{
	u64 t = b->now(b->ctx);

	return (u32)(t / NSEC * ACPI_TIMER_HZ + t % NSEC * ACPI_TIMER_HZ / NSEC) & 0xffffff;
}

u32 acpi_in(void *dev, u16 offset, int size)
{
	const struct board *b = dev;

	switch (offset) {
	case PM1_STATUS:
		return size == 4 ? b->s.acpi_status | b->s.acpi_enable << 16 : b->s.acpi_status;
	case PM1_ENABLE:
		return b->s.acpi_enable;
	case PM1_CONTROL:
		return b->s.acpi_control;
	case PM_TIMER:
		return timer(b);
	}
	return 0;
}

void acpi_out(void *dev, u16 offset, int size, u32 val)
{
	struct board *b = dev;

	if (size < 2)
		return;
	switch (offset) {
	case PM1_STATUS: /* ones clear; nothing here sets any */
		b->s.acpi_status &= ~val & STATUS_KNOWN;
		break;
	case PM1_ENABLE:
		b->s.acpi_enable = val & ENABLE_KNOWN;
		break;
	case PM1_CONTROL:
		b->s.acpi_control = (val & CONTROL_KNOWN) | ACPI_ENABLED;
		if (val & SLEEP_ENABLE && SLEEP_TYPE(val) == ACPI_SLEEP_OFF)
			vm_end(b->vm, 0, "it switched itself off");
		break;
	}
}

/* --- PCI: mechanism 1 is there, and nobody answers --- */

#define PCI_ADDRESS_KNOWN 0x80fffffcu
#define PCI_RESET	  1 /* port CF9h */
#define PCI_DATA	  4
#define RESET_CPU	  0x04

u32 pci_in(void *dev, u16 offset, int size)
{
	const struct board *b = dev;

	return offset == 0 && size == 4 ? b->s.pci_address : ~0u;
}

void pci_out(void *dev, u16 offset, int size, u32 val)
{
	struct board *b = dev;

	if (offset == 0 && size == 4)
		b->s.pci_address = val & PCI_ADDRESS_KNOWN;
	else if (offset == PCI_RESET && size == 1 && val & RESET_CPU)
		reset(b, "port CF9h");
}

/* --- the keyboard controller and port 92h: each can reset the processor --- */

#define KEYBOARD_RESET 0xfe
#define FAST_A20       0x02
#define FAST_RESET     0x01

/* Its input is empty, and there is no output. */
u32 keyboard_in(void *dev, u16 offset, int size)
{
	(void)dev, (void)offset, (void)size;
	return 0;
}

void keyboard_out(void *dev, u16 offset, int size, u32 val)
{
	(void)offset, (void)size;
	if ((u8)val == KEYBOARD_RESET)
		reset(dev, "the keyboard controller");
}

/* A20 is on for good. */
u32 fast_a20_in(void *dev, u16 offset, int size)
{
	(void)dev, (void)offset, (void)size;
	return FAST_A20;
}

void fast_a20_out(void *dev, u16 offset, int size, u32 val)
{
	(void)offset, (void)size;
	if (val & FAST_RESET)
		reset(dev, "port 92h");
}

/* --- the debug port --- */

/* What reads as its own number is there. */
u32 debug_in(void *dev, u16 offset, int size)
{
	(void)dev, (void)offset, (void)size;
	return DEBUG_PORT;
}

void board_flush(struct board *b)
{
	line_flush(&b->s.line, b->emit, b->ctx);
}

void debug_out(void *dev, u16 offset, int size, u32 val)
{
	struct board *b = dev;

	(void)offset, (void)size;
	line_put(&b->s.line, (u8)val, b->emit, b->ctx);
}

int board_load(struct board *b, const struct board_state *s)
{
	if (s->pci_address & ~PCI_ADDRESS_KNOWN || s->acpi_status & ~STATUS_KNOWN ||
	    s->acpi_enable & ~ENABLE_KNOWN || s->acpi_control & ~CONTROL_KNOWN ||
	    !line_is_possible(&s->line))
		return -EINVAL;
	b->s = *s;
	return 0;
}
