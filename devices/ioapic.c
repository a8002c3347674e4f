// SPDX-License-Identifier: MIT
/* The I/O APIC; devices/ioapic.h. */
#include "devices/ioapic.h"

#define VERSION (0x20u | (IOAPIC_INPUTS - 1) << 16)

enum { AT_SELECT = 0x00, AT_WINDOW = 0x10, AT_EOI = 0x40 };
enum { REG_IO_ID = 0, REG_IO_VERSION = 1, REG_IO_ARBITRATION = 2, REG_IO_TABLE = 0x10 };

#define ENTRY_VECTOR	  0xffull
#define ENTRY_DELIVERY(e) ((e) >> 8 & 7)
#define ENTRY_LOGICAL	  BIT(11)
#define ENTRY_REMOTE_IRR  BIT(14)
#define ENTRY_LEVEL	  BIT(15)
#define ENTRY_MASKED	  BIT(16)
#define ENTRY_DEST(e)	  ((u32)((e) >> 56))
/* What is written: all but the status, the remote IRR and what is reserved. */
#define ENTRY_WRITTEN 0xff0000000001afffull

#define FIELD(member) STATE_FIELD(struct ioapic_state, member)

static const struct state_field fields[] = {
	FIELD(entry), FIELD(lines), FIELD(irr), FIELD(id), FIELD(select),
};

const struct state_desc ioapic_state_desc = {
	.name = "ioapic",
	.version = 1,
	.size = sizeof(struct ioapic_state),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

void ioapic_init(struct ioapic *io)
{
	io->s = (struct ioapic_state){0};
	for (u32 i = 0; i < IOAPIC_INPUTS; i++)
		io->s.entry[i] = ENTRY_MASKED;
}

/* Sends what input @pin asks for, if its entry lets it. */
static void deliver(struct ioapic *io, u32 pin)
{
	u64 e = io->s.entry[pin];
	bool level = e & ENTRY_LEVEL;
	const struct apic_message m = {
		.dest = ENTRY_DEST(e),
		.vector = (u8)(e & ENTRY_VECTOR),
		.delivery = ENTRY_DELIVERY(e),
		.logical = !!(e & ENTRY_LOGICAL),
		.level = level,
	};

	if (e & ENTRY_MASKED || !(io->s.irr & BIT(pin)))
		return;
	if (level && e & ENTRY_REMOTE_IRR)
		return;
	if (level)
		io->s.entry[pin] |= ENTRY_REMOTE_IRR;
	else
		io->s.irr &= ~(u32)BIT(pin);
	io->send(io->ctx, &m);
}

void ioapic_set(struct ioapic *io, u32 pin, bool high)
{
	u32 bit = (u32)BIT(pin);
	bool rises = high && !(io->s.lines & bit);

	io->s.lines = high ? io->s.lines | bit : io->s.lines & ~bit;
	if (io->s.entry[pin] & ENTRY_LEVEL)
		io->s.irr = high ? io->s.irr | bit : io->s.irr & ~bit;
	else if (rises)
		io->s.irr |= bit;
	deliver(io, pin);
}

void ioapic_eoi(struct ioapic *io, u8 vector)
{
	for (u32 i = 0; i < IOAPIC_INPUTS; i++) {
		if ((io->s.entry[i] & (ENTRY_LEVEL | ENTRY_VECTOR)) != (ENTRY_LEVEL | vector))
			continue;
		io->s.entry[i] &= ~ENTRY_REMOTE_IRR;
		deliver(io, i);
	}
}

static void write_entry(struct ioapic *io, u32 pin, u64 val)
{
	u64 old = io->s.entry[pin];

	val = (val & ENTRY_WRITTEN) | (old & ENTRY_REMOTE_IRR);
	/* An edge knows no remote IRR; software clears it by a detour over this. */
	if (!(val & ENTRY_LEVEL))
		val &= ~ENTRY_REMOTE_IRR;
	io->s.entry[pin] = val;
	if (val & ENTRY_LEVEL) {
		io->s.irr &= ~(u32)BIT(pin);
		io->s.irr |= io->s.lines & (u32)BIT(pin);
	}
	deliver(io, pin);
}

static u32 reg_read(const struct ioapic *io)
{
	u32 reg = io->s.select, pin = (reg - REG_IO_TABLE) / 2;

	switch (reg) {
	case REG_IO_ID:
	case REG_IO_ARBITRATION:
		return io->s.id;
	case REG_IO_VERSION:
		return VERSION;
	}
	if (reg < REG_IO_TABLE || pin >= IOAPIC_INPUTS)
		return 0;
	return (u32)(io->s.entry[pin] >> 32 * (reg & 1));
}

static void reg_write(struct ioapic *io, u32 val)
{
	u32 reg = io->s.select, pin = (reg - REG_IO_TABLE) / 2;
	u64 e;

	if (reg == REG_IO_ID)
		io->s.id = val & 0x0f000000;
	if (reg < REG_IO_TABLE || pin >= IOAPIC_INPUTS)
		return;
	e = io->s.entry[pin];
	if (reg & 1)
		write_entry(io, pin, (u32)e | (u64)val << 32);
	else
		write_entry(io, pin, (e & ~0xffffffffull) | val);
}

u64 ioapic_read(void *dev, u64 offset, u32 len)
{
	const struct ioapic *io = dev;

	if (offset == AT_SELECT && len)
		return io->s.select;
	return offset == AT_WINDOW && len == 4 ? reg_read(io) : 0;
}

void ioapic_write(void *dev, u64 offset, u32 len, u64 val)
{
	struct ioapic *io = dev;

	if (offset == AT_SELECT)
		io->s.select = val & 0xff;
	else if (offset == AT_WINDOW && len == 4)
		reg_write(io, (u32)val);
	else if (offset == AT_EOI && len == 4)
		ioapic_eoi(io, (u8)val);
}

int ioapic_load(struct ioapic *io, const struct ioapic_state *state)
{
	for (u32 i = 0; i < IOAPIC_INPUTS; i++)
		if (state->entry[i] & ~(ENTRY_WRITTEN | ENTRY_REMOTE_IRR))
			return -EINVAL;
	if ((state->lines | state->irr) >> IOAPIC_INPUTS || state->id & ~0x0f000000u ||
	    state->select > 0xff)
		return -EINVAL;
	io->s = *state;
	return 0;
}
