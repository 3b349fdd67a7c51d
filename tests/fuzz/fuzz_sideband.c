/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a ring of side-band records, at any place in the ring, so that some wrap around its
 * end: nothing is read outside of it, and texts end.
 */
#include <assert.h>

#include "daemon/collector/sideband.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static int take(void *ctx, const struct sideband_event *event)
{
	assert(event->type <= SIDEBAND_LOST);
	assert(memchr(event->comm, 0, COMM_SIZE));
	assert(event->type != SIDEBAND_MMAP || strlen(event->object.path) < RECORD_MAX);
	assert(event->object.build_id.size <= BUILD_ID_MAX);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct perf_event_mmap_page control = {0};
	char *space = malloc(RING_BYTES), *record = malloc(RECORD_MAX);
	struct ring ring = {.fd = -1, .control = &control, .bytes = space};
	struct sideband sb = {
	    .rings = &ring, .n_rings = 1, .epoll_fd = -1, .page = 4096, .record = record};

	assert(space && record);
	if (n >= 8 && n < RING_BYTES) {
		uint64_t at = RING_BYTES - (uint64_t)bytes[0] * 8;

		memset(space, 0xff, RING_BYTES);
		n = (n - 1) & ~(size_t)7;
		for (size_t i = 0; i < n; i++)
			space[(at + i) % RING_BYTES] = (char)bytes[1 + i];
		control.data_tail = at;
		control.data_head = at + n;
		if (sideband__drain(&sb, take, NULL) == 0)
			assert(control.data_tail == control.data_head);
	}
	free(space);
	free(record);
	return 0;
}
