/* SPDX-License-Identifier: Apache-2.0 */
/* Reads profiles back with the generated code. */
#ifndef TESTS_READ_PROFILE_H
#define TESTS_READ_PROFILE_H

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "proto/profile.pb-c.h"

typedef Perftools__Profiles__Profile profile;
typedef Perftools__Profiles__Sample profile_sample;
typedef Perftools__Profiles__Location profile_location;
typedef Perftools__Profiles__Mapping profile_mapping;

#define PROFILE_BYTES_MAX (4 << 20)

/* The profile in FD, from its start; NULL where it is none. */
static inline profile *profile_read(int fd)
{
	cleanup_free uint8_t *bytes = malloc(PROFILE_BYTES_MAX);
	gzFile gz = gzdopen(dup(fd), "rb");
	int n = -1;

	if (bytes && gz && lseek(fd, 0, SEEK_SET) == 0)
		n = gzread(gz, bytes, PROFILE_BYTES_MAX);
	gzclose(gz);
	return n > 0 ? perftools__profiles__profile__unpack(NULL, (size_t)n, bytes) : NULL;
}

static inline profile *profile_read_path(const char *path)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? NULL : profile_read(fd);
}

static inline void profile_free(profile *p)
{
	perftools__profiles__profile__free_unpacked(p, NULL);
}

static inline const char *profile_string(const profile *p, int64_t i)
{
	return i >= 0 && (size_t)i < p->n_string_table ? p->string_table[i] : "(no such string)";
}

/* Ids are 1, 2, 3 …, so the tables are arrays. */
static inline const profile_location *profile_location_of(const profile *p, const profile_sample *s,
							  size_t i)
{
	return i < s->n_location_id ? p->location[s->location_id[i] - 1] : NULL;
}

/* The name of line LINE of a sample's location I. */
static inline const char *profile_name(const profile *p, const profile_sample *s, size_t i,
				       size_t line)
{
	const profile_location *l = profile_location_of(p, s, i);

	if (!l || line >= l->n_line)
		return "(no such line)";
	return profile_string(p, p->function[l->line[line]->function_id - 1]->name);
}

/* The text of a label, or NULL; and its number. */
static inline const char *profile_label(const profile *p, const profile_sample *s, const char *key,
					int64_t *ret_num)
{
	for (size_t i = 0; i < s->n_label; i++) {
		if (strcmp(profile_string(p, s->label[i]->key), key))
			continue;
		if (ret_num)
			*ret_num = s->label[i]->num;
		return profile_string(p, s->label[i]->str);
	}
	return NULL;
}

static inline int64_t profile_total(const profile *p)
{
	int64_t n = 0;

	for (size_t i = 0; i < p->n_sample; i++)
		n += p->sample[i]->value[0];
	return n;
}

#endif
