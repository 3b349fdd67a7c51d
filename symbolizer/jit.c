/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/jit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/answer.h"
#include "symbolizer/jitdump.h"
#include "symbolizer/perf_map.h"

DEFINE_CLEANUP(struct answer *, answer__free);

static bool is_ascending(const struct msg_jit_addr *addrs, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (addrs[i - 1].addr > addrs[i].addr ||
		    (addrs[i - 1].addr == addrs[i].addr && addrs[i - 1].time_ns > addrs[i].time_ns))
			return false;
	return true;
}

static int set_name(int fd, const struct perf_map_name *name, struct answer *answer, uint32_t addr)
{
	struct answer_frame frame = {0};
	char text[SYMBOL_STRING_MAX];
	int64_t n = pread_full(fd, text, name->n, name->off);
	int r;

	if (n <= 0)
		return (int)n;
	r = answer__names(answer, text, (size_t)n, &frame.function.system_name,
			  &frame.function.name);
	return r < 0 ? r : answer__set_frames(answer, addr, SYMBOL_SOURCE_JIT, &frame, 1);
}

/* Names from the map what has no name yet. */
static int name_from_map(int fd, const struct msg_jit_addr *addrs, uint32_t n_addrs,
			 struct answer *answer, struct limits *limits)
{
	cleanup_free struct perf_map_name *names = calloc((size_t)n_addrs + 1, sizeof(*names));
	int r = names ? perf_map_find(fd, addrs, n_addrs, limits, names) : -ENOMEM;

	for (uint32_t i = 0; r == 0 && i < n_addrs; i++)
		if (names[i].n && !answer__is_named(answer, i))
			r = set_name(fd, &names[i], answer, i);
	return r;
}

int jit_name(const struct jit_fds *fds, const struct msg_jit_addr *addrs, uint32_t n_addrs,
	     void **ret, size_t *ret_n, struct limits *limits)
{
	_cleanup_(answer__freep) struct answer *answer = NULL;
	int dump = -ENOENT, map = -ENOENT, r;

	if (!is_ascending(addrs, n_addrs))
		return -EINVAL;
	limits__init(limits, n_addrs);
	r = answer__new(&answer, n_addrs, false, limits);
	if (r < 0)
		return r;
	if (fds->dump >= 0)
		dump = jitdump_name(fds->dump, addrs, n_addrs, answer, limits);
	if (fds->map >= 0 && dump != -ENOMEM)
		map = name_from_map(fds->map, addrs, n_addrs, answer, limits);
	if (dump == -ENOMEM || map == -ENOMEM)
		return -ENOMEM;
	/* One that cannot be used does not hide the other. */
	if (dump < 0 && map < 0)
		return fds->dump >= 0 ? dump : map;
	return answer__encode(answer, false, ret, ret_n);
}
