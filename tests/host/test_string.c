// SPDX-License-Identifier: MIT
/* lib/string.c against libc's, in buffers whose ends the sanitizer guards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Under names of their own, beside libc's. */
#define memcpy	cleave_memcpy
#define memmove cleave_memmove
#define memset	cleave_memset
#define memcmp	cleave_memcmp
#define strlen	cleave_strlen
#define strcmp	cleave_strcmp
#define strncmp cleave_strncmp
#define strchr	cleave_strchr
#include "lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp
#undef strchr

#define SIZE 64

static void fill(u8 *p)
{
	for (int i = 0; i < SIZE; i++)
		p[i] = (u8)(i * 7 + 1);
}

static void test_copy(void **state)
{
	u8 from[SIZE], ours[SIZE], theirs[SIZE];

	(void)state;
	fill(from);
	for (size_t n = 0; n <= SIZE; n++) {
		memset(ours, 0, SIZE);
		memset(theirs, 0, SIZE);
		assert_ptr_equal(cleave_memcpy(ours, from, n), ours);
		memcpy(theirs, from, n);
		assert_memory_equal(ours, theirs, SIZE);
		assert_ptr_equal(cleave_memset(ours, 0x1a5, n), ours);
		memset(theirs, 0x1a5, n);
		assert_memory_equal(ours, theirs, SIZE);
	}
}

static void test_move(void **state)
{
	u8 ours[SIZE], theirs[SIZE];

	(void)state;
	for (size_t to = 0; to < 24; to++) {
		for (size_t from = 0; from < 24; from++) {
			for (size_t n = 0; n < 40; n++) {
				fill(ours);
				fill(theirs);
				assert_ptr_equal(cleave_memmove(ours + to, ours + from, n),
						 ours + to);
				memmove(theirs + to, theirs + from, n);
				assert_memory_equal(ours, theirs, SIZE);
			}
		}
	}
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_compare(void **state)
{
	static const char *const words[] = {"", "a", "ab", "abc", "abd", "b", "\xff", "ab\x80"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(words); j++) {
			assert_int_equal(sign(cleave_strcmp(words[i], words[j])),
					 sign(strcmp(words[i], words[j])));
			for (size_t n = 0; n < 5; n++)
				assert_int_equal(sign(cleave_strncmp(words[i], words[j], n)),
						 sign(strncmp(words[i], words[j], n)));
		}
	}
	assert_int_equal(cleave_memcmp("a\0b", "a\0c", 3), -1);
	assert_int_equal(cleave_memcmp("\xff", "\x01", 1), 1);
	assert_int_equal(cleave_memcmp("same", "same", 4), 0);
}

static void test_search(void **state)
{
	const char *s = "name=value=x";

	(void)state;
	assert_int_equal(cleave_strlen(""), 0);
	assert_int_equal(cleave_strlen(s), 12);
	assert_ptr_equal(cleave_strchr(s, '='), s + 4);
	assert_ptr_equal(cleave_strchr(s, '\0'), s + 12);
	assert_null(cleave_strchr(s, '#'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_move),
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_search),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
