/* SPDX-License-Identifier: Apache-2.0 */
/* Samples, objects and mappings made by hand, for the tests of what the collector makes of them. */
#ifndef TESTS_MADE_SAMPLE_H
#define TESTS_MADE_SAMPLE_H

#include <stdio.h>
#include <string.h>

#include "base/util.h"
#include "bpf/cprofd_abi.h"
#include "daemon/collector/mapset.h"
#include "daemon/collector/objects.h"

struct made_sample {
	struct sample_record record;
	uint64_t frames[SAMPLE_FRAMES_MAX];
};

/* A list of frames as two arguments: their number and their address. */
#define FRAMES(...) ARRAY_SIZE(((const uint64_t[]){__VA_ARGS__})), ((const uint64_t[]){__VA_ARGS__})
#define NO_FRAMES 0, NULL

/* Frames leaf first, as the kernel side sends them. */
static inline struct made_sample made_sample(uint32_t tgid, uint32_t tid, const char *comm,
					     size_t n_kernel, const uint64_t *kernel, size_t n_user,
					     const uint64_t *user, enum stack_end end)
{
	struct made_sample s = {.record = {.tgid = tgid,
					   .tid = tid,
					   .n_kernel = (uint16_t)n_kernel,
					   .n_user = (uint16_t)n_user,
					   .user_end = (uint8_t)end}};

	snprintf(s.record.comm, sizeof(s.record.comm), "%s", comm);
	if (n_kernel)
		memcpy(s.frames, kernel, n_kernel * sizeof(*kernel));
	if (n_user)
		memcpy(s.frames + n_kernel, user, n_user * sizeof(*user));
	return s;
}

/* The object of PATH, told by inode number; the caller's reference. NULL where there is no memory.
 */
static inline struct object *made_object(struct objects *objects, const char *path, uint64_t ino)
{
	struct object_id id = {.path = path, .dev = 1, .ino = ino};
	struct object *o = NULL;

	return objects__get(objects, &id, &o) == 0 ? o : NULL;
}

#endif
