/* SPDX-License-Identifier: MIT */
/*
 * assert() is for our own bugs only, never for anything that a guest, a command line or a
 * stream can cause. assert_failed() is supplied by the kernel (a register-less panic with a
 * backtrace) and by the host tests (abort).
 */
#pragma once

#include "lib/types.h"

__noreturn void assert_failed(const char *expr, const char *file, int line);

#undef assert
#define assert(x) ((x) ? (void)0 : assert_failed(#x, __FILE__, __LINE__))

/* Checks that cost too much for the plain build: locks held, list membership. */
#ifdef CONFIG_DEBUG
#define debug_assert(x) assert(x)
#else
#define debug_assert(x) ((void)sizeof((x) ? 1 : 0))
#endif
