/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/unwinding.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/pin.h"
#include "daemon/collector/spaces.h"
#include "daemon/collector/stack_reader.h"
#include "daemon/collector/table_builder.h"
#include "daemon/collector/unwind_memory.h"
#include "daemon/collector/unwinder.h"
#include "daemon/collector/vdso.h"

/* So much memory of parked samples goes back to the system when they have gone: less is not worth
 * the time. */
#define TRIM_BYTES (1u << 20)

/* How long a sample waits for the rest of its stack. */
#define READ_NS NSEC_PER_SEC

/* A sample that waits for what its walk needs. */
struct parked {
	struct window *window;	  /* borrowed */
	struct process process;	  /* with a reference to its mappings */
	const struct mapping *at; /* in process.maps: whose table it waits for; or NULL */
	uint64_t read;		  /* the read of its stack that it waits for; 0 = none */
	uint64_t since_ns;	  /* CLOCK_MONOTONIC */
	struct sample_record *sample;
	size_t size;
};

struct unwinding {
	struct unwinding_options options;
	struct unwind_memory *memory;
	struct table_builder *builder;
	struct unwind_tables *tables;
	struct spaces *spaces;
	struct stack_reader *reader;
	uint64_t last_read; /* number of the last question to it */
	int vdso_fd;
	struct parked *parked; /* in the order of arrival */
	size_t n_parked, cap_parked, parked_bytes, parked_bytes_max;
	size_t parked_peak; /* the most of parked_bytes since none was parked */
	bool changed;	    /* a table came or went since the walker was told */
	uint64_t n_opened;  /* objects__n_opened() then */
	struct walked_sample walked;
};

DEFINE_CLEANUP(struct unwinding *, unwinding__free);

int unwinding__new(struct unwinding **ret, const struct unwinding_options *o)
{
	_cleanup_(unwinding__freep) struct unwinding *u = calloc(1, sizeof(*u));
	int memory_fd = o->sampler ? sampler__unwind_memory_fd(o->sampler) : -1;
	int processes_fd = o->sampler ? sampler__processes_fd(o->sampler) : -1;
	int r;

	if (!u)
		return -ENOMEM;
	u->options = *o;
	u->vdso_fd = vdso_open();
	u->parked_bytes_max = MIN(o->samples_per_second * (STACK_COPY_MAX + OTHER_COPY_MAX),
				  UNWINDING_PARKED_BYTES_MAX);
	u->parked_bytes_max = MAX(u->parked_bytes_max, UNWINDING_PARKED_BYTES_MIN);
	r = unwind_memory__new(&u->memory, memory_fd, SAMPLER_UNWIND_LINES);
	if (r == 0)
		r = table_builder__new(&u->builder, o->symbolizer, o->cache, o->started, o->ctx);
	if (r == 0)
		r = unwind_tables__new(&u->tables, u->memory, u->builder);
	if (r == 0)
		r = spaces__new(&u->spaces, u->memory, processes_fd, o->objects);
	if (r == 0)
		r = stack_reader__new(&u->reader);
	if (r < 0)
		return r;
	*ret = steal_ptr(u);
	return 0;
}

static void parked__fini(struct unwinding *u, struct parked *p)
{
	u->parked_bytes -= p->size;
	mapset__unref(p->process.maps, u->options.objects);
	free(p->sample);
}

struct unwinding *unwinding__free(struct unwinding *u)
{
	if (!u)
		return NULL;
	for (size_t i = 0; i < u->n_parked; i++)
		parked__fini(u, &u->parked[i]);
	free(u->parked);
	stack_reader__free(u->reader);
	spaces__free(u->spaces);
	table_builder__free(u->builder);
	unwind_tables__free(u->tables);
	unwind_memory__free(u->memory);
	close_fd(u->vdso_fd);
	free(u);
	return NULL;
}

/* ---- samples --------------------------------------------------------------------------------- */

/* Has the table for the code of M made, where P still lets us at the file. 0 or -errno. */
static int want_table(struct unwinding *u, const struct process *p, const struct mapping *m)
{
	struct object *o = m->object;
	int fd, r = 0;

	pin_object(u->options.objects, p, m);
	fd = o->kind == OBJECT_VDSO ? u->vdso_fd : o->fd;
	if (fd < 0) {
		o->open = OBJECT_ABSENT;
		u->changed = true;
		return 0;
	}
	if (!o->unwind) {
		r = unwind_tables__file(u->tables, fd, &o->unwind);
		u->changed = true;
	}
	return r < 0 ? r : unwind_tables__want(u->tables, o->unwind, fd, clock_ns(CLOCK_MONOTONIC));
}

/*
 * Within exec the registers may be those of the old program, whose memory is gone. There is nothing
 * of user space outside of such a kernel stack.
 */
static bool between_programs(const struct process *p, const struct sample_record *s)
{
	return s->flags & SAMPLE_IN_EXEC && s->n_user == 1 &&
	       ((!s->stack_bytes && !(s->flags & SAMPLE_STACK_CUT)) ||
		!mapset__find(p->maps, sample_frames(s)[s->n_kernel]));
}

/* The same, seen by a walk that knew the code but found no stack. */
static bool lost_in_exec(const struct sample_record *s)
{
	return s->flags & SAMPLE_IN_EXEC && s->n_user == 1 && s->user_end == STACK_END_UNREADABLE;
}

/* Makes the walked sample of S, without its user part. */
static void leave_user_out(struct unwinding *u, const struct sample_record *s)
{
	u->walked.record = *s;
	u->walked.record.n_user = 0;
	u->walked.record.stack_bytes = u->walked.record.other_bytes = 0;
	u->walked.record.user_end = STACK_END_NO_MM;
	memcpy(u->walked.frames, sample_frames(s), s->n_kernel * sizeof(uint64_t));
}

/* Walks S to its end. *RET_AT is where it has to wait, or NULL. 0 or -errno. */
static int finish(struct unwinding *u, const struct process *p, const struct sample_record *s,
		  const struct mapping **ret_at)
{
	uint32_t line;
	int r = 0;

	*ret_at = NULL;
	if (between_programs(p, s)) {
		leave_user_out(u, s);
		return 0;
	}
	/* Each turn finds another file without a table, one of those that the process maps. */
	do {
		*ret_at = unwinder_finish(u->memory, p->maps, s, &u->walked);
		if (*ret_at)
			r = want_table(u, p, *ret_at);
	} while (r == 0 && *ret_at &&
		 unwind_code_of((*ret_at)->object, &line) != UNWIND_CODE_UNKNOWN);
	if (r == 0 && !*ret_at && lost_in_exec(&u->walked.record))
		leave_user_out(u, s);
	return r;
}

static size_t sample_size(const struct sample_record *s)
{
	size_t rest =
	    ((size_t)s->n_kernel + s->n_user) * sizeof(uint64_t) + s->stack_bytes + s->other_bytes;

	return sizeof(*s) + rest +
	       (s->user_end == STACK_END_UNKNOWN ? sizeof(struct unwind_regs) : 0);
}

static int park(struct unwinding *u, struct window *w, const struct process *p,
		const struct mapping *at, uint64_t read, const struct sample_record *s)
{
	struct parked parked = {
	    .window = w,
	    .process = *p,
	    .at = at,
	    .read = read,
	    .since_ns = clock_ns(CLOCK_MONOTONIC),
	    .size = sample_size(s),
	};
	int r = array_reserve(&u->parked, &u->cap_parked, u->n_parked + 1, sizeof(*u->parked));

	if (r < 0)
		return r;
	parked.sample = malloc(parked.size);
	if (!parked.sample)
		return -ENOMEM;
	memcpy(parked.sample, s, parked.size);
	mapset__ref(p->maps);
	u->parked_bytes += parked.size;
	u->parked_peak = MAX(u->parked_peak, u->parked_bytes);
	u->parked[u->n_parked++] = parked;
	return 0;
}

static int deliver(struct unwinding *u, struct window *w, const struct process *p,
		   const struct sample_record *s)
{
	return u->options.deliver(u->options.ctx, w, p, s);
}

/* Whether P still runs, so that it is worth telling the walker of it. */
static bool runs(const struct process *p)
{
	/* Without CAP_KILL those of others may not even be asked. */
	return !p->dead_ns && (kill((pid_t)p->tgid, 0) == 0 || errno == EPERM);
}

/* What must be unchanged of the copy, so that what lies beyond is believed. */
#define OVERLAP_BYTES ((uint32_t)USER_PAGE)

/* Where the registers and the stack of S, which user space has to walk, begin. */
static size_t stack_offset(const struct sample_record *s)
{
	return sample_size(s) - s->stack_bytes - s->other_bytes;
}

/*
 * A copy of a stack that is full may not be all of it: asks for what lies beyond. Returns the
 * number of the question, 0 where there is none.
 */
static uint64_t ask_for_more(struct unwinding *u, const struct process *p,
			     const struct sample_record *s)
{
	const struct unwind_regs *regs =
	    (const void *)((const char *)s + stack_offset(s) - sizeof(*regs));
	const struct stack_read read = {
	    .id = u->last_read + 1,
	    .tgid = p->tgid,
	    .start_ns = p->start_ns,
	    .addr = regs->sp - STACK_COPY_BELOW + s->stack_bytes - OVERLAP_BYTES,
	};

	if (!stack_copy_full(s->stack_bytes, STACK_COPY_MAX) ||
	    !stack_reader__ask(u->reader, &read))
		return 0;
	return ++u->last_read;
}

/*
 * Adds what was read, from OVERLAP_BYTES before the end of the stack on, to the sample of P. While
 * the frames at the outer end of the copy are there unchanged, so are those that called them. 0 or
 * -ENOMEM.
 */
static int add_more(struct unwinding *u, struct parked *p, const char *more, size_t n)
{
	struct sample_record *s = p->sample, *longer;
	size_t end = stack_offset(s) + s->stack_bytes;
	const char *bytes = (const char *)s;

	if (n <= OVERLAP_BYTES || memcmp(more, bytes + end - OVERLAP_BYTES, OVERLAP_BYTES))
		return 0;
	n = (n - OVERLAP_BYTES) & ~(size_t)7;
	longer = malloc(p->size + n);
	if (!longer)
		return -ENOMEM;
	memcpy(longer, s, end);
	memcpy((char *)longer + end, more + OVERLAP_BYTES, n);
	memcpy((char *)longer + end + n, bytes + end, s->other_bytes);
	longer->stack_bytes += (uint32_t)n;
	free(s);
	p->sample = longer;
	p->size += n;
	u->parked_bytes += n;
	u->parked_peak = MAX(u->parked_peak, u->parked_bytes);
	return 0;
}

/* Takes what has been read. 0 or -ENOMEM. */
static int take_reads(struct unwinding *u)
{
	uint64_t id;
	void *bytes;
	size_t n;
	int r = 0;

	while (r == 0 && stack_reader__take(u->reader, &id, &bytes, &n)) {
		for (size_t i = 0; r == 0 && i < u->n_parked; i++) {
			struct parked *p = &u->parked[i];

			if (p->read != id)
				continue;
			p->read = 0;
			if (bytes)
				r = add_more(u, p, bytes, n);
		}
		free(bytes);
	}
	return r;
}

int unwinding__add(struct unwinding *u, struct window *w, const struct process *p,
		   const struct sample_record *s)
{
	const struct mapping *at = NULL;
	uint64_t read = 0;
	bool runs_still;
	int r = 0;

	if (lost_in_exec(s)) {
		leave_user_out(u, s);
		s = &u->walked.record;
	}
	if (s->user_end != STACK_END_UNKNOWN)
		return deliver(u, w, p, s);
	runs_still = runs(p);
	if (runs_still)
		r = spaces__publish(u->spaces, p, s->exec_id, clock_ns(CLOCK_MONOTONIC));
	if (r == 0)
		r = finish(u, p, s, &at);
	if (r < 0)
		return r;
	if (u->parked_bytes < u->parked_bytes_max) {
		/* Now: when the table is there the stack will be another. */
		if (runs_still && (at || u->walked.record.user_end == STACK_END_CUT))
			read = ask_for_more(u, p, s);
		if (at || read)
			return park(u, w, p, at, read, s);
	}
	if (stack_end_is_failure(u->walked.record.user_end))
		spaces__give_up(u->spaces, p);
	return deliver(u, w, p, &u->walked.record);
}

/* ---- what was parked ------------------------------------------------------------------------- */

/* Goes on with one parked sample. *RET_DONE: it has been delivered. 0 or -errno. */
static int resume(struct unwinding *u, struct parked *p, bool at_once, uint64_t now_ns,
		  bool *ret_done)
{
	uint32_t line;
	int r;

	*ret_done = false;
	if (p->read && !at_once && now_ns < p->since_ns + READ_NS)
		return 0;
	p->read = 0;
	/* There may have been no room for the question before. */
	if (p->at && !at_once && unwind_code_of(p->at->object, &line) == UNWIND_CODE_UNKNOWN)
		return want_table(u, &p->process, p->at);
	r = finish(u, &p->process, p->sample, &p->at);
	if (r < 0 || (p->at && !at_once))
		return r;
	*ret_done = true;
	return deliver(u, p->window, &p->process, &u->walked.record);
}

/* Goes on with those for WINDOW, NULL = all. AT_ONCE: as they are. 0 or -errno. */
static int resume_all(struct unwinding *u, const struct window *window, bool at_once)
{
	uint64_t now = clock_ns(CLOCK_MONOTONIC);
	size_t kept = 0;
	int r = 0;

	for (size_t i = 0; i < u->n_parked; i++) {
		struct parked *p = &u->parked[i];
		bool done = false;

		if (r == 0 && (!window || p->window == window))
			r = resume(u, p, at_once, now, &done);
		if (done)
			parked__fini(u, p);
		else
			u->parked[kept++] = *p;
	}
	u->n_parked = kept;
	if (!kept && u->parked_peak >= TRIM_BYTES)
		malloc_trim(0);
	if (!kept)
		u->parked_peak = 0;
	return r;
}

static void on_table(void *ctx, const struct unwind_file *file)
{
	struct unwinding *u = ctx;

	(void)file;
	u->changed = true;
}

/* Tells the walker of the tables that came or went. */
static void tell_of_tables(struct unwinding *u)
{
	/* What could not be opened through one process may have been through another. */
	if (u->changed || u->n_opened != objects__n_opened(u->options.objects))
		spaces__rebind(u->spaces);
	u->changed = false;
	u->n_opened = objects__n_opened(u->options.objects);
}

int unwinding__pump(struct unwinding *u, const struct processes *processes, uint64_t now_ns)
{
	int r = unwind_tables__take(u->tables, now_ns, on_table, u);

	/* At once: the memory of a table that went is handed out again a second after NOW_NS. */
	tell_of_tables(u);
	if (r == 0)
		r = take_reads(u);
	if (r == 0 && u->n_parked)
		r = resume_all(u, NULL, false);
	tell_of_tables(u);
	return r < 0 ? r : spaces__sync(u->spaces, processes, now_ns);
}

int unwinding__flush(struct unwinding *u, const struct window *window)
{
	return resume_all(u, window, true);
}

int unwinding__fd(const struct unwinding *u)
{
	return table_builder__fd(u->builder);
}

size_t unwinding__n_parked(const struct unwinding *u)
{
	return u->n_parked;
}

const struct unwind_tables_stats *unwinding__stats(const struct unwinding *u)
{
	return unwind_tables__stats(u->tables);
}
