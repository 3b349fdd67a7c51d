/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/stack_reader.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "base/util.h"
#include "daemon/collector/procfs.h"
#include "daemon/opener/opener.h"

/* How long the end waits for a read under way. */
#define END_NS (50 * NSEC_PER_MSEC)

struct answer {
	uint64_t id;
	void *bytes;
	size_t n;
};

struct stack_reader {
	pthread_mutex_t lock; /* over all below */
	pthread_cond_t work;
	pthread_t thread;
	bool quit;
	struct stack_read questions[STACK_READS_MAX];
	struct answer answers[STACK_READS_MAX];
	size_t n_questions, n_answers;
	bool busy; /* a question is at work, which counts like one that waits */
};

/* In the thread, without the lock. */
static struct answer read_stack(const struct stack_read *read)
{
	struct answer answer = {.id = read->id};
	cleanup_free void *bytes = NULL;
	cleanup_close int fd = -1;
	uint64_t end;
	ssize_t n;

	if (opener_open_memory(read->tgid, read->start_ns, &fd) != OPENER_OK ||
	    procfs_find_anonymous(read->tgid, read->addr, &end) < 0)
		return answer;
	bytes = malloc(STACK_READ_MAX);
	if (!bytes)
		return answer;
	n = pread(fd, bytes, MIN(end - read->addr, STACK_READ_MAX), (off_t)read->addr);
	if (n <= 0)
		return answer;
	answer.bytes = steal_ptr(bytes);
	answer.n = (size_t)n;
	return answer;
}

static void *run(void *ctx)
{
	struct stack_reader *r = ctx;

	pthread_mutex_lock(&r->lock);
	while (!r->quit) {
		struct stack_read read;
		struct answer answer;

		if (!r->n_questions) {
			pthread_cond_wait(&r->work, &r->lock);
			continue;
		}
		read = r->questions[0];
		memmove(r->questions, r->questions + 1, --r->n_questions * sizeof(*r->questions));
		r->busy = true;
		pthread_mutex_unlock(&r->lock);
		answer = read_stack(&read);
		pthread_mutex_lock(&r->lock);
		r->busy = false;
		r->answers[r->n_answers++] = answer;
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

int stack_reader__new(struct stack_reader **ret)
{
	struct stack_reader *r = calloc(1, sizeof(*r));
	int error;

	if (!r)
		return -ENOMEM;
	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->work, NULL);
	error = thread_start(&r->thread, run, r);
	if (error < 0) {
		free(r);
		return error;
	}
	*ret = r;
	return 0;
}

static struct timespec end_time(void)
{
	uint64_t ns = clock_ns(CLOCK_REALTIME) + END_NS;

	return (struct timespec){.tv_sec = (time_t)(ns / NSEC_PER_SEC),
				 .tv_nsec = (long)(ns % NSEC_PER_SEC)};
}

struct stack_reader *stack_reader__free(struct stack_reader *r)
{
	struct timespec until = end_time();

	if (!r)
		return NULL;
	pthread_mutex_lock(&r->lock);
	r->quit = true;
	pthread_cond_signal(&r->work);
	pthread_mutex_unlock(&r->lock);
	/* A thread that hangs keeps what it works on; it ends with the process. */
	if (pthread_timedjoin_np(r->thread, NULL, &until)) {
		pthread_detach(r->thread);
		return NULL;
	}
	for (size_t i = 0; i < r->n_answers; i++)
		free(r->answers[i].bytes);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->work);
	free(r);
	return NULL;
}

bool stack_reader__ask(struct stack_reader *r, const struct stack_read *read)
{
	bool ok;

	pthread_mutex_lock(&r->lock);
	ok = r->n_questions + r->n_answers + r->busy < STACK_READS_MAX;
	if (ok) {
		r->questions[r->n_questions++] = *read;
		pthread_cond_signal(&r->work);
	}
	pthread_mutex_unlock(&r->lock);
	return ok;
}

bool stack_reader__take(struct stack_reader *r, uint64_t *ret_id, void **ret_bytes, size_t *ret_n)
{
	struct answer answer;
	bool ok;

	pthread_mutex_lock(&r->lock);
	ok = r->n_answers > 0;
	if (ok)
		answer = r->answers[--r->n_answers];
	pthread_mutex_unlock(&r->lock);
	if (!ok)
		return false;
	*ret_id = answer.id;
	*ret_bytes = answer.bytes;
	*ret_n = answer.n;
	return true;
}
