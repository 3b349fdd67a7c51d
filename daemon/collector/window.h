/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The samples of one window, counted: (thread, stack) -> number. Frames and stacks are interned, so
 * that memory grows with what is different, not with time; at WINDOW_NODES_MAX a sample goes to a
 * named overflow stack, never away.
 *
 * A window is filled by the collector's thread and, once closed, read by the finisher. It holds
 * references to the mappings its frames lie in, and copies of what may change. It goes back to the
 * collector to be freed.
 */
#ifndef COLLECTOR_WINDOW_H
#define COLLECTOR_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/hindex.h"
#include "base/util.h"
#include "bpf/cprofd_abi.h"
#include "daemon/collector/jit_files.h"
#include "daemon/collector/mapset.h"
#include "daemon/collector/processes.h"
#include "daemon/collector/sampler.h"

/* Stack nodes of one window: 16 MiB with their index. */
#define WINDOW_NODES_MAX (768u << 10)

/* Different threads and stacks; what comes beyond is counted under one process `[overflow]`. */
#define WINDOW_THREADS_MAX (64u << 10)
#define WINDOW_STACKS_MAX (1u << 20)

/* No node: above the outermost frame. */
#define WINDOW_ROOT UINT32_MAX

enum frame_kind {
	FRAME_USER,	 /* addr in mapping */
	FRAME_KERNEL,	 /* addr in the kernel */
	FRAME_UNMAPPED,	 /* the interrupted instruction, in no mapping that we know */
	FRAME_TRUNCATED, /* addr is the enum stack_end that says why the stack is not whole */
	FRAME_OVERFLOW,	 /* stands for a stack that the window had no room for */
};

/*
 * Code that a runtime makes is another in each process, though the mapping be the same (fork), and
 * by and by at the same address too. The latter only a jitdump can tell, so where there is one, the
 * frames of each WINDOW_JIT_NS are counted apart.
 */
#define WINDOW_NO_PROCESS UINT32_MAX
#define WINDOW_JIT_NS (NSEC_PER_SEC / 10)

struct window_frame {
	enum frame_kind kind : 8;
	bool is_timed : 1;	 /* counted apart, as said above */
	uint32_t process;	 /* of code that object__may_be_jit(), or WINDOW_NO_PROCESS */
	uint64_t addr;		 /* the instruction; of a caller, its call */
	struct mapping *mapping; /* FRAME_USER: a reference; else NULL */
	uint64_t time_ns;	 /* of the first sample, where there is a process */
};

/* One frame below (called by) its parent. Parents have lower numbers than children. */
struct window_node {
	uint32_t parent; /* or WINDOW_ROOT */
	uint32_t frame;
};

struct window_process {
	uint32_t tgid;
	uint64_t start_ns;
	char comm[COMM_SIZE]; /* the last one in the window */
	struct mapset *maps;  /* a reference; as it was at the last sample */
	uint64_t last_ns;     /* when that was */
	uint64_t n_samples;
	struct jit_files jit;
	int map_fd, dump_fd; /* of jit, set by window__close(); borrowed, -1 = there is none */
};

struct window_thread {
	uint32_t process;
	uint32_t tid;
	char comm[COMM_SIZE];
};

struct window_stack {
	uint32_t thread;
	uint32_t node; /* the leaf */
	uint64_t count;
};

/* What the finisher may use of an object while the collector goes on: fixed when the window is
 * closed. */
struct window_object {
	const struct object *object; /* its fixed part */
	int fd;			     /* borrowed; -1 = could not be opened */
};

/* How the unwinding went, for the comments. */
struct window_unwinding {
	uint64_t n_tables, n_table_bytes; /* that the walker has at the end of the window */
	uint64_t n_built, n_failed;	  /* tables in this window; failed: not to be made */
	uint64_t n_evicted, n_refused;	  /* for lack of room */
	uint64_t cache_hits,
	    cache_misses; /* frames whose rule the walker had at hand, and others */
};

struct window {
	struct hash_key key;		/* of the hashes: addresses are what processes choose */
	struct objects *objects_table;	/* borrowed; touched by the collector's thread only */
	uint64_t start_ns, duration_ns; /* UTC; monotonic length */
	uint64_t period_ns;
	struct sampler_ticks ticks; /* of all CPUs, of this window alone */
	uint64_t n_samples;
	uint64_t n_overflow; /* of these: put on the overflow stack */
	bool write_empty;    /* worth a file even without samples */
	struct window_unwinding unwinding;

	struct window_frame *frames;
	struct window_node *nodes;
	struct window_process *processes;
	struct window_thread *threads;
	struct window_stack *stacks;
	struct window_object *objects; /* set by window__close(); by first frame that lies in it */
	size_t n_frames, n_nodes, n_processes, n_threads, n_stacks, n_objects;
	size_t cap_frames, cap_nodes, cap_processes, cap_threads, cap_stacks, cap_objects;
	struct hindex frame_index, node_index, process_index, thread_index, stack_index;
};

/* Starts an empty window over processes whose mappings refer to OBJECTS. 0 or -ENOMEM. */
int window__new(struct window **ret, struct objects *objects, uint64_t start_ns,
		uint64_t period_ns);

/* Takes NULL. To be called by the collector's thread. Returns NULL. */
struct window *window__free(struct window *w);

/*
 * Counts one sample of process P, placing its frames with P's mappings of now. A user stack that
 * leaves the executable mappings is cut there and says so. 0 or -ENOMEM.
 */
int window__add(struct window *w, const struct process *p, const struct sample_record *sample);

/*
 * How many samples each frame is part of, by frame; one that is twice in a stack counts twice. *RET
 * is the caller's to free. 0 or -ENOMEM.
 */
int window__frame_samples(const struct window *w, uint64_t **ret);

/* Fixes the end, and which objects the window needs names from. 0 or -ENOMEM. */
int window__close(struct window *w, uint64_t duration_ns);

#endif
