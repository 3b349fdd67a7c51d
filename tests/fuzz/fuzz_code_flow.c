/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow analysis of code without unwind information: any bytes as code, entered anywhere. The
 * rules that come out must be such as the walker knows, begin inside of runs, and be the same when
 * the same bytes are read again.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/code_gap.h"

#define SIZE_MAX_BYTES (1u << 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_rule(const struct unwind_rule *rule)
{
	assert(rule->cfa > UNWIND_CFA_NONE && rule->cfa < UNWIND_CFA_MAX);
	assert(rule->cfa_reg < 16);
	assert(rule->cfa == UNWIND_CFA_ROOT || rule->cfa == UNWIND_CFA_SIGNAL ||
	       (rule->flags & UNWIND_FLAG_GUESSED));
}

static struct code_gap *analyse(const uint8_t *bytes, uint32_t n, uint32_t entry)
{
	uint64_t steps_left = UINT64_MAX;
	struct code_gap *g = NULL;
	int r = code_gap__new(&g, bytes, n, &steps_left);

	assert(r == 0);
	code_gap__add_entry(g, entry, entry & 1);
	r = code_gap__analyse(g);
	assert(r == 0);
	return g;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t start = 0, end = 0, n, entry;
	struct code_gap *g, *again;

	if (size < 1 || size > SIZE_MAX_BYTES)
		return 0;
	/* The first byte tells where a function begins. */
	entry = data[0];
	data++;
	n = (uint32_t)size - 1;
	g = analyse(data, n, entry);
	again = analyse(data, n, entry);
	for (; code_gap__run(g, &start, &end); start = end) {
		assert(start < end && end <= n && code_gap__rule(g, start));
		for (uint32_t off = start; off < end; off++) {
			const struct unwind_rule *a = code_gap__rule(g, off);
			const struct unwind_rule *b = code_gap__rule(again, off);

			assert(!a == !b);
			if (!a)
				continue;
			check_rule(a);
			assert(!memcmp(a, b, sizeof(*a)));
		}
	}
	code_gap__free(g);
	code_gap__free(again);
	return 0;
}
