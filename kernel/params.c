// SPDX-License-Identifier: MIT
/* The boot parameters' table and its parser. */
#include "kernel/params.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"

enum param_kind {
	KIND_WORD,
	KIND_BOOL,
	KIND_NUMBER,
	KIND_STRING,
};

struct param {
	const char *name;
	enum param_kind kind;
	const char *initial;
	const char *words; /* "|first|second" for KIND_WORD */
	const char *min, *max;
	size_t offset; /* in struct params */
	const char *help;
};

#define WORD_TEXT(name, word) "|" #word
#define PARAM_WORD(n, d, h)                    \
	{.name = #n,                           \
	 .kind = KIND_WORD,                    \
	 .initial = #d,                        \
	 .words = PARAM_WORDS_##n(WORD_TEXT),  \
	 .offset = offsetof(struct params, n), \
	 .help = h},
#define PARAM_BOOL(n, d, h)                    \
	{.name = #n,                           \
	 .kind = KIND_BOOL,                    \
	 .initial = #d,                        \
	 .words = "|off|on",                   \
	 .offset = offsetof(struct params, n), \
	 .help = h},
#define PARAM_NUMBER(n, d, lo, hi, h)          \
	{.name = #n,                           \
	 .kind = KIND_NUMBER,                  \
	 .initial = #d,                        \
	 .min = #lo,                           \
	 .max = #hi,                           \
	 .offset = offsetof(struct params, n), \
	 .help = h},
#define PARAM_STRING(n, d, h)                  \
	{.name = #n,                           \
	 .kind = KIND_STRING,                  \
	 .initial = d,                         \
	 .offset = offsetof(struct params, n), \
	 .help = h},

static const struct param table[] = {
#include "kernel/params.def"
};

struct params params;

/* A piece of the command line; not terminated. */
struct text {
	const char *s;
	size_t n;
};

static bool text_is(struct text t, const char *s)
{
	return strlen(s) == t.n && strncmp(t.s, s, t.n) == 0;
}

static bool word_char_equal(char a, char b)
{
	return a == b || ((a == '-' || a == '_') && (b == '-' || b == '_'));
}

/* The index of @t in "|first|second", or -EINVAL. */
static int word_index(const char *words, struct text t)
{
	for (int index = 0; *words; index++) {
		size_t i = 0;

		words++; /* the '|' */
		while (words[i] && words[i] != '|' && i < t.n && word_char_equal(words[i], t.s[i]))
			i++;
		if (i == t.n && i > 0 && (!words[i] || words[i] == '|'))
			return index;
		while (*words && *words != '|')
			words++;
	}
	return -EINVAL;
}

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

static int suffix_shift(char c)
{
	switch (c) {
	case 'K':
	case 'k':
		return 10;
	case 'M':
	case 'm':
		return 20;
	case 'G':
	case 'g':
		return 30;
	default:
		return -EINVAL;
	}
}

/* 0, -EINVAL for what is no number, -ERANGE for one of more than 64 bits. */
static int parse_number(struct text t, u64 *out)
{
	u64 base = 10, v = 0;
	size_t i = 0;

	if (t.n > 2 && t.s[0] == '0' && (t.s[1] == 'x' || t.s[1] == 'X')) {
		base = 16;
		i = 2;
	}
	size_t first = i;

	for (; i < t.n && (u64)digit_value(t.s[i]) < base; i++) {
		if (__builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, (u64)digit_value(t.s[i]), &v))
			return -ERANGE;
	}
	if (i == first)
		return -EINVAL;
	if (i < t.n) {
		int shift = suffix_shift(t.s[i]);

		if (shift < 0 || i + 1 != t.n)
			return -EINVAL;
		if (v >> (64 - shift))
			return -ERANGE;
		v <<= shift;
	}
	*out = v;
	return 0;
}

static int parse_in_range(const struct param *d, struct text t, u64 *out)
{
	u64 v, min = 0, max = 0;
	int err = parse_number(t, &v);

	if (err)
		return err;
	if (parse_number((struct text){d->min, strlen(d->min)}, &min) ||
	    parse_number((struct text){d->max, strlen(d->max)}, &max))
		assert(!"params.def: a limit is no number");
	if (v < min || v > max)
		return -ERANGE;
	*out = v;
	return 0;
}

static int set_value(struct params *p, const struct param *d, struct text t)
{
	void *field = (char *)p + d->offset;
	int index;

	switch (d->kind) {
	case KIND_NUMBER:
		return parse_in_range(d, t, field);
	case KIND_STRING:
		if (t.n >= PARAM_STRING_SIZE)
			return -ERANGE;
		memcpy(field, t.s, t.n);
		((char *)field)[t.n] = '\0';
		return 0;
	default:
		index = word_index(d->words, t);
		if (index < 0)
			return index;
		if (d->kind == KIND_BOOL)
			*(bool *)field = index;
		else
			*(u32 *)field = (u32)index;
		return 0;
	}
}

/* What values @d takes, for messages and help. */
static void describe_values(const struct param *d, char *buf, size_t size)
{
	switch (d->kind) {
	case KIND_NUMBER:
		snprintf(buf, size, "%s..%s", d->min, d->max);
		break;
	case KIND_STRING:
		snprintf(buf, size, "text of up to %d characters", PARAM_STRING_SIZE - 1);
		break;
	default:
		snprintf(buf, size, "%s", d->words + 1);
		for (; *buf; buf++)
			*buf = *buf == '_' ? '-' : *buf;
	}
}

/* How much of a wrong word a message shows. */
static int shown(struct text t)
{
	return (int)MIN(t.n, (size_t)60);
}

static void complain_unknown(struct text name, char *why, size_t size)
{
	int n = snprintf(why, size, "boot parameter \"%.*s\" is not known; there are:", shown(name),
			 name.s);

	for (size_t i = 0; i < ARRAY_SIZE(table) && (size_t)n < size; i++)
		n += snprintf(why + n, size - (size_t)n, " %s", table[i].name);
}

static int set_word(struct params *p, struct text word, char *why, size_t size)
{
	char values[128];
	size_t n = 0;

	while (n < word.n && word.s[n] != '=')
		n++;
	struct text name = {word.s, n};

	if (n == word.n || n == 0) {
		snprintf(why, size, "boot parameter \"%.*s\" is not of the form name=value",
			 shown(word), word.s);
		return -EINVAL;
	}
	struct text value = {word.s + n + 1, word.n - n - 1};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const struct param *d = &table[i];

		if (!text_is(name, d->name))
			continue;
		if (set_value(p, d, value) == 0)
			return 0;
		describe_values(d, values, sizeof(values));
		snprintf(why, size, "boot parameter %s=%.*s is wrong; it takes %s", d->name,
			 shown(value), value.s, values);
		return -EINVAL;
	}
	complain_unknown(name, why, size);
	return -EINVAL;
}

void params_init(struct params *p)
{
	*p = (struct params){0};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		const char *s = table[i].initial;

		if (set_value(p, &table[i], (struct text){s, strlen(s)}))
			assert(!"params.def: a default is wrong");
	}
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int params_parse(struct params *p, const char *cmdline, char *why, size_t why_size)
{
	char later[8];
	int result = 0;

	for (;;) {
		while (is_space(*cmdline))
			cmdline++;
		if (!*cmdline)
			return result;
		struct text word = {cmdline, 0};

		while (cmdline[word.n] && !is_space(cmdline[word.n]))
			word.n++;
		cmdline += word.n;
		int err =
			set_word(p, word, result ? later : why, result ? sizeof(later) : why_size);

		if (err)
			result = err;
	}
}

bool params_help(unsigned int index, char *line, size_t size)
{
	char values[128];

	if (index >= ARRAY_SIZE(table))
		return false;
	const struct param *d = &table[index];

	describe_values(d, values, sizeof(values));
	snprintf(line, size, "%s=%s: %s (default %s)", d->name, values, d->help,
		 *d->initial ? d->initial : "empty");
	return true;
}
