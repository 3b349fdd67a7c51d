/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finishes closed windows in a thread of its own: names their frames and writes their profiles, so
 * that neither a large program nor a slow disk ever stops the draining of the rings.
 *
 * The collector hands a window over and gets it back with a report; in between only the finisher
 * touches it. A profile that cannot be written is said in the report and lost; the next window is
 * tried again.
 */
#ifndef COLLECTOR_FINISHER_H
#define COLLECTOR_FINISHER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/naming.h"
#include "daemon/collector/sideband.h"
#include "daemon/collector/store.h"
#include "daemon/collector/window.h"

enum finisher_output {
	FINISHER_WINDOWS, /* files of windows below a directory */
	FINISHER_RUN_DIR, /* a file per process in a directory, once */
	FINISHER_FILE,	  /* everything in one file */
	FINISHER_STDOUT,  /* everything to standard output */
};

struct finisher_options {
	enum finisher_output output;
	enum store_format format;
	int dirfd;	      /* for the first two; borrowed */
	const char *dir;      /* its name, for reports; borrowed */
	const char *file;     /* FINISHER_FILE; borrowed */
	uint32_t main_tgid;   /* for the last two: whose program is the main binary; 0 = any */
	uint32_t min_samples; /* processes with fewer share a file per name; 0 = none do */
	uint32_t frequency_hz;
	const char *event;	/* "cpu-clock", "cycles"; borrowed */
	const char *symbolizer; /* path of the program; borrowed */
	const char *names;	/* directory in which names are kept; borrowed; NULL = none */
};

/* One written profile. */
struct report_file {
	char *path; /* owned */
	char comm[COMM_SIZE];
	uint32_t tgid; /* 0 = many */
	uint64_t n_samples;
};

struct report_function {
	char name[160];	    /* escaped */
	uint64_t n_samples; /* in which it is the leaf */
};

#define REPORT_FUNCTIONS 5

struct report {
	struct report_file *files; /* most samples first */
	size_t n_files, cap_files;
	uint64_t n_samples;
	uint64_t n_ends[STACK_END_MAX]; /* of these: by how their stacks end; see profile.h */
	uint64_t duration_ns, period_ns;
	struct sampler_ticks ticks;
	struct report_function functions[REPORT_FUNCTIONS]; /* hottest first */
	size_t n_functions;
	const char *kernel_hidden; /* see naming.h */
	char trouble[128];	   /* as in naming.h; "" = none */
	uint32_t n_bad_objects;	   /* see naming.h */
	uint32_t n_restarts;	   /* of the symbolizer, in this window */
	uint32_t n_failed;	   /* profiles that could not be written */
	int error;		   /* the first reason, -errno; 0 = none */
	char failed_path[PATH_MAX];
};

void report__fini(struct report *r);

struct finisher;

/* Starts the thread and the symbolizer. STARTED as in symbolizer_client.h, called in the thread.
 * 0 or -errno. */
int finisher__new(struct finisher **ret, const struct finisher_options *options,
		  symbolizer_started_fn started, void *ctx);

/* Takes NULL. Waits for the window at work, drops those not begun. The windows that it still
 * holds are freed. Returns NULL. */
struct finisher *finisher__free(struct finisher *f);

/* Readable when a window has come back. Borrowed. */
int finisher__fd(const struct finisher *f);

/* Whether a window may be handed over now: at most one is at work and one waits. */
bool finisher__ready(struct finisher *f);

/* Hands over a closed window; to be called only when ready. */
void finisher__submit(struct finisher *f, struct window *w);

/* Takes back a finished window, the caller's to free, and its report. False where there is none. */
bool finisher__take(struct finisher *f, struct window **ret, struct report *ret_report);

/* The kernel's symbols have changed: EVENT (SIDEBAND_KSYMBOL) tells how. 0 or -ENOMEM. */
int finisher__kernel_changed(struct finisher *f, const struct sideband_event *event);

#endif
