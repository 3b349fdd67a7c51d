/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls that are left to the symbolizer: a seccomp filter (seccomp(2)) from one table.
 *
 * A call that is not in the table, or has other arguments, fails with EPERM. One by another
 * architecture's numbers ends the process: no library of ours does that.
 */
#ifndef SYMBOLIZER_SECCOMP_FILTER_H
#define SYMBOLIZER_SECCOMP_FILTER_H

/* Installs it for the calling thread, which needs no_new_privs, and for all that come of it. 0 or
 * -errno. */
int seccomp_filter_install(void);

#endif
