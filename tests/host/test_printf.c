// SPDX-License-Identifier: MIT
/* lib/printf.c against libc's: the same text and the same length for all that it supports. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Under names of their own, beside libc's. */
#define vsnprintf cleave_vsnprintf
#define snprintf  cleave_snprintf
#include "lib/printf.c"
#undef vsnprintf
#undef snprintf

int libc_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap) __asm__("vsnprintf");

static void same(const char *fmt, ...)
{
	static const size_t sizes[] = {0, 1, 2, 7, 200};
	va_list ap;

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		/* Exactly as large as said, so that a byte too many is caught. */
		char *ours = malloc(sizes[i] + 1), *theirs = malloc(sizes[i] + 1);

		memset(ours, '#', sizes[i] + 1);
		memset(theirs, '#', sizes[i] + 1);
		va_start(ap, fmt);
		int n = cleave_vsnprintf(ours, sizes[i], fmt, ap);

		va_end(ap);
		va_start(ap, fmt);
		int m = libc_vsnprintf(theirs, sizes[i], fmt, ap);

		va_end(ap);
		assert_int_equal(n, m);
		assert_memory_equal(ours, theirs, sizes[i] + 1);
		free(ours);
		free(theirs);
	}
}

static void test_text(void **state)
{
	(void)state;
	same("");
	same("plain");
	same("100%% of %s", "it");
	same("[%s] [%10s] [%-10s] [%.2s] [%*.*s]", "abc", "abc", "abc", "abc", 6, 1, "xyz");
	same("[%*s]", -6, "left");
	same("%c%c%5c%-5c|", 'a', 'b', 'c', 'd');
}

static void test_signed(void **state)
{
	static const long values[] = {0, 1, -1, 42, -12345, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		same("%d %5d %-8d| %05d %+d % d", (int)values[i], (int)values[i], (int)values[i],
		     (int)values[i], (int)values[i], (int)values[i]);
		same("%ld %lli %25ld", values[i], (long long)values[i], values[i]);
		same("%hd %hhd", (int)values[i], (int)values[i]);
		same("%.5d %8.3d %08.3d %zd", (int)values[i], (int)values[i], (int)values[i],
		     values[i]);
	}
	same("[%.0d]", 0);
}

static void test_unsigned(void **state)
{
	static const unsigned long values[] = {0, 1, 0x7f, 0x80, 0xffff, 0xdeadbeef, ULONG_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		unsigned int v = (unsigned int)values[i];

		same("%u %x %X %#x %#X", v, v, v, v, v);
		same("%lu %lx %llX %zx", values[i], values[i], (unsigned long long)values[i],
		     values[i]);
		same("%016lx %#018lx %-20lx| %#20lx", values[i], values[i], values[i], values[i]);
		same("%hx %hhu %.12lx", v, v, values[i]);
	}
}

static void test_pointer(void **state)
{
	(void)state;
	same("%p %20p", (void *)0x1234, (void *)0xffff888000000000);
}

/* Hides the format from the compiler, which would refuse it. */
static int format_any(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = cleave_vsnprintf(buf, size, fmt, ap);
	va_end(ap);
	return n;
}

static void test_unfinished(void **state)
{
	char buf[16];

	(void)state;
	/* A '%' at the very end is dropped, and nothing past the end is read. */
	assert_int_equal(format_any(buf, sizeof(buf), "x%"), 1);
	assert_string_equal(buf, "x");
	assert_int_equal(format_any(buf, sizeof(buf), "%s", (char *)NULL), 6);
	assert_string_equal(buf, "(null)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	   cmocka_unit_test(test_signed),
		cmocka_unit_test(test_unsigned),   cmocka_unit_test(test_pointer),
		cmocka_unit_test(test_unfinished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
