/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as /proc/PID/maps: what is told of it is in range and within the text. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/collector/procfs.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int take(void *ctx, const struct procfs_mapping *m)
{
	const size_t *n = ctx;

	assert(m->start < m->end);
	assert(*m->object.path);
	assert(strlen(m->object.path) <= (*n > 6 ? *n : 6)); /* "//anon" at least */
	return 0;
}

/* The text PREFIX and then the N bytes. */
static void parse(const char *prefix, const uint8_t *bytes, size_t n)
{
	size_t n_prefix = strlen(prefix), total = n_prefix + n;
	char *text = malloc(total + 1);

	assert(text);
	memcpy(text, prefix, n_prefix);
	memcpy(text + n_prefix, bytes, n);
	text[total] = '\0';
	(void)procfs_parse_maps(text, take, &total); /* refusing is as good as taking */
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	/* What sscanf() does is hidden from the fuzzer, so it is helped over it, too. */
	parse("", bytes, n);
	parse("1000-2000 r-xp 00000000 08:01 5 ", bytes, n);
	return 0;
}
