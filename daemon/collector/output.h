/* SPDX-License-Identifier: Apache-2.0 */
/* Where a one-shot run writes: settles -o, the defaults and what is possible there before
 * anything starts. */
#ifndef COLLECTOR_OUTPUT_H
#define COLLECTOR_OUTPUT_H

#include <limits.h>
#include <stdbool.h>

#include "daemon/collector/finisher.h"
#include "daemon/collector/options.h"

struct output {
	enum finisher_output kind;
	int dirfd;	     /* FINISHER_RUN_DIR; owned */
	char path[PATH_MAX]; /* of the file or the directory */
	bool made;	     /* the directory was not there before */
};

#define OUTPUT_INIT                                                                                \
	{                                                                                          \
		.dirfd = -1                                                                        \
	}

/*
 * COMM and TGID name the file where only a directory, or nothing, is given and there is one process
 * (or one command). Returns 0, or -errno with one line in ERR (OPTIONS_ERROR_SIZE bytes).
 */
int output__choose(struct output *ret, const struct options *o, const char *comm, uint32_t tgid,
		   char *err);
void output__fini(struct output *o);

/* Takes back the directory that output__choose() has made, if nothing was written there. */
void output__discard(struct output *o);

#endif
