/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that processes map as code, each once: who it is, and an open descriptor as soon as one
 * could be had. Pinning the descriptor at the first sample keeps the file readable when the process
 * is gone, or the file deleted or replaced.
 *
 * An object is identified by its path and, as the kernel gave them, build id or device and inode.
 * It lives while a mapping refers to it, and afterwards until OBJECTS_IDLE_MAX newer ones are idle
 * too, so that a compiler that is run a thousand times is opened once. One thread; what never
 * changes in an object may be read by the finisher while a window refers to it.
 */
#ifndef COLLECTOR_OBJECTS_H
#define COLLECTOR_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/ipc/messages.h"

/* Idle objects that are kept, each with a descriptor. */
#define OBJECTS_IDLE_MAX 256

/* Descriptors that objects leave to everything else: 64 for rings, sockets, profiles and the
 * symbolizers, and one for each question that waits for an unwind table. */
#define OBJECTS_FDS_RESERVED (64 + 64)

struct unwind_file;

struct object_id {
	const char *path; /* as the kernel gives it; "//anon", "[vdso]" for what is no file */
	struct msg_build_id build_id; /* size 0 = not known */
	uint64_t dev, ino, ino_gen;   /* 0 = not known: either these or the build id is */
	bool is_shared;		      /* the mapping is; no part of the identity */
};

enum object_kind {
	OBJECT_FILE,	  /* a path in a file system, or a program in a memfd */
	OBJECT_VDSO,	  /* the kernel's [vdso] */
	OBJECT_ANONYMOUS, /* no file: JIT code and the like; there is nothing to open */
};

enum object_open {
	OBJECT_UNTRIED, /* no sample has hit it yet */
	OBJECT_OPEN,	/* fd is set */
	OBJECT_ABSENT,	/* could not be opened through the last process that was tried */
};

struct object {
	/* Fixed from birth. */
	uint64_t serial; /* no two objects of one run have the same */
	struct object_id id;
	enum object_kind kind;
	/* Changed by the collector's thread only. */
	enum object_open open;
	int fd;			    /* owned; -1 unless OBJECT_OPEN */
	struct unwind_file *unwind; /* a reference; NULL = nobody has walked through it yet */
	uint32_t absent_tgid;	    /* OBJECT_ABSENT: the process through which it was tried last */
	uint32_t n_refs;
	uint64_t hash;
	uint64_t idle_since; /* number of the release that left it idle */
};

struct objects;

int objects__new(struct objects **ret);
/* Takes NULL; every reference must be gone. Returns NULL. */
struct objects *objects__free(struct objects *objects);

/* Finds or makes the object of ID, whose path is copied. *RET holds a new reference. 0 or
 * -ENOMEM. */
int objects__get(struct objects *objects, const struct object_id *id, struct object **ret);

/* Whether O is in a memfd: a program most likely, but it may be JIT code. */
bool object__is_in_memory(const struct object *o);

/*
 * Whether the code in O may be one that a runtime made: of no file, or of one that nobody else can
 * open. A deleted program is that too; its names come first.
 */
bool object__may_be_jit(const struct object *o);

/* Whether another object may be opened within the limit on open files (RLIMIT_NOFILE). */
bool objects__may_open(struct objects *objects);

/* Gives OBJECT its descriptor FD, which it owns from now on. */
void objects__opened(struct objects *objects, struct object *object, int fd);

/* How many have been given one so far. */
uint64_t objects__n_opened(const struct objects *objects);

/* A sample lay in OBJECT at TIME_NS (CLOCK_MONOTONIC): so its unwind table is in use. */
void object__touch(struct object *object, uint64_t time_ns);

void objects__ref(struct object *object);
void objects__unref(struct objects *objects, struct object *object);

/* The length of PATH without the " (deleted)" that the kernel adds to files that are. */
size_t object_path_length(const char *path);

size_t objects__count(const struct objects *objects);

#endif
