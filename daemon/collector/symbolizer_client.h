/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The collector's side of the symbolizer: starts the processes, asks, and starts them again when
 * they die.
 *
 * There are two, one for files that only root can have written and one for all others (owner.h), so
 * that what somebody has put into a file cannot reach the answers about the system's. Each is
 * started by the first question to it.
 *
 * A question that kills a symbolizer or makes it exceed its time costs that file's names and
 * nothing else. The file is remembered (bad_files.h): until it changes nobody is asked about it
 * again, or not for a while where something else may have been at fault. The next question has
 * another process. A client belongs to one thread: the finisher's, or that of the table builder.
 */
#ifndef COLLECTOR_SYMBOLIZER_CLIENT_H
#define COLLECTOR_SYMBOLIZER_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/symbolizer_worker.h"
#include "daemon/ipc/messages.h"
#include "daemon/ipc/symbols.h"

enum symbolizer_result {
	SYMBOLIZER_OK = 0,
	SYMBOLIZER_UNUSABLE = 1, /* it says that the file is none it can read */
	SYMBOLIZER_DIED,	 /* the file is at fault that it ended, hung or answered nonsense */
	SYMBOLIZER_LATER, /* the same, but it is not proven: worth asking in the next window */
};

struct symbolizer_client;

/* For the program at PATH. STARTED may be NULL. 0 or -errno, -ENOENT where there is none. */
int symbolizer_client__new(struct symbolizer_client **ret, const char *path,
			   symbolizer_started_fn started, void *ctx);

/* Takes NULL. Ends the processes and waits for them. Returns NULL. */
struct symbolizer_client *symbolizer_client__free(struct symbolizer_client *c);

/* Finds the program: beside our own, or where it is installed. Writes to PATH. 0 or -ENOENT. */
int symbolizer_client_locate(char *path, size_t size);

/* Starts a process, to see whether it can be, and whether Landlock holds it too. 0 or -errno:
 * -ECHILD where it does not get ready, of which symbolizer_client__trouble() tells. */
int symbolizer_client__probe(struct symbolizer_client *c, bool *ret_has_landlock);

/* Why the last one that was started did not get ready, as text for people; NULL = it did. Borrowed
 * until the next question. */
const char *symbolizer_client__trouble(const struct symbolizer_client *c);

/* Ends the processes, whose memory nobody needs for a while; the next question starts another. */
void symbolizer_client__rest(struct symbolizer_client *c);

/* Has the question under way, and all that follow, answered with SYMBOLIZER_LATER at once. The one
 * function that another thread may call. */
void symbolizer_client__cancel(struct symbolizer_client *c);

/* How often one had to be started again because it died. */
uint32_t symbolizer_client__restarts(const struct symbolizer_client *c);

/* What is the file behind FD (borrowed)? Returns an enum symbolizer_result or -errno. */
int symbolizer_client__identify(struct symbolizer_client *c, int fd, struct msg_identity *ret);

/*
 * How is the code of the file behind FD (borrowed) unwound? On SYMBOLIZER_OK *RET_FD (the caller's)
 * is memory that the symbolizer has made, to be checked. Or another enum symbolizer_result, or
 * -errno.
 */
int symbolizer_client__unwind_table(struct symbolizer_client *c, int fd, int *ret_fd,
				    struct msg_unwind_table *ret);

/* The files that belong to one question; -1 = none. All borrowed. */
struct symbolizer_files {
	int file;
	int debug; /* separate debug file */
	int alt;   /* dwz file */
	int split; /* split units: .dwp */
};

/*
 * Names the code at OFFS (file offsets, ascending, N <= SYMBOLIZE_ADDRS_MAX). On SYMBOLIZER_OK
 * *RET_MSG owns the answer, to be released with ipc_msg__fini(), and *RET is a checked view of it.
 * Or another enum symbolizer_result, or -errno.
 */
int symbolizer_client__symbolize(struct symbolizer_client *c, const struct symbolizer_files *files,
				 const uint64_t *offs, uint32_t n, struct ipc_msg *ret_msg,
				 struct symbols_view *ret);

/*
 * Names the code at ADDRS (ascending, N <= SYMBOLIZE_ADDRS_MAX) from a perf map and a jitdump, both
 * borrowed, -1 = none, but there is one. The result as of symbolizer_client__symbolize().
 */
int symbolizer_client__jit(struct symbolizer_client *c, int map_fd, int dump_fd,
			   const struct msg_jit_addr *addrs, uint32_t n, struct ipc_msg *ret_msg,
			   struct symbols_view *ret);

#endif
