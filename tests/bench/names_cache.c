/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many addresses a second the names that are kept answer: those that are in memory, those that
 * a file on disk has, and those taken over from there, file and check included. Each address is of
 * a function of its own, with one inlined call: more work than in a profile. Prints and never
 * judges.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/names.h"
#include "daemon/collector/names_answer.h"
#include "daemon/collector/names_cache.h"
#include "tests/unit/made_answer.h"

#define N_ADDRS 5000
#define ROUNDS 200
#define OBJECT 7

DEFINE_CLEANUP(struct names *, names__free);

/* Looked for in another order than they lie in. */
static uint64_t off_of_turn(uint32_t turn)
{
	return made_off((uint64_t)turn * 3571 % N_ADDRS);
}

static void say(const char *what, uint64_t began_ns, uint64_t n)
{
	double seconds = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - began_ns) / 1e9;

	printf("%-44s %8.1f M addresses/s\n", what, (double)n / seconds / 1e6);
}

/* Takes all names of the file over, as naming.c does. 0 or -errno. */
static int take_over(struct names_cache *cache, const struct file_identity *file,
		     struct names *names)
{
	_cleanup_(names_file__fini) struct names_file kept = {0};
	_cleanup_(names_answer__fini) struct names_answer answer = {0};
	int r = names_cache__find(cache, file, &kept);

	if (r == 0)
		r = names_answer__init(&answer, names, &kept.view);
	for (uint32_t i = 0; i < N_ADDRS && r == 0; i++) {
		uint64_t off = made_off(i);
		uint32_t at, chain;

		if (!names_file__find(&kept, off, &at))
			return -ENOENT;
		if (kept.view.addrs[at].n_frames)
			r = names_answer__chain(&answer, at, &chain);
		else
			r = names__plain(names, "file+0x1000", NAME_FDE, &chain);
		if (r == 0)
			r = names__remember(names, OBJECT, off, chain);
	}
	return r;
}

static int on_disk(struct names_cache *cache, const struct file_identity *file)
{
	_cleanup_(names_file__fini) struct names_file kept = {0};
	uint64_t began = clock_ns(CLOCK_PROCESS_CPUTIME_ID), n = 0;
	int r = names_cache__find(cache, file, &kept);
	uint32_t at;

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < N_ADDRS * ROUNDS; i++)
		n += names_file__find(&kept, off_of_turn(i), &at);
	say("found in a file, read and checked once", began, n);
	return 0;
}

static int in_memory(struct names_cache *cache, const struct file_identity *file)
{
	_cleanup_(names__freep) struct names *names = NULL;
	uint64_t began, n = 0;
	int r = names__new(&names);

	if (r == 0)
		r = take_over(cache, file, names);
	began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (uint32_t i = 0; i < N_ADDRS * ROUNDS && r == 0; i++)
		n += names__find(names, OBJECT, off_of_turn(i)) != NAMES_NONE;
	if (r == 0)
		say("found in memory", began, n);
	return r;
}

static int taken_over(struct names_cache *cache, const struct file_identity *file)
{
	uint64_t began = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	int r = 0;

	for (uint32_t i = 0; i < ROUNDS && r == 0; i++) {
		_cleanup_(names__freep) struct names *names = NULL;

		r = names__new(&names);
		if (r == 0)
			r = take_over(cache, file, names);
	}
	if (r == 0)
		say("taken over from a file, with all its names", began,
		    (uint64_t)N_ADDRS * ROUNDS);
	return r;
}

static int run(const char *dir)
{
	struct names_sources sources = {.file = {.dev = 1, .ino = 1}};
	struct made_answer answer = made_answer(0, N_ADDRS, "some_namespace::function_of_usual_");
	struct names_cache *cache = NULL;
	int r = names_cache__new(&cache, dir, "/proc/self/exe");

	if (r == 0)
		r = names_cache__add(cache, &sources, 0, answer.offs, &answer.view);
	made_answer__fini(&answer);
	if (r == 0) {
		names_cache__save(cache);
		r = in_memory(cache, &sources.file);
	}
	if (r == 0)
		r = on_disk(cache, &sources.file);
	if (r == 0)
		r = taken_over(cache, &sources.file);
	names_cache__free(cache);
	return r;
}

int main(void)
{
	char dir[] = "/tmp/cprofd-bench.XXXXXX", command[64];
	int r = mkdtemp(dir) ? run(dir) : -errno;

	snprintf(command, sizeof(command), "rm -r %s", dir);
	if (r < 0)
		fprintf(stderr, "names_cache: %s\n", strerror(-r));
	return system(command) || r < 0;
}
