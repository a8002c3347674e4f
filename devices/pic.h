/* SPDX-License-Identifier: MIT */
/*
 * The two 8259A interrupt controllers of a PC, the second one on the first's input 2 (Intel's data
 * sheet 231468, and ELCR as chipsets have it at 4D0h and 4D1h).
 *
 * Owned by the vCPU's task; others only while the VM is paused. Plain C, tested on the host.
 */
#pragma once

#include "lib/state.h"
#include "lib/types.h"

#define PIC_MASTER_PORT 0x20
#define PIC_SLAVE_PORT	0xa0
#define PIC_PORTS	2
#define PIC_ELCR_PORT	0x4d0
#define PIC_INPUTS	16
#define PIC_CASCADE	2 /* the first one's input that the second one drives */

struct pic_chip {
	u8 irr, isr, imr;
	u8 lines; /* inputs as they are now */
	u8 level; /* ELCR: inputs that count while they are high, not when they rise */
	u8 base;  /* ICW2: vector of input 0 */
	u8 init;  /* the next word is ICW2, 3 or 4; 0: none is expected */
	u8 icw4;
	u8 wants_icw4;
	u8 lowest; /* the input of lowest priority */
	u8 rotate; /* with automatic EOI: rotate the priorities each time */
	u8 special_mask;
	u8 read_isr; /* OCW3: the even port reads ISR, not IRR */
	u8 poll;     /* OCW3: the next read of the even port is a poll */
	u8 reserved[2];
};

/* All of it moves in a migration. chip[0] is the one that the processor hears. */
struct pic {
	struct pic_chip chip[2];
};
extern const struct state_desc pic_state_desc;

void pic_init(struct pic *pic);
/* Input @irq (0 to 15) is high or low now. */
void pic_set(struct pic *pic, u32 irq, bool high);
/* Does the processor's INTR pin ask for an interrupt? */
bool pic_pending(const struct pic *pic);
/* The processor's two INTA cycles: the vector. Spurious ones are input 7's. */
u8 pic_acknowledge(struct pic *pic);

/* Ports: @dev is the struct pic. */
u32 pic_master_in(void *dev, u16 offset, int size);
void pic_master_out(void *dev, u16 offset, int size, u32 val);
u32 pic_slave_in(void *dev, u16 offset, int size);
void pic_slave_out(void *dev, u16 offset, int size, u32 val);
u32 pic_elcr_in(void *dev, u16 offset, int size);
void pic_elcr_out(void *dev, u16 offset, int size, u32 val);

/* 0, or -EINVAL: no controllers can be in that state. */
int __must_check pic_load(struct pic *pic, const struct pic *state);
