/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) OR Apache-2.0 */
/*
 * The contract between the BPF programs and the collector: every record and every number that
 * crosses the kernel's edge, once. Included by both sides; fixed widths; sizes asserted.
 */
#ifndef CPROFD_ABI_H
#define CPROFD_ABI_H

#ifdef __bpf__
#include <linux/types.h>
typedef __u8 abi_u8;
typedef __u16 abi_u16;
typedef __u32 abi_u32;
typedef __u64 abi_u64;
#else
#include <stdint.h>
typedef uint8_t abi_u8;
typedef uint16_t abi_u16;
typedef uint32_t abi_u32;
typedef uint64_t abi_u64;
#endif

/* The kernel's own limit for its stacks (sysctl kernel.perf_event_max_stack) is 127 by default. */
#define KERNEL_FRAMES_MAX 127
/* Design section 8: a thousand frames whole, then named. */
#define USER_FRAMES_MAX 1024
#define SAMPLE_FRAMES_MAX (KERNEL_FRAMES_MAX + USER_FRAMES_MAX)

#define COMM_SIZE 16 /* TASK_COMM_LEN of include/linux/sched.h, part of the kernel's ABI */

/* Ring buffers that the CPUs share: CPU n writes to ring n & (number of rings - 1). */
#define RINGS_MAX 16

/* Processes that --pid may name at once. */
#define TARGETS_MAX 1024

/* Why the user part of a stack ends where it does. */
enum stack_end {
	STACK_END_ROOT,	      /* the outermost caller was reached */
	STACK_END_NO_USER,    /* there is no user part: a kernel thread */
	STACK_END_UNREADABLE, /* a frame's memory could not be read without a page fault */
	STACK_END_BAD_FRAME,  /* the frame pointer does not lead outwards: code without one */
	STACK_END_DEPTH,      /* USER_FRAMES_MAX reached */
	STACK_END_COMPAT,     /* a 32-bit process: only the interrupted instruction is known */
	STACK_END_NO_REGS,    /* the kernel did not give the user registers */
	STACK_END_NO_MAPPING, /* an address in no executable mapping; found by the collector */
	STACK_END_MAX
};

/* Why a tick that hit a process we want gave no sample. */
enum lost_reason {
	LOST_RING_FULL,	 /* the ring buffer had no room, or was locked in NMI context */
	LOST_NO_SCRATCH, /* a map look-up that cannot fail did */
	LOST_MAX
};

/*
 * One sample, of variable length: right after this header follow the frames as abi_u64, n_kernel
 * and then n_user, both leaf first. Frame 0 of each part is the interrupted instruction, the others
 * are return addresses.
 */
struct sample_record {
	abi_u64 time_ns;  /* CLOCK_MONOTONIC */
	abi_u64 start_ns; /* boot time at which the process (thread group leader) started */
	abi_u32 tgid;
	abi_u32 tid;
	abi_u32 cpu;
	abi_u32 seq; /* number of this sample among those that this CPU kept */
	abi_u16 n_kernel;
	abi_u16 n_user;
	abi_u8 user_end; /* enum stack_end */
	abi_u8 reserved[3];
	char comm[COMM_SIZE]; /* of the thread */
};

/*
 * What became of the ticks of one CPU since the start. Written by that CPU's program only, read
 * through a shared mapping; a cache line pair each, so that CPUs do not share lines.
 */
struct cpu_counters {
	abi_u64 kept;
	abi_u64 idle;
	abi_u64 filtered;
	abi_u64 lost[LOST_MAX];
	abi_u64 reserved[16 - 3 - LOST_MAX];
};

enum filter_mode {
	FILTER_NONE,	/* every process */
	FILTER_TARGETS, /* thread groups in the map `targets` */
	FILTER_TREE,	/* descendants of knobs.tree_tgid, less the helper */
};

/* Fixed before the program is loaded, so that the verifier drops the branches that are off. */
struct sampler_knobs {
	abi_u32 filter; /* enum filter_mode */
	abi_u32 tree_tgid;
	abi_u32 ring_mask;  /* number of rings - 1 */
	abi_u32 wake_bytes; /* fill of a ring at which the collector is woken */
	abi_u8 kernel_stacks;
	abi_u8
	    own_unwinder; /* bpf_loop and bpf_task_pt_regs are there (5.17); otherwise the kernel's
				frame-pointer walker takes the user frames */
	abi_u8 reserved[2];
};

_Static_assert(sizeof(struct sample_record) == 56, "sample header");
_Static_assert(sizeof(struct cpu_counters) == 128, "two cache lines");
_Static_assert(sizeof(struct sampler_knobs) == 20, "knobs");

#endif
