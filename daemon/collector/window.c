/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/window.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/util.h"

int window__new(struct window **ret, struct objects *objects, uint64_t start_ns, uint64_t period_ns)
{
	struct window *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->key = hash_key_random();
	w->objects_table = objects;
	w->start_ns = start_ns;
	w->period_ns = period_ns;
	*ret = w;
	return 0;
}

struct window *window__free(struct window *w)
{
	if (!w)
		return NULL;
	for (size_t i = 0; i < w->n_frames; i++)
		if (w->frames[i].mapping)
			mapping__unref(w->frames[i].mapping, w->objects_table);
	for (size_t i = 0; i < w->n_processes; i++) {
		mapset__unref(w->processes[i].maps, w->objects_table);
		jit_files__fini(&w->processes[i].jit, w->objects_table);
	}
	hindex__fini(&w->frame_index);
	hindex__fini(&w->node_index);
	hindex__fini(&w->process_index);
	hindex__fini(&w->thread_index);
	hindex__fini(&w->stack_index);
	free(w->frames);
	free(w->nodes);
	free(w->processes);
	free(w->threads);
	free(w->stacks);
	free(w->objects);
	free(w);
	return NULL;
}

static bool same_frame(const struct window_frame *a, const struct window_frame *b)
{
	return a->addr == b->addr && a->mapping == b->mapping && a->kind == b->kind &&
	       a->process == b->process && a->is_timed == b->is_timed &&
	       (!a->is_timed || a->time_ns / WINDOW_JIT_NS == b->time_ns / WINDOW_JIT_NS);
}

static int intern_frame(struct window *w, const struct window_frame *f, uint32_t *ret)
{
	uint64_t hash = hash_mix(f->addr ^ w->key.k0, (uintptr_t)f->mapping ^ w->key.k1 ^ f->kind);
	struct hindex_iter it;
	int r;

	if (f->is_timed)
		hash = hash_mix(hash, f->time_ns / WINDOW_JIT_NS);
	for (it = hindex__find(&w->frame_index, hash); hindex_iter__next(&it, ret);)
		if (same_frame(&w->frames[*ret], f))
			return 0;
	r = array_reserve(&w->frames, &w->cap_frames, w->n_frames + 1, sizeof(*w->frames));
	if (r == 0)
		r = hindex__add(&w->frame_index, hash, (uint32_t)w->n_frames);
	if (r < 0)
		return r;
	*ret = (uint32_t)w->n_frames++;
	w->frames[*ret] = *f;
	if (f->mapping)
		mapping__ref(f->mapping);
	return 0;
}

static int intern_node(struct window *w, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	uint64_t hash = hash_mix(parent, frame);
	struct hindex_iter it;
	int r;

	for (it = hindex__find(&w->node_index, hash); hindex_iter__next(&it, ret);)
		if (w->nodes[*ret].parent == parent && w->nodes[*ret].frame == frame)
			return 0;
	r = array_reserve(&w->nodes, &w->cap_nodes, w->n_nodes + 1, sizeof(*w->nodes));
	if (r == 0)
		r = hindex__add(&w->node_index, hash, (uint32_t)w->n_nodes);
	if (r < 0)
		return r;
	*ret = (uint32_t)w->n_nodes++;
	w->nodes[*ret] = (struct window_node){.parent = parent, .frame = frame};
	return 0;
}

/* Goes one frame inwards from *NODE. */
static int push_frame(struct window *w, uint32_t *node, const struct window_frame *f)
{
	uint32_t frame;
	int r = intern_frame(w, f, &frame);

	return r < 0 ? r : intern_node(w, *node, frame, node);
}

/* One that lies in no mapping. */
static int push(struct window *w, uint32_t *node, enum frame_kind kind, uint64_t addr)
{
	return push_frame(
	    w, node,
	    &(struct window_frame){.kind = kind, .process = WINDOW_NO_PROCESS, .addr = addr});
}

static int intern_process(struct window *w, const struct process *p, uint32_t *ret)
{
	uint64_t hash = hash_mix(p->tgid, p->start_ns);
	struct window_process *wp;
	struct hindex_iter it;
	int r;

	for (it = hindex__find(&w->process_index, hash); hindex_iter__next(&it, ret);) {
		wp = &w->processes[*ret];
		if (wp->tgid == p->tgid && wp->start_ns == p->start_ns)
			return 0;
	}
	r = array_reserve(&w->processes, &w->cap_processes, w->n_processes + 1,
			  sizeof(*w->processes));
	if (r == 0)
		r = hindex__add(&w->process_index, hash, (uint32_t)w->n_processes);
	if (r < 0)
		return r;
	*ret = (uint32_t)w->n_processes++;
	w->processes[*ret] =
	    (struct window_process){.tgid = p->tgid, .start_ns = p->start_ns, .maps = p->maps};
	mapset__ref(p->maps);
	return 0;
}

/* A process is described as it was at its last sample: exec and prctl change the name, exec the
 * mappings. Samples that had to wait for a table come after later ones. */
static void refresh_process(struct window *w, uint32_t i, const struct process *p, uint64_t time_ns)
{
	struct window_process *wp = &w->processes[i];

	wp->n_samples++;
	if (time_ns < wp->last_ns)
		return;
	wp->last_ns = time_ns;
	memcpy(wp->comm, p->comm, COMM_SIZE);
	if (wp->maps != p->maps) {
		mapset__unref(wp->maps, w->objects_table);
		wp->maps = p->maps;
		mapset__ref(wp->maps);
	}
}

static int intern_thread(struct window *w, uint32_t process, const struct sample_record *s,
			 uint32_t *ret)
{
	uint64_t hash = hash_mix((uint64_t)process << 32 | s->tid, 0);
	struct window_thread *t;
	struct hindex_iter it;
	int r;

	for (it = hindex__find(&w->thread_index, hash); hindex_iter__next(&it, ret);) {
		t = &w->threads[*ret];
		if (t->process == process && t->tid == s->tid &&
		    !strncmp(t->comm, s->comm, COMM_SIZE))
			return 0;
	}
	r = array_reserve(&w->threads, &w->cap_threads, w->n_threads + 1, sizeof(*w->threads));
	if (r == 0)
		r = hindex__add(&w->thread_index, hash, (uint32_t)w->n_threads);
	if (r < 0)
		return r;
	*ret = (uint32_t)w->n_threads++;
	t = &w->threads[*ret];
	*t = (struct window_thread){.process = process, .tid = s->tid};
	memcpy(t->comm, s->comm, COMM_SIZE);
	t->comm[COMM_SIZE - 1] = '\0';
	return 0;
}

static int count_stack(struct window *w, uint32_t thread, uint32_t node)
{
	uint64_t hash = hash_mix(thread, node);
	struct hindex_iter it;
	uint32_t i;
	int r;

	for (it = hindex__find(&w->stack_index, hash); hindex_iter__next(&it, &i);) {
		if (w->stacks[i].thread == thread && w->stacks[i].node == node) {
			w->stacks[i].count++;
			return 0;
		}
	}
	r = array_reserve(&w->stacks, &w->cap_stacks, w->n_stacks + 1, sizeof(*w->stacks));
	if (r == 0)
		r = hindex__add(&w->stack_index, hash, (uint32_t)w->n_stacks);
	if (r < 0)
		return r;
	w->stacks[w->n_stacks++] =
	    (struct window_stack){.thread = thread, .node = node, .count = 1};
	return 0;
}

/*
 * The instruction that frame I of a part stands for: the interrupted one, or one inside the call
 * that the return address follows (the call may be the last instruction of its function).
 */
static uint64_t frame_addr(const uint64_t *frames, unsigned i)
{
	return i == 0 ? frames[0] : frames[i] - 1;
}

/* Pushes the frame of PROCESS at ADDR of M, met at TIME_NS. */
static int push_mapped(struct window *w, uint32_t process, uint64_t addr, struct mapping *m,
		       uint64_t time_ns, uint32_t *node)
{
	struct window_frame f = {
	    .kind = FRAME_USER, .process = WINDOW_NO_PROCESS, .addr = addr, .mapping = m};

	object__touch(m->object, time_ns);
	if (object__may_be_jit(m->object)) {
		f.process = process;
		f.time_ns = time_ns;
		f.is_timed = w->processes[process].jit.dump != NULL;
	}
	return push_frame(w, node, &f);
}

/*
 * Pushes the user frames of PROCESS, outermost first. The walk is believed as long as it stays in
 * executable mappings: from the leaf outwards, the first address outside ends it.
 */
static int push_user(struct window *w, uint32_t process, const struct mapset *maps,
		     const struct sample_record *s, uint32_t *node)
{
	const uint64_t *frames = sample_frames(s) + s->n_kernel;
	unsigned n = s->n_user, end = s->user_end;
	int r = 0;

	for (unsigned i = 1; i < n; i++) {
		if (!mapset__find(maps, frame_addr(frames, i))) {
			n = i;
			end = STACK_END_NO_MAPPING;
		}
	}
	if (!stack_end_is_whole(end))
		r = push(w, node, FRAME_TRUNCATED, end);
	for (unsigned i = n; i-- > 0 && r == 0;) {
		uint64_t addr = frame_addr(frames, i);
		struct mapping *m = mapset__find(maps, addr);

		if (m)
			r = push_mapped(w, process, addr, m, s->time_ns, node);
		else
			r = push(w, node, FRAME_UNMAPPED, addr);
	}
	return r;
}

static int push_kernel(struct window *w, const struct sample_record *s, uint32_t *node)
{
	int r = 0;

	for (unsigned i = s->n_kernel; i-- > 0 && r == 0;)
		r = push(w, node, FRAME_KERNEL, frame_addr(sample_frames(s), i));
	return r;
}

/* Counts a sample for which there is no room under one process, thread and stack for all. */
static int add_overflow(struct window *w)
{
	const struct sample_record s = {.comm = "[overflow]"};
	struct process p = {.comm = "[overflow]"};
	uint32_t process, thread, node = WINDOW_ROOT;
	int r = mapset__new(&p.maps);

	if (r < 0)
		return r;
	r = intern_process(w, &p, &process);
	if (r == 0)
		r = intern_thread(w, process, &s, &thread);
	if (r == 0)
		r = push(w, &node, FRAME_OVERFLOW, 0);
	if (r == 0) {
		refresh_process(w, process, &p, 0);
		w->n_overflow++;
		r = count_stack(w, thread, node);
	}
	mapset__unref(p.maps, w->objects_table);
	return r;
}

static int push_stack(struct window *w, uint32_t process, const struct process *p,
		      const struct sample_record *s, uint32_t *node)
{
	int r;

	if (w->n_nodes + s->n_kernel + s->n_user + 1 > WINDOW_NODES_MAX) {
		w->n_overflow++;
		return push(w, node, FRAME_OVERFLOW, 0);
	}
	r = push_user(w, process, p->maps, s, node);
	if (r == 0)
		r = push_kernel(w, s, node);
	/* A kernel thread without kernel stacks, or a stack the kernel would not walk. */
	if (r == 0 && *node == WINDOW_ROOT)
		r = push(w, node, FRAME_TRUNCATED, STACK_END_NO_USER);
	return r;
}

int window__add(struct window *w, const struct process *p, const struct sample_record *s)
{
	uint32_t process, thread, node = WINDOW_ROOT;
	int r;

	w->n_samples++;
	if (w->n_threads >= WINDOW_THREADS_MAX || w->n_stacks >= WINDOW_STACKS_MAX)
		return add_overflow(w);
	r = intern_process(w, p, &process);
	if (r == 0)
		r = intern_thread(w, process, s, &thread);
	if (r < 0)
		return r;
	refresh_process(w, process, p, s->time_ns);
	r = push_stack(w, process, p, s, &node);
	return r < 0 ? r : count_stack(w, thread, node);
}

int window__frame_samples(const struct window *w, uint64_t **ret)
{
	cleanup_free uint64_t *nodes = calloc(w->n_nodes + 1, sizeof(*nodes));
	uint64_t *frames = calloc(w->n_frames + 1, sizeof(*frames));

	if (!nodes || !frames) {
		free(frames);
		return -ENOMEM;
	}
	for (size_t i = 0; i < w->n_stacks; i++)
		nodes[w->stacks[i].node] += w->stacks[i].count;
	/* Children first: their numbers are higher. */
	for (size_t i = w->n_nodes; i-- > 0;) {
		const struct window_node *node = &w->nodes[i];

		frames[node->frame] += nodes[i];
		if (node->parent != WINDOW_ROOT)
			nodes[node->parent] += nodes[i];
	}
	*ret = frames;
	return 0;
}

static int by_object(const void *pa, const void *pb)
{
	const struct window_object *a = pa, *b = pb;

	if (a->object->serial != b->object->serial)
		return a->object->serial < b->object->serial ? -1 : 1;
	return 0;
}

int window__close(struct window *w, uint64_t duration_ns)
{
	size_t n = 0;
	int r;

	w->duration_ns = duration_ns;
	for (size_t i = 0; i < w->n_processes; i++) {
		struct window_process *wp = &w->processes[i];

		wp->map_fd = wp->jit.map ? wp->jit.map->fd : -1;
		wp->dump_fd = wp->jit.dump ? wp->jit.dump->fd : -1;
	}
	for (size_t i = 0; i < w->n_frames; i++) {
		const struct mapping *m = w->frames[i].mapping;

		if (!m)
			continue;
		r = array_reserve(&w->objects, &w->cap_objects, n + 1, sizeof(*w->objects));
		if (r < 0)
			return r;
		w->objects[n++] = (struct window_object){.object = m->object, .fd = m->object->fd};
	}
	if (n)
		qsort(w->objects, n, sizeof(*w->objects), by_object);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || w->objects[i].object != w->objects[w->n_objects - 1].object)
			w->objects[w->n_objects++] = w->objects[i];
	return 0;
}
