// SPDX-License-Identifier: MIT
/*
 * A linear framebuffer of 24 or 32 bits per pixel. A cell is 6 x 9 dots, drawn one, two or more
 * pixels wide and high, whichever still leaves 80 columns and 24 rows.
 */
#include "kernel/console.h"

#define CELL_WIDTH  6
#define CELL_HEIGHT 9
#define FONT_ROWS   8

static struct {
	volatile u8 *memory;
	u32 pitch, bytes; /* per line, per pixel */
	u32 scale_x, scale_y;
	u32 ink;
} fb;

static void put_pixel(volatile u8 *at, u32 colour)
{
	if (fb.bytes == 4) {
		*(volatile u32 *)at = colour;
		return;
	}
	at[0] = (u8)colour;
	at[1] = (u8)(colour >> 8);
	at[2] = (u8)(colour >> 16);
}

static void draw_line(volatile u8 *at, u32 dots)
{
	for (u32 x = 0; x < CELL_WIDTH; x++) {
		u32 colour = dots & (1u << (CELL_WIDTH - 1 - x)) ? fb.ink : 0;

		for (u32 i = 0; i < fb.scale_x; i++, at += fb.bytes)
			put_pixel(at, colour);
	}
}

static void draw(u32 row, u32 column, char c)
{
	const u8 *glyph = console_font[c - ' '];
	volatile u8 *at = fb.memory + (u64)row * CELL_HEIGHT * fb.scale_y * fb.pitch +
			  (u64)column * CELL_WIDTH * fb.scale_x * fb.bytes;

	for (u32 y = 0; y < CELL_HEIGHT; y++) {
		/* The glyph's five dots, and one dot of space to the right. */
		u32 dots = y < FONT_ROWS ? (u32)glyph[y] << 1 : 0;

		for (u32 i = 0; i < fb.scale_y; i++, at += fb.pitch)
			draw_line(at, dots);
	}
}

screen_draw_fn console_fb_init(void *memory, const struct framebuffer *info, u32 *rows,
			       u32 *columns)
{
	fb.memory = memory;
	fb.pitch = info->pitch;
	fb.bytes = info->bpp / 8;
	fb.scale_x = MAX(info->width / (80 * CELL_WIDTH), 1u);
	fb.scale_y = MIN(info->height / (24 * CELL_HEIGHT), fb.scale_x + 1);
	fb.scale_y = MAX(fb.scale_y, 1u);
	fb.ink = 0xd0u << info->red_shift | 0xd0u << info->green_shift | 0xd0u << info->blue_shift;
	*columns = MIN(info->width / (CELL_WIDTH * fb.scale_x), 256u);
	*rows = MIN(info->height / (CELL_HEIGHT * fb.scale_y), 128u);
	return *columns >= 40 && *rows >= 10 ? draw : NULL;
}
