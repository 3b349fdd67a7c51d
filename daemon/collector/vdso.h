/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's vDSO, which is code without a file: the same image in every 64-bit process, so
 * ours will do. */
#ifndef COLLECTOR_VDSO_H
#define COLLECTOR_VDSO_H

#include <stdbool.h>

/* A descriptor of a memory file, sealed, that holds the image; the caller's to close. -1 where
 * there is none. */
int vdso_open(void);

/* Whether what is behind FD (borrowed) is such a file, whoever has made it: the same bytes, which
 * nobody can change. */
bool vdso_is(int fd);

#endif
