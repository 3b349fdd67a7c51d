/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/unwind_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/cfi_file.h"
#include "symbolizer/code_flow.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/go_frames.h"
#include "symbolizer/unwind_table.h"

DEFINE_CLEANUP(struct elf_file *, elf_file__close);
DEFINE_CLEANUP(struct unwind_table *, unwind_table__free);

static int seal(const struct unwind_line *lines, size_t n, int *ret_fd)
{
	cleanup_close int fd = memfd_create("unwind-table", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int64_t done;

	if (fd < 0)
		return -errno;
	done = write_full(fd, lines, n * sizeof(*lines));
	if (done < 0)
		return (int)done;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* What knows best comes first: each source fills only what those before it have left. */
static int read_sources(const struct elf_file *file, struct unwind_table *t, struct limits *limits)
{
	struct code_flow_stats stats;
	int r = cfi_read_file(file, t, limits);

	if (r == 0)
		r = go_frames_read(file, t);
	return r < 0 ? r : code_flow_read(file, t, &stats);
}

static uint32_t clamp(uint64_t n)
{
	return (uint32_t)MIN(n, UINT32_MAX);
}

int unwind_file_build(int fd, int *ret_fd, struct msg_unwind_table *ret)
{
	_cleanup_(elf_file__closep) struct elf_file *file = NULL;
	_cleanup_(unwind_table__freep) struct unwind_table *t = NULL;
	cleanup_free struct unwind_line *lines = NULL;
	struct limits limits;
	size_t n;
	int r;

	limits__init(&limits, 0);
	r = elf_file__open(&file, fd);

	if (r == 0)
		r = unwind_table__new(&t);
	if (r == 0)
		r = read_sources(file, t, &limits);
	if (r == 0)
		r = unwind_table__layout(t, file, &lines, &n);
	if (r == 0)
		r = seal(lines, n, ret_fd);
	if (r < 0)
		return r;
	*ret = (struct msg_unwind_table){
	    .build_id = *elf_file__build_id(file),
	    .n_lines = (uint32_t)n,
	    .n_bad = clamp(unwind_table__stats(t)->n_bad),
	    .n_dropped = clamp(unwind_table__stats(t)->n_dropped),
	};
	return 0;
}
