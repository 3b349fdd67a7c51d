/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/finisher.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/thread.h"
#include "base/util.h"
#include "daemon/collector/comments.h"
#include "daemon/collector/profile.h"

/* Windows on the way: one at work, one waiting, and both may be done and not taken yet. */
#define QUEUE_MAX 2

struct done {
	struct window *window;
	struct report report;
};

struct finisher {
	struct finisher_options options;
	struct naming *naming;
	int event_fd;
	pthread_t thread;
	bool running;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t work;
	bool quit;
	struct window *queue[QUEUE_MAX];
	size_t n_queue;
	bool busy;
	struct done done[QUEUE_MAX];
	size_t n_done;
};

DEFINE_CLEANUP(struct finisher *, finisher__free);
DEFINE_CLEANUP(struct profile_writer *, profile_writer__free);
DEFINE_CLEANUP(struct store_file *, store_file__free);

void report__fini(struct report *r)
{
	for (size_t i = 0; i < r->n_files; i++)
		free(r->files[i].path);
	free(r->files);
	*r = (struct report){0};
}

/* ---- one window ------------------------------------------------------------------------------ */

/* What one window's files have in common while they are written. */
struct job {
	const struct finisher_options *o;
	const struct window *w;
	struct profile_writer *writer;
	struct comments comments;
	struct report *report;
	uint32_t *order;  /* processes, grouped as files */
	uint64_t n_files; /* begun so far; keeps the times of the files apart */
};

static int write_profile(struct job *job, int fd, const struct profile_processes *ps)
{
	if (job->o->format == STORE_FOLDED)
		return profile_writer__folded(job->writer, fd, ps);
	return profile_writer__pprof(job->writer, fd, ps, job->w->start_ns + job->n_files++,
				     job->comments.pointers, job->comments.n);
}

static bool same_file_name(const char *a, const char *b)
{
	char x[COMM_SIZE], y[COMM_SIZE];

	text_file_name(x, sizeof(x), a);
	text_file_name(y, sizeof(y), b);
	return !strcmp(x, y);
}

/*
 * The earlier files of a run that have the same name, which must not be replaced: a PID comes
 * twice, or names of small processes differ only in what a path cannot hold.
 */
static uint32_t n_namesakes(const struct job *job, const struct profile_processes *ps, bool many)
{
	const struct window_process *all = job->w->processes, *first = &all[ps->places[0]];
	const struct window_process *before = NULL;
	uint32_t n = 0;

	for (const uint32_t *p = job->order; p < ps->places; p++) {
		const struct window_process *wp = &all[*p];

		if (!many) {
			n += wp->tgid == first->tgid;
		} else if (wp->n_samples < job->o->min_samples) {
			bool begins = !before || strncmp(before->comm, wp->comm, COMM_SIZE);

			n += begins && same_file_name(wp->comm, first->comm);
			before = wp;
		}
	}
	return n;
}

static int begin_file(struct job *job, const struct profile_processes *ps, bool many,
		      struct store_file **ret)
{
	const struct finisher_options *o = job->o;
	struct store_name name = {.start_ns = job->w->start_ns, .format = o->format};
	char path[STORE_PATH_MAX];

	if (o->output == FINISHER_FILE)
		return store_file__new(ret, AT_FDCWD, o->file);
	name.comm = job->w->processes[ps->places[0]].comm;
	name.tgid = many ? 0 : job->w->processes[ps->places[0]].tgid;
	if (o->output == FINISHER_WINDOWS)
		return store_file__new_window(ret, o->dirfd, &name);
	name.number = 1 + n_namesakes(job, ps, many);
	store_run_path(path, &name);
	return store_file__new(ret, o->dirfd, path);
}

static int note_file(struct job *job, const struct profile_processes *ps, bool many,
		     const char *path)
{
	struct report *report = job->report;
	struct report_file *f;
	int r = array_reserve(&report->files, &report->cap_files, report->n_files + 1, sizeof(*f));

	if (r < 0)
		return r;
	f = &report->files[report->n_files++];
	*f = (struct report_file){0};
	if (ps->n) {
		memcpy(f->comm, job->w->processes[ps->places[0]].comm, COMM_SIZE);
		f->tgid = many ? 0 : job->w->processes[ps->places[0]].tgid;
	}
	for (size_t i = 0; i < ps->n; i++)
		f->n_samples += job->w->processes[ps->places[i]].n_samples;
	if (job->o->output <= FINISHER_RUN_DIR)
		r = asprintf(&f->path, "%s/%s", job->o->dir, path);
	else
		r = asprintf(&f->path, "%s", path);
	if (r < 0) {
		f->path = NULL;
		return -ENOMEM;
	}
	return 0;
}

static int write_file(struct job *job, const struct profile_processes *ps, bool many)
{
	_cleanup_(store_file__freep) struct store_file *file = NULL;
	const char *path = "-";
	int r;

	if (job->o->output == FINISHER_STDOUT) {
		r = write_profile(job, STDOUT_FILENO, ps);
	} else {
		r = begin_file(job, ps, many, &file);
		if (r == 0)
			r = write_profile(job, store_file__fd(file), ps);
		if (r == 0)
			r = store_file__commit(file);
		path = file ? store_file__path(file) : job->o->file ? job->o->file : job->o->dir;
	}
	if (r == 0)
		return note_file(job, ps, many, path);
	if (!job->report->n_failed++) {
		job->report->error = r;
		snprintf(job->report->failed_path, sizeof(job->report->failed_path), "%s", path);
	}
	return r == -ENOMEM ? r : 0;
}

/* Orders processes as files: those with a file of their own first, most samples first; then the
 * small ones by name. */
struct order_ctx {
	const struct window *w;
	uint32_t min_samples;
	uint32_t main_tgid;
};

static bool is_small(const struct order_ctx *ctx, uint32_t i)
{
	return ctx->w->processes[i].n_samples < ctx->min_samples;
}

static int by_file(const void *pa, const void *pb, void *pctx)
{
	const struct order_ctx *ctx = pctx;
	uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
	const struct window_process *x = &ctx->w->processes[a], *y = &ctx->w->processes[b];
	int names;

	if (is_small(ctx, a) != is_small(ctx, b))
		return is_small(ctx, a) ? 1 : -1;
	if (is_small(ctx, a)) {
		names = strncmp(x->comm, y->comm, COMM_SIZE);
		if (names)
			return names;
	} else if ((x->tgid == ctx->main_tgid) != (y->tgid == ctx->main_tgid)) {
		return x->tgid == ctx->main_tgid ? -1 : 1;
	}
	if (x->n_samples != y->n_samples)
		return x->n_samples > y->n_samples ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int write_files(struct job *job)
{
	const struct window *w = job->w;
	bool merged = job->o->output >= FINISHER_FILE;
	struct order_ctx ctx = {.w = w,
				.min_samples = job->o->min_samples,
				.main_tgid = merged ? job->o->main_tgid : 0};
	size_t n = w->n_processes;
	int r = 0;

	for (uint32_t i = 0; i < n; i++)
		job->order[i] = i;
	if (n)
		qsort_r(job->order, n, sizeof(*job->order), by_file, &ctx);
	if (merged && !n && !w->write_empty)
		return 0;
	if (merged)
		return write_file(job, &(struct profile_processes){job->order, n}, false);
	for (size_t i = 0, last; i < n && r == 0; i = last) {
		bool small = is_small(&ctx, job->order[i]);

		last = i + 1;
		while (small && last < n &&
		       !strncmp(w->processes[job->order[i]].comm,
				w->processes[job->order[last]].comm, COMM_SIZE))
			last++;
		r = write_file(job, &(struct profile_processes){job->order + i, last - i}, small);
	}
	return r;
}

/* The functions in which most samples were taken, and how many stacks are whole. */
static int summarize(const struct window *w, const struct named_window *named, struct report *ret)
{
	const struct names *names = named->names;
	cleanup_free uint64_t *flat = calloc(names->n_functions + 1, sizeof(*flat));

	if (!flat)
		return -ENOMEM;
	for (size_t i = 0; i < w->n_stacks; i++) {
		const struct window_stack *s = &w->stacks[i];
		const struct names_chain *c =
		    &names->chains[named->chains[w->nodes[s->node].frame]];

		flat[names->lines[c->first].function] += s->count;
		ret->n_ends[profile_stack_end(w, named, s->node)] += s->count;
	}
	while (ret->n_functions < REPORT_FUNCTIONS) {
		struct report_function *f = &ret->functions[ret->n_functions];
		const char *name;
		size_t best = 0;

		for (size_t i = 1; i < names->n_functions; i++)
			if (flat[i] > flat[best])
				best = i;
		if (!flat[best])
			break;
		name = names__text(names, names->functions[best].name);
		text_escape(f->name, sizeof(f->name), name, strlen(name));
		f->n_samples = flat[best];
		flat[best] = 0;
		ret->n_functions++;
	}
	return 0;
}

static int by_samples(const void *pa, const void *pb)
{
	const struct report_file *a = pa, *b = pb;

	if (a->n_samples != b->n_samples)
		return a->n_samples > b->n_samples ? -1 : 1;
	return strcmp(a->path, b->path);
}

static int finish_window(struct finisher *f, const struct window *w, struct report *report)
{
	_cleanup_(profile_writer__freep) struct profile_writer *writer = NULL;
	cleanup_free uint32_t *order = calloc(w->n_processes + 1, sizeof(*order));
	struct job job = {.o = &f->options, .w = w, .report = report, .order = order};
	struct named_window named;
	int r;

	report->n_samples = w->n_samples;
	report->duration_ns = w->duration_ns;
	report->period_ns = w->period_ns;
	report->ticks = w->ticks;
	if (!order)
		return -ENOMEM;
	r = naming__window(f->naming, w, &named);
	if (r == 0)
		r = summarize(w, &named, report);
	if (r == 0)
		r = profile_writer__new(&writer, w, &named, f->naming);
	if (r < 0)
		return r;
	report->kernel_hidden = named.kernel_hidden;
	snprintf(report->trouble, sizeof(report->trouble), "%s",
		 named.trouble ? named.trouble : "");
	report->n_bad_objects = named.n_bad_objects;
	report->n_restarts = named.n_restarts;
	comments__init(&job.comments, w, &named, report->n_ends, f->options.frequency_hz,
		       f->options.event);
	job.writer = writer;
	r = write_files(&job);
	naming__save(f->naming);
	if (r == 0 && report->n_files)
		qsort(report->files, report->n_files, sizeof(*report->files), by_samples);
	return r;
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void *run(void *arg)
{
	struct finisher *f = arg;
	uint64_t one = 1;

	pthread_mutex_lock(&f->lock);
	for (;;) {
		struct done done = {0};
		int r;

		while (!f->n_queue && !f->quit)
			pthread_cond_wait(&f->work, &f->lock);
		if (f->quit)
			break;
		done.window = f->queue[0];
		f->queue[0] = f->queue[1];
		f->n_queue--;
		f->busy = true;
		pthread_mutex_unlock(&f->lock);

		r = finish_window(f, done.window, &done.report);
		if (r < 0 && !done.report.error) {
			done.report.error = r;
			done.report.n_failed++;
			snprintf(done.report.failed_path, sizeof(done.report.failed_path), "%s",
				 f->options.file ? f->options.file : f->options.dir);
		}

		pthread_mutex_lock(&f->lock);
		f->busy = false;
		f->done[f->n_done++] = done;
		(void)!write(f->event_fd, &one, sizeof(one)); /* a full counter is readable too */
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

int finisher__new(struct finisher **ret, const struct finisher_options *options,
		  symbolizer_started_fn started, void *ctx)
{
	_cleanup_(finisher__freep) struct finisher *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return -ENOMEM;
	f->options = *options;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->work, NULL);
	f->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (f->event_fd < 0)
		return -errno;
	r = naming__new(&f->naming, options->symbolizer, options->names, started, ctx);
	if (r == 0)
		r = thread_start(&f->thread, run, f);
	if (r < 0)
		return r;
	f->running = true;
	*ret = steal_ptr(f);
	return 0;
}

struct finisher *finisher__free(struct finisher *f)
{
	struct report report;
	struct window *w;

	if (!f)
		return NULL;
	if (f->running) {
		pthread_mutex_lock(&f->lock);
		f->quit = true;
		pthread_cond_signal(&f->work);
		pthread_mutex_unlock(&f->lock);
		pthread_join(f->thread, NULL);
	}
	while (f->n_queue)
		window__free(f->queue[--f->n_queue]);
	while (finisher__take(f, &w, &report)) {
		report__fini(&report);
		window__free(w);
	}
	naming__free(f->naming);
	close_fd(f->event_fd);
	pthread_cond_destroy(&f->work);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}

int finisher__fd(const struct finisher *f)
{
	return f->event_fd;
}

bool finisher__ready(struct finisher *f)
{
	bool ready;

	pthread_mutex_lock(&f->lock);
	ready = f->n_queue + f->busy + f->n_done < QUEUE_MAX;
	pthread_mutex_unlock(&f->lock);
	return ready;
}

void finisher__submit(struct finisher *f, struct window *w)
{
	pthread_mutex_lock(&f->lock);
	f->queue[f->n_queue++] = w;
	pthread_cond_signal(&f->work);
	pthread_mutex_unlock(&f->lock);
}

bool finisher__take(struct finisher *f, struct window **ret, struct report *ret_report)
{
	bool any;

	pthread_mutex_lock(&f->lock);
	any = f->n_done > 0;
	if (any) {
		*ret = f->done[0].window;
		*ret_report = f->done[0].report;
		f->done[0] = f->done[1];
		f->n_done--;
	}
	if (!f->n_done)
		(void)!read(f->event_fd, &(uint64_t){0},
			    sizeof(uint64_t)); /* nothing left to tell */
	pthread_mutex_unlock(&f->lock);
	return any;
}

int finisher__kernel_changed(struct finisher *f, const struct sideband_event *event)
{
	return naming__kernel_changed(f->naming, event);
}
