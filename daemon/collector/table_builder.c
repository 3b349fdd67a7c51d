/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/table_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/thread.h"
#include "base/util.h"
#include "daemon/collector/table_cache.h"

/* New programs come in bursts; between those the symbolizer's memory is better spent elsewhere. */
#define REST_SECONDS 5

struct question {
	int fd;
	uint64_t id;
};

struct table_builder {
	struct symbolizer_client *client; /* used by the thread only */
	struct table_cache *cache;	  /* likewise; NULL = none */
	pthread_t thread;
	bool running;
	int event_fd;
	pthread_mutex_t lock; /* of all that follows */
	pthread_cond_t work;
	bool quit;
	struct question *questions;
	struct built_table *answers;
	size_t n_questions, n_answers, cap_questions, cap_answers;
};

DEFINE_CLEANUP(struct table_builder *, table_builder__free);

void built_table__fini(struct built_table *table)
{
	if (table->lines)
		munmap((void *)table->lines, table->n_bytes_mapped);
	*table = (struct built_table){0};
}

bool table_builder_is_final(int error)
{
	return error == -ENOEXEC || error == -EIO || error == -EBADMSG || error == -EFBIG;
}

static uint32_t lines_of(uint64_t n, uint32_t per_line)
{
	return (uint32_t)((n + per_line - 1) / per_line);
}

static bool head_valid(const struct unwind_table_head *h, uint32_t n_lines)
{
	uint64_t dir = 1, rows, rules;

	if (h->shift < UNWIND_SHIFT_MIN || h->shift > UNWIND_SHIFT_MAX || !h->n_buckets ||
	    !h->n_rows || !h->n_rules || h->n_rules > 65536 || h->start & 0xffff ||
	    h->all_regs > 1 || h->n_lines != n_lines)
		return false;
	rows = dir + lines_of(h->n_buckets + 1ull, UNWIND_LINE_WORDS);
	rules = rows + lines_of(h->n_rows, UNWIND_LINE_WORDS);
	return h->dir_line == dir && h->row_line == rows && h->rule_line == rules &&
	       rules + lines_of(h->n_rules, UNWIND_RULES_PER_LINE) == n_lines;
}

bool unwind_table_valid(const struct unwind_line *lines, uint32_t n_lines)
{
	const struct unwind_table_head *h = (const void *)lines;
	const uint32_t *dir, *rows;
	const struct unwind_rule *rules;

	if (!n_lines || n_lines > UNWIND_TABLE_LINES_MAX || !head_valid(h, n_lines))
		return false;
	dir = lines[h->dir_line].w;
	rows = lines[h->row_line].w;
	rules = (const void *)&lines[h->rule_line];
	/* A search goes back to the row before a bucket's first, which row 0 must make good. */
	if (rows[0] & 0xffff)
		return false;
	for (uint64_t i = 0; i <= h->n_buckets; i++)
		if (dir[i] > h->n_rows || (i && dir[i] < dir[i - 1]))
			return false;
	for (uint32_t i = 0; i < h->n_rows; i++)
		if (rows[i] >> 16 >= h->n_rules)
			return false;
	for (uint32_t i = 0; i < h->n_rules; i++)
		if (rules[i].cfa >= UNWIND_CFA_MAX)
			return false;
	return true;
}

/* Whether the memory at FD, which the symbolizer has made, is N_LINES that nobody can change any
 * more. */
static bool is_sealed(int fd, uint32_t n_lines)
{
	const int sealed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
	int seals = fcntl(fd, F_GET_SEALS); /* fails for what cannot be sealed */
	struct statfs fs;
	struct stat st;

	/* Memory of huge pages may fail to be there when it is read. */
	return seals >= 0 && (seals & sealed) == sealed && fstatfs(fd, &fs) == 0 &&
	       fs.f_type == TMPFS_MAGIC && fstat(fd, &st) == 0 && n_lines &&
	       n_lines <= UNWIND_TABLE_LINES_MAX &&
	       (uint64_t)st.st_size == n_lines * sizeof(struct unwind_line);
}

/* Maps the table at OFF of FD. */
static int map_table(int fd, off_t off, uint32_t n_lines, struct built_table *ret)
{
	size_t n_bytes = (size_t)n_lines * sizeof(struct unwind_line);
	void *p;

	/* Before anything of it is read: memory that is full of holes is cheap for who made it. */
	if (!n_lines || n_lines > UNWIND_TABLE_LINES_MAX)
		return -EBADMSG;
	p = mmap(NULL, n_bytes, PROT_READ, MAP_PRIVATE, fd, off);

	if (p == MAP_FAILED)
		return -errno;
	if (!unwind_table_valid(p, n_lines)) {
		munmap(p, n_bytes);
		return -EBADMSG;
	}
	ret->lines = p;
	ret->n_lines = n_lines;
	ret->n_bytes_mapped = n_bytes;
	return 0;
}

/* Takes a table that was made before. False where there is none. */
static bool take_cached(struct table_builder *b, int file, struct built_table *ret)
{
	cleanup_close int fd = -1;
	struct msg_unwind_table made;

	if (!b->cache || table_cache__find(b->cache, file, &fd, &made) < 0 ||
	    map_table(fd, TABLE_CACHE_LINES_OFF, made.n_lines, ret) < 0)
		return false;
	ret->build_id = made.build_id;
	ret->n_bad = made.n_bad;
	ret->from_cache = true;
	return true;
}

/* Has a table made. 0 or -errno, as struct built_table has it. */
static int make(struct table_builder *b, int file, struct built_table *ret)
{
	cleanup_close int fd = -1;
	struct msg_unwind_table made;
	int r = symbolizer_client__unwind_table(b->client, file, &fd, &made);

	if (r == SYMBOLIZER_UNUSABLE)
		return -ENOEXEC;
	if (r == SYMBOLIZER_DIED)
		return -EIO;
	if (r == SYMBOLIZER_LATER)
		return -EAGAIN;
	if (r < 0)
		return r;
	if (!is_sealed(fd, made.n_lines))
		return -EBADMSG;
	r = map_table(fd, 0, made.n_lines, ret);
	if (r < 0)
		return r;
	ret->build_id = made.build_id;
	ret->n_bad = made.n_bad;
	/* A full disk costs the next start some time and nothing else. */
	if (b->cache)
		(void)!table_cache__put(b->cache, file, &made, ret->lines);
	return 0;
}

static void build(struct table_builder *b, const struct question *q, struct built_table *ret)
{
	uint64_t start = clock_ns(CLOCK_MONOTONIC);

	*ret = (struct built_table){.id = q->id};
	if (!take_cached(b, q->fd, ret))
		ret->error = make(b, q->fd, ret);
	/* What has lied once may do so about the next file. */
	if (ret->error == -EBADMSG)
		symbolizer_client__rest(b->client);
	ret->build_ns = clock_ns(CLOCK_MONOTONIC) - start;
}

/* Waits for work, with the lock held. False when it is time to end. */
static bool await_question(struct table_builder *b)
{
	bool resting = false;

	while (!b->quit && !b->n_questions) {
		struct timespec until;

		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += REST_SECONDS;
		if (resting) {
			pthread_cond_wait(&b->work, &b->lock);
		} else if (pthread_cond_timedwait(&b->work, &b->lock, &until) == ETIMEDOUT) {
			resting = true;
			pthread_mutex_unlock(&b->lock);
			symbolizer_client__rest(b->client);
			pthread_mutex_lock(&b->lock);
		}
	}
	return !b->quit;
}

static void *run(void *ctx)
{
	const uint64_t one = 1;
	struct table_builder *b = ctx;

	pthread_mutex_lock(&b->lock);
	while (await_question(b)) {
		struct question q = b->questions[0];
		struct built_table table;

		memmove(b->questions, b->questions + 1, --b->n_questions * sizeof(q));
		pthread_mutex_unlock(&b->lock);
		build(b, &q, &table);
		close_fd(q.fd);
		pthread_mutex_lock(&b->lock);
		/* Room was made when the question was taken. */
		b->answers[b->n_answers++] = table;
		(void)!write(b->event_fd, &one, sizeof(one)); /* a full counter is readable too */
	}
	pthread_mutex_unlock(&b->lock);
	return NULL;
}

int table_builder__new(struct table_builder **ret, const char *symbolizer, const char *cache,
		       symbolizer_started_fn started, void *ctx)
{
	_cleanup_(table_builder__freep) struct table_builder *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->work, NULL);
	b->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->event_fd < 0)
		return -errno;
	r = symbolizer_client__new(&b->client, symbolizer, started, ctx);
	/* Without a cache everything works, only later. */
	if (r == 0 && cache && table_cache__new(&b->cache, cache, symbolizer) == -ENOMEM)
		r = -ENOMEM;
	if (r == 0)
		r = thread_start(&b->thread, run, b);
	if (r < 0)
		return r;
	b->running = true;
	*ret = steal_ptr(b);
	return 0;
}

struct table_builder *table_builder__free(struct table_builder *b)
{
	if (!b)
		return NULL;
	if (b->running) {
		pthread_mutex_lock(&b->lock);
		b->quit = true;
		pthread_cond_signal(&b->work);
		pthread_mutex_unlock(&b->lock);
		/* A question may take seconds, or for ever on a disk that hangs. */
		symbolizer_client__cancel(b->client);
		pthread_join(b->thread, NULL);
	}
	for (size_t i = 0; i < b->n_questions; i++)
		close_fd(b->questions[i].fd);
	for (size_t i = 0; i < b->n_answers; i++)
		built_table__fini(&b->answers[i]);
	symbolizer_client__free(b->client);
	table_cache__free(b->cache);
	close_fd(b->event_fd);
	free(b->questions);
	free(b->answers);
	pthread_cond_destroy(&b->work);
	pthread_mutex_destroy(&b->lock);
	free(b);
	return NULL;
}

/* Puts a question in whose descriptor is OWN; the lock is held. As table_builder__ask(). */
static int add_question(struct table_builder *b, int own, uint64_t id)
{
	int r;

	if (b->n_questions >= TABLE_BUILDER_QUESTIONS_MAX)
		return TABLE_BUILDER_FULL;
	/* One question may be at work, whose answer needs room as well. */
	r = array_reserve(&b->answers, &b->cap_answers, b->n_answers + b->n_questions + 2,
			  sizeof(*b->answers));
	if (r == 0)
		r = array_reserve(&b->questions, &b->cap_questions, b->n_questions + 1,
				  sizeof(*b->questions));
	if (r < 0)
		return r;
	b->questions[b->n_questions++] = (struct question){.fd = own, .id = id};
	pthread_cond_signal(&b->work);
	return TABLE_BUILDER_OK;
}

int table_builder__ask(struct table_builder *b, int fd, uint64_t id)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0), r;

	if (own < 0)
		return -errno;
	pthread_mutex_lock(&b->lock);
	r = add_question(b, own, id);
	pthread_mutex_unlock(&b->lock);
	if (r != TABLE_BUILDER_OK)
		close_fd(own);
	return r;
}

int table_builder__fd(const struct table_builder *b)
{
	return b->event_fd;
}

bool table_builder__take(struct table_builder *b, struct built_table *ret)
{
	bool any;

	pthread_mutex_lock(&b->lock);
	any = b->n_answers > 0;
	if (any) {
		*ret = b->answers[0];
		memmove(b->answers, b->answers + 1, --b->n_answers * sizeof(*ret));
	} else {
		/* Nothing left to tell. */
		(void)!read(b->event_fd, &(uint64_t){0}, sizeof(uint64_t));
	}
	pthread_mutex_unlock(&b->lock);
	return any;
}
