// SPDX-License-Identifier: MIT
/* The VGA text screen: one word per cell, the attribute in its high byte. */
#include "kernel/console.h"

#define ATTRIBUTE 0x0700 /* light grey on black */

static volatile u16 *cells;
static u32 cells_per_line;

static void draw(u32 row, u32 column, char c)
{
	cells[row * cells_per_line + column] = (u16)(ATTRIBUTE | (u8)c);
}

screen_draw_fn console_vga_init(void *memory, const struct framebuffer *fb, u32 *rows, u32 *columns)
{
	cells = memory;
	cells_per_line = fb->pitch / 2;
	*rows = fb->height;
	*columns = fb->width;
	return fb->width >= 40 && fb->height >= 10 ? draw : NULL;
}
