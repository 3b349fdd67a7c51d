/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to run: once, as a daemon, and only looking whether it would work. */
#ifndef COLLECTOR_RUN_H
#define COLLECTOR_RUN_H

#include "daemon/collector/collector.h"
#include "daemon/collector/options.h"

/* Each prints what it has to say and returns the program's exit status. */
int run_once(const struct options *o);
int run_daemon(const struct options *o);
int run_check(const struct options *o);

/*
 * Loads a collector; FINISHING names no symbolizer yet. Returns 0, or the program's exit status,
 * having said why.
 */
int run_load(struct collector **ret, const struct sampler_options *sampling,
	     const struct finisher_options *finishing);

/*
 * The exit status when profiles cannot be written where they should, which a user without rights
 * often meets first: if sampling is not allowed either, that is the remedy worth reading, and is
 * said instead of ERR.
 */
int run_refuse_output(const char *err, const struct sampler_options *sampling);

/*
 * Refuses a host where process numbers would not fit: inside a PID namespace the kernel's numbers
 * are not those of /proc. Returns 0, or -EPERM with one line in ERR (OPTIONS_ERROR_SIZE bytes).
 */
int run_check_namespace(char *err);

#endif
