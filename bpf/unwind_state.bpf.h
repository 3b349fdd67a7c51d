/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a walk keeps: the window on the stack, the rule cache, the walk itself. */
#ifndef UNWIND_STATE_BPF_H
#define UNWIND_STATE_BPF_H

#include "bpf/cprofd_abi.h"

/* The frames of common programs take 50 to 200 bytes, so a window holds about ten. */
#define WINDOW_WORDS 128
#define WINDOW_BYTES (WINDOW_WORDS * 8)

struct stack_window {
	abi_u64 start;
	abi_u64 n_bytes; /* valid from start on */
	abi_u64 words[WINDOW_WORDS];
};

struct unwind_cache_entry {
	abi_u64 pc;
	abi_u32 generation; /* of the space; 0 = empty */
	abi_u32 reserved;
	struct unwind_rule rule;
};

/* Direct mapped: two addresses in one place take turns. 64 KiB a CPU. */
#define UNWIND_CACHE_ENTRIES 2048
struct unwind_cache {
	struct unwind_cache_entry entries[UNWIND_CACHE_ENTRIES];
};

/*
 * Where a search keeps its bounds. verifier: in memory that it does not follow, since it would try
 * every way through a search whose bounds it knows (6.18: a million instructions).
 */
struct unwind_search {
	volatile abi_u32 lo, hi;
};

struct unwind_walk {
	struct unwind_search search;
	struct unwind_regs regs; /* of the frame reached */
	struct stack_window window;
	abi_u32 space;	    /* 0 = not known */
	abi_u32 generation; /* of the space */
	abi_u32 all_regs;   /* restore all callee-saved registers, not just the frame pointer */
	abi_u32 n;	    /* frames used, kernel frames included */
	abi_u32 max;	    /* frames that may be used, at most SAMPLE_FRAMES_MAX */
	abi_u32 n_switches;
	abi_u32 end;		  /* enum stack_end */
	abi_u32 n_scans;	  /* times that the stack was scanned for a return address */
	abi_u32 scan;		  /* 1 + the word to look at next; 0 = not scanning */
	abi_u32 n_hits, n_misses; /* of the cache */
};

/* What a step works on. The walk itself is too large for a BPF stack. */
struct walk_context {
	struct unwind_walk *walk;
	abi_u64 *frames;	    /* SAMPLE_FRAMES_MAX long; all frames of the sample so far */
	struct unwind_cache *cache; /* NULL = none */
};

#endif
