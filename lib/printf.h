/* SPDX-License-Identifier: MIT */
/*
 * Formatted output into a buffer, with libc's prototypes: the host build links libc's.
 * Supported: %c %s %d %i %u %x %X %p %%, flags '-' '0' '+' ' ' '#', width and precision (also
 * '*'), lengths hh h l ll z. Like libc, the result is the length that the whole text
 * would have, without the final NUL.
 */
#pragma once

#include <stdarg.h>

#include "lib/types.h"

int vsnprintf(char *restrict buf, size_t size, const char *restrict fmt, va_list ap);
__printf(3, 4) int snprintf(char *restrict buf, size_t size, const char *restrict fmt, ...);
