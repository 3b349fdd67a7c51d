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
typedef __s16 abi_s16;
typedef __s32 abi_s32;
#else
#include <stdint.h>
typedef uint8_t abi_u8;
typedef uint16_t abi_u16;
typedef uint32_t abi_u32;
typedef uint64_t abi_u64;
typedef int16_t abi_s16;
typedef int32_t abi_s32;
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
	STACK_END_NOT, /* the walk goes on; in a record without user frames: nothing to say */
	/* Whole: there is nothing outside of the last frame. */
	STACK_END_ROOT,	   /* the outermost caller was reached */
	STACK_END_NO_USER, /* there is no user part: a kernel thread */
	STACK_END_NO_MM,   /* exec or exit has already given up the user memory */
	/* Truncated. */
	STACK_END_UNREADABLE,  /* a frame's memory could not be read without a page fault */
	STACK_END_BAD_CFA,     /* the caller's frame would not lie outwards */
	STACK_END_NO_MAPPING,  /* an address in no executable mapping */
	STACK_END_NO_INFO,     /* nothing says how to unwind this code */
	STACK_END_IMPLAUSIBLE, /* a guessed caller that calls nobody */
	STACK_END_DEPTH,       /* USER_FRAMES_MAX reached */
	STACK_END_COMPAT,      /* a 32-bit process: only the interrupted instruction is known */
	STACK_END_NO_REGS,     /* the kernel did not give the user registers */
	STACK_END_CUT,	       /* the copied part of the stack ended */
	/* Not ended: user space goes on from the registers and the stack in the record. */
	STACK_END_UNKNOWN,
	STACK_END_JIT, /* within the walker: code in no file that keeps no frame pointer */
	STACK_END_MAX
};

/* Whether there is nothing missing outside of the last frame. */
static inline int stack_end_is_whole(abi_u32 end)
{
	return end <= STACK_END_NO_MM;
}

/* Whether the walk met what cannot be, or what should be known: its list of mappings may be old. */
static inline int stack_end_is_failure(abi_u32 end)
{
	return end >= STACK_END_UNREADABLE && end <= STACK_END_IMPLAUSIBLE;
}

/* Why a tick that hit a process we want gave no sample. */
enum lost_reason {
	LOST_RING_FULL,	 /* the ring buffer had no room, or was locked in NMI context */
	LOST_NO_SCRATCH, /* a map look-up that cannot fail did */
	LOST_MAX
};

/*
 * The registers of a frame, by their DWARF numbers (System V x86-64 psABI table 3.36; AArch64 DWARF
 * 4.1). Of a caller those are known that its callee had to keep. Others may still hold what they
 * held in the callee, as between functions in assembler that leave alone what they do not need.
 */
#define UNWIND_REGS_MAX 32
struct unwind_regs {
	abi_u64 ip; /* of a caller: the return address */
	abi_u64 sp; /* of a caller: the canonical frame address (CFA) of its callee */
	abi_u64 r[UNWIND_REGS_MAX];
	abi_u32 valid;	/* bit n: r[n] is known */
	abi_u32 unsure; /* bit n: r[n] may be right */
	abi_u32 exact;	/* 1: ip is the very instruction, not the one after a call */
	abi_u32 reserved;
};

/* sample_record.flags */
#define SAMPLE_IN_EXEC 1    /* within exec, where the user registers may be the old program's */
#define SAMPLE_NEW_THREAD 2 /* has not returned from clone yet, so that its stack may be empty */
#define SAMPLE_STACK_CUT 4  /* the ring had no room for all that would be copied of the stack */

/*
 * One sample, of variable length: right after this header follow the frames as abi_u64, n_kernel
 * and then n_user, both leaf first. Frame 0 of each part is the interrupted instruction, the others
 * are return addresses, or one more than the instruction that a signal interrupted.
 *
 * With STACK_END_UNKNOWN a struct unwind_regs follows, of the last user frame, then stack_bytes of
 * the stack from STACK_COPY_BELOW below its sp on, and then other_bytes of the stack from
 * other_start on, to which the frame pointers lead (Go's system stack is called from a goroutine).
 */
struct sample_record {
	abi_u64 time_ns;  /* CLOCK_MONOTONIC */
	abi_u64 start_ns; /* boot time at which the process (thread group leader) started */
	abi_u32 tgid;
	abi_u32 tid;
	abi_u32 cpu;
	abi_u32 seq; /* number of this sample among those that this CPU kept */
	abi_u32
	    exec_id; /* grows by one with each exec of this process; inherited by its children */
	abi_u32 stack_bytes;
	abi_u64 other_start;
	abi_u32 other_bytes;
	abi_u32
	    stack_missing; /* bit n: page n of the stack's copy was not in memory, and is zero */
	abi_u16 n_kernel;
	abi_u16 n_user;
	abi_u8 user_end; /* enum stack_end */
	abi_u8 flags;	 /* SAMPLE_* */
	abi_u8 reserved[2];
	char comm[COMM_SIZE]; /* of the thread */
};

/*
 * What is copied of a stack at most. See docs/ARCHITECTURE.md for how it was chosen. It is copied
 * page by page and ends with a page, so that a copy of which more than all but one page is there is
 * full: see stack_copy_full().
 */
#define STACK_COPY_MAX (32u << 10)
#define OTHER_COPY_MAX (8u << 10)
#define USER_PAGE 4096 /* the smallest that there is */

/* Whether a copy of N_BYTES, of MAX at most, ended for want of room and not of memory. */
static inline int stack_copy_full(abi_u32 n_bytes, abi_u32 max)
{
	return n_bytes > max - USER_PAGE;
}

/* The copy begins so far below the stack pointer, where leaf functions may keep things too: the red
 * zone (psABI 3.2.2). */
#define STACK_COPY_BELOW 128

/*
 * What became of the ticks of one CPU since the start. Written by that CPU's program only, read
 * through a shared mapping; a cache line pair each, so that CPUs do not share lines.
 */
struct cpu_counters {
	abi_u64 kept;
	abi_u64 idle;
	abi_u64 filtered;
	abi_u64 lost[LOST_MAX];
	/* Frames whose rule the walker's cache knew, and others. */
	abi_u64 cache_hits;
	abi_u64 cache_misses;
	abi_u64 reserved[16 - 5 - LOST_MAX];
};

enum filter_mode {
	FILTER_NONE,	/* every process */
	FILTER_TARGETS, /* thread groups in the map `targets` */
	FILTER_TREE,	/* descendants of knobs.tree_tgid, less the helpers */
};

/* Processes of ours that FILTER_TREE leaves out. */
#define SAMPLER_HELPERS_MAX 4

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

/* ---- unwind tables --------------------------------------------------------------------------- */

/*
 * How to get from a frame to its caller's, at one place in the code.
 *
 * The address of the caller's frame (CFA) comes from `cfa`; the return address from `ra`; the
 * registers that the code has saved from `saved`. Numbers of registers are DWARF's.
 */
enum unwind_cfa {
	UNWIND_CFA_NONE,  /* nothing is known about this code */
	UNWIND_CFA_ROOT,  /* this is the outermost function */
	UNWIND_CFA_REG,	  /* r[cfa_reg] + cfa_off */
	UNWIND_CFA_DEREF, /* *(r[cfa_reg] + cfa_off) + cfa_off2 */
	/* *(r[cfa_reg & 15] + 8 * r[cfa_reg >> 4] + cfa_off) + cfa_off2 */
	UNWIND_CFA_DEREF_INDEXED,
	UNWIND_CFA_PLT,	   /* r[sp] + 8, and 8 more where (address & 15) >= cfa_off */
	UNWIND_CFA_SIGNAL, /* a signal handler returns here: sp points to the ucontext */
	UNWIND_CFA_FRAME,  /* by the frame pointer, which is 0 in the outermost function */
	UNWIND_CFA_MAX
};

/* unwind_rule.ra: 0 = there is no caller; up to 127 = saved at CFA - 8 * ra; else a register. */
#define UNWIND_RA_UNDEFINED 0
#define UNWIND_RA_SLOT_MAX 127
#define UNWIND_RA_REG 128 /* + number of the register that holds it */

/* unwind_rule.flags */
#define UNWIND_FLAG_GUESSED 1	   /* not from unwind information: the caller must follow a call */
#define UNWIND_FLAG_SWITCH 2	   /* the caller may lie on another stack */
#define UNWIND_FLAG_SAVED_AT_REG 4 /* saved[] counts down from a register, not from the CFA */
#define UNWIND_FLAG_EXACT 8	   /* the caller was interrupted: its address follows no call */
#define UNWIND_FLAG_JIT 16	   /* code in no file; only the walker itself makes such a rule */
#define UNWIND_FLAG_PUSHES 32	   /* the CFA grows by 8 at each step, see unwind_rule_at() */
#define UNWIND_FLAG_POPS 64	   /* likewise it shrinks */

/*
 * The registers that `saved` tells about. saved[i] = 0: unchanged; UNWIND_SAVED_LOST: not known any
 * more; else at CFA - 8 * saved[i], or with UNWIND_FLAG_SAVED_AT_REG at r[b] - 8 * (saved[i] - 1),
 * where b is cfa_reg, but cfa_off2 with UNWIND_CFA_REG.
 */
#define UNWIND_N_SAVED 6
#define UNWIND_SAVED_LOST 255
#define UNWIND_SAVED_SLOT_MAX 254
#define UNWIND_SAVED_X86_64                                                                        \
	{                                                                                          \
		3, 6, 12, 13, 14, 15                                                               \
	} /* rbx, rbp, r12 .. r15 */
#define UNWIND_SAVED_AARCH64                                                                       \
	{                                                                                          \
		29, 30, 19, 20, 21, 22                                                             \
	} /* x29 (fp), x30 (lr), x19 .. x22 */

/* How far after its row the last step of a run may lie. */
#define UNWIND_STEPS_BYTES 16

struct unwind_rule {
	abi_u8 cfa; /* enum unwind_cfa */
	abi_u8 cfa_reg;
	abi_u8 ra;
	abi_u8 flags;
	abi_s32 cfa_off;
	abi_s16 cfa_off2;
	abi_u8 saved[UNWIND_N_SAVED];
};

/*
 * Pushes and pops, of which most functions have a handful in a row, would make up two thirds of all
 * rows. So one row may hold for a run of them: bit n of its rule's cfa_off2 says that n + 1 bytes
 * after the row the CFA, which then is sp + cfa_off, has moved by another word. What lies below the
 * stack pointer is not saved yet, or not any more.
 *
 * Makes RULE, found in a row, that which holds DELTA bytes after it.
 */
static inline void unwind_rule_at(struct unwind_rule *rule, abi_u32 delta)
{
	abi_u32 steps = (abi_u32)(abi_u16)rule->cfa_off2, n;

	if (!(rule->flags & (UNWIND_FLAG_PUSHES | UNWIND_FLAG_POPS)))
		return;
	if (delta < UNWIND_STEPS_BYTES)
		steps &= (1u << delta) - 1;
	/* The number of bits (Hacker's Delight 5-1): BPF has no instruction for it. */
	n = steps - (steps >> 1 & 0x5555);
	n = (n & 0x3333) + (n >> 2 & 0x3333);
	n = (n + (n >> 4)) & 0x0f0f;
	n = (n + (n >> 8)) & 0x1f;
	/* Unsigned: a rule may say anything, and then it wraps. */
	n = rule->flags & UNWIND_FLAG_PUSHES ? 8 * n : 0 - 8 * n;
	rule->cfa_off = (abi_s32)((abi_u32)rule->cfa_off + n);
	for (abi_u32 i = 0; i < UNWIND_N_SAVED; i++)
		if (rule->saved[i] != UNWIND_SAVED_LOST && 8 * rule->saved[i] > rule->cfa_off)
			rule->saved[i] = 0;
	rule->flags &= (abi_u8) ~(UNWIND_FLAG_PUSHES | UNWIND_FLAG_POPS);
	rule->cfa_off2 = 0;
}

/* A row of a table: from this file offset on (its low 16 bits) up to the next row holds this
 * rule. */
static inline abi_u32 unwind_row(abi_u64 off, abi_u32 rule)
{
	return (abi_u32)(off & 0xffff) | rule << 16;
}

/* The unit in which the unwind memory is handed out and read: a cache line. */
#define UNWIND_LINE_WORDS 16
struct unwind_line {
	abi_u32 w[UNWIND_LINE_WORDS];
} __attribute__((aligned(8))); /* as all that may lie in one */
#define UNWIND_RULES_PER_LINE 4

/*
 * The table of one file: n_rows rows sorted by file offset, found through buckets of 2^shift bytes,
 * from file offset `start` (a multiple of 64 KiB) on. Word b of the directory is the number of the
 * first row at or after the start of bucket b; there is one more word than buckets. Row 0 lies at
 * `start`. In the unwind memory the head's line is followed by the lines of the directory, the rows
 * and the rules.
 */
struct unwind_table_head {
	abi_u64 start;
	abi_u32 shift;			       /* UNWIND_SHIFT_MIN .. UNWIND_SHIFT_MAX */
	abi_u32 n_buckets;		       /* 1 .. */
	abi_u32 n_rows;			       /* 1 .. */
	abi_u32 n_rules;		       /* 1 .. 65,536 */
	abi_u32 dir_line, row_line, rule_line; /* relative to the head's line */
	abi_u32 n_lines;		       /* all, the head's included */
	abi_u32
	    all_regs; /* 1: some rule needs more callee-saved registers than the frame pointer */
	abi_u32 reserved[5];
};

/* All lines of a table: 64 MiB. Browsers with 250 MiB of code need 40. */
#define UNWIND_TABLE_LINES_MAX (1u << 20)

#define UNWIND_SHIFT_MIN 8
#define UNWIND_SHIFT_MAX 12
/* A row a byte at worst, so that many halvings find one in a bucket. */
#define UNWIND_BUCKET_STEPS (UNWIND_SHIFT_MAX + 1)

/* An executable mapping of a process. Two in a line. */
enum unwind_code {
	UNWIND_CODE_UNKNOWN, /* has no table yet: user space goes on */
	UNWIND_CODE_TABLE,
	UNWIND_CODE_FRAME, /* no file, such as JIT code: by the frame pointer */
	UNWIND_CODE_NONE,  /* a file that cannot have a table */
};

struct unwind_mapping {
	abi_u64 start, end;
	abi_u64 off;   /* in the file, of start */
	abi_u32 code;  /* enum unwind_code */
	abi_u32 table; /* line of its struct unwind_table_head */
};
#define UNWIND_MAPPINGS_PER_LINE 2
/* Halvings that find one among the mappings of a space. */
#define UNWIND_MAPPING_STEPS 12
#define UNWIND_MAPPINGS_MAX (1u << (UNWIND_MAPPING_STEPS - 1))

/* The mappings of an address space, sorted: this line, then those of the mappings. */
struct unwind_space_head {
	abi_u32 generation; /* no two lists have ever had the same; never 0 */
	abi_u32 n_mappings;
	abi_u32 n_lines;  /* all, the head's included */
	abi_u32 all_regs; /* 1: a table of this space has all_regs */
	abi_u32 hopeless; /* 1: walks that fail by this list fail in user space as well */
	abi_u32 reserved[11];
};

/*
 * Which space a process runs in: a hash table of lines, the line of a process by
 * unwind_process_line(). exec_id and start tell it from others that have had the tgid.
 */
struct unwind_process {
	abi_u32 tgid; /* 0 = free */
	abi_u32 exec_id;
	abi_u32 start; /* unwind_process_start() */
	abi_u32 space; /* line of its struct unwind_space_head */
};
#define UNWIND_PROCESSES_PER_LINE 4
#define UNWIND_PROCESS_LINES 4096 /* 16,384 processes in 256 KiB */

static inline abi_u32 unwind_process_start(abi_u64 start_ns)
{
	return (abi_u32)(start_ns >> 8);
}

/* Fibonacci hashing (Knuth, TAOCP 6.4). */
static inline abi_u32 unwind_process_line(abi_u32 tgid)
{
	return (tgid * 2654435769u >> 7) & (UNWIND_PROCESS_LINES - 1);
}

_Static_assert((UNWIND_PROCESS_LINES & (UNWIND_PROCESS_LINES - 1)) == 0, "a power of two");
_Static_assert(sizeof(struct unwind_regs) == 288, "registers");
_Static_assert(sizeof(struct unwind_rule) == 16, "four rules a line");
_Static_assert(sizeof(struct unwind_line) == 64, "a cache line");
_Static_assert(sizeof(struct unwind_table_head) == sizeof(struct unwind_line), "a line");
_Static_assert(sizeof(struct unwind_space_head) == sizeof(struct unwind_line), "a line");
_Static_assert(sizeof(struct unwind_mapping) * UNWIND_MAPPINGS_PER_LINE == 64, "a line");
_Static_assert(sizeof(struct unwind_process) * UNWIND_PROCESSES_PER_LINE == 64, "a line");
_Static_assert(sizeof(struct sample_record) == 80, "sample header");
_Static_assert(sizeof(struct cpu_counters) == 128, "two cache lines");
_Static_assert(sizeof(struct sampler_knobs) == 20, "knobs");

#endif
