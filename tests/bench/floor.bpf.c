// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a sample costs at least: on_tick_count does nothing but to count; on_tick_stack does what a
 * profiler does that relies on frame pointers, with the kernel's own walker.
 * tests/bench/unwind-cost runs them beside cprofd.
 */
#include "tests/bench/floor.h"

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct scratch {
	struct floor_record record;
	__u64 frames[FLOOR_KERNEL_FRAMES_MAX + FLOOR_USER_FRAMES_MAX];
};

/* ticks: how many; each CPU its own. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ticks SEC(".maps");

/* scratch: where a record is put together. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
} scratch SEC(".maps");

/* records: to floor.c, which empties it ten times a second. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} records SEC(".maps");

SEC("perf_event")
int on_tick_count(void *ctx)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&ticks, &zero);

	(void)ctx;
	if (n)
		++*n;
	return 0;
}

SEC("perf_event")
int on_tick_stack(struct bpf_perf_event_data *ctx)
{
	__u64 ids = bpf_get_current_pid_tgid();
	__u32 zero = 0, n;
	struct scratch *s;
	long bytes;

	if (!(__u32)ids)
		return 0; /* idle */
	s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s)
		return 0;
	s->record.time_ns = bpf_ktime_get_ns();
	s->record.ids = ids;
	bpf_get_current_comm(s->record.comm, sizeof(s->record.comm));
	bytes = bpf_get_stack(ctx, s->frames, FLOOR_KERNEL_FRAMES_MAX * sizeof(__u64), 0);
	n = bytes > 0 ? (__u32)bytes / sizeof(__u64) : 0;
	s->record.n_kernel = n;
	/* verifier: a bound on the offset of the part still free. */
	if (n > FLOOR_KERNEL_FRAMES_MAX)
		return 0;
	bytes = bpf_get_stack(ctx, &s->frames[n], FLOOR_USER_FRAMES_MAX * sizeof(__u64),
			      BPF_F_USER_STACK);
	s->record.n_user = bytes > 0 ? (__u32)bytes / sizeof(__u64) : 0;
	n += s->record.n_user;
	/* verifier: a bound on the size. */
	if (n > FLOOR_KERNEL_FRAMES_MAX + FLOOR_USER_FRAMES_MAX)
		return 0;
	bpf_ringbuf_output(&records, s, sizeof(s->record) + n * sizeof(__u64), BPF_RB_NO_WAKEUP);
	return 0;
}
