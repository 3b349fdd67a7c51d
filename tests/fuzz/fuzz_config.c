/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a configuration file: in range, or refused with one printable line. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "daemon/collector/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char err[CONFIG_ERROR_SIZE] = "";
	struct config c;

	if (config__parse(&c, "fuzz.conf", (const char *)bytes, n, err, sizeof(err)) == 0) {
		assert(c.frequency_hz >= 1 && c.frequency_hz <= 10000);
		assert(c.window_ns >= 1000000000 && c.window_ns <= 86400000000000);
		assert(c.min_samples <= 1000000 && *c.directory == '/');
		assert(!*err);
		return 0;
	}
	assert(!strncmp(err, "fuzz.conf:", 10));
	for (const char *s = err; *s; s++)
		assert((unsigned char)*s >= 0x20 && *s != 0x7f);
	return 0;
}
