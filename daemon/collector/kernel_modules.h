/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's modules and where they lie, from the text of /proc/modules:
 *
 *	nf_tables 311296 0 - Live 0xffffffffc0a00000 (OE)
 *
 * The address is that of the module's code. The size is that of all its memory, which begins with
 * the code (before 6.4, ac3b43283923) or is spread over areas of their own; so code never reaches
 * over address + size.
 */
#ifndef COLLECTOR_KERNEL_MODULES_H
#define COLLECTOR_KERNEL_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kernel_module {
	const char *name; /* in the text */
	size_t n_name;
	uint64_t start, end; /* 0 = hidden */
};

/* Takes the next module off *TEXT, which ends with a NUL; a line that is none is passed over. False
 * where there are no more. */
bool kernel_modules_next(const char **text, struct kernel_module *ret);

/* A number that changes when a module is loaded or goes, but not when one is used. */
uint64_t kernel_modules_id(const char *text);

#endif
