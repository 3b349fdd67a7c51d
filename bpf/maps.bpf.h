/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps of the sampler. None grows after the start; sizes marked (set at load) are set once, in
 * daemon/collector/sampler.c. */
#ifndef MAPS_BPF_H
#define MAPS_BPF_H

#include "bpf/cprofd_abi.h"
#include "bpf/helpers.bpf.h"
#include "bpf/unwind_state.bpf.h"

/* What may follow a sample's header: frames, then registers and stack for user space to go on. */
#define SAMPLE_WORDS_MAX                                                                           \
	(SAMPLE_FRAMES_MAX + sizeof(struct unwind_regs) / 8 + (STACK_COPY_MAX + OTHER_COPY_MAX) / 8)

struct sample_scratch {
	struct sample_record record;
	abi_u64 words[SAMPLE_WORDS_MAX];
	struct unwind_walk walk;
	abi_u64 woken_ns; /* when this CPU last told of a new process */
};

/*
 * counters: writer each CPU's program, its own entry; reader the collector through a shared
 * mapping. Key: CPU number. Size: possible CPUs (set at load).
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, abi_u32);
	__type(value, struct cpu_counters);
} counters SEC(".maps");

/*
 * scratch: where a sample is put together, since it is larger than a BPF stack. Written and read by
 * that CPU's program only, one at a time. Key: CPU number; not a per-CPU map, whose values end at
 * 32 KiB. Size: possible CPUs (set at load), 52 KiB each.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, abi_u32);
	__type(value, struct sample_scratch);
} scratch SEC(".maps");

/* One ring buffer; the size here is only the template's. */
struct sample_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

/*
 * rings: from the program to the collector, which drains them on a timer. Key: shard, CPU &
 * ring_mask, so that a ring's lock is shared by few CPUs. The collector puts the rings in before it
 * attaches. A full ring loses the sample and counts it.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, RINGS_MAX);
	__type(key, abi_u32);
	__array(values, struct sample_ring);
} rings SEC(".maps");

/*
 * targets: thread groups that are wanted, with FILTER_TARGETS. Writer the collector before it
 * attaches, reader the program. Key: tgid. Full: the collector refuses the command line.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, TARGETS_MAX);
	__type(key, abi_u32);
	__type(value, abi_u8);
} targets SEC(".maps");

/*
 * unwind_memory: lists of mappings and unwind tables, in lines; see cprofd_abi.h. Writer the
 * collector through a shared mapping, reader the program. Key: number of the line; line 0 is
 * unused. Size: the byte budget (set at load).
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, abi_u32);
	__type(value, struct unwind_line);
} unwind_memory SEC(".maps");

static __always_inline const struct unwind_line *unwind_line(abi_u32 i)
{
	return bpf_map_lookup_elem(&unwind_memory, &i);
}

/*
 * unwind_processes: the spaces of the processes that have been sampled. Writer and reader as
 * unwind_memory. Key: unwind_process_line(). Full line: the process that came last has no entry,
 * and its samples are walked in user space.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, UNWIND_PROCESS_LINES);
	__type(key, abi_u32);
	__type(value, struct unwind_line);
} unwind_processes SEC(".maps");

static __always_inline const struct unwind_process *process_line(abi_u32 tgid)
{
	abi_u32 i = unwind_process_line(tgid);

	return bpf_map_lookup_elem(&unwind_processes, &i);
}

/*
 * unwind_caches: the rules that a CPU has found last. Written and read by that CPU's program only.
 * Key: CPU number. Size: possible CPUs (set at load). Each entry tells which address of which space
 * it is for, so nothing ever needs to be emptied.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, abi_u32);
	__type(value, struct unwind_cache);
} unwind_caches SEC(".maps");

#endif
