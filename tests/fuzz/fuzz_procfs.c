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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = malloc(n + 1);

	assert(text);
	memcpy(text, bytes, n);
	text[n] = '\0';
	(void)procfs_parse_maps(text, take, &n); /* refusing is as good as taking */
	free(text);
	return 0;
}
