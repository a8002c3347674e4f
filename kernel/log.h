/* SPDX-License-Identifier: MIT */
/*
 * Messages of L0 itself. Each call prints one line; the newline is added. What loglevel= leaves
 * out is not shown; log_err and log_always are shown in any case.
 */
#pragma once

#include "lib/types.h"

enum log_level {
	LOG_ALWAYS = -1, /* results and panics: no prefix either */
	LOG_ERR,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

void log_set_level(enum log_level level);

/* Up to 1023 characters; what is longer is cut. Takes the console's lock. */
__printf(2, 3) void log_line(enum log_level level, const char *fmt, ...);

#define log_always(...) log_line(LOG_ALWAYS, __VA_ARGS__)
#define log_err(...)	log_line(LOG_ERR, __VA_ARGS__)
#define log_warn(...)	log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...)	log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...)	log_line(LOG_DEBUG, __VA_ARGS__)
