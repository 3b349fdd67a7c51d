/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every message between our processes, once. All numbers are in host byte order: both ends are the
 * same build on the same machine. Reserved fields are zero.
 *
 *	collector -> symbolizer		answer
 *	(its start)			MSG_READY or MSG_FAILED
 *	MSG_IDENTIFY			MSG_IDENTIFY_OK or MSG_FAILED
 *	MSG_SYMBOLIZE			MSG_SYMBOLIZE_OK or MSG_FAILED
 *	MSG_UNWIND_TABLE		MSG_UNWIND_TABLE_OK or MSG_FAILED
 *	MSG_JIT				MSG_JIT_OK or MSG_FAILED
 *
 * One question is under way at a time; the first when the symbolizer has said that it is ready. Its
 * socket is its descriptor IPC_SYMBOLIZER_FD; it ends when the stream does.
 */
#ifndef IPC_MESSAGES_H
#define IPC_MESSAGES_H

#include <stddef.h>
#include <stdint.h>

#define IPC_SYMBOLIZER_FD 3

enum msg_type {
	MSG_IDENTIFY = 1,
	MSG_IDENTIFY_OK,
	MSG_SYMBOLIZE,
	MSG_SYMBOLIZE_OK,
	MSG_FAILED,
	MSG_UNWIND_TABLE,
	MSG_UNWIND_TABLE_OK,
	MSG_READY,
	MSG_JIT,
	MSG_JIT_OK,
	MSG_MAX
};

/*
 * MSG_READY: the symbolizer is in its sandbox (symbolizer/sandbox.h); id 0. Payload: this.
 * MSG_FAILED in its place: it cannot enter it, and ends.
 */
struct msg_ready {
	uint32_t has_landlock; /* 0 = the kernel has none */
	uint32_t reserved;
};

/* NT_GNU_BUILD_ID is 20 bytes almost everywhere; lld and mold can make 32. Longer ones are cut. */
#define BUILD_ID_MAX 32

struct msg_build_id {
	uint32_t size; /* bytes used; 0 = the file has none */
	uint8_t bytes[BUILD_ID_MAX];
};

/*
 * MSG_IDENTIFY: one descriptor, a file open for reading; no payload. "What is this file, and where
 * may the rest of its debug information be?"
 */
struct msg_identity {
	struct msg_build_id build_id;
	uint32_t has_dwarf; /* 1 where the file itself holds .debug_info */
	/* .gnu_debuglink: base name of the separate debug file, escaped by nobody yet: it is
	 * refused unless it is a plain file name. Empty = none. */
	char debuglink[256];
	uint32_t debuglink_crc; /* zlib CRC-32 of that whole file */
	uint32_t reserved;
	/* .gnu_debugaltlink (dwz): the shared supplementary file's build id and path. */
	struct msg_build_id alt_build_id;
	char alt_path[1024];
};

/*
 * MSG_SYMBOLIZE: names the code at N_ADDRS file offsets, sorted ascending, each once. Descriptors:
 * the file, then the separate debug file if HAS_DEBUG, then the dwz file if HAS_ALT, then the file
 * with the split units (.dwp, .dwo) if HAS_SPLIT. A debug file whose build id (or, where neither
 * has one, whose CRC) does not fit, or which has no unit of the file's, is ignored and said in the
 * answer. Payload: this header, then uint64_t offs[n_addrs].
 */
struct msg_symbolize {
	uint32_t n_addrs;
	uint32_t has_debug;
	uint32_t has_alt;
	uint32_t has_split;
};

#define SYMBOLIZE_ADDRS_MAX (1u << 20)

/* Limits of the answer, so that a small one cannot be blown up into a large memory. */
#define SYMBOL_CHAIN_MAX 256	     /* frames of one address */
#define SYMBOL_CHAINS_MAX (8u << 20) /* frames of all addresses together */
#define SYMBOL_STRING_MAX 4096	     /* bytes of one string, without its NUL */

enum symbol_source {
	SYMBOL_SOURCE_NONE, /* no name: the address has no frames */
	SYMBOL_SOURCE_DWARF,
	SYMBOL_SOURCE_SYMTAB, /* .symtab, .gnu_debugdata or .dynsym */
	SYMBOL_SOURCE_GO,     /* .gopclntab */
	SYMBOL_SOURCE_JIT,    /* perf-PID.map or jitdump */
	SYMBOL_SOURCE_FDE,    /* no name and no frames, but vaddr is where the function starts */
	SYMBOL_SOURCE_MAX
};

/*
 * MSG_SYMBOLIZE_OK. Payload: this header, then, each at an offset that is a multiple of 8,
 *
 *	struct msg_symbol_addr addrs[n_addrs]		in the order of the question
 *	struct msg_symbol_frame frames[n_frames]
 *	struct msg_symbol_function functions[n_functions]
 *	char strings[n_string_bytes]			NUL-terminated; string 0 is ""
 *
 * msg_symbols__check() of symbols.h proves that every number is in range.
 */
struct msg_symbols {
	uint32_t n_addrs;
	uint32_t n_frames;
	uint32_t n_functions;
	uint32_t n_string_bytes;
	uint32_t debug_ignored; /* 1 = a debug file came along and did not fit */
	uint32_t
	    cut; /* 1 = a limit of the symbolizer left something out, so names may be missing */
};

struct msg_symbol_addr {
	/* The address in the ELF file's own terms, the offset itself where it is not mapped; of
	 * SYMBOL_SOURCE_FDE where the function starts. */
	uint64_t vaddr;
	uint32_t first_frame; /* innermost first: frames[first_frame .. + n_frames) */
	uint16_t n_frames;    /* 0 = no name */
	uint16_t source;      /* enum symbol_source */
};

struct msg_symbol_frame {
	uint32_t function;
	uint32_t line; /* 0 = unknown */
};

struct msg_symbol_function {
	uint32_t name;	      /* offset in strings: demangled */
	uint32_t system_name; /* linkage name */
	uint32_t filename;    /* 0 = unknown; absolute where the compilation directory is known */
	uint32_t start_line;  /* declaration line; 0 = unknown */
};

/*
 * MSG_JIT: names code that a process made at run time, from the files in which its runtime tells
 * of it. Descriptors: the perf map if HAS_MAP, then the jitdump if HAS_DUMP. Payload: this header,
 * then struct msg_jit_addr addrs[n_addrs], n_addrs <= SYMBOLIZE_ADDRS_MAX, ascending by address and
 * then by time.
 *
 * MSG_JIT_OK: as MSG_SYMBOLIZE_OK, with SYMBOL_SOURCE_JIT or SYMBOL_SOURCE_NONE for each.
 */
struct msg_jit {
	uint32_t n_addrs;
	uint32_t has_map;
	uint32_t has_dump;
	uint32_t reserved;
};

struct msg_jit_addr {
	uint64_t addr;
	uint64_t time_ns; /* CLOCK_MONOTONIC: what was there at that time */
};

/*
 * MSG_UNWIND_TABLE: one descriptor, a file open for reading; no payload. "How is its code unwound?"
 *
 * MSG_UNWIND_TABLE_OK: one descriptor, sealed memory (F_SEAL_WRITE, SHRINK, GROW) that holds
 * n_lines lines, the first of them a struct unwind_table_head (bpf/cprofd_abi.h); payload: this.
 */
struct msg_unwind_table {
	struct msg_build_id build_id; /* of the file */
	uint32_t n_lines;
	uint32_t n_bad;	    /* functions whose unwind information could not be read */
	uint32_t n_dropped; /* functions or rules over a limit */
	uint32_t reserved;
};

/* MSG_FAILED: the file could not be used; nothing else is wrong. Payload: this. */
struct msg_failed {
	int32_t error; /* -errno that comes closest, e.g. -ENOEXEC for a file that is not ELF */
	char text[252];
};

#endif
