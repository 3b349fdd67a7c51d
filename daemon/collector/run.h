/* SPDX-License-Identifier: Apache-2.0 */
/* The ways to run: once, as a daemon, and only looking whether it would work. */
#ifndef COLLECTOR_RUN_H
#define COLLECTOR_RUN_H

#include "daemon/collector/options.h"

/* Each prints what it has to say and returns the program's exit status. */
int run_once(const struct options *o);
int run_daemon(const struct options *o);
int run_check(const struct options *o);

/* The exit status for a failure to start sampling: EXIT_NO_SAMPLING, or EXIT_FAILED where the
 * host is not to blame. */
int run_start_status(int error);

/*
 * Refuses a host where process numbers would not fit: inside a PID namespace the kernel's numbers
 * are not those of /proc. Returns 0, or -EPERM with one line in ERR (OPTIONS_ERROR_SIZE bytes).
 */
int run_check_namespace(char *err);

#endif
