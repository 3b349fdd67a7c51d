/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DWARF that says nothing, to stand in for a shared dwz file that we do not have.
 *
 * libdw looks for that file by itself, by a path that the hostile file names, as soon as a
 * reference into it is read and none was set. With this one set it looks no further, and the
 * references lead nowhere.
 */
#ifndef SYMBOLIZER_EMPTY_DWARF_H
#define SYMBOLIZER_EMPTY_DWARF_H

#include <elfutils/libdw.h>

struct empty_dwarf;

/* Returns 0, -ENOMEM, or -EIO where libdw refuses. */
int empty_dwarf__new(struct empty_dwarf **ret);
struct empty_dwarf *empty_dwarf__free(struct empty_dwarf *empty);

/* Borrowed. */
Dwarf *empty_dwarf__dwarf(const struct empty_dwarf *empty);

#endif
