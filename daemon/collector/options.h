/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line. Everything that can be said wrong about it is found here, before anything
 * starts, and told in one line that names the value and the remedy.
 */
#ifndef COLLECTOR_OPTIONS_H
#define COLLECTOR_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/cprofd_abi.h"
#include "daemon/collector/sampler.h"
#include "daemon/collector/store.h"

/* Exit statuses of the program. */
enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_TARGET = 3,    /* the target does not exist, or ended before one sample */
	EXIT_CANNOT_RUN = 127, /* -- CMD: there is no such command, as in a shell */
	EXIT_NO_SAMPLING = 77, /* this host cannot sample */
};

#define OPTIONS_ONESHOT_HZ 99
#define OPTIONS_MAX_HZ 10000
#define OPTIONS_DEFAULT_CONFIG "/etc/cprofd/cprofd.conf"

enum options_mode {
	MODE_DAEMON,  /* [--config FILE] */
	MODE_PIDS,    /* --pid N … */
	MODE_ALL,     /* --all */
	MODE_COMMAND, /* -- CMD … */
	MODE_CHECK,   /* check [--json] */
	MODE_HELP,
	MODE_VERSION,
};

struct options {
	enum options_mode mode;
	uint32_t pids[TARGETS_MAX]; /* each once */
	size_t n_pids;
	uint64_t duration_ns;  /* 0 = until Ctrl-C or the target's end */
	uint32_t frequency_hz; /* 0 = not given */
	enum sampler_event event;
	bool event_given;
	bool kernel_stacks;
	enum store_format format;
	const char *output; /* NULL = not given; borrowed from argv */
	const char *config; /* NULL = not given; likewise */
	char **command;	    /* -- CMD ARG…; likewise */
	bool quiet;
	bool json;
};

/* The longest text that options_parse() writes. */
#define OPTIONS_ERROR_SIZE 512

/* Parses ARGV. Returns 0, or -EINVAL with one line in ERR (OPTIONS_ERROR_SIZE bytes). */
int options_parse(struct options *ret, int argc, char **argv, char *err);

/* The text of --help. */
extern const char options_help[];

#endif
