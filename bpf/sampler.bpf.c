// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Takes the samples. on_sample runs at every tick of a CPU's perf event, in interrupt context, and
 * does one thing: count the tick as idle, filtered or lost, or send one record. Every tick is
 * counted exactly once; every early return has its counter. Nothing wakes user space unless a ring
 * fills up.
 */
#include "bpf/helpers.bpf.h"

#include <linux/bpf_perf_event.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/cprofd_abi.h"
#include "bpf/kernel_types.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/unwind_fp.bpf.h"
#if defined(__TARGET_ARCH_x86)
#include "bpf/arch_x86.bpf.h"
#elif defined(__TARGET_ARCH_arm64)
#include "bpf/arch_arm64.bpf.h"
#else
#error "this CPU has no arch_*.bpf.h"
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct sampler_knobs knobs = {0};

/* The symbolizer's tgid, left out of FILTER_TREE; the collector stores it when it starts a new
 * one. */
volatile abi_u32 helper_tgid = 0;

/* Ancestors that FILTER_TREE looks at; a process tree deeper than this is taken as foreign. */
#define ANCESTORS_MAX 64

static __always_inline bool in_tree(struct task_struct *task)
{
	abi_u32 tgid = (abi_u32)BPF_CORE_READ(task, tgid);

	if (tgid == knobs.tree_tgid || tgid == helper_tgid)
		return false;
	for (int i = 0; i < ANCESTORS_MAX; i++) {
		task = BPF_CORE_READ(task, real_parent);
		tgid = (abi_u32)BPF_CORE_READ(task, tgid);
		if (tgid == knobs.tree_tgid)
			return true;
		if (tgid <= 1)
			return false;
	}
	return false;
}

static __always_inline bool wanted(struct task_struct *task, abi_u32 tgid)
{
	if (knobs.filter == FILTER_TARGETS)
		return bpf_map_lookup_elem(&targets, &tgid) != NULL;
	if (knobs.filter == FILTER_TREE)
		return in_tree(task);
	return true;
}

/*
 * The user registers of the interrupted thread: those of the interrupt itself, or those that it
 * left at its entry into the kernel. False for a kernel thread.
 */
static __always_inline bool read_user_regs(const arch_regs *interrupted, arch_regs *ret)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	const void *saved;

	if (ARCH_REGS_USER(interrupted)) {
		__builtin_memcpy(ret, interrupted, sizeof(*ret));
		return true;
	}
	saved = (const void *)bpf_task_pt_regs((void *)task);
	return saved && !bpf_probe_read_kernel(ret, sizeof(*ret), saved) && ARCH_REGS_USER(ret);
}

/* The user part on kernels without bpf_loop (before 5.17): the kernel's own frame-pointer walk. */
static __always_inline void take_user_legacy(void *ctx, struct sample_scratch *s)
{
	abi_u32 n = s->record.n_kernel;
	long bytes;

	/* verifier: a bound on the offset of the part still free (5.10). */
	if (n > KERNEL_FRAMES_MAX)
		return;
	bytes = bpf_get_stack(ctx, &s->frames[n], KERNEL_FRAMES_MAX * sizeof(abi_u64),
			      BPF_F_USER_STACK);
	s->record.user_end = STACK_END_UNREADABLE;
	if (bytes > 0)
		s->record.n_user = (abi_u16)(bytes / sizeof(abi_u64));
	if (bytes == KERNEL_FRAMES_MAX * sizeof(abi_u64))
		s->record.user_end = STACK_END_DEPTH;
}

static __always_inline void take_user(struct bpf_perf_event_data *ctx, struct task_struct *task,
				      struct sample_scratch *s)
{
	struct user_regs regs;
	arch_regs user;

	s->record.n_user = 0;
	s->record.user_end = STACK_END_NO_USER;
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	if (!knobs.own_unwinder) {
		take_user_legacy(ctx, s);
		return;
	}
	s->record.user_end = STACK_END_NO_REGS;
	if (!read_user_regs((const arch_regs *)&ctx->regs, &user))
		return;
	regs.ip = ARCH_REGS_IP(&user);
	regs.sp = ARCH_REGS_SP(&user);
	regs.fp = ARCH_REGS_FP(&user);
	regs.end = ARCH_USER_END;
	if (ARCH_REGS_COMPAT(&user)) {
		abi_u32 n = s->record.n_kernel;

		if (n < SAMPLE_FRAMES_MAX)
			s->frames[n] = regs.ip;
		s->record.n_user = 1;
		s->record.user_end = STACK_END_COMPAT;
		return;
	}
	s->record.n_user =
	    (abi_u16)unwind_user(&regs, s->frames, s->record.n_kernel, &s->record.user_end);
}

static __always_inline void take_kernel(struct bpf_perf_event_data *ctx, struct sample_scratch *s)
{
	long bytes;

	s->record.n_kernel = 0;
	if (!knobs.kernel_stacks || ARCH_REGS_USER((const arch_regs *)&ctx->regs))
		return;
	bytes = bpf_get_stack(ctx, s->frames, KERNEL_FRAMES_MAX * sizeof(abi_u64), 0);
	if (bytes > 0)
		s->record.n_kernel = (abi_u16)(bytes / sizeof(abi_u64));
}

/* Sends the record; wakes the collector only when this record takes the ring over its mark. */
static __always_inline bool ship(struct sample_scratch *s, abi_u32 cpu)
{
	abi_u32 shard = cpu & knobs.ring_mask, n_frames;
	abi_u64 size, fill, flags = BPF_RB_NO_WAKEUP;
	void *ring = bpf_map_lookup_elem(&rings, &shard);

	if (!ring)
		return false;
	n_frames = s->record.n_kernel + s->record.n_user;
	/* verifier: the size of what is copied must be bounded by the map's value (5.10). */
	if (n_frames > SAMPLE_FRAMES_MAX)
		return false;
	size = sizeof(s->record) + n_frames * sizeof(abi_u64);
	fill = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	if (fill < knobs.wake_bytes && fill + size >= knobs.wake_bytes)
		flags = BPF_RB_FORCE_WAKEUP;
	return bpf_ringbuf_output(ring, s, size, flags) == 0;
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	abi_u64 ids = bpf_get_current_pid_tgid();
	abi_u32 cpu = bpf_get_smp_processor_id(), zero = 0;
	struct cpu_counters *count = bpf_map_lookup_elem(&counters, &cpu);
	struct sample_scratch *s;

	if (!count) /* cannot be: there is an entry for every possible CPU */
		return 0;
	if ((abi_u32)ids == 0) {
		count->idle++;
		return 0;
	}
	if (!wanted(task, ids >> 32)) {
		count->filtered++;
		return 0;
	}
	s = bpf_map_lookup_elem(&scratch, &zero);
	if (!s) {
		count->lost[LOST_NO_SCRATCH]++;
		return 0;
	}
	s->record.time_ns = bpf_ktime_get_ns();
	s->record.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	s->record.tgid = ids >> 32;
	s->record.tid = (abi_u32)ids;
	s->record.cpu = cpu;
	s->record.seq = (abi_u32)count->kept;
	s->record.exec_id = BPF_CORE_READ(task, self_exec_id);
	s->record.stack_bytes = 0;
	bpf_get_current_comm(s->record.comm, sizeof(s->record.comm));
	take_kernel(ctx, s);
	take_user(ctx, task, s);
	if (ship(s, cpu))
		count->kept++;
	else
		count->lost[LOST_RING_FULL]++;
	return 0;
}
