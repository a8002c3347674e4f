// SPDX-License-Identifier: MIT
/* vsnprintf for the freestanding image: integers, strings and pointers, as lib/printf.h says. */
#include "lib/printf.h"
#include "lib/string.h"

/* Where the text goes. @length counts what the whole text needs, also past the end of @buf. */
struct out {
	char *buf;
	size_t size;
	size_t length;
};

struct spec {
	bool left, zero, plus, space, alt;
	int width;
	int precision; /* negative: none given */
	int size;      /* of the argument, in bytes */
	char conversion;
};

static void put(struct out *o, char c)
{
	if (o->length + 1 < o->size)
		o->buf[o->length] = c;
	o->length++;
}

static void put_repeated(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

/* @prefix goes before the zeroes that fill the width, as in "0x000a" and "-005". */
static void put_padded(struct out *o, const struct spec *s, const char *prefix, int zeroes,
		       const char *text, int n)
{
	int used = (int)strlen(prefix) + zeroes + n;
	int fill = MAX(s->width - used, 0);

	if (!s->left && !s->zero)
		put_repeated(o, ' ', fill);
	for (; *prefix; prefix++)
		put(o, *prefix);
	if (!s->left && s->zero)
		put_repeated(o, '0', fill);
	put_repeated(o, '0', zeroes);
	while (n-- > 0)
		put(o, *text++);
	if (s->left)
		put_repeated(o, ' ', fill);
}

static void put_number(struct out *o, struct spec *s, u64 value, unsigned int base,
		       const char *prefix)
{
	const char *digits = s->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	int i = sizeof(text);

	for (; value; value /= base)
		text[--i] = digits[value % base];
	if (i == sizeof(text) && s->precision != 0)
		text[--i] = '0';
	/* C11 7.21.6.1: with a precision the 0 flag is ignored. */
	if (s->precision >= 0)
		s->zero = false;
	int n = (int)sizeof(text) - i;

	put_padded(o, s, prefix, MAX(s->precision - n, 0), text + i, n);
}

static void put_signed(struct out *o, struct spec *s, s64 value)
{
	const char *sign = value < 0 ? "-" : s->plus ? "+" : s->space ? " " : "";

	put_number(o, s, value < 0 ? -(u64)value : (u64)value, 10, sign);
}

static void put_string(struct out *o, struct spec *s, const char *text)
{
	int n = 0;

	if (!text)
		text = "(null)";
	while ((s->precision < 0 || n < s->precision) && text[n])
		n++;
	s->zero = false;
	put_padded(o, s, "", 0, text, n);
}

static int parse_int(const char **fmt, va_list *ap)
{
	int n = 0;

	if (**fmt == '*') {
		(*fmt)++;
		return va_arg(*ap, int);
	}
	while (**fmt >= '0' && **fmt <= '9')
		n = n * 10 + *(*fmt)++ - '0';
	return n;
}

static void parse_flags(const char **fmt, struct spec *s)
{
	for (;; (*fmt)++) {
		switch (**fmt) {
		case '-':
			s->left = true;
			break;
		case '0':
			s->zero = true;
			break;
		case '+':
			s->plus = true;
			break;
		case ' ':
			s->space = true;
			break;
		case '#':
			s->alt = true;
			break;
		default:
			return;
		}
	}
}

static int parse_size(const char **fmt)
{
	int size = sizeof(int);

	for (;; (*fmt)++) {
		if (**fmt == 'h')
			size /= 2;
		else if (**fmt == 'l') /* guests with a long of 32 bits print u64 by it, too */
			size = sizeof(u64);
		else if (**fmt == 'z')
			size = sizeof(size_t);
		else
			return size;
	}
}

static struct spec parse_spec(const char **fmt, va_list *ap)
{
	struct spec s = {.precision = -1};

	parse_flags(fmt, &s);
	s.width = parse_int(fmt, ap);
	if (s.width < 0) {
		s.left = true;
		s.width = -s.width;
	}
	if (**fmt == '.') {
		(*fmt)++;
		s.precision = parse_int(fmt, ap);
	}
	s.size = parse_size(fmt);
	s.conversion = **fmt;
	if (**fmt)
		(*fmt)++;
	return s;
}

static s64 signed_arg(const struct spec *s, va_list *ap)
{
	switch (s->size) {
	case 8:
		return va_arg(*ap, s64);
	case 2:
		return (short)va_arg(*ap, int);
	case 1:
		return (signed char)va_arg(*ap, int);
	default:
		return va_arg(*ap, int);
	}
}

static u64 unsigned_arg(const struct spec *s, va_list *ap)
{
	switch (s->size) {
	case 8:
		return va_arg(*ap, u64);
	case 2:
		return (u16)va_arg(*ap, unsigned int);
	case 1:
		return (u8)va_arg(*ap, unsigned int);
	default:
		return va_arg(*ap, unsigned int);
	}
}

static void put_hex(struct out *o, struct spec *s, u64 value)
{
	const char *prefix = s->conversion == 'X' ? "0X" : "0x";

	put_number(o, s, value, 16, s->alt && value ? prefix : "");
}

static void put_argument(struct out *o, struct spec *s, va_list *ap)
{
	char c;

	switch (s->conversion) {
	case 'd':
	case 'i':
		put_signed(o, s, signed_arg(s, ap));
		break;
	case 'u':
		put_number(o, s, unsigned_arg(s, ap), 10, "");
		break;
	case 'x':
	case 'X':
		put_hex(o, s, unsigned_arg(s, ap));
		break;
	case 'p':
		put_number(o, s, (u64)va_arg(*ap, void *), 16, "0x");
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		s->zero = false;
		put_padded(o, s, "", 0, &c, 1);
		break;
	case 's':
		put_string(o, s, va_arg(*ap, const char *));
		break;
	default: /* "%%", and anything unknown: show it as it stands */
		put(o, s->conversion);
	}
}

int vsnprintf(char *restrict buf, size_t size, const char *restrict fmt, va_list ap)
{
	struct out o = {.buf = buf, .size = size};
	const char *p = fmt;
	va_list args;

	va_copy(args, ap);
	while (*p) {
		if (*p != '%') {
			put(&o, *p++);
			continue;
		}
		p++;
		struct spec s = parse_spec(&p, &args);

		if (s.conversion)
			put_argument(&o, &s, &args);
	}
	va_end(args);
	if (size)
		buf[MIN(o.length, size - 1)] = '\0';
	return (int)o.length;
}

int snprintf(char *restrict buf, size_t size, const char *restrict fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
