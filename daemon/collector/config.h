/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's configuration file.
 *
 * Guarantees: what it returns is complete and in range; anything it does not know (a section, a
 * key, a value, a key given twice) is an error that says where it is and what is allowed instead.
 * Ini: [section] and key = value lines, comments after ';' or at a line's start '#', blanks around
 * anything ignored.
 */
#ifndef COLLECTOR_CONFIG_H
#define COLLECTOR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/sampler.h"

#define CONFIG_FILE_MAX (1u << 20)

/* The longest line, without its end; the parser's own limit. */
#define CONFIG_LINE_MAX 196

/* Room for every text that config__load() says. */
#define CONFIG_ERROR_SIZE 1024

/* Plain data, no pointers: copy it as you like. One comment per field: section, key, range. */
struct config {
	uint32_t frequency_hz;		     /* sampling frequency: 1 to 10000 */
	enum sampler_event event;	     /* sampling event: cpu-clock, cycles */
	bool kernel;			     /* sampling kernel: yes, no */
	char directory[CONFIG_LINE_MAX + 1]; /* output directory: an absolute path */
	uint64_t window_ns;		     /* output window: 1s to 24h */
	uint32_t min_samples;		     /* output min_samples: 0 to 1000000 */
};

/* What holds where the file says nothing. */
#define CONFIG_DEFAULTS                                                                            \
	{                                                                                          \
		.frequency_hz = 19, .event = SAMPLER_EVENT_CPU_CLOCK, .kernel = true,              \
		.directory = "/var/lib/cprofd/profiles", .window_ns = 60000000000ULL,              \
		.min_samples = 5,                                                                  \
	}

/*
 * Reads PATH over the defaults into *RET. Returns 0; -ENOENT or another -errno of reading it;
 * -EFBIG over CONFIG_FILE_MAX; -EINVAL for what the file says. Then *RET is untouched and ERR (SIZE
 * bytes) holds one line for the user, "FILE:LINE: what is wrong and what would be right", of the
 * first error.
 */
int config__load(struct config *ret, const char *path, char *err, size_t size);

/* The same for the N bytes at TEXT; PATH is what errors call it. */
int config__parse(struct config *ret, const char *path, const char *text, size_t n, char *err,
		  size_t size);

#endif
