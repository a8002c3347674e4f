// SPDX-License-Identifier: MIT
/* The command line: `name=value` words. A word that nobody knows ends the guest with the list. */
#include "guests/guest.h"
#include "lib/printf.h"
#include "lib/string.h"

static char cmdline[1024];

/* The next word at or after @p, its length in @n; NULL at the end. */
static const char *next_word(const char *p, size_t *n)
{
	while (*p == ' ')
		p++;
	for (*n = 0; p[*n] && p[*n] != ' ';)
		(*n)++;
	return *n ? p : NULL;
}

static bool word_is(const char *word, size_t n, const char *name)
{
	size_t len = strlen(name);

	return n > len && word[len] == '=' && !memcmp(word, name, len);
}

static bool has_equals(const char *word, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (word[i] == '=')
			return true;
	return false;
}

static __noreturn void refuse(const char *word, size_t n)
{
	char known[200];
	size_t at = 0;

	known[0] = 0;
	for (const char *const *o = guest_options; *o && at < sizeof(known); o++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, " %s=", *o);
	die("unknown option '%.*s'; known:%s", (int)n, word, known);
}

void options_init(const char *text)
{
	const char *p;
	size_t n;

	if (strlen(text) >= sizeof(cmdline))
		die("the command line is longer than %u characters", (u32)sizeof(cmdline) - 1);
	memcpy(cmdline, text, strlen(text) + 1);

	p = next_word(cmdline, &n);
	if (p && !has_equals(p, n)) /* some loaders put the file's name first */
		p = next_word(p + n, &n);
	for (; p; p = next_word(p + n, &n)) {
		const char *const *o = guest_options;

		while (*o && !word_is(p, n, *o))
			o++;
		if (!*o)
			refuse(p, n);
	}
}

/* The value of option @name, its length in @n; the last one wins. NULL when missing. */
static const char *find(const char *name, size_t *n)
{
	const char *found = NULL;
	const char *p;
	size_t len;

	for (p = next_word(cmdline, &len); p; p = next_word(p + len, &len)) {
		if (!word_is(p, len, name))
			continue;
		found = p + strlen(name) + 1;
		*n = len - strlen(name) - 1;
	}
	return found;
}

bool option_word(const char *name, char *buf, size_t size)
{
	size_t n;
	const char *v = find(name, &n);

	if (!v)
		return false;
	snprintf(buf, size, "%.*s", (int)n, v);
	return true;
}

static u32 unit_shift(char c)
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
	}
	return 0;
}

u64 option_u64(const char *name, u64 missing)
{
	size_t n, i = 0;
	const char *v = find(name, &n);
	u64 value = 0;

	if (!v)
		return missing;
	for (; i < n && i < 12 && v[i] >= '0' && v[i] <= '9'; i++)
		value = value * 10 + (u64)(v[i] - '0');
	if (i && i + 1 == n && unit_shift(v[i]))
		return value << unit_shift(v[i]);
	if (!i || i != n)
		die("%s=%.*s is not a number", name, (int)n, v);
	return value;
}

u32 option_choice(const char *name, const char *const choices[])
{
	size_t n;
	const char *v = find(name, &n);

	if (!v)
		return 0;
	for (u32 i = 0; choices[i]; i++)
		if (strlen(choices[i]) == n && !memcmp(choices[i], v, n))
			return i;
	die("%s=%.*s is not among the choices, the first of which is %s", name, (int)n, v,
	    choices[0]);
}
