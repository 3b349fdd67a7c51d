/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of the code of one file, as they are kept on disk: a head, the addresses, ascending,
 * and the chains, functions and strings in the form in which the symbolizer answers
 * (daemon/ipc/messages.h), so that one check serves both.
 *
 *	struct names_file_head
 *	uint64_t offs[n_addrs]		offsets in the file, ascending
 *	struct msg_symbols ...		the answer for these
 *
 * Addresses without a name are there too, and with them where their function starts. All names are
 * those that were to be had from the sources that the head tells; with others one has to ask again.
 *
 * In host byte order, since it stays on the host. What is taken from the disk is memory of our own,
 * of which every size, index and string has been checked, and a hash of all.
 */
#ifndef COLLECTOR_NAMES_FILE_H
#define COLLECTOR_NAMES_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/disk_cache.h"
#include "daemon/ipc/messages.h"
#include "daemon/ipc/symbols.h"

/* Where names come from, and what the symbolizer has said of these files. */
struct names_sources {
	/* The separate debug file, its dwz file, and the package of split units. */
	struct file_identity file, debug, alt, split;
	struct msg_identity of_file, of_debug;
};

/* Whether names from A are those from B. */
bool names_sources_equal(const struct names_sources *a, const struct names_sources *b);

/* Names that are in memory: all zero = none. */
struct names_file {
	void *bytes;			     /* owned */
	const struct names_sources *sources; /* this and what follows is in bytes */
	const uint64_t *offs;
	struct symbols_view view;
};

/*
 * Takes the N bytes at BYTES (from malloc), which it owns from now on, for what is kept of FILE, as
 * MAKER has made it. 0, or -EBADMSG where it is not just that.
 */
int names_file__init(struct names_file *ret, void *bytes, size_t n,
		     const struct file_identity *file, const struct file_identity *maker);
void names_file__fini(struct names_file *f);

/* Addresses in it. */
uint32_t names_file__count(const struct names_file *f);

/* Finds the address OFF: *RET is its place in offs and in view.addrs. */
bool names_file__find(const struct names_file *f, uint64_t off, uint32_t *ret);

/* Names of some addresses, to be put into a file. Borrowed. */
struct names_batch {
	const uint64_t *offs; /* as many as view.header->n_addrs */
	struct symbols_view view;
};

/*
 * The bytes of a file of N batches; of an address that is in several the first counts. *RET is the
 * caller's to free. 0, -EFBIG where they would be more than MAX, or -ENOMEM.
 */
int names_file_make(const struct names_sources *sources, const struct file_identity *maker,
		    const struct names_batch *batches, size_t n, size_t max, void **ret,
		    size_t *ret_n);

#endif
