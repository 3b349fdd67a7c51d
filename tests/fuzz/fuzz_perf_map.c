/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A perf map that may hold anything: the names found lie in the file, on lines that cover their
 * addresses.
 */
#include <assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "symbolizer/perf_map.h"

#define N_ADDRS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msg_jit_addr addrs[N_ADDRS];
	struct perf_map_name names[N_ADDRS];
	int fd = memfd_create("map", MFD_CLOEXEC);
	struct limits limits;

	assert(fd >= 0 && write_full(fd, data, size) == (int64_t)size);
	/* Some close together, where the seeds have code, others far apart. */
	for (uint64_t i = 0; i < N_ADDRS; i++)
		addrs[i].addr = i < N_ADDRS / 2 ? 0x1000 + 4 * i : i << 58;
	limits__init(&limits, N_ADDRS);
	assert(perf_map_find(fd, addrs, N_ADDRS, &limits, names) == 0);
	for (size_t i = 0; i < N_ADDRS; i++) {
		assert(names[i].n <= SYMBOL_STRING_MAX && names[i].off + names[i].n <= size);
		assert(!memchr(data + names[i].off, '\n', names[i].n));
	}
	close(fd);
	return 0;
}
