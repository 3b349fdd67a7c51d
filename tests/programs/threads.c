/* SPDX-License-Identifier: Apache-2.0 */
/*
 * threads [SECONDS]: three named threads share the work 50/30/20. They take turns, one at a time,
 * so the shares hold on any number of CPUs. Prints "NAME TID" of each thread when it starts.
 */
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "burn.h"

#define UNIT 500000 /* steps; a turn of one unit takes about 1 ms */

static const struct worker {
	const char *name;
	int units;
} workers[] = {{"alpha", 5}, {"beta", 3}, {"gamma", 2}};

#define N_WORKERS (sizeof(workers) / sizeof(workers[0]))

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static size_t turn;
static uint64_t end_ns;

static void wait_for_turn(size_t i)
{
	pthread_mutex_lock(&lock);
	while (turn != i)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void pass_turn(size_t i)
{
	pthread_mutex_lock(&lock);
	turn = (i + 1) % N_WORKERS;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static NOINLINE uint64_t thread_work(uint64_t x, int units)
{
	return burn(x, units * UNIT) + 1;
}

static void *run(void *arg)
{
	const struct worker *worker = arg;
	size_t i = (size_t)(worker - workers);
	uint64_t x = 1;

	pthread_setname_np(pthread_self(), worker->name);
	printf("%s %ld\n", worker->name, (long)syscall(SYS_gettid));
	fflush(stdout);
	while (before(end_ns)) {
		wait_for_turn(i);
		x = thread_work(x, worker->units);
		pass_turn(i);
	}
	keep(x);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[N_WORKERS];

	end_ns = end_after(argc > 1 ? argv[1] : NULL, 60);
	for (size_t i = 0; i < N_WORKERS; i++)
		pthread_create(&threads[i], NULL, run, (void *)&workers[i]);
	/* The last turn of each may wait for one that has ended: leave without them. */
	pthread_join(threads[0], NULL);
	return 0;
}
