// SPDX-License-Identifier: MIT
/* The virtual 16550: registers by the data sheet (National PC16550D), output by lines. */
#include "devices/uart.h"
#include "lib/string.h"

#define FIELD(member) STATE_FIELD(struct uart_state, member)

static const struct state_field uart_fields[] = {
	FIELD(ier),	FIELD(fcr),	 FIELD(lcr),	   FIELD(mcr),	    FIELD(scr),
	FIELD(dll),	FIELD(dlm),	 FIELD(msr_delta), FIELD(overrun),  FIELD(thre_event),
	FIELD(rx_head), FIELD(rx_count), FIELD(rx),	   FIELD(line.len), FIELD(line.text),
};
_Static_assert(sizeof(struct uart_state) == 12 + UART_FIFO + sizeof(struct line), "no padding");

const struct state_desc uart_state_desc = {
	.name = "uart",
	.version = 1,
	.size = sizeof(struct uart_state),
	.nr_fields = ARRAY_SIZE(uart_fields),
	.fields = uart_fields,
};

void uart_init(struct uart *uart, line_emit emit, void (*irq)(void *ctx, bool high), void *ctx)
{
	memset(uart, 0, sizeof(*uart));
	uart->emit = emit;
	uart->irq = irq;
	uart->ctx = ctx;
}

void uart_flush(struct uart *uart)
{
	line_flush(&uart->state.line, uart->emit, uart->ctx);
}

/* A byte arrives at the receiver; here that happens in loopback only. */
static void uart_receive(struct uart_state *s, u8 c)
{
	bool fifo = s->fcr & UART_FCR_ENABLE;

	if (s->rx_count == (fifo ? UART_FIFO : 1)) {
		s->overrun = UART_LSR_OE;
		if (!fifo) /* without FIFO the new byte takes the old one's place */
			s->rx[s->rx_head] = c;
		return;
	}
	s->rx[(s->rx_head + s->rx_count++) % UART_FIFO] = c;
}

static u8 uart_take(struct uart_state *s)
{
	u8 c = s->rx[s->rx_head];

	if (!s->rx_count)
		return 0;
	s->rx_head = (u8)((s->rx_head + 1) % UART_FIFO);
	s->rx_count--;
	return c;
}

static u32 uart_trigger(const struct uart_state *s)
{
	static const u8 levels[4] = {1, 4, 8, 14};

	return s->fcr & UART_FCR_ENABLE ? levels[s->fcr >> 6] : 1;
}

/* The most urgent cause, by the data sheet's priorities. */
static u8 uart_cause(const struct uart_state *s)
{
	if ((s->ier & UART_IER_RLS) && s->overrun)
		return UART_IIR_RLS;
	if ((s->ier & UART_IER_RDA) && s->rx_count)
		return s->rx_count >= uart_trigger(s) ? UART_IIR_RDA : UART_IIR_CTI;
	if ((s->ier & UART_IER_THRE) && s->thre_event)
		return UART_IIR_THRE;
	if ((s->ier & UART_IER_MSI) && s->msr_delta)
		return UART_IIR_MSI;
	return UART_IIR_NONE;
}

static u8 uart_read_iir(struct uart_state *s)
{
	u8 cause = uart_cause(s);

	if (cause == UART_IIR_THRE) /* reading IIR acknowledges this one */
		s->thre_event = 0;
	return cause | (s->fcr & UART_FCR_ENABLE ? UART_IIR_FIFOS : 0);
}

/* Modem lines: in loopback the four outputs, else a terminal that is there and ready. */
static u8 uart_lines(u8 mcr)
{
	u8 v = 0;

	if (!(mcr & UART_MCR_LOOP))
		return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
	v |= mcr & UART_MCR_RTS ? UART_MSR_CTS : 0;
	v |= mcr & UART_MCR_DTR ? UART_MSR_DSR : 0;
	v |= mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0;
	v |= mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0;
	return v;
}

static void uart_write_mcr(struct uart_state *s, u8 val)
{
	u8 before = uart_lines(s->mcr), after = uart_lines(val & UART_MCR_MASK);
	u8 delta = (u8)((before ^ after) >> 4);

	if (!(before & UART_MSR_RI)) /* the ring indicator counts when it goes off only */
		delta &= (u8)~UART_MSR_TERI;
	s->msr_delta |= delta;
	s->mcr = val & UART_MCR_MASK;
}

static void uart_write_fcr(struct uart_state *s, u8 val)
{
	if (((val ^ s->fcr) & UART_FCR_ENABLE) || (val & UART_FCR_CLRRX))
		s->rx_head = s->rx_count = 0;
	s->fcr = val & UART_FCR_ENABLE ? val & UART_FCR_KEPT : 0;
}

static u8 uart_read_register(struct uart_state *s, u16 reg)
{
	u8 v;

	switch (reg) {
	case UART_DATA:
		return s->lcr & UART_LCR_DLAB ? s->dll : uart_take(s);
	case UART_IER:
		return s->lcr & UART_LCR_DLAB ? s->dlm : s->ier;
	case UART_IIR:
		return uart_read_iir(s);
	case UART_LCR:
		return s->lcr;
	case UART_MCR:
		return s->mcr;
	case UART_LSR:
		v = UART_LSR_THRE | UART_LSR_TEMT | s->overrun | (s->rx_count ? UART_LSR_DR : 0);
		s->overrun = 0;
		return v;
	case UART_MSR:
		v = uart_lines(s->mcr) | s->msr_delta;
		s->msr_delta = 0;
		return v;
	case UART_SCR:
		return s->scr;
	}
	return 0xff;
}

static void uart_transmit(struct uart *uart, u8 val)
{
	struct uart_state *s = &uart->state;

	if (s->mcr & UART_MCR_LOOP)
		uart_receive(s, val);
	else
		line_put(&s->line, val, uart->emit, uart->ctx);
	s->thre_event = 1;
}

static void uart_write_register(struct uart *uart, u16 reg, u8 val)
{
	struct uart_state *s = &uart->state;

	switch (reg) {
	case UART_DATA:
		if (s->lcr & UART_LCR_DLAB)
			s->dll = val;
		else
			uart_transmit(uart, val);
		break;
	case UART_IER:
		if (s->lcr & UART_LCR_DLAB) {
			s->dlm = val;
			break;
		}
		if (val & ~s->ier & UART_IER_THRE) /* enabled while empty: due at once */
			s->thre_event = 1;
		s->ier = val & 0x0f;
		break;
	case UART_IIR:
		uart_write_fcr(s, val);
		break;
	case UART_LCR:
		s->lcr = val;
		break;
	case UART_MCR:
		uart_write_mcr(s, val);
		break;
	case UART_SCR:
		s->scr = val;
		break;
	}
}

/* On a PC the output OUT2 lets the interrupt through to the line; in loopback it is cut off. */
static void uart_interrupt(const struct uart *uart)
{
	const struct uart_state *s = &uart->state;
	bool through = (s->mcr & UART_MCR_OUT2) && !(s->mcr & UART_MCR_LOOP);

	if (uart->irq)
		uart->irq(uart->ctx, through && uart_cause(s) != UART_IIR_NONE);
}

u32 uart_in(void *dev, u16 offset, int size)
{
	struct uart *uart = dev;
	u32 v = 0;

	for (int i = 0; i < size; i++)
		v |= (u32)uart_read_register(&uart->state, (u16)(offset + i)) << (8 * i);
	uart_interrupt(uart);
	return v;
}

void uart_out(void *dev, u16 offset, int size, u32 val)
{
	for (int i = 0; i < size; i++)
		uart_write_register(dev, (u16)(offset + i), (u8)(val >> (8 * i)));
	uart_interrupt(dev);
}

int uart_load(struct uart *uart, const struct uart_state *state)
{
	if (state->rx_head >= UART_FIFO || state->rx_count > UART_FIFO || (state->ier & ~0x0f) ||
	    (state->mcr & ~UART_MCR_MASK) || (state->fcr & ~UART_FCR_KEPT) ||
	    (state->msr_delta & ~UART_MSR_DELTA) || (state->overrun & ~UART_LSR_OE) ||
	    state->thre_event > 1 || !line_is_possible(&state->line))
		return -EINVAL;
	uart->state = *state;
	return 0;
}
