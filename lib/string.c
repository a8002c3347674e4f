// SPDX-License-Identifier: MIT
/*
 * Memory and string functions for the freestanding image. The bulk ones are string instructions,
 * by words: short to read, fast on processors, and an emulator that counts instructions counts one
 * for each step.
 */
#include "lib/string.h"

/* 32-bit guests link this file, too. */
#ifdef __x86_64__
#define WORDS "q"
#else
#define WORDS "l"
#endif

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	void *d = dst;
	size_t words = n / sizeof(long), rest = n % sizeof(long);

	__asm__ volatile("rep movs" WORDS : "+D"(d), "+S"(src), "+c"(words) : : "memory");
	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(rest) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if (d <= s || d >= s + n) {
		__asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
		return dst;
	}
	d += n - 1;
	s += n - 1;
	__asm__ volatile("std; rep movsb; cld" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;
	size_t words = n / sizeof(long), rest = n % sizeof(long);
	unsigned long bytes = (u8)c * (~0ul / 0xff);

	__asm__ volatile("rep stos" WORDS : "+D"(d), "+c"(words) : "a"(bytes) : "memory");
	__asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(bytes) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (; n > 0; n--, x++, y++) {
		if (*x != *y)
			return *x < *y ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b)
			return (u8)*a < (u8)*b ? -1 : 1;
		if (!*a)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}
