/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symbolizer's side: any bytes as the file, a spread of offsets as the question. Whatever the
 * file says, what comes out must be an answer that the collector accepts.
 *
 * libelf is not instrumented, but its heap is watched; the paths of our own code are what guides
 * the search.
 */
#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "daemon/ipc/symbols.h"
#include "symbolizer/symbolize.h"

#define N_OFFS 64
#define SIZE_MAX_BYTES (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msg_identity identity;
	struct symbols_view view;
	struct limits limits;
	uint64_t offs[N_OFFS];
	void *payload = NULL;
	size_t n;
	int fd;

	if (size > SIZE_MAX_BYTES)
		return 0;
	fd = memfd_create("fuzz", MFD_CLOEXEC);
	assert(fd >= 0);
	assert(write_full(fd, data, size) == (int64_t)size);
	for (uint64_t i = 0; i < N_OFFS; i++)
		offs[i] = i * (size / N_OFFS + 1);
	symbolize_identify(fd, &identity);
	/* The file is also its own debug, dwz and split file: as far as it can get in. */
	if (symbolize_offsets(&(struct symbolize_fds){fd, fd, fd, fd}, offs, N_OFFS, &payload, &n,
			      &limits) == 0) {
		int r = symbols_view__init(&view, payload, n, N_OFFS);

		assert(r == 0);
		free(payload);
	}
	close(fd);
	return 0;
}
