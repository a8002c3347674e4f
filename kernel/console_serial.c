// SPDX-License-Identifier: MIT
/* The first serial port, a 16550 at 3F8h: 115200 baud, 8 bits, no parity, polled. */
#include "kernel/console.h"
#include "kernel/cpu.h"

#define PORT 0x3f8

enum {
	REG_DATA = 0, /* the divisor's low byte while LCR_DLAB is set */
	REG_IER = 1,  /* the divisor's high byte */
	REG_FCR = 2,
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCRATCH = 7,
};

#define LCR_8N1	     0x03
#define LCR_DLAB     0x80
#define FCR_ENABLE   0x07 /* FIFOs on and emptied */
#define MCR_DTR_RTS  0x03
#define MCR_LOOPBACK 0x10
#define LSR_READY    0x01
#define LSR_EMPTY    0x20
#define MSR_INPUTS   0xf0

/* At 115200 baud one character takes 87 us; a port access about 1 us. */
#define SPINS 100000

/*
 * Is there a UART? Its scratch register keeps what is written, and in loopback mode the modem
 * outputs appear as inputs. An empty bus does neither.
 */
bool serial_init(void)
{
	outb(PORT + REG_SCRATCH, 0x5a);
	if (inb(PORT + REG_SCRATCH) != 0x5a)
		return false;
	outb(PORT + REG_SCRATCH, 0xa5);
	if (inb(PORT + REG_SCRATCH) != 0xa5)
		return false;
	outb(PORT + REG_MCR, MCR_LOOPBACK | 0x0a); /* RTS, OUT2 -> CTS, DCD */
	if ((inb(PORT + REG_MSR) & MSR_INPUTS) != 0x90)
		return false;
	outb(PORT + REG_IER, 0);
	outb(PORT + REG_LCR, LCR_DLAB);
	outb(PORT + REG_DATA, 1);
	outb(PORT + REG_IER, 0);
	outb(PORT + REG_LCR, LCR_8N1);
	outb(PORT + REG_FCR, FCR_ENABLE);
	outb(PORT + REG_MCR, MCR_DTR_RTS);
	return true;
}

void serial_putc(char c)
{
	/* A port that never gets empty must not hang the machine. */
	for (int i = 0; i < SPINS && !(inb(PORT + REG_LSR) & LSR_EMPTY); i++)
		cpu_pause();
	outb(PORT + REG_DATA, (u8)c);
}

int serial_getc(void)
{
	if (!(inb(PORT + REG_LSR) & LSR_READY))
		return -EAGAIN;
	return inb(PORT + REG_DATA);
}
