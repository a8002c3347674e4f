// SPDX-License-Identifier: MIT
/* The 8254's three counters, by the time since each was loaded; devices/pit.h. */
#include "devices/pit.h"
#include "devices/pit_counter.h"

#define NEVER (~0ull)

#define REG_CONTROL    3
#define READ_BACK      3 /* the control word's counter that stands for this command */
#define READ_NO_COUNT  0x20
#define READ_NO_STATUS 0x10
#define ACCESS_LATCH   0

/* Port 61h: bits 0 and 1 are written; 4 is the refresh toggle, 5 counter 2's output. */
#define SPEAKER_GATE	0x01
#define SPEAKER_WRITTEN 0x03
#define SPEAKER_REFRESH 0x10
#define SPEAKER_OUT	0x20
#define REFRESH_NS	15085

#define F(n, member)                                                                             \
	{                                                                                        \
		.name = #n "." #member, .offset = offsetof(struct pit_state, counter[n].member), \
		.size = sizeof(((struct pit_counter *)0)->member)                                \
	}
#define COUNTER(n)                                                                                 \
	F(n, start), F(n, count), F(n, edges), F(n, latched), F(n, mode), F(n, bcd), F(n, access), \
		F(n, loaded), F(n, running), F(n, gate), F(n, write_high), F(n, write_low),        \
		F(n, read_high), F(n, latch_bytes), F(n, status_latched), F(n, status),            \
		F(n, reserved)

static const struct state_field fields[] = {
	COUNTER(0),
	COUNTER(1),
	COUNTER(2),
	STATE_FIELD(struct pit_state, speaker),
	STATE_FIELD(struct pit_state, reserved),
};

const struct state_desc pit_state_desc = {
	.name = "pit",
	.version = 1,
	.size = sizeof(struct pit_state),
	.nr_fields = ARRAY_SIZE(fields),
	.fields = fields,
};

static u64 now(const struct pit *pit)
{
	return pit->now(pit->ctx);
}

void pit_init(struct pit *pit)
{
	pit->s = (struct pit_state){0};
	for (int i = 0; i < 3; i++) {
		struct pit_counter *c = &pit->s.counter[i];

		*c = (struct pit_counter){.count = 65536, .access = 3, .gate = i != 2};
	}
}

/* --- interrupt 0 --- */

u64 pit_tick(struct pit *pit)
{
	struct pit_counter *c = &pit->s.counter[0];
	u64 t = now(pit), edges = pit_edges(c, t);

	/* Ticks that were missed are one. */
	if ((u32)edges != c->edges) {
		c->edges = (u32)edges;
		pit->irq(pit->ctx, false);
		pit->irq(pit->ctx, true);
	}
	if (!pit_output(c, t))
		pit->irq(pit->ctx, false);
	return pit_next_edge(c, t);
}

static void changed(struct pit *pit, int i)
{
	if (i != 0)
		return;
	pit->irq(pit->ctx, pit_output(&pit->s.counter[0], now(pit)));
	pit->rearm(pit->ctx);
}

/* --- ports --- */

static void read_back(struct pit *pit, u8 val)
{
	for (int i = 0; i < 3; i++) {
		struct pit_counter *c = &pit->s.counter[i];

		if (!(val & BIT(i + 1)))
			continue;
		if (!(val & READ_NO_STATUS))
			pit_latch_status(c, now(pit));
		if (!(val & READ_NO_COUNT))
			pit_latch(c, now(pit));
	}
}

static void control(struct pit *pit, u8 val)
{
	int i = val >> 6, access = val >> 4 & 3;

	if (i == READ_BACK) {
		read_back(pit, val);
	} else if (access == ACCESS_LATCH) {
		pit_latch(&pit->s.counter[i], now(pit));
	} else {
		pit_program(&pit->s.counter[i], (u8)access, val >> 1 & 7, val & 1);
		changed(pit, i);
	}
}

u32 pit_in(void *dev, u16 offset, int size)
{
	struct pit *pit = dev;

	if (size != 1 || offset == REG_CONTROL)
		return ~0u;
	return pit_read(&pit->s.counter[offset], now(pit));
}

void pit_out(void *dev, u16 offset, int size, u32 val)
{
	struct pit *pit = dev;

	if (size != 1)
		return;
	if (offset == REG_CONTROL)
		control(pit, (u8)val);
	else if (pit_write(&pit->s.counter[offset], (u8)val, now(pit)))
		changed(pit, offset);
}

u32 speaker_in(void *dev, u16 offset, int size)
{
	const struct pit *pit = dev;
	u32 val = pit->s.speaker;

	(void)offset, (void)size;
	if (now(pit) / REFRESH_NS & 1)
		val |= SPEAKER_REFRESH;
	if (pit_output(&pit->s.counter[2], now(pit)))
		val |= SPEAKER_OUT;
	return val;
}

void speaker_out(void *dev, u16 offset, int size, u32 val)
{
	struct pit *pit = dev;

	(void)offset, (void)size;
	pit->s.speaker = val & SPEAKER_WRITTEN;
	pit_gate(&pit->s.counter[2], val & SPEAKER_GATE, now(pit));
}

/* --- migration --- */

int pit_load(struct pit *pit, const struct pit_state *state)
{
	for (int i = 0; i < 3; i++)
		if (!pit_counter_is_possible(&state->counter[i]))
			return -EINVAL;
	if (state->speaker & ~(u32)SPEAKER_WRITTEN || state->reserved)
		return -EINVAL;
	pit->s = *state;
	return 0;
}
