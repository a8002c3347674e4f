// SPDX-License-Identifier: MIT
/* Boot parameters: every kind of value, right and wrong, and what is said about the wrong ones. */
// objects: kernel/params.o
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/params.h"
#include "lib/assert.h"

void assert_failed(const char *expr, const char *file, int line)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, expr);
	abort();
}

static struct params p;
static char why[768];

static int parse(const char *cmdline)
{
	/* A copy of exactly its length: reading past the end is caught. */
	char *copy = strdup(cmdline);

	params_init(&p);
	why[0] = '\0';
	int err = params_parse(&p, copy, why, sizeof(why));

	free(copy);
	return err;
}

static void refused(const char *cmdline, const char *because)
{
	assert_int_equal(parse(cmdline), -EINVAL);
	if (!strstr(why, because))
		fail_msg("\"%s\": said \"%s\"", cmdline, why);
	assert_null(strchr(why, '\n'));
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(""), 0);
	assert_int_equal(p.loglevel, PARAM_loglevel_info);
	assert_int_equal(p.mem, 2ull << 30);
	assert_true(p.eager_page_split);
	assert_false(p.audit);
	assert_int_equal(p.huge, PARAM_huge_1g);
	assert_string_equal(p.trace, "");
	assert_int_equal(parse("  \t "), 0);
}

static void test_words(void **state)
{
	(void)state;
	assert_int_equal(parse("loglevel=err  huge=4k exit=bochs"), 0);
	assert_int_equal(p.loglevel, PARAM_loglevel_err);
	assert_int_equal(p.huge, PARAM_huge_4k);
	assert_int_equal(p.exit, PARAM_exit_bochs);
	assert_int_equal(parse("dirty_mode=initially-all-set"), 0);
	assert_int_equal(p.dirty_mode, PARAM_dirty_mode_initially_all_set);
	assert_int_equal(parse("eager_page_split=off audit=on"), 0);
	assert_false(p.eager_page_split);
	assert_true(p.audit);
	assert_int_equal(parse("loglevel=err loglevel=debug"), 0);
	assert_int_equal(p.loglevel, PARAM_loglevel_debug);
	refused("loglevel=er", "it takes err|warn|info|debug");
	refused("loglevel=errr", "it takes err|warn|info|debug");
	refused("loglevel=", "it takes err|warn|info|debug");
	refused("loglevel=err|warn", "it takes");
	refused("audit=1", "it takes off|on");
	refused("dirty_mode=x", "initially-all-set");
}

static void test_numbers(void **state)
{
	(void)state;
	assert_int_equal(parse("mem=3G max_shadow_pages=4k max_bandwidth=0x10"), 0);
	assert_int_equal(p.mem, 3ull << 30);
	assert_int_equal(p.max_shadow_pages, 4096);
	assert_int_equal(p.max_bandwidth, 16);
	assert_int_equal(parse("l0_mem=123456789"), 0);
	assert_int_equal(p.l0_mem, 123456789);
	refused("mem=", "it takes 16M..1024G");
	refused("mem=15M", "it takes");
	refused("mem=1025G", "it takes");
	refused("mem=2GG", "it takes");
	refused("mem=G", "it takes");
	refused("mem=-1", "it takes");
	refused("mem=0x", "it takes");
	refused("mem=2g5", "it takes");
	/* 2^64, by digits and by suffix: cut to 64 bits it would be 0, which is allowed here. */
	refused("l0_mem=18446744073709551616", "it takes");
	refused("l0_mem=0x10000000000000000", "it takes");
	refused("l0_mem=17179869184G", "it takes");
	refused("l0_mem=18014398509481984K", "it takes");
}

static void test_strings(void **state)
{
	char line[200] = "trace=";

	(void)state;
	assert_int_equal(parse("trace=a,b=c"), 0);
	assert_string_equal(p.trace, "a,b=c");
	memset(line + 6, 'x', 127);
	assert_int_equal(parse(line), 0);
	assert_int_equal(strlen(p.trace), 127);
	line[6 + 127] = 'x';
	refused(line, "it takes text of up to 127 characters");
}

static void test_unknown(void **state)
{
	char name[64];
	char help[256];

	(void)state;
	refused("frobnicate=1", "\"frobnicate\" is not known");
	/* The line lists all that there are: each must be in it. */
	for (unsigned int i = 0; params_help(i, help, sizeof(help)); i++) {
		snprintf(name, sizeof(name), " %.*s", (int)strcspn(help, "="), help);
		assert_non_null(strstr(why, name));
	}
	refused("quiet", "\"quiet\" is not of the form name=value");
	refused("=5", "not of the form");
	refused("mem", "not of the form");
	refused("Mem=2G", "not known");
	refused("memx=2G", "not known");
}

static void test_others_count(void **state)
{
	(void)state;
	/* The first wrong word is reported; the right ones around it take effect. */
	refused("loglevel=err bad=1 worse mem=5 exit=qemu", "\"bad\" is not known");
	assert_int_equal(p.loglevel, PARAM_loglevel_err);
	assert_int_equal(p.exit, PARAM_exit_qemu);
	assert_int_equal(p.mem, 2ull << 30);
}

static void test_garbage(void **state)
{
	char line[128];
	char small[16];

	(void)state;
	srand(5);
	for (int i = 0; i < 50000; i++) {
		size_t n = (size_t)rand() % (sizeof(line) - 1);

		for (size_t j = 0; j < n; j++)
			line[j] = "mem=2Gkloglevel,= x0-_|\xff\t9"[rand() % 25];
		line[n] = '\0';
		if (parse(line))
			assert_true(why[0] != '\0' && strlen(why) < sizeof(why));
		params_init(&p);
		memset(small, '#', sizeof(small));
		if (params_parse(&p, line, small, 8))
			assert_int_equal(small[8], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_words),
		cmocka_unit_test(test_numbers),	 cmocka_unit_test(test_strings),
		cmocka_unit_test(test_unknown),	 cmocka_unit_test(test_others_count),
		cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
