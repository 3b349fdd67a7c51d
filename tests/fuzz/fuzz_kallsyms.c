/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as /proc/kallsyms and /proc/modules: no crash, and what is found covers the address that
 * was asked for. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/collector/kallsyms.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct kallsyms *ks = NULL;
	uint64_t addr = 0, step = UINT64_MAX / 64;

	char *modules;

	if (kallsyms__parse(&ks, (const char *)bytes, n) != 0)
		return 0;
	modules = strndup((const char *)bytes, n);
	assert(modules && kallsyms__set_modules(ks, modules) == 0);
	free(modules);
	for (int i = 0; i < 64; i++, addr += step) {
		struct kallsyms_symbol s;

		while (kallsyms__find(ks, addr, &s) == 0) {
			assert(s.start <= addr && addr < s.end);
			assert(*s.name && strlen(s.name) < n && strlen(s.module) < n);
			addr = s.end;
		}
	}
	kallsyms__free(ks);
	return 0;
}
