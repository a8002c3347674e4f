/* SPDX-License-Identifier: MIT */
/*
 * A 16550 UART: what the guest transmits is collected into
 * lines for the console; nothing is ever received but the guest's own bytes in loopback.
 *
 * Owned by the vCPU's task; others only while the VM is paused. Plain C, tested on the host.
 */
#pragma once

#include "devices/line.h"
#include "lib/state.h"
#include "lib/types.h"

#define UART_PORTS 8
#define UART_FIFO  16

/* Registers, by their offset. With LCR.DLAB set the first two are the divisor latch. */
enum uart_register {
	UART_DATA = 0, /* RBR, THR; DLL */
	UART_IER = 1,  /* IER; DLM */
	UART_IIR = 2,  /* read; written: FCR */
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	UART_MSR = 6,
	UART_SCR = 7,
};

#define UART_IER_RDA	0x01
#define UART_IER_THRE	0x02
#define UART_IER_RLS	0x04
#define UART_IER_MSI	0x08
#define UART_IIR_NONE	0x01
#define UART_IIR_MSI	0x00
#define UART_IIR_THRE	0x02
#define UART_IIR_RDA	0x04
#define UART_IIR_RLS	0x06
#define UART_IIR_CTI	0x0c /* characters wait, fewer than the trigger level */
#define UART_IIR_FIFOS	0xc0
#define UART_FCR_ENABLE 0x01
#define UART_FCR_CLRRX	0x02
#define UART_FCR_KEPT	0xc9 /* enable, DMA mode, trigger level; the rest acts once */
#define UART_LCR_DLAB	0x80
#define UART_MCR_DTR	0x01
#define UART_MCR_RTS	0x02
#define UART_MCR_OUT1	0x04
#define UART_MCR_OUT2	0x08
#define UART_MCR_LOOP	0x10
#define UART_MCR_MASK	0x1f
#define UART_LSR_DR	0x01
#define UART_LSR_OE	0x02
#define UART_LSR_THRE	0x20
#define UART_LSR_TEMT	0x40
#define UART_MSR_DELTA	0x0f
#define UART_MSR_TERI	0x04 /* ring indicator went off; the other deltas: changed */
#define UART_MSR_CTS	0x10
#define UART_MSR_DSR	0x20
#define UART_MSR_RI	0x40
#define UART_MSR_DCD	0x80

/* All of it moves in a migration, the line that is not finished included. */
struct uart_state {
	u8 ier, fcr, lcr, mcr, scr, dll, dlm;
	u8 msr_delta;  /* UART_MSR_DELTA bits not read yet */
	u8 overrun;    /* UART_LSR_OE not read yet */
	u8 thre_event; /* the transmitter became empty, and IIR has not said so */
	u8 rx_head, rx_count;
	u8 rx[UART_FIFO];
	struct line line;
};
extern const struct state_desc uart_state_desc;

struct uart {
	struct uart_state state;
	line_emit emit;
	/* The interrupt line; NULL: nobody listens. */
	void (*irq)(void *ctx, bool high);
	void *ctx;
};

void uart_init(struct uart *uart, line_emit emit, void (*irq)(void *ctx, bool high), void *ctx);
/* @size bytes from the registers at @offset on, as an 8-bit device answers: one by one. */
u32 uart_in(void *dev, u16 offset, int size);
void uart_out(void *dev, u16 offset, int size, u32 val);
/* Gives a line that has no newline yet to emit(): the guest has ended. */
void uart_flush(struct uart *uart);
/* Takes over a state that came with a migration. 0, or -EINVAL: no UART can be in that state. */
int __must_check uart_load(struct uart *uart, const struct uart_state *state);
