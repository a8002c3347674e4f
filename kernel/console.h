/* SPDX-License-Identifier: MIT */
/*
 * Where text goes: the first serial port and the screen (VGA text or a linear framebuffer),
 * each only if it is there. Both get the same.
 */
#pragma once

#include "kernel/bootinfo.h"
#include "lib/types.h"

/* Finds the serial port; text written from now on reaches it. Before anything else. */
void console_early_init(void);

/*
 * Adds the screen that the boot loader left. Called twice: before paging_init, when only a
 * screen below 4 GiB can be used, and after it with @paged, when it is mapped as device memory.
 */
void console_screen_init(const struct framebuffer *fb, bool paged);

/* Chooses among what is there (PARAM_console_*); what is not there stays unused. */
void console_select(u32 choice);

/*
 * Writes @n characters; '\n' starts a new line. Output of different CPUs is not mixed within
 * one call. Takes the console's spinlock; not for interrupt handlers.
 */
void console_write(const char *text, size_t n);

/* A character that was typed on the serial port, or -EAGAIN. */
int console_read(void);

/* From now on write without the lock: whoever holds it may never let go. For panic(). */
void console_panic(void);

bool console_has_serial(void);
bool console_has_screen(void);

/* --- between the console's files --- */

bool serial_init(void);
void serial_putc(char c);
int serial_getc(void);

/* Draws one character cell. */
typedef void (*screen_draw_fn)(u32 row, u32 column, char c);

/* A screen to draw on; NULL when it is too small. @rows and @columns are set. */
screen_draw_fn console_vga_init(void *memory, const struct framebuffer *fb, u32 *rows,
				u32 *columns);
screen_draw_fn console_fb_init(void *memory, const struct framebuffer *info, u32 *rows,
			       u32 *columns);

/* Eight rows of five dots for each of the characters 32..126; bit 4 is the leftmost dot. */
extern const u8 console_font[95][8];
