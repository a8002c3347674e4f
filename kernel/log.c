// SPDX-License-Identifier: MIT
/* Log lines: a level's prefix, the text, a newline, in one console_write. */
#include "kernel/log.h"
#include "kernel/console.h"
#include "lib/printf.h"
#include "lib/string.h"

static enum log_level shown = LOG_INFO;

static const char *const prefixes[] = {
	[LOG_ERR] = "error: ",
	[LOG_WARN] = "warning: ",
	[LOG_INFO] = "",
	[LOG_DEBUG] = "debug: ",
};

void log_set_level(enum log_level level)
{
	shown = level;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (level > shown)
		return;
	int n = snprintf(line, sizeof(line), "%s", level >= 0 ? prefixes[level] : "");

	va_start(ap, fmt);
	n += vsnprintf(line + n, sizeof(line) - (size_t)n, fmt, ap);
	va_end(ap);
	n = MIN(n, (int)sizeof(line) - 2);
	if (n == 0 || line[n - 1] != '\n')
		line[n++] = '\n';
	console_write(line, (size_t)n);
}
