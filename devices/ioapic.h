/* SPDX-License-Identifier: MIT */
/*
 * An I/O APIC with 24 inputs (Intel's data sheet 290566, and the EOI register of version 20h).
 *
 * Owned by the vCPU's task; others only while the VM is paused. Plain C, tested on the host.
 */
#pragma once

#include "devices/lapic.h"

#define IOAPIC_BASE   0xfec00000ull
#define IOAPIC_SIZE   0x1000
#define IOAPIC_INPUTS 24

/* All of it moves in a migration. */
struct ioapic_state {
	u64 entry[IOAPIC_INPUTS]; /* the redirection table */
	u32 lines;		  /* inputs as they are now */
	u32 irr;		  /* edges that have come while their entry was masked */
	u32 id;
	u32 select; /* the register behind the window */
};
extern const struct state_desc ioapic_state_desc;

struct ioapic {
	struct ioapic_state s;
	/* To the local APICs that it names. */
	void (*send)(void *ctx, const struct apic_message *m);
	void *ctx;
};

void ioapic_init(struct ioapic *io);
/* Input @pin is high or low now, whatever polarity its entry says: high is active. */
void ioapic_set(struct ioapic *io, u32 pin, bool high);
/* A local APIC has ended a level-triggered interrupt. */
void ioapic_eoi(struct ioapic *io, u8 vector);
/* Only aligned accesses of 32 bits reach a register. */
u64 ioapic_read(void *dev, u64 offset, u32 len);
void ioapic_write(void *dev, u64 offset, u32 len, u64 val);
/* 0, or -EINVAL: no I/O APIC can be in that state. */
int __must_check ioapic_load(struct ioapic *io, const struct ioapic_state *state);
