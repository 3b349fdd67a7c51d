/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector's side of MSG_SYMBOLIZE_OK: an answer from a symbolizer that may have been taken
 * over. What the check lets through must be readable to the last index without leaving the payload.
 */
#include <stdlib.h>
#include <string.h>

#include "daemon/ipc/symbols.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t read_everything(const struct symbols_view *v)
{
	size_t sum = 0;

	for (uint32_t i = 0; i < v->header->n_addrs; i++) {
		for (uint32_t k = 0; k < v->addrs[i].n_frames; k++) {
			const struct msg_symbol_frame *frame =
			    &v->frames[v->addrs[i].first_frame + k];
			const struct msg_symbol_function *f = &v->functions[frame->function];

			sum += strlen(v->strings + f->name) + strlen(v->strings + f->system_name) +
			       strlen(v->strings + f->filename) + frame->line + f->start_line;
		}
		sum += v->addrs[i].source;
	}
	return sum;
}

/* Input: the number of addresses that were asked for, then the payload. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symbols_view view;
	uint32_t n_addrs;
	void *payload;

	if (size < sizeof(n_addrs))
		return 0;
	memcpy(&n_addrs, data, sizeof(n_addrs));
	data += sizeof(n_addrs);
	size -= sizeof(n_addrs);
	/* In memory of its own, aligned as a received payload is. */
	payload = malloc(size ? size : 1);
	if (!payload)
		return 0;
	memcpy(payload, data, size);
	if (symbols_view__init(&view, payload, size, n_addrs) == 0)
		(void)read_everything(&view);
	free(payload);
	return 0;
}
