/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/util.h"
#include "proto/pprof_writer.h"

/* A stack is at most this deep: the frames of a sample and the frame that says why it ends. */
#define STACK_MAX (SAMPLE_FRAMES_MAX + 1)

struct profile_writer {
	const struct window *w;
	const struct named_window *named;
	const struct naming *naming;
	uint32_t *stacks;      /* of the window, ordered by process */
	uint32_t *first_stack; /* by process: place in stacks; one more at the end */

	/* Of the file at work. */
	struct pprof_writer *pprof;
	uint32_t *location;    /* by frame; 0 = not written yet */
	bool *frame_seen;      /* by frame: it is in used_frames */
	bool *node_seen;       /* by node: it is in used_nodes */
	uint32_t *used_frames; /* what the file's stacks consist of */
	uint32_t *used_nodes;
	size_t n_used_frames, n_used_nodes;
	uint64_t *range_mapping; /* by kernel range: mapping id; 0 = not used */
	const struct mapping **mappings;
	size_t n_mappings, cap_mappings;
	struct hindex mapping_index; /* by pointer: place in mappings, whose id is one more */
	struct hindex jit_frames;    /* of the window: frames named by a runtime, by mapping */
};

DEFINE_CLEANUP(struct profile_writer *, profile_writer__free);
DEFINE_CLEANUP(struct pprof_writer *, pprof_writer__free);

/* Counting sort of the stacks by process: windows hold many stacks of many processes. */
static int order_stacks(struct profile_writer *pw)
{
	const struct window *w = pw->w;

	pw->stacks = malloc((w->n_stacks + 1) * sizeof(*pw->stacks));
	pw->first_stack = calloc(w->n_processes + 2, sizeof(*pw->first_stack));
	if (!pw->stacks || !pw->first_stack)
		return -ENOMEM;
	for (size_t i = 0; i < w->n_stacks; i++)
		pw->first_stack[w->threads[w->stacks[i].thread].process + 2]++;
	for (size_t i = 2; i < w->n_processes + 2; i++)
		pw->first_stack[i] += pw->first_stack[i - 1];
	for (size_t i = 0; i < w->n_stacks; i++) {
		uint32_t process = w->threads[w->stacks[i].thread].process;

		pw->stacks[pw->first_stack[process + 1]++] = (uint32_t)i;
	}
	return 0;
}

static uint64_t mapping_hash(const struct mapping *m)
{
	return hash_mix((uintptr_t)m >> 4, 0);
}

/* Whether a runtime has named code in M: then what it shows is no file to look into. */
static bool is_jit(const struct profile_writer *pw, const struct mapping *m)
{
	struct hindex_iter it = hindex__find(&pw->jit_frames, mapping_hash(m));
	uint32_t frame;

	while (hindex_iter__next(&it, &frame))
		if (pw->w->frames[frame].mapping == m)
			return true;
	return false;
}

/* Notes one frame of each mapping in which a runtime has named code. */
static int note_jit(struct profile_writer *pw)
{
	const struct names *names = pw->named->names;
	int r = 0;

	for (uint32_t i = 0; i < pw->w->n_frames && r == 0; i++) {
		const struct mapping *m = pw->w->frames[i].mapping;

		if (m && names->chains[pw->named->chains[i]].source == NAME_JIT && !is_jit(pw, m))
			r = hindex__add(&pw->jit_frames, mapping_hash(m), i);
	}
	return r;
}

int profile_writer__new(struct profile_writer **ret, const struct window *w,
			const struct named_window *named, const struct naming *naming)
{
	_cleanup_(profile_writer__freep) struct profile_writer *pw = calloc(1, sizeof(*pw));

	if (!pw)
		return -ENOMEM;
	pw->w = w;
	pw->named = named;
	pw->naming = naming;
	pw->location = calloc(w->n_frames + 1, sizeof(*pw->location));
	pw->frame_seen = calloc(w->n_frames + 1, sizeof(*pw->frame_seen));
	pw->node_seen = calloc(w->n_nodes + 1, sizeof(*pw->node_seen));
	pw->used_frames = calloc(w->n_frames + 1, sizeof(*pw->used_frames));
	pw->used_nodes = calloc(w->n_nodes + 1, sizeof(*pw->used_nodes));
	pw->range_mapping = calloc(named->n_kernel_ranges + 1, sizeof(*pw->range_mapping));
	if (!pw->location || !pw->frame_seen || !pw->node_seen || !pw->used_frames ||
	    !pw->used_nodes || !pw->range_mapping || order_stacks(pw) < 0 || note_jit(pw) < 0)
		return -ENOMEM;
	*ret = steal_ptr(pw);
	return 0;
}

struct profile_writer *profile_writer__free(struct profile_writer *pw)
{
	if (!pw)
		return NULL;
	free(pw->stacks);
	free(pw->first_stack);
	free(pw->location);
	free(pw->frame_seen);
	free(pw->node_seen);
	free(pw->used_frames);
	free(pw->used_nodes);
	free(pw->range_mapping);
	free(pw->mappings);
	hindex__fini(&pw->mapping_index);
	hindex__fini(&pw->jit_frames);
	free(pw);
	return NULL;
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/*
 * The frames of the stack whose leaf is NODE, leaf first. The frame that says why the stack ends is
 * left out where the frame below it turns out to be a first function after all. Returns their
 * number.
 */
static size_t stack_frames(const struct window *w, const struct named_window *named, uint32_t node,
			   uint32_t *frames)
{
	size_t n = 0;

	for (; node != WINDOW_ROOT && n < STACK_MAX; node = w->nodes[node].parent)
		frames[n++] = w->nodes[node].frame;
	if (n >= 2 && w->frames[frames[n - 1]].kind == FRAME_TRUNCATED &&
	    naming_is_root(named->names, named->chains[frames[n - 2]],
			   n >= 3 ? named->chains[frames[n - 3]] : NAMES_NONE))
		n--;
	return n;
}

enum stack_end profile_stack_end(const struct window *w, const struct named_window *named,
				 uint32_t node)
{
	uint32_t below = WINDOW_ROOT, callee = WINDOW_ROOT;
	const struct window_frame *outermost;

	while (w->nodes[node].parent != WINDOW_ROOT) {
		callee = below;
		below = node;
		node = w->nodes[node].parent;
	}
	outermost = &w->frames[w->nodes[node].frame];
	if (outermost->kind == FRAME_OVERFLOW)
		return STACK_END_NOT;
	if (outermost->kind != FRAME_TRUNCATED)
		return STACK_END_ROOT;
	if (below != WINDOW_ROOT &&
	    naming_is_root(named->names, named->chains[w->nodes[below].frame],
			   callee == WINDOW_ROOT ? NAMES_NONE
						 : named->chains[w->nodes[callee].frame]))
		return STACK_END_ROOT;
	return (enum stack_end)outermost->addr;
}

/* ---- pprof ----------------------------------------------------------------------------------- */

static void hex(char *out, const struct msg_build_id *id)
{
	for (uint32_t i = 0; i < id->size && i < BUILD_ID_MAX; i++)
		sprintf(out + 2 * i, "%02x", id->bytes[i]);
	out[2 * MIN(id->size, BUILD_ID_MAX)] = '\0';
}

static int find_mapping(const struct profile_writer *pw, const struct mapping *m, uint32_t *ret)
{
	struct hindex_iter it = hindex__find(&pw->mapping_index, mapping_hash(m));

	while (hindex_iter__next(&it, ret))
		if (pw->mappings[*ret] == m)
			return 0;
	return -ENOENT;
}

static int write_mapping(struct profile_writer *pw, const struct mapping *m)
{
	struct msg_build_id id = naming__build_id(pw->naming, m->object);
	char path[4096], build_id[2 * BUILD_ID_MAX + 1];
	uint32_t i;
	int r;

	if (find_mapping(pw, m, &i) == 0)
		return 0;
	r = array_reserve(&pw->mappings, &pw->cap_mappings, pw->n_mappings + 1,
			  sizeof(*pw->mappings));
	if (r == 0)
		r = hindex__add(&pw->mapping_index, mapping_hash(m), (uint32_t)pw->n_mappings);
	if (r < 0)
		return r;
	pw->mappings[pw->n_mappings++] = m;
	hex(build_id, &id);
	if (is_jit(pw, m))
		snprintf(path, sizeof(path), "[jit]");
	else
		snprintf(path, sizeof(path), "%.*s", (int)object_path_length(m->object->id.path),
			 m->object->id.path);
	pprof_writer__mapping(pw->pprof, &(struct pprof_mapping){
					     .start = m->start,
					     .limit = m->end,
					     .offset = m->object->kind == OBJECT_FILE ? m->off : 0,
					     .filename = path,
					     .build_id = build_id,
					 });
	return 0;
}

/* Undoes what the file before has left, which is little beside the whole window. */
static void forget_file(struct profile_writer *pw)
{
	while (pw->n_used_frames) {
		uint32_t frame = pw->used_frames[--pw->n_used_frames];

		pw->frame_seen[frame] = false;
		pw->location[frame] = 0;
	}
	while (pw->n_used_nodes)
		pw->node_seen[pw->used_nodes[--pw->n_used_nodes]] = false;
	hindex__fini(&pw->mapping_index);
	pw->n_mappings = 0;
}

/* Lists the nodes and frames of the file's stacks, each once. */
static void mark_used(struct profile_writer *pw, const struct profile_processes *ps)
{
	const struct window *w = pw->w;

	for (size_t i = 0; i < ps->n; i++) {
		for (uint32_t k = pw->first_stack[ps->places[i]];
		     k < pw->first_stack[ps->places[i] + 1]; k++) {
			uint32_t node = w->stacks[pw->stacks[k]].node;

			for (; node != WINDOW_ROOT && !pw->node_seen[node];
			     node = w->nodes[node].parent) {
				uint32_t frame = w->nodes[node].frame;

				pw->node_seen[node] = true;
				pw->used_nodes[pw->n_used_nodes++] = node;
				if (!pw->frame_seen[frame])
					pw->used_frames[pw->n_used_frames++] = frame;
				pw->frame_seen[frame] = true;
			}
		}
	}
}

/* The main binary first, then all executable mappings of the processes, then others that samples
 * lie in. */
static int write_user_mappings(struct profile_writer *pw, const struct profile_processes *ps)
{
	const struct window *w = pw->w;
	int r = 0;

	if (ps->n && w->processes[ps->places[0]].maps->exe)
		r = write_mapping(pw, w->processes[ps->places[0]].maps->exe);
	for (size_t i = 0; i < ps->n && r == 0; i++) {
		const struct mapset *maps = w->processes[ps->places[i]].maps;

		for (size_t k = 0; k < maps->n && r == 0; k++)
			r = write_mapping(pw, maps->mappings[k]);
	}
	for (size_t i = 0; i < pw->n_used_frames && r == 0; i++)
		if (w->frames[pw->used_frames[i]].mapping)
			r = write_mapping(pw, w->frames[pw->used_frames[i]].mapping);
	return r;
}

static bool is_kernel(const struct kernel_range *range)
{
	return !strncmp(range->name, "[kernel", 7);
}

static uint64_t write_range(struct profile_writer *pw, const struct kernel_range *range)
{
	return pprof_writer__mapping(pw->pprof, &(struct pprof_mapping){.start = range->start,
									.limit = range->end,
									.filename = range->name,
									.build_id = ""});
}

static void write_kernel_mappings(struct profile_writer *pw)
{
	const struct window *w = pw->w;

	memset(pw->range_mapping, 0, pw->named->n_kernel_ranges * sizeof(*pw->range_mapping));
	for (size_t i = 0; i < pw->n_used_frames; i++)
		if (w->frames[pw->used_frames[i]].kind == FRAME_KERNEL)
			pw->range_mapping[pw->named->kernel_range[pw->used_frames[i]]] = 1;
	/* The kernel itself comes last, after its modules. */
	for (int kernel = 0; kernel < 2; kernel++)
		for (size_t i = 0; i < pw->named->n_kernel_ranges; i++)
			if (pw->range_mapping[i] &&
			    is_kernel(&pw->named->kernel_ranges[i]) == kernel)
				pw->range_mapping[i] =
				    write_range(pw, &pw->named->kernel_ranges[i]);
}

static uint64_t write_function(struct profile_writer *pw, uint32_t function)
{
	const struct names *names = pw->named->names;
	const struct names_function *f = &names->functions[function];

	return pprof_writer__function(pw->pprof,
				      &(struct pprof_function){
					  .name = names__text(names, f->name),
					  .system_name = names__text(names, f->system_name),
					  .filename = names__text(names, f->filename),
					  .start_line = f->start_line,
				      });
}

static int write_location(struct profile_writer *pw, uint32_t frame)
{
	const struct window_frame *f = &pw->w->frames[frame];
	const struct names *names = pw->named->names;
	const struct names_chain *chain = &names->chains[pw->named->chains[frame]];
	cleanup_free struct pprof_line *lines = calloc(chain->n, sizeof(*lines));
	uint64_t mapping_id = 0, addr = f->addr;
	uint32_t place;

	if (!lines)
		return -ENOMEM;
	if (f->kind == FRAME_KERNEL)
		mapping_id = pw->range_mapping[pw->named->kernel_range[frame]];
	else if (f->kind == FRAME_USER && find_mapping(pw, f->mapping, &place) == 0)
		mapping_id = place + 1;
	else if (f->kind == FRAME_TRUNCATED)
		addr = 0;
	for (uint32_t i = 0; i < chain->n; i++) {
		const struct names_line *line = &names->lines[chain->first + i];

		lines[i].function_id = write_function(pw, line->function);
		lines[i].line = line->line;
	}
	pw->location[frame] =
	    (uint32_t)pprof_writer__location(pw->pprof, mapping_id, addr, lines, chain->n);
	return 0;
}

static const char *class_of(const struct window *w, uint32_t leaf_frame)
{
	return w->frames[leaf_frame].kind == FRAME_KERNEL ? "kernel" : "app";
}

static int write_sample(struct profile_writer *pw, const struct window_stack *stack,
			uint32_t *frames, uint64_t *ids)
{
	const struct window *w = pw->w;
	const struct window_thread *t = &w->threads[stack->thread];
	const struct window_process *p = &w->processes[t->process];
	size_t n = stack_frames(w, pw->named, stack->node, frames);
	struct pprof_label labels[] = {
	    {.key = "pid", .num = p->tgid, .unit = "pid"},
	    {.key = "tid", .num = t->tid, .unit = "tid"},
	    {.key = "thread", .str = t->comm},
	    {.key = "comm", .str = p->comm},
	    {.key = "class", .str = class_of(w, frames[0])},
	};

	for (size_t i = 0; i < n; i++) {
		if (!pw->location[frames[i]]) {
			int r = write_location(pw, frames[i]);

			if (r < 0)
				return r;
		}
		ids[i] = pw->location[frames[i]];
	}
	pprof_writer__sample(pw->pprof, ids, n, stack->count, labels, ARRAY_SIZE(labels));
	return 0;
}

static int write_samples(struct profile_writer *pw, const struct profile_processes *ps)
{
	cleanup_free uint32_t *frames = malloc(STACK_MAX * sizeof(*frames));
	cleanup_free uint64_t *ids = malloc(STACK_MAX * sizeof(*ids));
	int r = frames && ids ? 0 : -ENOMEM;

	for (size_t i = 0; i < ps->n; i++)
		for (uint32_t k = pw->first_stack[ps->places[i]];
		     r == 0 && k < pw->first_stack[ps->places[i] + 1]; k++)
			r = write_sample(pw, &pw->w->stacks[pw->stacks[k]], frames, ids);
	return r;
}

int profile_writer__pprof(struct profile_writer *pw, int fd, const struct profile_processes *ps,
			  uint64_t time_ns, const char *const *comments, size_t n_comments)
{
	_cleanup_(pprof_writer__freep) struct pprof_writer *pprof = NULL;
	const struct window *w = pw->w;
	int r = pprof_writer__new(&pprof, fd);

	if (r < 0)
		return r;
	pw->pprof = pprof;
	forget_file(pw);
	pprof_writer__header(pprof, &(struct pprof_header){
					.time_ns = time_ns,
					.duration_ns = MAX(w->duration_ns, 1),
					.period_ns = w->period_ns,
					.comments = comments,
					.n_comments = n_comments,
				    });
	mark_used(pw, ps);
	r = write_user_mappings(pw, ps);
	if (r < 0)
		return r;
	write_kernel_mappings(pw);
	r = write_samples(pw, ps);
	if (r < 0)
		return r;
	return pprof_writer__finish(pprof, NULL);
}

/* ---- folded ---------------------------------------------------------------------------------- */

/* Prints one frame name; ';' separates frames, so it cannot stand in a name. */
static void print_folded(FILE *f, const char *name)
{
	char text[TEXT_MAX + 1];

	text_escape(text, sizeof(text), name, strlen(name));
	for (char *p = text; *p; p++)
		fputc(*p == ';' ? ':' : *p, f);
}

static void print_stack(struct profile_writer *pw, FILE *f, const struct window_stack *stack,
			uint32_t *frames)
{
	const struct window *w = pw->w;
	const struct names *names = pw->named->names;
	size_t n = stack_frames(w, pw->named, stack->node, frames);

	print_folded(f, w->processes[w->threads[stack->thread].process].comm);
	for (size_t i = n; i-- > 0;) {
		const struct names_chain *c = &names->chains[pw->named->chains[frames[i]]];

		for (uint32_t k = c->n; k-- > 0;) {
			const struct names_line *line = &names->lines[c->first + k];

			fputc(';', f);
			print_folded(f, names__text(names, names->functions[line->function].name));
		}
	}
	fprintf(f, " %llu\n", (unsigned long long)stack->count);
}

int profile_writer__folded(struct profile_writer *pw, int fd, const struct profile_processes *ps)
{
	cleanup_free uint32_t *frames = malloc(STACK_MAX * sizeof(*frames));
	cleanup_fclose FILE *f = NULL;
	cleanup_close int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	bool failed;

	if (own < 0)
		return -errno;
	if (!frames)
		return -ENOMEM;
	f = fdopen(own, "w");
	if (!f)
		return -errno;
	steal_fd(&own);
	for (size_t i = 0; i < ps->n; i++)
		for (uint32_t k = pw->first_stack[ps->places[i]];
		     k < pw->first_stack[ps->places[i] + 1]; k++)
			print_stack(pw, f, &pw->w->stacks[pw->stacks[k]], frames);
	errno = 0;
	failed = ferror(f);
	if (fclose(steal_ptr(f)) != 0 || failed)
		return errno ? -errno : -EIO;
	return 0;
}
