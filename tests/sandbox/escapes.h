/* SPDX-License-Identifier: Apache-2.0 */
/* What one who has taken the symbolizer over might try next. */
#ifndef TESTS_ESCAPES_H
#define TESTS_ESCAPES_H

#include <stddef.h>

struct escape {
	const char *name;
	/* Tries it with FILE, the descriptor of a question. 0 where it worked, or -errno. */
	long (*attempt)(int file);
};

/* All of them; *RET_N. */
const struct escape *escapes(size_t *ret_n);

#endif
