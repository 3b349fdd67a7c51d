/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/bad_files.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct bad_file {
	struct file_set set;
	bool is_bad;
	unsigned n_rests;
	uint64_t until_ns; /* of the last rest */
};

struct bad_files {
	struct bad_file files[BAD_FILES_MAX]; /* in the order in which they were added */
	size_t n;
};

int bad_files__new(struct bad_files **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct bad_files *bad_files__free(struct bad_files *b)
{
	free(b);
	return NULL;
}

/* The place of SET, b->n where there is none. */
static size_t find(const struct bad_files *b, const struct file_set *set)
{
	size_t i = 0;

	while (i < b->n && memcmp(&b->files[i].set, set, sizeof(*set)))
		i++;
	return i;
}

static void drop(struct bad_files *b, size_t i)
{
	memmove(b->files + i, b->files + i + 1, (--b->n - i) * sizeof(*b->files));
}

static struct bad_file *get(struct bad_files *b, const struct file_set *set)
{
	size_t i = find(b, set);

	if (i < b->n)
		return &b->files[i];
	if (b->n == BAD_FILES_MAX)
		drop(b, 0);
	b->files[b->n] = (struct bad_file){.set = *set};
	return &b->files[b->n++];
}

enum bad_files_verdict bad_files__verdict(const struct bad_files *b, const struct file_set *set,
					  uint64_t now_ns)
{
	size_t i = find(b, set);

	if (i == b->n)
		return BAD_FILES_GOOD;
	if (b->files[i].is_bad)
		return BAD_FILES_BAD;
	return now_ns < b->files[i].until_ns ? BAD_FILES_RESTING : BAD_FILES_SUSPECT;
}

void bad_files__suspect(struct bad_files *b, const struct file_set *set, uint64_t now_ns)
{
	struct bad_file *f = get(b, set);
	uint64_t rest = BAD_FILES_REST_NS << MIN(f->n_rests, 16);

	f->n_rests++;
	f->until_ns = now_ns + MIN(rest, BAD_FILES_REST_MAX_NS);
}

void bad_files__condemn(struct bad_files *b, const struct file_set *set)
{
	get(b, set)->is_bad = true;
}

void bad_files__acquit(struct bad_files *b, const struct file_set *set)
{
	size_t i = find(b, set);

	if (i < b->n)
		drop(b, i);
}
