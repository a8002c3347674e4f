// SPDX-License-Identifier: MIT
/* Lines of a guest's output; devices/line.h. */
#include "devices/line.h"

static bool printable(char c)
{
	return c == '\t' || (c >= 0x20 && c < 0x7f);
}

void line_flush(struct line *l, line_emit emit, void *ctx)
{
	if (!l->len)
		return;
	emit(ctx, l->text, l->len);
	l->len = 0;
}

void line_put(struct line *l, u8 c, line_emit emit, void *ctx)
{
	if (c == '\r' || c == 0)
		return;
	if (c == '\n') {
		if (!l->len)
			emit(ctx, "", 0);
		line_flush(l, emit, ctx);
		return;
	}
	if (l->len == LINE_MAX)
		line_flush(l, emit, ctx);
	l->text[l->len++] = printable((char)c) ? (char)c : '?';
}

bool line_is_possible(const struct line *l)
{
	if (l->len > LINE_MAX)
		return false;
	for (u32 i = 0; i < l->len; i++)
		if (!printable(l->text[i]))
			return false;
	return true;
}
