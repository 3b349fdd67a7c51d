/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One cprofd-symbolizer: the process, and what goes to it and comes from it.
 *
 * It is started by the first question and ends when it is told to, when it does not do what it
 * should, or when it is worn: libraries leak, more so on files that are not well-formed, and what
 * one of those has broken must not last. The next question starts another. It belongs to one
 * thread, but for symbolizer_worker__cancel().
 */
#ifndef COLLECTOR_SYMBOLIZER_WORKER_H
#define COLLECTOR_SYMBOLIZER_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "daemon/collector/owner.h"
#include "daemon/ipc/frame.h"

/* Called in the thread that asked, whenever a process was started: whose files it reads, and its
 * tgid. */
typedef void (*symbolizer_started_fn)(void *ctx, enum owner owner, uint32_t tgid);

/* One question may take this long: a whole vmlinux needs 1 s, a 600 MB C++ program 3 s. The time of
 * the clock is more, for a disk that is busy. */
#define SYMBOLIZER_CPU_NS (5 * 1000000000ULL)
#define SYMBOLIZER_TIMEOUT_NS (15 * 1000000000ULL)

/* It is worn after so many questions (most files need two), so much time, or with so much memory
 * more than at its start. */
#define WORKER_QUESTIONS_MAX 1024
#define WORKER_AGE_MAX_NS (600 * 1000000000ULL)
#define WORKER_GROWTH_BYTES_MAX (128ull << 20)

/* How often one that does not get ready is started again: at first after this time, which doubles
 * up to that. */
#define WORKER_RETRY_NS 100000000ULL
#define WORKER_RETRY_MAX_NS (30 * 1000000000ULL)

enum worker_result {
	WORKER_OK = 0,
	WORKER_DIED,   /* it ended by itself, or answered what is no answer */
	WORKER_KILLED, /* somebody killed it (SIGKILL): for want of memory, or for fun */
	WORKER_DEAR,   /* the question took more than SYMBOLIZER_CPU_NS */
	WORKER_SLOW,   /* it took more than SYMBOLIZER_TIMEOUT_NS */
	WORKER_STUCK,  /* and it could not even be killed: it waits for a disk that is gone */
};

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
	uint32_t n_questions;	 /* to this process */
	uint64_t started_ns;	 /* CLOCK_MONOTONIC */
	uint64_t start_bytes;	 /* resident when it was ready */
	clockid_t cpu_clock;	 /* its CPU time */
	unsigned n_false_starts; /* in a row, that did not get ready */
	uint64_t retry_ns;	 /* not before */
	bool died;		 /* the last one did not end by our will */
	uint32_t n_restarts;
	bool has_landlock; /* the last one that was started */
	char trouble[128]; /* why the last one did not get ready, for people; "" = it did */
};

/* For the program at PATH (borrowed) and the files of OWNER. STARTED may be NULL. */
void symbolizer_worker__init(struct symbolizer_worker *w, const char *path, enum owner owner,
			     symbolizer_started_fn started, void *ctx);

/* Ends the process and waits for it. */
void symbolizer_worker__fini(struct symbolizer_worker *w);

/* Starts the process where there is none. 0; -ECHILD where it does not get ready, or did not a
 * moment ago, of which TROUBLE tells; or -errno. */
int symbolizer_worker__start(struct symbolizer_worker *w);

/*
 * Asks, and waits for the answer, whose id is that of the question: *RET is to be released with
 * ipc_msg__fini(). Starts the process where there is none, or in place of a worn one. An enum
 * worker_result, or what symbolizer_worker__start() fails with; after all but WORKER_OK there is no
 * process.
 */
int symbolizer_worker__ask(struct symbolizer_worker *w, struct ipc_msg *question,
			   struct ipc_msg *ret);

/* Whether the next question is the first that its process gets. */
bool symbolizer_worker__is_fresh(const struct symbolizer_worker *w);

/* Ends the process, which nobody needs for a while. */
void symbolizer_worker__rest(struct symbolizer_worker *w);

/* Ends one that does not do what it should. */
void symbolizer_worker__give_up(struct symbolizer_worker *w);

/* Has the question under way, and all that follow, fail at once. Callable by another thread. */
void symbolizer_worker__cancel(struct symbolizer_worker *w);
bool symbolizer_worker__is_cancelled(struct symbolizer_worker *w);

#endif
