// SPDX-License-Identifier: MIT
// objects: kernel/result.o
/* The JSON writer: what it writes, character by character, and what when it is too much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/result.h"

static struct result r;

static void test_kinds(void **state)
{
	(void)state;
	result_init(&r);
	result_string(&r, "status", "completed");
	result_bool(&r, "verified", true);
	result_bool(&r, "cancelled", false);
	result_u64(&r, "big", 18446744073709551615ull);
	result_s64(&r, "small", -5);
	result_fixed(&r, "mbps", 1050, 3);
	result_fixed(&r, "whole", 7, 0);
	assert_string_equal(
		result_finish(&r),
		"{\"status\":\"completed\",\"verified\":true,\"cancelled\":false,"
		"\"big\":18446744073709551615,\"small\":-5,\"mbps\":1.050,\"whole\":7}");
}

static void test_nesting(void **state)
{
	(void)state;
	result_init(&r);
	result_object(&r, "split");
	result_object(&r, "tdp");
	result_u64(&r, "1g", 1);
	result_u64(&r, "2m", 2);
	result_end(&r);
	result_object(&r, "none");
	result_end(&r);
	result_u64(&r, "after", 3);
	result_end(&r);
	result_u64(&r, "last", 4);
	assert_string_equal(result_finish(&r),
			    "{\"split\":{\"tdp\":{\"1g\":1,\"2m\":2},\"none\":{},"
			    "\"after\":3},\"last\":4}");
}

static void test_open_objects_are_closed(void **state)
{
	(void)state;
	result_init(&r);
	assert_string_equal(result_finish(&r), "{}");
	result_init(&r);
	result_object(&r, "a");
	result_object(&r, "b");
	assert_string_equal(result_finish(&r), "{\"a\":{\"b\":{}}}");
}

static void test_escapes(void **state)
{
	(void)state;
	result_init(&r);
	result_string(&r, "a\"b", "\\ \n \x1f \x7f \xff");
	assert_string_equal(result_finish(&r),
			    "{\"a\\\"b\":\"\\\\ \\u000a \\u001f \\u007f \\u00ff\"}");
}

static void test_too_much(void **state)
{
	(void)state;
	result_init(&r);
	for (int i = 0; i < 1000; i++)
		result_string(&r, "key", "a value of some length");
	assert_true(r.full);
	assert_int_equal(memcmp(result_finish(&r), "{\"status\":\"failed\"", 18), 0);
}

/* Exactly full is not too much: the closing brace still needs its place. */
static void test_edge(void **state)
{
	static char value[RESULT_SIZE];

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	for (size_t len = RESULT_SIZE - 12; len < RESULT_SIZE - 4; len++) {
		const char *text;

		value[len] = 0;
		result_init(&r);
		result_string(&r, "k", value);
		text = result_finish(&r);
		value[len] = 'x';
		assert_in_range(strlen(text), 1, RESULT_SIZE - 1);
		assert_int_equal(text[strlen(text) - 1], '}');
		assert_int_equal(text[2] == 'k', len + 9 <= RESULT_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_open_objects_are_closed),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_too_much),
		cmocka_unit_test(test_edge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
