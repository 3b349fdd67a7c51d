/* SPDX-License-Identifier: Apache-2.0 */
/* A jitdump that may hold anything: an answer that the collector can read comes of it, or none. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "daemon/ipc/symbols.h"
#include "symbolizer/jit.h"

#define N_ADDRS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct jit_fds fds = {.map = -1, .dump = memfd_create("dump", MFD_CLOEXEC)};
	struct msg_jit_addr addrs[N_ADDRS];
	struct symbols_view view;
	struct limits limits;
	void *payload;
	size_t n;
	int r;

	assert(fds.dump >= 0 && write_full(fds.dump, data, size) == (int64_t)size);
	/* Some close together, where the seeds have code, others far apart. */
	for (uint64_t i = 0; i < N_ADDRS; i++)
		addrs[i] =
		    (struct msg_jit_addr){i < N_ADDRS / 2 ? 0x1000 + 4 * i : i << 58, 1000 * i};
	r = jit_name(&fds, addrs, N_ADDRS, &payload, &n, &limits);
	if (r == 0) {
		assert(symbols_view__init(&view, payload, n, N_ADDRS) == 0);
		free(payload);
	} else {
		assert(r == -ENOEXEC);
	}
	close(fds.dump);
	return 0;
}
