/* SPDX-License-Identifier: Apache-2.0 */
/*
 * floor count|stack HZ SECONDS: runs one of the programs of floor.bpf.c on every CPU; a second for
 * warming up, then SECONDS, and prints "RUNS NS FRAMES SHARE" for those: runs of the program,
 * their time, the mean of user frames in the process `depth_fp`, and the share of samples that
 * were of it. The time is 0 unless kernel.bpf_stats_enabled is on.
 */
#include "tests/bench/floor.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "floor.skel.h"

struct seen {
	uint64_t records, of_program, user_frames;
};

static void die(const char *what, int error)
{
	fprintf(stderr, "floor: %s: %s\n", what, strerror(error < 0 ? -error : error));
	exit(1);
}

static void attach(struct bpf_program *prog, unsigned hz)
{
	struct perf_event_attr attr = {
	    .size = sizeof(attr),
	    .type = PERF_TYPE_SOFTWARE,
	    .config = PERF_COUNT_SW_CPU_CLOCK,
	    .sample_period = 1000000000u / hz,
	};

	for (int cpu = 0; cpu < (int)sysconf(_SC_NPROCESSORS_ONLN); cpu++) {
		int fd =
		    (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
		struct bpf_link *link;

		if (fd < 0)
			die("perf_event_open", errno);
		link = bpf_program__attach_perf_event(prog, fd);
		if (!link)
			die("attach", errno);
	}
}

static int on_record(void *ctx, void *bytes, size_t size)
{
	struct seen *seen = ctx;
	const struct floor_record *record = bytes;

	(void)size;
	seen->records++;
	if (strcmp(record->comm, "depth_fp"))
		return 0;
	seen->of_program++;
	seen->user_frames += record->n_user;
	return 0;
}

static void drain_for(struct ring_buffer *ring, double seconds)
{
	for (int i = 0; i < (int)(seconds * 10); i++) {
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
		ring_buffer__consume(ring);
	}
}

static struct bpf_prog_info info_of(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {0};
	__u32 size = sizeof(info);
	int r = bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size);

	if (r < 0)
		die("program info", r);
	return info;
}

static double part(uint64_t a, uint64_t b)
{
	return b ? (double)a / (double)b : 0.0;
}

int main(int argc, char **argv)
{
	struct seen seen = {0};
	struct bpf_prog_info before, after;
	struct ring_buffer *ring;
	struct bpf_program *prog;
	struct floor_bpf *skel;

	if (argc != 4 || atoi(argv[2]) <= 0) {
		fprintf(stderr, "usage: floor count|stack HZ SECONDS\n");
		return 2;
	}
	skel = floor_bpf__open_and_load();
	if (!skel)
		die("load", errno);
	prog = strcmp(argv[1], "count") ? skel->progs.on_tick_stack : skel->progs.on_tick_count;
	ring = ring_buffer__new(bpf_map__fd(skel->maps.records), on_record, &seen, NULL);
	if (!ring)
		die("ring", errno);
	attach(prog, (unsigned)atoi(argv[2]));
	drain_for(ring, 1);
	memset(&seen, 0, sizeof(seen));
	before = info_of(prog);
	drain_for(ring, atof(argv[3]));
	after = info_of(prog);
	printf("%llu %llu %.1f %.4f\n", (unsigned long long)(after.run_cnt - before.run_cnt),
	       (unsigned long long)(after.run_time_ns - before.run_time_ns),
	       part(seen.user_frames, seen.of_program), part(seen.of_program, seen.records));
	ring_buffer__free(ring);
	floor_bpf__destroy(skel); /* the links end with the process */
	return 0;
}
