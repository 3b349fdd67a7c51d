/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a symbolizer died of or did not get done with, by their identities, so that each costs
 * that once and not in every window.
 *
 * A process that has read other files before proves nothing about the last one. So a file is
 * condemned only for what it does to a process that has read no other; until then it rests, each
 * time longer, and is asked about in a process of its own next. One thread.
 */
#ifndef COLLECTOR_BAD_FILES_H
#define COLLECTOR_BAD_FILES_H

#include <stdint.h>

#include "daemon/collector/file_identity.h"
#include "daemon/ipc/frame.h"

/* At the limit the one that was added first is forgotten, and costs once more. */
#define BAD_FILES_MAX 256

/* The first rest, and the longest: each is twice the one before. */
#define BAD_FILES_REST_NS (1 * 1000000000ULL)
#define BAD_FILES_REST_MAX_NS (600 * 1000000000ULL)

/* The files of one question; what is not used is zero. */
struct file_set {
	struct file_identity files[IPC_FDS_MAX];
};

enum bad_files_verdict {
	BAD_FILES_GOOD,	   /* nothing is known against it */
	BAD_FILES_SUSPECT, /* ask in a process that has read nothing else */
	BAD_FILES_RESTING, /* not now */
	BAD_FILES_BAD,	   /* never again, as it is */
};

struct bad_files;

int bad_files__new(struct bad_files **ret);
/* Takes NULL. Returns NULL. */
struct bad_files *bad_files__free(struct bad_files *b);

/* What to do with SET at NOW_NS (CLOCK_MONOTONIC). */
enum bad_files_verdict bad_files__verdict(const struct bad_files *b, const struct file_set *set,
					  uint64_t now_ns);

/* SET was not answered, and that may be its fault: it rests. */
void bad_files__suspect(struct bad_files *b, const struct file_set *set, uint64_t now_ns);

/* It is proven that SET is at fault. */
void bad_files__condemn(struct bad_files *b, const struct file_set *set);

/* SET was answered: it is as good as any. */
void bad_files__acquit(struct bad_files *b, const struct file_set *set);

#endif
