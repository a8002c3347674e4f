/* SPDX-License-Identifier: MIT */
/*
 * The 8254 timer of a PC (Intel's data sheet 231164): counter 0 is interrupt 0, counter 2 the
 * speaker, whose gate and output are in port 61h. Counters are not stepped: what they show follows
 * from the time since they were loaded.
 *
 * Times are the VM's (devices/vclock.h). Owned by the vCPU's task. Plain C, tested on the host.
 */
#pragma once

#include "lib/state.h"
#include "lib/types.h"

#define PIT_PORT      0x40
#define PIT_PORTS     4
#define PIT_HZ	      1193182ull
#define SPEAKER_PORT  0x61
#define SPEAKER_PORTS 1

struct pit_counter {
	u64 start;   /* when counting began, ns; while it stands still: ticks that were done */
	u32 count;   /* what it counts from, 1 to 65536 */
	u32 edges;   /* counter 0: rising edges since `start` that were told, modulo 2^32 */
	u16 latched; /* count held for reading */
	u8 mode;     /* 0 to 5 */
	u8 bcd;	     /* counts in decimal */
	u8 access;   /* 1: low byte, 2: high byte, 3: low, then high */
	u8 loaded;   /* a count was written since the control word */
	u8 running;  /* it counts: loaded, and its gate allows it */
	u8 gate;
	u8 write_high; /* access 3: the high byte comes next */
	u8 write_low;  /* the low byte that came */
	u8 read_high;
	u8 latch_bytes; /* of `latched`, not read yet */
	u8 status_latched;
	u8 status;
	u8 reserved[2];
};

/* All of it moves in a migration. */
struct pit_state {
	struct pit_counter counter[3];
	u32 speaker; /* port 61h, bits 0 and 1 */
	u32 reserved;
};
extern const struct state_desc pit_state_desc;

struct pit {
	struct pit_state s;
	u64 (*now)(void *ctx); /* the VM's clock, ns */
	void (*irq)(void *ctx, bool high);
	void (*rearm)(void *ctx); /* pit_tick() wants to be called at another time than it said */
	void *ctx;
};

void pit_init(struct pit *pit);
/* Makes interrupts of what has passed. Returns when the next one is due, ns, or ~0. */
u64 pit_tick(struct pit *pit);

u32 pit_in(void *dev, u16 offset, int size);
void pit_out(void *dev, u16 offset, int size, u32 val);
u32 speaker_in(void *dev, u16 offset, int size);
void speaker_out(void *dev, u16 offset, int size, u32 val);

/* 0, or -EINVAL: no timer can be in that state. */
int __must_check pit_load(struct pit *pit, const struct pit_state *state);
