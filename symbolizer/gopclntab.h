/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go's table of functions (runtime.pclntab), as the linkers of Go 1.16 and later write it for
 * 64-bit little-endian machines.
 *
 * Every Go program carries it, stripped or not, because the runtime walks stacks with it. The file
 * is hostile: the table is read page by page with pread, nothing in it is believed before it has
 * been held against the table's bounds, and memory is the same few MiB for a table of any size.
 * What the table says about one function may be broken without harm to the others.
 */
#ifndef SYMBOLIZER_GOPCLNTAB_H
#define SYMBOLIZER_GOPCLNTAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/elf_file.h"

/* Eight MB of program have about 7,000. */
#define GOPCLNTAB_FUNCTIONS_MAX (4u << 20)

/* What may come of looking into a file or at one function. */
enum gopclntab_result {
	GOPCLNTAB_OK,
	GOPCLNTAB_NONE,	  /* the file has no such table, or one of Go 1.15 or before */
	GOPCLNTAB_BROKEN, /* it contradicts itself or the file */
	GOPCLNTAB_END,	  /* no more runs */
};

/* struct gopclntab_function.flags, as internal/abi.FuncFlag; see gopclntab__has_flags(). */
#define GOPCLNTAB_FLAG_TOP_FRAME 1 /* nobody calls it */
#define GOPCLNTAB_FLAG_SP_WRITE 2  /* sets the stack pointer in ways that its table cannot say */
#define GOPCLNTAB_FLAG_ASM 4	   /* written in assembler */

/* One function. Addresses in the file's own terms. */
struct gopclntab_function {
	uint64_t start;
	uint64_t end;  /* where the next one starts: padding and what is not Go's included */
	uint32_t name; /* for gopclntab__name() */
	uint32_t pcsp; /* table of stack depths, for gopclntab__values(); 0 = none */
	uint8_t flags;
};

struct gopclntab;

/*
 * Finds the table of FILE, which must outlive the object. GOPCLNTAB_OK, _NONE or _BROKEN; -ENOMEM
 * or -errno of reading the file.
 */
int gopclntab__open(struct gopclntab **ret, const struct elf_file *file);
/* Takes NULL. Returns NULL. */
struct gopclntab *gopclntab__close(struct gopclntab *tab);

/* At most GOPCLNTAB_FUNCTIONS_MAX; *RET_LEFT_OUT (may be NULL) are those over it. */
size_t gopclntab__n_functions(const struct gopclntab *tab, uint64_t *ret_left_out);

/* Whether the flags are all there: linkers before Go 1.18 wrote some of them or none. */
bool gopclntab__has_flags(const struct gopclntab *tab);

/* Function I, in the order of addresses. GOPCLNTAB_OK, _BROKEN or -errno. */
int gopclntab__function(struct gopclntab *tab, size_t i, struct gopclntab_function *ret);

/* Copies the name of F, cut to SIZE - 1 bytes and terminated. GOPCLNTAB_OK, _BROKEN or -errno. */
int gopclntab__name(struct gopclntab *tab, const struct gopclntab_function *f, char *buf,
		    size_t size);

/* The function that starts nearest before VADDR or at it, by number. GOPCLNTAB_OK, _NONE where all
 * start behind it, _BROKEN or -errno. */
int gopclntab__find(struct gopclntab *tab, uint64_t vaddr, size_t *ret);

/* Where function I comes from. */
struct gopclntab_source {
	/* Tables for gopclntab__values(), 0 = none: numbers for gopclntab__file(), lines, and
	 * numbers for gopclntab__inlined(), -1 where nothing is inlined. */
	uint32_t files, lines, inline_index;
	uint32_t unit;
	uint32_t start_line;  /* of the function itself; 0 = unknown, as before 1.20 */
	uint64_t inline_tree; /* address; 0 = nothing is inlined, or it is not known where */
	uint64_t record_end;  /* of gopclntab's own use */
};

/* An inlined call: what is called, and an address whose file, line and inlined call are those of
 * the place that calls it, relative to the function's start. */
struct gopclntab_inlined {
	struct gopclntab_function function; /* only its name */
	uint32_t parent_pc;
	uint32_t start_line; /* 0 = unknown, as before 1.20 */
	bool is_plausible;   /* what should be zero is */
};

/* To be called before gopclntab__source() for that to tell of inlined calls: finds what their
 * places count from. GOPCLNTAB_OK; _NONE where it is not found; or -errno. */
int gopclntab__find_inlined(struct gopclntab *tab);

/* GOPCLNTAB_OK, _BROKEN or -errno. */
int gopclntab__source(struct gopclntab *tab, size_t i, struct gopclntab_source *ret);
int gopclntab__inlined(struct gopclntab *tab, const struct gopclntab_source *source, int32_t index,
		       struct gopclntab_inlined *ret);

/* Copies the name of file NUMBER, cut to SIZE - 1 bytes and terminated. GOPCLNTAB_OK, _NONE,
 * _BROKEN or -errno. */
int gopclntab__file(struct gopclntab *tab, const struct gopclntab_source *source, int32_t number,
		    char *buf, size_t size);

/*
 * A table of values over the addresses of one function, such as the depth of the stack: a list of
 * runs, one after the other from the function's start on, without gaps.
 */
struct gopclntab_values {
	struct gopclntab *tab;
	uint64_t off; /* of the next run, in the table of runs */
	uint64_t pc;
	int32_t value;
	bool begun;
};

struct gopclntab_run {
	uint64_t start, end;
	int32_t value;
};

/* Makes IT stand before the first run of table OFF (not 0) of F. */
void gopclntab__values(struct gopclntab *tab, const struct gopclntab_function *f, uint32_t off,
		       struct gopclntab_values *ret_it);

/* GOPCLNTAB_OK with the next run, which may be empty; _END, _BROKEN or -errno. */
int gopclntab_values__next(struct gopclntab_values *it, struct gopclntab_run *ret);

#endif
