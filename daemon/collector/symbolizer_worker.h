/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cprofd-symbolizer: the process, and what goes to it and comes from it.
 *
 * It is started by the first question and ends when it is told to, or when it does not do what it
 * should; then the next question starts another. It belongs to one thread, but for
 * symbolizer_worker__cancel().
 */
#ifndef COLLECTOR_SYMBOLIZER_WORKER_H
#define COLLECTOR_SYMBOLIZER_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/collector/owner.h"
#include "daemon/ipc/frame.h"

/* Called in the thread that asked, whenever a process was started: whose files it reads, and its
 * tgid. */
typedef void (*symbolizer_started_fn)(void *ctx, enum owner owner, uint32_t tgid);

struct symbolizer_worker {
	const char *path; /* borrowed */
	enum owner owner; /* whose files it is asked about */
	symbolizer_started_fn started;
	void *ctx;
	pthread_mutex_t lock; /* of sock and cancelled, against symbolizer_worker__cancel() */
	bool cancelled;
	int sock;  /* -1 = not running */
	pid_t pid; /* 0 = not running */
	uint32_t next_id;
	bool died; /* the last one did not end by our will */
	uint32_t n_restarts;
	bool has_landlock; /* the last one that was started */
	char trouble[192]; /* why the last one did not get ready, for people; "" = it did */
};

/* For the program at PATH (borrowed) and the files of OWNER; starts nothing. STARTED may be
 * NULL. */
void symbolizer_worker__init(struct symbolizer_worker *w, const char *path, enum owner owner,
			     symbolizer_started_fn started, void *ctx);

/* Ends the process and waits for it. */
void symbolizer_worker__fini(struct symbolizer_worker *w);

/* Starts the process where there is none. 0; -ECHILD where it does not get ready, of which TROUBLE
 * tells; or -errno. */
int symbolizer_worker__start(struct symbolizer_worker *w);

/*
 * Asks, and waits for the answer, whose id is that of the question: *RET is to be released with
 * ipc_msg__fini(). Starts the process where there is none. 0; -EPIPE where it ended, -ETIMEDOUT
 * where it took too long, -EBADMSG where it answered what is no answer, after which there is no
 * process; or what symbolizer_worker__start() fails with.
 */
int symbolizer_worker__ask(struct symbolizer_worker *w, struct ipc_msg *question,
			   struct ipc_msg *ret);

/* Ends the process, which nobody needs for a while. */
void symbolizer_worker__rest(struct symbolizer_worker *w);

/* Ends one that does not do what it should. */
void symbolizer_worker__give_up(struct symbolizer_worker *w);

/* Has the question under way, and all that follow, fail with -EPIPE. Callable by another thread. */
void symbolizer_worker__cancel(struct symbolizer_worker *w);
bool symbolizer_worker__is_cancelled(struct symbolizer_worker *w);

#endif
