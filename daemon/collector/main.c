/* SPDX-License-Identifier: Apache-2.0 */
/* cprofd: parses the command line and hands over to one of the ways to run. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "daemon/collector/options.h"
#include "daemon/collector/run.h"

/* Puts what follows on a closed descriptor 0, 1 or 2 out of harm's way: files must not land
 * there. */
static bool open_standard_fds(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	char err[OPTIONS_ERROR_SIZE];
	struct options o;

	log_setup("cprofd", LOG_INFO);
	if (!open_standard_fds())
		return EXIT_FAILED;
	/* A closed pipe and a file size limit are errors of one write, not the end of the
	 * profiler. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (options_parse(&o, argc, argv, err) < 0) {
		log_error("%s", err);
		return EXIT_USAGE;
	}
	switch (o.mode) {
	case MODE_HELP:
		fputs(options_help, stdout);
		return EXIT_DONE;
	case MODE_VERSION:
		printf("cprofd %s\n", CPROFD_VERSION);
		return EXIT_DONE;
	case MODE_CHECK:
		return run_check(&o);
	case MODE_DAEMON:
		return run_daemon(&o);
	case MODE_PIDS:
	case MODE_ALL:
	case MODE_COMMAND:
		break;
	}
	return run_once(&o);
}
