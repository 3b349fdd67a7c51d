/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The BPF programs that came or went while we sample, as the kernel tells of them (sideband.h):
 * /proc/kallsyms does not know those that are gone when their samples are named. May be used by
 * several threads at a time.
 */
#ifndef COLLECTOR_KSYMBOLS_H
#define COLLECTOR_KSYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Symbols that are kept; when there are more, the one that was told of first goes. */
#define KSYMBOLS_MAX 1024

#define KSYMBOL_NAME_MAX 512 /* KSYM_NAME_LEN, include/linux/kallsyms.h */

struct ksymbol {
	uint64_t start, end;
	char name[KSYMBOL_NAME_MAX];
};

struct ksymbols;

int ksymbols__new(struct ksymbols **ret);
/* Takes NULL. Returns NULL. */
struct ksymbols *ksymbols__free(struct ksymbols *ks);

/* Notes that NAME (copied) is or was at [START, START + LEN), in place of what was there before. */
int ksymbols__add(struct ksymbols *ks, uint64_t start, uint64_t len, const char *name);

/* Copies the symbol that was at ADDR last. False where there is none. */
bool ksymbols__find(struct ksymbols *ks, uint64_t addr, struct ksymbol *ret);

#endif
