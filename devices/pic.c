// SPDX-License-Identifier: MIT
/* The 8259A pair; devices/pic.h. */
#include "devices/pic.h"
#include "lib/string.h"

#define ICW1	       0x10 /* written to the even port: an initialization word, not an OCW */
#define ICW1_NEEDS_4   0x01
#define ICW4_AUTO_EOI  0x02
#define ICW4_NESTED    0x10 /* special fully nested mode */
#define OCW3	       0x08
#define OCW3_READ      0x02
#define OCW3_READ_ISR  0x01
#define OCW3_POLL      0x04
#define OCW3_MASK_SET  0x40 /* bit 5 is then the special mask mode */
#define OCW3_MASK      0x20
#define POLL_INTERRUPT 0x80
#define SPURIOUS       7

/* ELCR: the timer, the keyboard, the cascade, the clock and the FPU are edges for good. */
#define LEVEL_ALLOWED_MASTER 0xf8
#define LEVEL_ALLOWED_SLAVE  0xde

#define FIELD(chip_, member)                                                                    \
	{                                                                                       \
		.name = #chip_ "." #member, .offset = offsetof(struct pic, chip[chip_].member), \
		.size = sizeof(((struct pic_chip *)0)->member)                                  \
	}
#define CHIP(n)                                                                                 \
	FIELD(n, irr), FIELD(n, isr), FIELD(n, imr), FIELD(n, lines), FIELD(n, level),          \
		FIELD(n, base), FIELD(n, init), FIELD(n, icw4), FIELD(n, wants_icw4),           \
		FIELD(n, lowest), FIELD(n, rotate), FIELD(n, special_mask), FIELD(n, read_isr), \
		FIELD(n, poll), FIELD(n, reserved)

static const struct state_field fields[] = {CHIP(0), CHIP(1)};

const struct state_desc pic_state_desc = {
	.name = "pic",
	.version = 1,
	.size = sizeof(struct pic),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

/* 0: the highest. */
static u32 rank(const struct pic_chip *c, u32 input)
{
	return (input - c->lowest - 1) & 7;
}

/* The input of highest priority in @mask; 8: none. */
static u32 first_of(const struct pic_chip *c, u8 mask)
{
	for (u32 i = 1; i <= 8; i++)
		if (mask >> ((c->lowest + i) & 7) & 1)
			return (c->lowest + i) & 7;
	return 8;
}

/* The input that asks for an interrupt and is not held back by one in service; 8: none. */
static u32 asking(const struct pic_chip *c, bool master)
{
	u32 input = first_of(c, c->irr & (u8)~c->imr);
	u8 in_service = c->isr;
	u32 serving;

	if (c->special_mask)
		in_service &= (u8)~c->imr;
	/* The second chip's inputs have priorities of their own: it may ask once more. */
	if (master && c->icw4 & ICW4_NESTED)
		in_service &= (u8)~BIT(PIC_CASCADE);
	serving = first_of(c, in_service);
	if (input == 8 || (serving != 8 && rank(c, serving) <= rank(c, input)))
		return 8;
	return input;
}

static void chip_set(struct pic_chip *c, u32 input, bool high)
{
	u8 bit = (u8)BIT(input);
	bool was = c->lines & bit;

	c->lines = (u8)(high ? c->lines | bit : c->lines & ~bit);
	if (c->level & bit)
		c->irr = (u8)(high ? c->irr | bit : c->irr & ~bit);
	else if (high && !was)
		c->irr |= bit;
}

/* The second one's output is the first one's input. */
static void cascade(struct pic *pic)
{
	struct pic_chip *c = &pic->chip[0];
	u8 bit = (u8)BIT(PIC_CASCADE);

	c->irr = (u8)(asking(&pic->chip[1], false) != 8 ? c->irr | bit : c->irr & ~bit);
}

static void end_of_interrupt(struct pic_chip *c, u32 input, bool rotate)
{
	if (input == 8)
		return;
	c->isr &= (u8)~BIT(input);
	if (rotate)
		c->lowest = (u8)input;
}

/* One chip's part of an acknowledge cycle. Returns the input, SPURIOUS when none asks any more. */
static u32 acknowledge(struct pic_chip *c, bool master)
{
	u32 input = asking(c, master);

	if (input == 8)
		return SPURIOUS;
	if (!(c->level & BIT(input)))
		c->irr &= (u8)~BIT(input);
	c->isr |= (u8)BIT(input);
	if (c->icw4 & ICW4_AUTO_EOI)
		end_of_interrupt(c, input, c->rotate);
	return input;
}

static void reset(struct pic_chip *c)
{
	u8 lines = c->lines, level = c->level;

	*c = (struct pic_chip){.lines = lines, .level = level, .lowest = 7};
	c->irr = lines & level;
}

void pic_init(struct pic *pic)
{
	for (u32 i = 0; i < ARRAY_SIZE(pic->chip); i++) {
		pic->chip[i] = (struct pic_chip){0};
		reset(&pic->chip[i]);
	}
}

void pic_set(struct pic *pic, u32 irq, bool high)
{
	if (irq == PIC_CASCADE)
		return;
	chip_set(&pic->chip[irq / 8], irq % 8, high);
	cascade(pic);
}

bool pic_pending(const struct pic *pic)
{
	return asking(&pic->chip[0], true) != 8;
}

u8 pic_acknowledge(struct pic *pic)
{
	u32 input = acknowledge(&pic->chip[0], true);
	const struct pic_chip *c = &pic->chip[0];

	if (input == PIC_CASCADE) {
		c = &pic->chip[1];
		input = acknowledge(&pic->chip[1], false);
		cascade(pic);
	}
	return (u8)(c->base + input);
}

/* --- ports --- */

static u8 chip_read(struct pic_chip *c, u16 offset, bool master)
{
	if (c->poll) {
		u32 input = asking(c, master);

		c->poll = 0;
		return input == 8 ? 0 : (u8)(POLL_INTERRUPT | acknowledge(c, master));
	}
	if (offset)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static void write_ocw2(struct pic_chip *c, u8 val)
{
	u32 level = val & 7;

	switch (val >> 5) {
	case 0: /* rotate in automatic EOI: off, on */
	case 4:
		c->rotate = val >> 7;
		break;
	case 1: /* an EOI of what is in service with the highest priority; the same, and rotate */
	case 5:
		end_of_interrupt(c, first_of(c, c->isr), val >> 7);
		break;
	case 3: /* one of the input named; the same, and rotate */
	case 7:
		end_of_interrupt(c, level, val >> 7);
		break;
	case 6: /* set priorities */
		c->lowest = (u8)level;
		break;
	}
}

static void write_ocw3(struct pic_chip *c, u8 val)
{
	if (val & OCW3_POLL)
		c->poll = 1;
	if (val & OCW3_READ)
		c->read_isr = val & OCW3_READ_ISR;
	if (val & OCW3_MASK_SET)
		c->special_mask = !!(val & OCW3_MASK);
}

/* ICW2 to ICW4; the wiring that ICW3 describes is fixed. */
static void write_init(struct pic_chip *c, u8 val)
{
	switch (c->init) {
	case 2:
		c->base = val & 0xf8;
		c->init = 3;
		break;
	case 3:
		c->init = c->wants_icw4 ? 4 : 0;
		break;
	default:
		c->icw4 = val & (ICW4_AUTO_EOI | ICW4_NESTED);
		c->init = 0;
	}
}

static void chip_write(struct pic_chip *c, u16 offset, u8 val)
{
	if (offset == 0 && val & ICW1) {
		reset(c);
		c->init = 2;
		c->wants_icw4 = val & ICW1_NEEDS_4;
	} else if (offset == 0) {
		if (val & OCW3)
			write_ocw3(c, val);
		else
			write_ocw2(c, val);
	} else if (c->init) {
		write_init(c, val);
	} else {
		c->imr = val;
	}
}

static u32 port_in(struct pic *pic, u32 chip, u16 offset, int size)
{
	u8 val = chip_read(&pic->chip[chip], offset, chip == 0);

	cascade(pic);
	return size == 1 ? val : ~0u << 8 | val;
}

u32 pic_master_in(void *dev, u16 offset, int size)
{
	return port_in(dev, 0, offset, size);
}

u32 pic_slave_in(void *dev, u16 offset, int size)
{
	return port_in(dev, 1, offset, size);
}

void pic_master_out(void *dev, u16 offset, int size, u32 val)
{
	struct pic *pic = dev;

	(void)size;
	chip_write(&pic->chip[0], offset, (u8)val);
	cascade(pic);
}

void pic_slave_out(void *dev, u16 offset, int size, u32 val)
{
	struct pic *pic = dev;

	(void)size;
	chip_write(&pic->chip[1], offset, (u8)val);
	cascade(pic);
}

u32 pic_elcr_in(void *dev, u16 offset, int size)
{
	const struct pic *pic = dev;

	if (size == 2 && offset == 0)
		return pic->chip[0].level | (u32)pic->chip[1].level << 8;
	return pic->chip[offset & 1].level;
}

void pic_elcr_out(void *dev, u16 offset, int size, u32 val)
{
	struct pic *pic = dev;

	for (int i = 0; i < MIN(size, 2) && offset + i < 2; i++) {
		u8 allowed = offset + i ? LEVEL_ALLOWED_SLAVE : LEVEL_ALLOWED_MASTER;

		pic->chip[offset + i].level = (u8)(val >> 8 * i) & allowed;
	}
}

static bool chip_is_possible(const struct pic_chip *c, u8 level_allowed)
{
	return !(c->level & ~level_allowed) && !(c->base & 7) && c->init <= 4 && c->init != 1 &&
	       !(c->icw4 & ~(ICW4_AUTO_EOI | ICW4_NESTED)) && c->wants_icw4 <= 1 &&
	       c->lowest <= 7 && c->rotate <= 1 && c->special_mask <= 1 && c->read_isr <= 1 &&
	       c->poll <= 1 && !c->reserved[0] && !c->reserved[1];
}

int pic_load(struct pic *pic, const struct pic *state)
{
	if (!chip_is_possible(&state->chip[0], LEVEL_ALLOWED_MASTER) ||
	    !chip_is_possible(&state->chip[1], LEVEL_ALLOWED_SLAVE))
		return -EINVAL;
	*pic = *state;
	return 0;
}
