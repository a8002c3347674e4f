/* SPDX-License-Identifier: MIT */
/*
 * Numbers and bytes on the wire: little-endian, unaligned, never past the end of the buffer.
 * Running out is remembered rather than returned, so that callers check once at the end.
 */
#pragma once

#include "lib/string.h"
#include "lib/types.h"

struct wire_out {
	u8 *buf;
	size_t cap, len;
	bool overflow; /* something did not fit and was left out */
};

static inline void wire_out_init(struct wire_out *w, void *buf, size_t cap)
{
	*w = (struct wire_out){.buf = buf, .cap = cap};
}

/* Room for @len bytes that the caller fills in, or NULL. */
static inline u8 *wire_put_space(struct wire_out *w, size_t len)
{
	u8 *p = w->buf + w->len;

	if (w->overflow || len > w->cap - w->len) {
		w->overflow = true;
		return NULL;
	}
	w->len += len;
	return p;
}

static inline void wire_put_bytes(struct wire_out *w, const void *data, size_t len)
{
	u8 *p = wire_put_space(w, len);

	if (p && len)
		memcpy(p, data, len);
}

static inline void wire_store(u8 *p, u64 v, int bytes)
{
	for (int i = 0; i < bytes; i++)
		p[i] = (u8)(v >> (8 * i));
}

static inline u64 wire_load(const u8 *p, int bytes)
{
	u64 v = 0;

	for (int i = 0; i < bytes; i++)
		v |= (u64)p[i] << (8 * i);
	return v;
}

static inline void wire_put(struct wire_out *w, u64 v, int bytes)
{
	u8 *p = wire_put_space(w, (size_t)bytes);

	if (p)
		wire_store(p, v, bytes);
}

static inline void wire_put_u16(struct wire_out *w, u16 v)
{
	wire_put(w, v, 2);
}

static inline void wire_put_u32(struct wire_out *w, u32 v)
{
	wire_put(w, v, 4);
}

static inline void wire_put_u64(struct wire_out *w, u64 v)
{
	wire_put(w, v, 8);
}

/* A name: its length in 16 bits, then its characters. */
static inline void wire_put_name(struct wire_out *w, const char *name)
{
	size_t len = strlen(name);

	wire_put_u16(w, (u16)len);
	wire_put_bytes(w, name, len);
}

struct wire_in {
	const u8 *buf;
	size_t len, pos;
	bool cut; /* more was asked for than there was; what was returned since is zero */
};

static inline void wire_in_init(struct wire_in *w, const void *buf, size_t len)
{
	*w = (struct wire_in){.buf = buf, .len = len};
}

/* The next @len bytes, or NULL. */
static inline const u8 *wire_get_bytes(struct wire_in *w, size_t len)
{
	const u8 *p = w->buf + w->pos;

	if (w->cut || len > w->len - w->pos) {
		w->cut = true;
		return NULL;
	}
	w->pos += len;
	return p;
}

static inline u64 wire_get(struct wire_in *w, int bytes)
{
	const u8 *p = wire_get_bytes(w, (size_t)bytes);

	return p ? wire_load(p, bytes) : 0;
}

static inline u16 wire_get_u16(struct wire_in *w)
{
	return (u16)wire_get(w, 2);
}

static inline u32 wire_get_u32(struct wire_in *w)
{
	return (u32)wire_get(w, 4);
}

static inline u64 wire_get_u64(struct wire_in *w)
{
	return wire_get(w, 8);
}

/* Names reach the console: nothing in them may move a cursor or begin a line. */
static inline bool wire_is_text(const u8 *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] < 0x20 || p[i] > 0x7e)
			return false;
	}
	return true;
}

/*
 * A name into @name, a string of at most @size - 1 printable characters: a longer one, or one
 * with others in it, counts as cut.
 */
static inline void wire_get_name(struct wire_in *w, char *name, size_t size)
{
	size_t len = wire_get_u16(w);
	const u8 *p = len < size ? wire_get_bytes(w, len) : NULL;

	if (p && !wire_is_text(p, len))
		p = NULL;
	if (!p)
		w->cut = true;
	else if (len)
		memcpy(name, p, len);
	name[p ? len : 0] = '\0';
}

/* Everything was read, and nothing was missing. */
static inline bool wire_in_done(const struct wire_in *w)
{
	return !w->cut && w->pos == w->len;
}
