/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread SECONDS started|small|alone: work() in a thread; on a stack of 16 KiB; or in a process
 * whose main thread has ended.
 */
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include "chain.h"

static void *runs(void *arg)
{
	uint64_t end = *(uint64_t *)arg, x = 1;

	while (before(end))
		x = outer(x);
	keep(x);
	exit(0);
}

int main(int argc, char **argv)
{
	static uint64_t end;
	const char *mode = argc > 2 ? argv[2] : "started";
	pthread_attr_t attr;
	pthread_t thread;

	end = end_after(argc > 1 ? argv[1] : NULL, 60);
	pthread_attr_init(&attr);
	if (!strcmp(mode, "small") && pthread_attr_setstacksize(&attr, PTHREAD_STACK_MIN))
		return 1;
	if (pthread_create(&thread, &attr, runs, &end))
		return 1;
	if (!strcmp(mode, "alone"))
		pthread_exit(NULL);
	pthread_join(thread, NULL);
	return 0;
}
