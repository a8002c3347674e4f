// SPDX-License-Identifier: MIT
/*
 * What a counter of the 8254 shows, mode by mode. A count of N is loaded with the clock pulse after
 * it was written; so short a time is not modelled.
 */
#include "devices/pit_counter.h"

#define NSEC	    1000000000ull
#define NEVER	    (~0ull)
#define ACCESS_LOW  1
#define ACCESS_HIGH 2
#define ACCESS_BOTH 3
#define STATUS_OUT  0x80
#define STATUS_NULL 0x40 /* the count that was written is not loaded yet */

enum {
	MODE_INTERRUPT = 0, /* OUT rises at the end of the count */
	MODE_ONE_SHOT = 1,  /* the gate starts it; OUT is low meanwhile */
	MODE_RATE = 2,	    /* periodic: low for the last tick */
	MODE_SQUARE = 3,    /* periodic: high for the first half */
	MODE_STROBE = 4,    /* low for one tick at the end */
	MODE_TRIGGERED = 5, /* the same, and the gate starts it */
};

/* The product fits for centuries only with its parts apart. */
static u64 ns_to_ticks(u64 ns)
{
	return ns / NSEC * PIT_HZ + ns % NSEC * PIT_HZ / NSEC;
}

/* The first nanosecond at which so many ticks have passed. */
static u64 ticks_to_ns(u64 ticks)
{
	return ticks / PIT_HZ * NSEC + (ticks % PIT_HZ * NSEC + PIT_HZ - 1) / PIT_HZ;
}

static bool periodic(const struct pit_counter *c)
{
	return c->mode == MODE_RATE || c->mode == MODE_SQUARE;
}

static bool gate_starts(const struct pit_counter *c)
{
	return c->mode == MODE_ONE_SHOT || c->mode == MODE_TRIGGERED;
}

/* Ticks since it was started, those not counted in which its gate was low. */
static u64 ticks(const struct pit_counter *c, u64 t)
{
	if (!c->running)
		return c->start;
	return t > c->start ? ns_to_ticks(t - c->start) : 0;
}

static void start_at(struct pit_counter *c, u64 t)
{
	c->start = t;
	c->running = 1;
	c->edges = 0;
}

static void stop(struct pit_counter *c, u64 done)
{
	c->start = done;
	c->running = 0;
}

void pit_program(struct pit_counter *c, u8 access, u8 mode, bool bcd)
{
	*c = (struct pit_counter){
		.count = 65536,
		.mode = mode > MODE_TRIGGERED ? mode & 3 : mode, /* 6 and 7 are 2 and 3 */
		.bcd = bcd,
		.access = access,
		.gate = c->gate,
	};
}

static u32 from_bcd(u16 v)
{
	return (v >> 12) * 1000u + (v >> 8 & 15) * 100u + (v >> 4 & 15) * 10u + (v & 15);
}

static u16 to_bcd(u32 v)
{
	return (u16)(v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10);
}

static u32 modulus(const struct pit_counter *c)
{
	return c->bcd ? 10000 : 65536;
}

static void load(struct pit_counter *c, u16 written, u64 t)
{
	u32 count = c->bcd ? from_bcd(written) : written;
	/* A new count takes effect at the end of the present one in 2 and 3; here at once. */
	c->count = count ? count : modulus(c);
	c->loaded = 1;
	if (gate_starts(c))
		return;
	if (c->gate)
		start_at(c, t);
	else
		stop(c, 0);
}

bool pit_write(struct pit_counter *c, u8 val, u64 t)
{
	if (c->access == ACCESS_BOTH && !c->write_high) {
		c->write_low = val;
		c->write_high = 1;
		/* In mode 0 the first byte stops the count. */
		if (c->mode == MODE_INTERRUPT) {
			stop(c, 0);
			c->loaded = 0;
		}
		return false;
	}
	c->write_high = 0;
	if (c->access == ACCESS_BOTH)
		load(c, (u16)(val << 8 | c->write_low), t);
	else
		load(c, c->access == ACCESS_HIGH ? (u16)(val << 8) : val, t);
	return true;
}

/* The counting element. */
static u16 value(const struct pit_counter *c, u64 t)
{
	u64 done = ticks(c, t);
	u64 left;

	if (c->mode == MODE_SQUARE) {
		/* By twos, each half of the period anew; odd counts by one less in their first. */
		u64 at = done % c->count, half = (c->count + 1) / 2;

		left = (c->count & ~1u) - 2 * (at < half ? at : at - half);
		left = left ? left : 2;
	} else if (c->mode == MODE_RATE) {
		left = c->count - done % c->count;
	} else {
		left = modulus(c) + c->count - done % modulus(c);
	}
	left %= modulus(c);
	return c->bcd ? to_bcd((u32)left) : (u16)left;
}

bool pit_output(const struct pit_counter *c, u64 t)
{
	u64 done = ticks(c, t);

	if (!c->loaded || (gate_starts(c) && !c->running))
		return c->mode != MODE_INTERRUPT;
	if (periodic(c) && !c->gate)
		return true;
	switch (c->mode) {
	case MODE_INTERRUPT:
	case MODE_ONE_SHOT:
		return done >= c->count;
	case MODE_RATE:
		return c->count == 1 || done % c->count != c->count - 1;
	case MODE_SQUARE:
		return done % c->count < (c->count + 1) / 2;
	default:
		return done != c->count;
	}
}

u64 pit_edges(const struct pit_counter *c, u64 t)
{
	u64 done = ticks(c, t);

	if (!c->loaded || (gate_starts(c) && !c->running))
		return 0;
	if (periodic(c))
		return done / c->count;
	return done >= c->count + (c->mode >= MODE_STROBE);
}

u64 pit_next_edge(const struct pit_counter *c, u64 t)
{
	u64 edges = pit_edges(c, t);

	if (!c->loaded || !c->running)
		return NEVER;
	if (periodic(c))
		return c->start + ticks_to_ns((edges + 1) * c->count);
	if (edges)
		return NEVER;
	return c->start + ticks_to_ns((u64)c->count + (c->mode >= MODE_STROBE));
}

void pit_latch(struct pit_counter *c, u64 t)
{
	if (c->latch_bytes)
		return;
	c->latched = value(c, t);
	c->latch_bytes = c->access == ACCESS_BOTH ? 2 : 1;
}

void pit_latch_status(struct pit_counter *c, u64 t)
{
	if (c->status_latched)
		return;
	c->status = (u8)(c->access << 4 | c->mode << 1 | c->bcd);
	c->status |= pit_output(c, t) ? STATUS_OUT : 0;
	c->status |= c->loaded ? 0 : STATUS_NULL;
	c->status_latched = 1;
}

u8 pit_read(struct pit_counter *c, u64 t)
{
	u16 v = c->latch_bytes ? c->latched : value(c, t);
	bool high;

	if (c->status_latched) {
		c->status_latched = 0;
		return c->status;
	}
	if (c->access == ACCESS_BOTH) {
		high = c->read_high;
		c->read_high ^= 1;
	} else {
		high = c->access == ACCESS_HIGH;
	}
	if (c->latch_bytes)
		c->latch_bytes--;
	return (u8)(high ? v >> 8 : v);
}

void pit_gate(struct pit_counter *c, bool high, u64 t)
{
	bool rises = high && !c->gate;
	u64 done = ticks(c, t);

	c->gate = high;
	if (!c->loaded)
		return;
	if (rises && (gate_starts(c) || periodic(c)))
		start_at(c, t);
	else if (rises)
		start_at(c, t - ticks_to_ns(done));
	else if (!high && c->running && !gate_starts(c))
		stop(c, done);
}

bool pit_counter_is_possible(const struct pit_counter *c)
{
	return c->count >= 1 && c->count <= 65536 && c->mode <= MODE_TRIGGERED && c->bcd <= 1 &&
	       c->access >= ACCESS_LOW && c->access <= ACCESS_BOTH && c->loaded <= 1 &&
	       c->running <= 1 && c->gate <= 1 && c->write_high <= 1 && c->read_high <= 1 &&
	       c->latch_bytes <= 2 && c->status_latched <= 1 && c->start <= NEVER >> 1 &&
	       !c->reserved[0] && !c->reserved[1];
}
