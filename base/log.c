/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>

static struct {
	const char *program;
	enum log_level level;
} log_state = {"cprofd", LOG_INFO};

void log_setup(const char *program, enum log_level level)
{
	log_state.program = program;
	log_state.level = level;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	if (level > log_state.level)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "%s: %s\n", log_state.program, line);
}
