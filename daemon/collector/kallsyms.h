/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's own symbol table, from the text of /proc/kallsyms.
 *
 * Guarantees: the same text gives the same names, whatever the order of its lines; an address has
 * at most one symbol. Only code is kept (types t, T, w, W). 16 bytes a symbol plus the names, read
 * in small pieces. The table is a snapshot: a module or BPF program that comes later is not in it,
 * and one that went away is. Used by the collector; a table that is built may be read by many
 * threads.
 *
 * kallsyms has no sizes. A symbol ends where the next one begins; the last one of a module, and
 * each BPF program, is taken to be at most KALLSYMS_TAIL_MAX long, and not to reach over the end of
 * its module where that is known; in vmlinux nothing reaches over _etext or _einittext.
 */
#ifndef COLLECTOR_KALLSYMS_H
#define COLLECTOR_KALLSYMS_H

#include <stddef.h>
#include <stdint.h>

struct kallsyms;

enum kallsyms_result {
	/* All addresses are zero: kernel.kptr_restrict, or no CAP_SYSLOG, hides them. */
	KALLSYMS_HIDDEN = 1,
	/* No symbol covers the address. */
	KALLSYMS_NONE,
};

/* Covers the last function of a module and the largest BPF programs seen; the pages behind them are
 * data or guards, where nothing executes. */
#define KALLSYMS_TAIL_MAX 0x10000

/* More symbols than any kernel has (a full distribution kernel: 250,000 with all its modules), and
 * bytes of names as offsets can hold. More is refused: -EFBIG. */
#define KALLSYMS_MAX (8u << 20)

struct kallsyms_symbol {
	const char *name;    /* borrowed, as long as the table lives */
	const char *module;  /* likewise; "" = vmlinux, "bpf" = a BPF program */
	uint64_t start, end; /* end is exclusive, by the rule above */
};

/*
 * Reads FD, which stays the caller's, to its end. Returns 0, KALLSYMS_HIDDEN (no table), -ENOMEM,
 * -EFBIG or the -errno of read(2). *RET is the caller's to free.
 */
int kallsyms__new(struct kallsyms **ret, int fd);

/* The same from the N bytes at TEXT, which are not kept. */
int kallsyms__parse(struct kallsyms **ret, const char *text, size_t n);

/* Tells a new table where modules end: MODULES is the text of /proc/modules. 0 or -ENOMEM. */
int kallsyms__set_modules(struct kallsyms *ks, const char *modules);

/* Takes NULL. Returns NULL. */
struct kallsyms *kallsyms__free(struct kallsyms *ks);

/* The symbol that covers ADDR. Returns 0 or KALLSYMS_NONE. */
int kallsyms__find(const struct kallsyms *ks, uint64_t addr, struct kallsyms_symbol *ret);

/* The range of vmlinux's code, [_stext, _etext). Returns 0, or KALLSYMS_NONE where either is
 * missing. */
int kallsyms__text(const struct kallsyms *ks, uint64_t *ret_start, uint64_t *ret_end);

struct kallsyms_stats {
	size_t n_symbols;   /* that can be found: one per address */
	size_t n_bad_lines; /* that are not "ADDR TYPE NAME [MODULE]"; left out */
	size_t n_bytes;	    /* memory of the table, all in all */
};
struct kallsyms_stats kallsyms__stats(const struct kallsyms *ks);

#endif
