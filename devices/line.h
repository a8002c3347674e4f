/* SPDX-License-Identifier: MIT */
/* Collects what a guest prints, character by character, into lines for the console. */
#pragma once

#include "lib/types.h"

#define LINE_MAX 224 /* characters; a longer line is cut into several */

/* Moves in a migration as a part of the device's state. */
struct line {
	u32 len;
	char text[LINE_MAX];
};

/* Takes a finished line: @len printable characters, no newline, not NUL-terminated. */
typedef void (*line_emit)(void *ctx, const char *text, size_t len);

/* What could move a terminal's cursor or pass for one of L0's own lines is replaced. */
void line_put(struct line *l, u8 c, line_emit emit, void *ctx);
/* A line that has no newline yet: the guest has ended. */
void line_flush(struct line *l, line_emit emit, void *ctx);
/* False: no line can be in that state. */
bool line_is_possible(const struct line *l);
