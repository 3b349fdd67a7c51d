/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names on disk, so that what the symbolizer was asked once need not be asked again at the next
 * start: one file (names_file.h) for each file that was asked about. What was learned since waits
 * in memory until it is worth the writing. One thread, the finisher's.
 */
#ifndef COLLECTOR_NAMES_CACHE_H
#define COLLECTOR_NAMES_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/names_file.h"

/* All files together; beyond, those that were not used for the longest time go. A name takes some
 * 100 bytes. */
#define NAMES_CACHE_BYTES_MAX (64u << 20)

/* One file; beyond, it begins anew with what was learned last. */
#define NAMES_CACHE_FILE_MAX (8u << 20)

/* What may wait in memory; beyond, all is saved. */
#define NAMES_CACHE_WAITING_MAX (2u << 20)

struct names_cache;

/* Where the cache is. Writes to PATH. */
void names_cache_locate(char *path, size_t size);

/* The cache in the directory PATH of the names that SYMBOLIZER (a path) finds. 0 or -errno, as
 * disk_cache__init(). */
int names_cache__new(struct names_cache **ret, const char *path, const char *symbolizer);
/* Takes NULL. Saves what waits. Returns NULL. */
struct names_cache *names_cache__free(struct names_cache *c);

/* What is kept for FILE, from whatever sources. The caller releases it with names_file__fini(). 0,
 * -ENOENT, or -errno. */
int names_cache__find(struct names_cache *c, const struct file_identity *file,
		      struct names_file *ret);

/* Keeps the names V of the addresses OFFS (both copied) from SOURCES, for which the file that was
 * found has N_KEPT already. 0 or -ENOMEM. */
int names_cache__add(struct names_cache *c, const struct names_sources *sources, uint32_t n_kept,
		     const uint64_t *offs, const struct symbols_view *v);

/* Writes those files that have grown by a quarter. What cannot be written is asked for once
 * more in the next run: that costs nothing but time. */
void names_cache__save(struct names_cache *c);

#endif
