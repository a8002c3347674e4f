// SPDX-License-Identifier: MIT
/*
 * The console: hands text to the serial port and to the screen, and keeps the screen's grid of
 * characters, so that scrolling never reads video memory, which is slow.
 */
#include "kernel/console.h"
#include "kernel/paging.h"
#include "kernel/params.h"
#include "lib/lock.h"
#include "lib/string.h"

#define MAX_CELLS (256 * 128)
/* The rest of a longer line is left out: RESULT alone would push all else off a screen. */
#define LINE_ROWS 3

static struct {
	struct spinlock lock; /* everything below but the flags set at boot */
	bool has_serial, has_screen;
	bool to_serial, to_screen;
	bool unlocked;
	screen_draw_fn draw;
	u32 rows, columns, row, column;
	u32 wraps;  /* how often the line at hand went on in the next row */
	u32 escape; /* within an escape sequence: how far */
	char cells[MAX_CELLS];
} con;

static void scroll(void)
{
	u32 last = (con.rows - 1) * con.columns;

	for (u32 i = 0; i < con.rows * con.columns; i++) {
		char c = i < last ? con.cells[i + con.columns] : ' ';

		if (c == con.cells[i])
			continue;
		con.cells[i] = c;
		con.draw(i / con.columns, i % con.columns, c);
	}
}

static void new_line(void)
{
	con.column = 0;
	if (con.row + 1 < con.rows)
		con.row++;
	else
		scroll();
}

static void put_cell(char c)
{
	u32 i;

	if (con.column == con.columns) {
		if (con.wraps + 1 == LINE_ROWS)
			return;
		con.wraps++;
		new_line();
	}
	i = con.row * con.columns + con.column;
	if (con.cells[i] != c) {
		con.cells[i] = c;
		con.draw(con.row, con.column, c);
	}
	con.column++;
}

/* Guests colour their text: ESC [ digits letter. The screen leaves such sequences out. */
static bool in_escape(char c)
{
	if (c == '\033') {
		con.escape = 1;
		return true;
	}
	if (con.escape == 0)
		return false;
	if (con.escape == 1)
		con.escape = c == '[' ? 2 : 0;
	else if (c >= '@' && c <= '~')
		con.escape = 0;
	return true;
}

static void screen_putc(char c)
{
	if (in_escape(c))
		return;
	switch (c) {
	case '\n':
		con.wraps = 0;
		new_line();
		break;
	case '\r':
		con.column = 0;
		break;
	case '\b':
		con.column -= con.column > 0;
		break;
	case '\t':
		do
			put_cell(' ');
		while (con.column % 8 && con.column < con.columns);
		break;
	default:
		if (c >= ' ' && c <= '~')
			put_cell(c);
	}
}

void console_early_init(void)
{
	con.has_serial = serial_init();
	con.to_serial = con.has_serial;
}

/* Draws again what was on the screen before, at the same place or as much as fits. */
static void redraw(void)
{
	for (u32 i = 0; i < con.rows * con.columns; i++)
		con.draw(i / con.columns, i % con.columns, con.cells[i]);
}

void console_screen_init(const struct framebuffer *fb, bool paged)
{
	bool text = fb->kind == FRAMEBUFFER_TEXT;
	u64 size = (u64)fb->pitch * fb->height;
	void *memory = (void *)fb->address;

	if (fb->kind == FRAMEBUFFER_NONE || fb->address == 0)
		return;
	if (paged)
		memory = mmio_map((hpa_t){fb->address}, size);
	if (!memory || (!paged && fb->address + size > (1ull << 32))) {
		con.to_screen = false;
		return;
	}
	u32 rows, columns;
	screen_draw_fn draw = text ? console_vga_init(memory, fb, &rows, &columns)
				   : console_fb_init(memory, fb, &rows, &columns);

	if (!draw || rows * columns > MAX_CELLS)
		return;
	if (!con.has_screen) {
		memset(con.cells, ' ', sizeof(con.cells));
		con.to_screen = true;
	}
	con.draw = draw;
	con.rows = rows;
	con.columns = columns;
	con.has_screen = true;
	if (con.to_screen)
		redraw();
}

void console_select(u32 choice)
{
	/* With no port to write to, "serial" would mean silence: then the screen speaks. */
	bool serial = choice != PARAM_console_screen || !con.has_screen;
	bool screen = choice != PARAM_console_serial || !con.has_serial;

	con.to_serial = con.has_serial && serial;
	con.to_screen = con.has_screen && screen;
}

void console_write(const char *text, size_t n)
{
	if (!con.unlocked)
		spin_lock(&con.lock);
	for (size_t i = 0; i < n; i++) {
		if (con.to_serial && text[i] == '\n')
			serial_putc('\r');
		if (con.to_serial)
			serial_putc(text[i]);
		if (con.to_screen)
			screen_putc(text[i]);
	}
	if (!con.unlocked)
		spin_unlock(&con.lock);
}

int console_read(void)
{
	return con.has_serial ? serial_getc() : -EAGAIN;
}

void console_panic(void)
{
	con.unlocked = true;
}

bool console_has_serial(void)
{
	return con.has_serial;
}

bool console_has_screen(void)
{
	return con.has_screen;
}
