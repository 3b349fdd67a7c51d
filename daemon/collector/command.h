/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command that `cprofd -- CMD` runs: forked first, so that its pid is known, and let go when
 * sampling is on, so that its first instruction is seen.
 */
#ifndef COLLECTOR_COMMAND_H
#define COLLECTOR_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct command {
	pid_t pid;
	int go_fd;     /* closing it lets the child go */
	int failed_fd; /* the child writes its errno here if exec fails */
	bool ended;
	int exit_status; /* once ended: its own, or 128 + signal */
};

#define COMMAND_INIT                                                                               \
	{                                                                                          \
		.go_fd = -1, .failed_fd = -1                                                       \
	}

/* Forks the child, which waits. Orphans of it will be our children (PR_SET_CHILD_SUBREAPER). 0
 * or -errno. */
int command__prepare(struct command *c, char **argv);

/* Lets it run. Returns 0, or the -errno of exec: then it has ended. */
int command__release(struct command *c);

/* Notes the command's end, without blocking. Orphans that come to us stay zombies until we end,
 * too. */
void command__reap(struct command *c);

/* Waits for its end. */
void command__wait(struct command *c);

/* Takes half-prepared ones: ends a child that was never let go. */
void command__fini(struct command *c);

#endif
