// SPDX-License-Identifier: MIT
// objects: devices/uart.o devices/line.o
/* The virtual 16550 against what the data sheet says of each register. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "devices/uart.h"

static struct uart uart;
static char lines[8][LINE_MAX + 1];
static int nr_lines;

static void emit(void *ctx, const char *line, size_t len)
{
	assert_ptr_equal(ctx, &uart);
	assert_in_range(len, 0, LINE_MAX);
	assert_in_range(nr_lines, 0, 7);
	memcpy(lines[nr_lines], line, len);
	lines[nr_lines++][len] = 0;
}

static int setup(void **state)
{
	(void)state;
	nr_lines = 0;
	uart_init(&uart, emit, NULL, &uart);
	return 0;
}

static u8 in(u16 reg)
{
	return (u8)uart_in(&uart, reg, 1);
}

static void out(u16 reg, u8 val)
{
	uart_out(&uart, reg, 1, val);
}

static void print(const char *s)
{
	while (*s)
		out(UART_DATA, (u8)*s++);
}

static void test_reset(void **state)
{
	(void)state;
	assert_int_equal(in(UART_IER), 0);
	assert_int_equal(in(UART_IIR), UART_IIR_NONE);
	assert_int_equal(in(UART_LCR), 0);
	assert_int_equal(in(UART_MCR), 0);
	assert_int_equal(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	assert_int_equal(in(UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	assert_int_equal(in(UART_DATA), 0);
}

static void test_lines(void **state)
{
	(void)state;
	print("hello\r\n");
	assert_int_equal(nr_lines, 1);
	assert_string_equal(lines[0], "hello");
	print("\nthree");
	assert_int_equal(nr_lines, 2);
	assert_string_equal(lines[1], "");
	assert_int_equal(in(UART_LSR)&UART_LSR_THRE, UART_LSR_THRE);
	uart_flush(&uart);
	assert_int_equal(nr_lines, 3);
	assert_string_equal(lines[2], "three");
	uart_flush(&uart);
	assert_int_equal(nr_lines, 3);
}

/* A guest must not move the terminal's cursor, nor print what looks like a line of L0's. */
static void test_control_characters(void **state)
{
	(void)state;
	print("a\x1b[2J\tb\x80\x7f\n");
	assert_string_equal(lines[0], "a?[2J\tb??");
}

static void test_long_line(void **state)
{
	(void)state;
	for (int i = 0; i < 2 * LINE_MAX + 1; i++)
		out(UART_DATA, 'x');
	assert_int_equal(nr_lines, 2);
	assert_int_equal(strlen(lines[0]), LINE_MAX);
	print("\n");
	assert_int_equal(nr_lines, 3);
	assert_string_equal(lines[2], "x");
}

static void test_scratch_and_divisor(void **state)
{
	(void)state;
	out(UART_SCR, 0x5a);
	assert_int_equal(in(UART_SCR), 0x5a);
	out(UART_LCR, UART_LCR_DLAB | 3);
	out(UART_DATA, 0x12);
	out(UART_IER, 0x34);
	assert_int_equal(in(UART_DATA), 0x12);
	assert_int_equal(in(UART_IER), 0x34);
	out(UART_LCR, 3);
	assert_int_equal(in(UART_LCR), 3);
	assert_int_equal(in(UART_IER), 0);
	assert_int_equal(nr_lines, 0);
	assert_int_equal(uart.state.line.len, 0);
	out(UART_IER, 0xff);
	assert_int_equal(in(UART_IER), 0x0f);
	out(UART_MCR, 0xff);
	assert_int_equal(in(UART_MCR), UART_MCR_MASK);
}

static void test_iir_thre(void **state)
{
	(void)state;
	out(UART_IER, UART_IER_THRE);
	assert_int_equal(in(UART_IIR), UART_IIR_THRE);
	assert_int_equal(in(UART_IIR), UART_IIR_NONE);
	print("a");
	assert_int_equal(in(UART_IIR), UART_IIR_THRE);
	assert_int_equal(in(UART_IIR), UART_IIR_NONE);
}

static void test_fifo_identification(void **state)
{
	(void)state;
	out(UART_IIR, UART_FCR_ENABLE);
	assert_int_equal(in(UART_IIR), UART_IIR_FIFOS | UART_IIR_NONE);
	out(UART_IIR, 0);
	assert_int_equal(in(UART_IIR), UART_IIR_NONE);
}

static void test_loopback_data(void **state)
{
	(void)state;
	out(UART_MCR, UART_MCR_LOOP);
	out(UART_DATA, 'A');
	assert_int_equal(in(UART_LSR)&UART_LSR_DR, UART_LSR_DR);
	assert_int_equal(in(UART_DATA), 'A');
	assert_int_equal(in(UART_LSR)&UART_LSR_DR, 0);
	assert_int_equal(uart.state.line.len, 0);
}

/* Without the FIFO the second byte overwrites the first; with it the seventeenth is lost. */
static void test_overrun(void **state)
{
	(void)state;
	out(UART_MCR, UART_MCR_LOOP);
	print("AB");
	out(UART_IER, UART_IER_RLS | UART_IER_RDA);
	assert_int_equal(in(UART_IIR), UART_IIR_RLS);
	assert_int_equal(in(UART_LSR)&UART_LSR_OE, UART_LSR_OE);
	assert_int_equal(in(UART_LSR)&UART_LSR_OE, 0);
	assert_int_equal(in(UART_IIR), UART_IIR_RDA);
	assert_int_equal(in(UART_DATA), 'B');
	out(UART_IIR, UART_FCR_ENABLE | 0x40);
	for (u8 c = 0; c < 17; c++)
		out(UART_DATA, c);
	assert_int_equal(in(UART_LSR)&UART_LSR_OE, UART_LSR_OE);
	assert_int_equal(in(UART_IIR), UART_IIR_FIFOS | UART_IIR_RDA);
	for (u8 c = 0; c < 16; c++) {
		if (c == 13) /* three are left: below the trigger level of 4 */
			assert_int_equal(in(UART_IIR), UART_IIR_FIFOS | UART_IIR_CTI);
		assert_int_equal(in(UART_DATA), c);
	}
	assert_int_equal(in(UART_LSR)&UART_LSR_DR, 0);
	print("x");
	out(UART_IIR, UART_FCR_ENABLE | UART_FCR_CLRRX);
	assert_int_equal(in(UART_LSR)&UART_LSR_DR, 0);
}

static void test_loopback_modem(void **state)
{
	(void)state;
	out(UART_MCR, UART_MCR_LOOP);
	in(UART_MSR);
	out(UART_IER, UART_IER_MSI);
	assert_int_equal(in(UART_IIR), UART_IIR_NONE);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_RTS | UART_MCR_OUT1);
	assert_int_equal(in(UART_IIR), UART_IIR_MSI);
	assert_int_equal(in(UART_MSR), UART_MSR_CTS | UART_MSR_RI | 1);
	assert_int_equal(in(UART_MSR), UART_MSR_CTS | UART_MSR_RI);
	out(UART_MCR, UART_MCR_LOOP | UART_MCR_DTR | UART_MCR_OUT2);
	assert_int_equal(in(UART_MSR), UART_MSR_DSR | UART_MSR_DCD | 1 | 2 | UART_MSR_TERI | 8);
}

static void test_wide_access(void **state)
{
	(void)state;
	uart_out(&uart, UART_MCR, 4, 0x77000003);
	assert_int_equal(in(UART_MCR), 3);
	assert_int_equal(in(UART_SCR), 0x77);
	assert_int_equal(uart_in(&uart, UART_SCR, 2), 0xff77);
}

static void test_state_moves(void **state)
{
	struct uart_state saved;

	(void)state;
	out(UART_SCR, 9);
	print("half a li");
	saved = uart.state;
	setup(state);
	assert_int_equal(uart_load(&uart, &saved), 0);
	assert_memory_equal(&uart.state, &saved, sizeof(saved));
	print("ne\n");
	assert_string_equal(lines[0], "half a line");
}

static void refused(size_t offset, u8 value)
{
	struct uart_state s, before;

	print("ab");
	s = before = uart.state;
	((u8 *)&s)[offset] = value;
	assert_int_equal(uart_load(&uart, &s), -EINVAL);
	assert_memory_equal(&uart.state, &before, sizeof(before));
}

static void test_impossible_states(void **state)
{
	(void)state;
	refused(offsetof(struct uart_state, line.len), LINE_MAX + 1);
	refused(offsetof(struct uart_state, line.len) + 2, 1);
	refused(offsetof(struct uart_state, rx_head), UART_FIFO);
	refused(offsetof(struct uart_state, rx_count), UART_FIFO + 1);
	refused(offsetof(struct uart_state, ier), 0x10);
	refused(offsetof(struct uart_state, mcr), 0x20);
	refused(offsetof(struct uart_state, overrun), 1);
	refused(offsetof(struct uart_state, line.text), '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_reset, setup),
		cmocka_unit_test_setup(test_lines, setup),
		cmocka_unit_test_setup(test_control_characters, setup),
		cmocka_unit_test_setup(test_long_line, setup),
		cmocka_unit_test_setup(test_scratch_and_divisor, setup),
		cmocka_unit_test_setup(test_iir_thre, setup),
		cmocka_unit_test_setup(test_fifo_identification, setup),
		cmocka_unit_test_setup(test_loopback_data, setup),
		cmocka_unit_test_setup(test_overrun, setup),
		cmocka_unit_test_setup(test_loopback_modem, setup),
		cmocka_unit_test_setup(test_wide_access, setup),
		cmocka_unit_test_setup(test_state_moves, setup),
		cmocka_unit_test_setup(test_impossible_states, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
