/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/objects.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/hindex.h"
#include "base/util.h"
#include "daemon/collector/unwind_tables.h"

struct objects {
	struct hash_key key;
	struct hindex index; /* entries are places in all */
	struct object **all; /* NULL = a free place */
	size_t n, cap;
	size_t n_idle;
	size_t n_open, max_open; /* objects with a descriptor */
	uint64_t n_opened;	 /* that ever had one */
	uint64_t serial;
	uint64_t releases;
};

int objects__new(struct objects **ret)
{
	struct objects *objects = calloc(1, sizeof(*objects));
	struct rlimit limit;

	if (!objects)
		return -ENOMEM;
	objects->key = hash_key_random();
	objects->max_open = SIZE_MAX;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		objects->max_open = limit.rlim_cur > 2 * OBJECTS_FDS_RESERVED
					? limit.rlim_cur - OBJECTS_FDS_RESERVED
					: limit.rlim_cur / 2;
	*ret = objects;
	return 0;
}

static void object__free(struct object *object)
{
	unwind_file__unref(object->unwind);
	close_fd(object->fd);
	free((char *)object->id.path);
	free(object);
}

struct objects *objects__free(struct objects *objects)
{
	if (!objects)
		return NULL;
	for (size_t i = 0; i < objects->n; i++)
		if (objects->all[i])
			object__free(objects->all[i]);
	hindex__fini(&objects->index);
	free(objects->all);
	free(objects);
	return NULL;
}

static uint64_t id_hash(const struct objects *objects, const struct object_id *id)
{
	uint64_t h = hash_bytes(&objects->key, id->path, strlen(id->path));

	h ^= hash_bytes(&objects->key, id->build_id.bytes, id->build_id.size);
	return hash_mix(h ^ id->dev, id->ino ^ id->ino_gen << 32);
}

static bool id_equal(const struct object_id *a, const struct object_id *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->ino_gen == b->ino_gen &&
	       a->build_id.size == b->build_id.size &&
	       !memcmp(a->build_id.bytes, b->build_id.bytes, a->build_id.size) &&
	       !strcmp(a->path, b->path);
}

static bool is_memfd(const char *path)
{
	return !strncmp(path, "/memfd:", 7);
}

static enum object_kind kind_of(const struct object_id *id)
{
	if (!strcmp(id->path, "[vdso]"))
		return OBJECT_VDSO;
	if (id->path[0] != '/' || !strncmp(id->path, "//anon", 6) ||
	    !strncmp(id->path, "/dev/zero", 9))
		return OBJECT_ANONYMOUS;
	/* JIT code is written through one mapping and executed through another, so both are
	 * shared; those of a program never are. */
	if (is_memfd(id->path) && id->is_shared)
		return OBJECT_ANONYMOUS;
	return OBJECT_FILE;
}

static int object__new(struct object **ret, const struct object_id *id)
{
	struct object *o = calloc(1, sizeof(*o));

	if (!o)
		return -ENOMEM;
	o->id = *id;
	o->id.path = strdup(id->path);
	if (!o->id.path) {
		free(o);
		return -ENOMEM;
	}
	o->kind = kind_of(id);
	o->fd = -1;
	o->n_refs = 1;
	*ret = o;
	return 0;
}

bool object__is_in_memory(const struct object *o)
{
	return o->id.path && is_memfd(o->id.path);
}

bool object__may_be_jit(const struct object *o)
{
	return o->kind == OBJECT_ANONYMOUS ||
	       (o->kind == OBJECT_FILE &&
		(object__is_in_memory(o) || object_path_length(o->id.path) < strlen(o->id.path)));
}

/* A free place in the array, or a new one at its end. */
static int take_place(struct objects *objects, uint32_t *ret)
{
	int r;

	for (size_t i = 0; objects->index.n < objects->n && i < objects->n; i++) {
		if (!objects->all[i]) {
			*ret = (uint32_t)i;
			return 0;
		}
	}
	r = array_reserve(&objects->all, &objects->cap, objects->n + 1, sizeof(*objects->all));
	if (r < 0)
		return r;
	objects->all[objects->n] = NULL;
	*ret = (uint32_t)objects->n++;
	return 0;
}

int objects__get(struct objects *objects, const struct object_id *id, struct object **ret)
{
	uint64_t hash = id_hash(objects, id);
	struct hindex_iter it;
	struct object *o;
	uint32_t i;
	int r;

	for (it = hindex__find(&objects->index, hash); hindex_iter__next(&it, &i);) {
		o = objects->all[i];
		if (!id_equal(&o->id, id))
			continue;
		if (o->n_refs++ == 0)
			objects->n_idle--;
		*ret = o;
		return 0;
	}
	r = take_place(objects, &i);
	if (r < 0)
		return r;
	r = object__new(&o, id);
	if (r < 0)
		return r;
	r = hindex__add(&objects->index, hash, i);
	if (r < 0) {
		object__free(o);
		return r;
	}
	o->hash = hash;
	o->serial = ++objects->serial;
	objects->all[i] = o;
	*ret = o;
	return 0;
}

void objects__ref(struct object *object)
{
	assert(object->n_refs > 0);
	object->n_refs++;
}

/* Forgets the object that has been idle for the longest time. */
static void drop_oldest(struct objects *objects)
{
	size_t oldest = objects->n;

	for (size_t i = 0; i < objects->n; i++) {
		const struct object *o = objects->all[i];

		if (o && o->n_refs == 0 &&
		    (oldest == objects->n || o->idle_since < objects->all[oldest]->idle_since))
			oldest = i;
	}
	assert(oldest < objects->n);
	objects->n_open -= objects->all[oldest]->fd >= 0;
	hindex__remove(&objects->index, objects->all[oldest]->hash, (uint32_t)oldest);
	object__free(objects->all[oldest]);
	objects->all[oldest] = NULL;
	objects->n_idle--;
}

void objects__unref(struct objects *objects, struct object *object)
{
	assert(object->n_refs > 0);
	if (--object->n_refs > 0)
		return;
	object->idle_since = ++objects->releases;
	if (++objects->n_idle > OBJECTS_IDLE_MAX)
		drop_oldest(objects);
}

bool objects__may_open(struct objects *objects)
{
	while (objects->n_open >= objects->max_open && objects->n_idle > 0)
		drop_oldest(objects);
	return objects->n_open < objects->max_open;
}

void objects__opened(struct objects *objects, struct object *object, int fd)
{
	assert(object->fd < 0);
	object->fd = fd;
	object->open = OBJECT_OPEN;
	objects->n_open++;
	objects->n_opened++;
}

uint64_t objects__n_opened(const struct objects *objects)
{
	return objects->n_opened;
}

void object__touch(struct object *object, uint64_t time_ns)
{
	if (object->unwind)
		object->unwind->used_ns = MAX(object->unwind->used_ns, time_ns);
}

size_t objects__count(const struct objects *objects)
{
	return objects->index.n;
}

size_t object_path_length(const char *path)
{
	static const char suffix[] = " (deleted)";
	size_t n = strlen(path), s = sizeof(suffix) - 1;

	return n > s && !strcmp(path + n - s, suffix) ? n - s : n;
}
