/* SPDX-License-Identifier: Apache-2.0 */
/* Small things that every module needs and libc does not have. */
#ifndef BASE_UTIL_H
#define BASE_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* The nanoseconds of CLOCK (CLOCK_MONOTONIC, CLOCK_REALTIME …). Cannot fail for those. */
uint64_t clock_ns(int clock);

/*
 * Makes room for at least WANT elements of SIZE bytes in *ARRAY, whose capacity is *CAP
 * elements, growing by half. Returns 0 or -ENOMEM; on failure nothing changes.
 */
int array_reserve(void *array, size_t *cap, size_t want, size_t size);

/* Reads or writes all of the N bytes unless the file ends or fails. Returns the number of
 * bytes done (fewer only at the end of the file) or -errno. Interrupted calls are repeated. */
int64_t read_full(int fd, void *buf, size_t n);
int64_t pread_full(int fd, void *buf, size_t n, uint64_t off);
int64_t write_full(int fd, const void *buf, size_t n);

/*
 * Reads the whole text file PATH, relative to the directory DIRFD, of at most MAX bytes.
 * *RET is NUL-terminated and the caller's to free; *RET_N (may be NULL) is its length.
 * Returns 0, -EFBIG where the file is longer, or -errno.
 */
int read_text_file(int dirfd, const char *path, size_t max, char **ret, size_t *ret_n);

#endif
