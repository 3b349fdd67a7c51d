/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/kernel_modules.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/util.h"

bool kernel_modules_next(const char **text, struct kernel_module *ret)
{
	while (**text) {
		const char *line = *text, *end = strchrnul(line, '\n');
		int n_name = 0, n = -1;
		uint64_t size, start;

		*text = *end ? end + 1 : end;
		if (sscanf(line, "%*s%n %" SCNu64 " %*s %*s %*s %" SCNx64 "%n", &n_name, &size,
			   &start, &n) < 2 ||
		    n < 0 || line + n > end || n_name == 0)
			continue;
		*ret = (struct kernel_module){line, (size_t)n_name, start,
					      start + MIN(size, UINT64_MAX - start)};
		return true;
	}
	return false;
}

uint64_t kernel_modules_id(const char *text)
{
	static const struct hash_key key;
	struct kernel_module m;
	uint64_t id = 0;

	while (kernel_modules_next(&text, &m))
		id = hash_mix(id ^ hash_bytes(&key, m.name, m.n_name), m.start);
	return id;
}
