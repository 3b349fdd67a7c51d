/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Holds cprofd's walks of real programs against libdwfl's.
 *
 *	truth [-n STOPS] [-s SEED] [-r FILE [-d DEPTH] [-w WORD]] -c COMM NAME COMMAND [ARGUMENT...]
 *
 * runs COMMAND and stops the threads of those of its descendants that are called COMM, at random
 * moments and then after random numbers of single instructions, so that prologues, epilogues and
 * PLT stubs are hit as often as they are run through. Both unwinders see the same registers, the
 * same memory and the same files. -r leaves a stop of which both give the same in FILE, for
 * tests/bpf: the first with at least DEPTH frames in one of which, or in whose rule, WORD occurs.
 *
 *	truth -g PID
 *
 * walks threads that somebody else has stopped: reads lines "ip rax rdx rcx rbx rsi rdi rbp rsp
 * r8 .. r15" in hexadecimal and answers each with the frames, leaf first, and how the walk ended.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/truth/differences.h"
#include "tests/truth/libdwfl.h"
#include "tests/truth/ours.h"
#include "tests/truth/space.h"
#include "tests/truth/tracee.h"

/* Stops per attachment: the first where the thread just is, the others some instructions on. */
#define STOPS_PER_BURST 6
#define STEPS_MAX 24
#define DEEP 6

struct options {
	unsigned n_stops, seed, min_depth;
	const char *record, *word, *comm, *name;
	pid_t gdb;
};

struct run {
	const struct options *options;
	struct spaces *spaces;
	struct differences *differences;
	/* Of the process looked at last. */
	pid_t pid;
	struct space space;
	uint64_t dwfl_hash;
	struct libdwfl *dwfl;
	unsigned n_done;
	bool recorded;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void forget_process(struct run *r)
{
	r->dwfl = libdwfl__free(r->dwfl);
	free(r->space.areas);
	r->space = (struct space){0};
	r->pid = 0;
}

/* Learns what the process has mapped now. */
static bool know_process(struct run *r, pid_t pid)
{
	if (pid != r->pid)
		forget_process(r);
	r->pid = pid;
	if (spaces__update(r->spaces, pid, &r->space) < 0 || !r->space.n_areas)
		return false;
	if (r->dwfl && r->dwfl_hash == r->space.hash)
		return true;
	libdwfl__free(r->dwfl);
	r->dwfl = libdwfl__new(pid);
	r->dwfl_hash = r->space.hash;
	return r->dwfl != NULL;
}

static void record(struct run *r, const struct stop *stop, const struct walk *theirs)
{
	char recipe[512];

	snprintf(recipe, sizeof(recipe),
		 "Recorded by truth -r -d %u -w '%s' -c %s from %s; the frames are libdwfl's.",
		 r->options->min_depth, r->options->word ? r->options->word : "", r->options->comm,
		 r->options->name);
	r->recorded =
	    ours_record(r->spaces, &r->space, stop, theirs, r->options->record, recipe) == 0;
}

/* Whether WORD occurs in the names of the files of the frames, or in their rules. */
static bool has_word(const struct run *r, const struct walk *w, const char *word)
{
	char rule[128];

	for (uint32_t i = 0; i < w->n; i++) {
		const struct area *a = space__find(&r->space, w->pcs[i] - (i > 0));

		ours_rule_text(r->spaces, &r->space, w->pcs[i] - (i > 0), rule, sizeof(rule));
		if ((a && strstr(a->name, word)) || strstr(rule, word))
			return true;
	}
	return false;
}

static bool look(struct run *r, struct tracee *t, pid_t pid)
{
	static struct walk ours, theirs;
	struct stop stop = {.pid = pid};
	bool equal;

	if (!know_process(r, pid) || !tracee__regs(t, &stop))
		return false;
	libdwfl__walk(r->dwfl, t->tid, &theirs);
	ours_walk(r->spaces, &r->space, &stop, &ours);
	equal = differences__compare(r->differences, r->spaces, &r->space, &stop, &ours, &theirs,
				     r->dwfl);
	r->n_done++;
	if (equal && r->options->record && !r->recorded && theirs.n >= r->options->min_depth &&
	    theirs.root && (!r->options->word || has_word(r, &theirs, r->options->word)))
		record(r, &stop, &theirs);
	return true;
}

static void burst(struct run *r, pid_t pid, pid_t tid)
{
	struct tracee t;
	bool here = tracee__attach(&t, tid);

	for (int i = 0; here && i < STOPS_PER_BURST; i++) {
		if (i)
			here = tracee__step(&t, 1 + (unsigned)rand() % STEPS_MAX);
		if (here)
			here = look(r, &t, pid);
		if (r->n_done >= r->options->n_stops)
			break;
	}
	tracee__detach(&t);
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGPIPE, SIG_DFL);
		dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	return pid;
}

static int compare(const struct options *o, char **argv)
{
	struct run r = {.options = o, .differences = differences__new()};
	double begin = now(), last = begin;
	pid_t pid, tid;

	/* What the command leaves behind becomes our child, and is found and ended. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (!r.differences || spaces__new(&r.spaces) < 0 || start(argv) < 0)
		return 2;
	srand(o->seed);
	while (r.n_done < o->n_stops && now() - last < 20 && now() - begin < 900) {
		unsigned before = r.n_done;

		usleep((useconds_t)rand() % 3000);
		if (tracee_choose(getpid(), o->comm, &pid, &tid))
			burst(&r, pid, tid);
		if (r.n_done > before)
			last = now();
	}
	forget_process(&r);
	differences__print(r.differences, o->name);
	tracee_kill_tree(getpid());
	return r.n_done < o->n_stops;
}

static int answer(pid_t pid)
{
	static struct walk w;
	struct space space = {0};
	struct spaces *spaces;
	char line[1024];

	if (spaces__new(&spaces) < 0)
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		struct stop stop = {.pid = pid, .regs = {.valid = 0xffff, .exact = 1}};
		char *next = line;

		stop.regs.ip = strtoull(next, &next, 16);
		for (int i = 0; i < 16; i++)
			stop.regs.r[i] = strtoull(next, &next, 16);
		stop.regs.sp = stop.regs.r[7];
		if (spaces__update(spaces, pid, &space) < 0)
			return 1;
		ours_walk(spaces, &space, &stop, &w);
		for (uint32_t i = 0; i < w.n; i++)
			printf("%" PRIx64 " ", w.pcs[i]);
		printf("%s\n", w.root ? "root" : w.why);
		fflush(stdout);
	}
	return 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: truth [-n STOPS] [-s SEED] [-r FILE [-d DEPTH] [-w WORD]] -c COMM "
			"NAME COMMAND...\n"
			"       truth -g PID\n");
	return 2;
}

int main(int argc, char **argv)
{
	struct options o = {.n_stops = 1000, .seed = (unsigned)time(NULL), .min_depth = DEEP};
	int c;

	while ((c = getopt(argc, argv, "+n:s:r:d:w:c:g:")) != -1) {
		switch (c) {
		case 'n':
			o.n_stops = (unsigned)atoi(optarg);
			break;
		case 's':
			o.seed = (unsigned)atoi(optarg);
			break;
		case 'r':
			o.record = optarg;
			break;
		case 'd':
			o.min_depth = (unsigned)atoi(optarg);
			break;
		case 'w':
			o.word = optarg;
			break;
		case 'c':
			o.comm = optarg;
			break;
		case 'g':
			return answer(atoi(optarg));
		default:
			return usage();
		}
	}
	if (!o.comm || argc - optind < 2)
		return usage();
	o.name = argv[optind];
	return compare(&o, argv + optind + 1);
}
