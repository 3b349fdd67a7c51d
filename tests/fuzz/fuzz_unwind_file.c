/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unwind tables of whole files: any bytes as an ELF file, through all that knows of unwinding. What
 * comes of it must be a table that the collector takes.
 */
#include <assert.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/util.h"
#include "daemon/collector/table_builder.h"
#include "symbolizer/unwind_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct msg_unwind_table made;
	int fd = memfd_create("fuzz", MFD_CLOEXEC), table;

	assert(fd >= 0 && write_full(fd, data, size) == (int64_t)size);
	if (unwind_file_build(fd, &table, &made) == 0) {
		size_t n_bytes = made.n_lines * sizeof(struct unwind_line);
		void *lines = mmap(NULL, n_bytes, PROT_READ, MAP_PRIVATE, table, 0);

		assert(lines != MAP_FAILED && made.build_id.size <= BUILD_ID_MAX);
		assert(unwind_table_valid(lines, made.n_lines));
		munmap(lines, n_bytes);
		close(table);
	}
	close(fd);
	return 0;
}
