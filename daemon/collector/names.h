/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What frames are called: functions, and chains of inlined calls, each stored once, and which chain
 * an address of an object has. Kept from window to window, so that an address is asked for once;
 * when it has grown over NAMES_BYTES_MAX it is emptied between two windows. One thread.
 */
#ifndef COLLECTOR_NAMES_H
#define COLLECTOR_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hindex.h"
#include "base/strpool.h"

/* No chain. */
#define NAMES_NONE UINT32_MAX

#define NAMES_BYTES_MAX (12u << 20)

/* Where a name comes from; counted in the profile's comments. */
enum name_source {
	NAME_DWARF,
	NAME_SYMTAB,
	NAME_GO,
	NAME_KALLSYMS,
	NAME_JIT,    /* a runtime's own word */
	NAME_PSEUDO, /* our own word for something that has no code */
	NAME_FDE,    /* file+0xaddress, of the function's start */
	NAME_NONE,   /* file+0xaddress */
	NAME_SOURCE_MAX
};

struct names_function {
	uint32_t name, system_name, filename; /* in strings; system_name 0 = same as name */
	uint32_t start_line;
	uint32_t plain; /* the chain of this function alone, without line; NAMES_NONE = none yet */
};

struct names_line {
	uint32_t function;
	uint32_t line;
};

struct names_chain {
	uint32_t first; /* lines[first .. first + n), innermost first; n >= 1 */
	uint16_t n;
	uint16_t source; /* enum name_source */
};

/* An address of an object, by the object's serial and the offset in its file. */
struct names_address {
	uint64_t object, off;
	uint32_t chain;
};

struct names {
	struct strpool strings;
	struct names_function *functions;
	struct names_line *lines;
	struct names_chain *chains;
	struct names_address *addresses;
	size_t n_functions, n_lines, n_chains, n_addresses;
	size_t cap_functions, cap_lines, cap_chains, cap_addresses;
	struct hindex function_index, address_index;
};

int names__new(struct names **ret);
/* Takes NULL. Returns NULL. */
struct names *names__free(struct names *names);

/* Forgets everything if there is too much of it. Every number handed out before is void then. 0
 * or -ENOMEM. */
int names__trim(struct names *names);

/* Interns a function; SYSTEM_NAME "" = same as NAME. 0 or -ENOMEM. */
int names__function(struct names *names, const char *name, const char *system_name,
		    const char *filename, uint32_t start_line, uint32_t *ret);

/* Stores a chain of N lines (copied). 0 or -ENOMEM. */
int names__chain(struct names *names, const struct names_line *lines, size_t n,
		 enum name_source source, uint32_t *ret);

/* The chain of one function without line, named NAME; the same each time. 0 or -ENOMEM. */
int names__plain(struct names *names, const char *name, enum name_source source, uint32_t *ret);

/* The chain of an address, or NAMES_NONE where it is not known yet. */
uint32_t names__find(const struct names *names, uint64_t object, uint64_t off);

/* Remembers the chain of an address that names__find() did not know. 0 or -ENOMEM. */
int names__remember(struct names *names, uint64_t object, uint64_t off, uint32_t chain);

/* The text of string ID, borrowed until something is added. */
static inline const char *names__text(const struct names *names, uint32_t id)
{
	return strpool__get(&names->strings, id);
}

#endif
