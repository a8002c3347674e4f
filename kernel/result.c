// SPDX-License-Identifier: MIT
/* The JSON writer behind the RESULT line (RFC 8259). */
#include "kernel/result.h"
#include "lib/printf.h"
#include "lib/string.h"

static void put(struct result *r, const char *s, size_t len)
{
	if (r->full || len >= RESULT_SIZE - r->len) {
		r->full = true;
		return;
	}
	memcpy(r->text + r->len, s, len);
	r->len += len;
	r->text[r->len] = 0;
}

static void put_string(struct result *r, const char *s)
{
	char escape[8];

	put(r, "\"", 1);
	for (; *s; s++) {
		u8 c = (u8)*s;

		if (c == '"' || c == '\\')
			put(r, (char[]){'\\', (char)c}, 2);
		else if (c < 0x20 || c > 0x7e)
			put(r, escape, (size_t)snprintf(escape, sizeof(escape), "\\u%04x", c));
		else
			put(r, s, 1);
	}
	put(r, "\"", 1);
}

static void put_key(struct result *r, const char *key)
{
	if (!r->empty)
		put(r, ",", 1);
	r->empty = false;
	put_string(r, key);
	put(r, ":", 1);
}

void result_init(struct result *r)
{
	r->len = 0;
	r->full = false;
	r->depth = 1;
	r->empty = true;
	put(r, "{", 1);
}

void result_string(struct result *r, const char *key, const char *val)
{
	put_key(r, key);
	put_string(r, val);
}

void result_u64(struct result *r, const char *key, u64 val)
{
	char digits[24];

	put_key(r, key);
	put(r, digits, (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)val));
}

void result_s64(struct result *r, const char *key, s64 val)
{
	char digits[24];

	put_key(r, key);
	put(r, digits, (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)val));
}

void result_bool(struct result *r, const char *key, bool val)
{
	put_key(r, key);
	put(r, val ? "true" : "false", val ? 4 : 5);
}

void result_fixed(struct result *r, const char *key, u64 val, int decimals)
{
	char digits[40];
	u64 unit = 1;

	for (int i = 0; i < decimals; i++)
		unit *= 10;
	put_key(r, key);
	if (decimals == 0)
		snprintf(digits, sizeof(digits), "%llu", (unsigned long long)val);
	else
		snprintf(digits, sizeof(digits), "%llu.%0*llu", (unsigned long long)(val / unit),
			 decimals, (unsigned long long)(val % unit));
	put(r, digits, strlen(digits));
}

void result_object(struct result *r, const char *key)
{
	put_key(r, key);
	put(r, "{", 1);
	r->depth++;
	r->empty = true;
	if (r->depth > RESULT_DEPTH)
		r->full = true;
}

void result_end(struct result *r)
{
	put(r, "}", 1);
	r->depth--;
	r->empty = false;
}

const char *result_finish(struct result *r)
{
	while (r->depth > 0)
		result_end(r);
	if (r->full)
		return "{\"status\":\"failed\",\"error-desc\":\"the result is too long\"}";
	return r->text;
}
