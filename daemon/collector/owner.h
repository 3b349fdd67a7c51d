/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who could have written a file: only root of this host, or anybody.
 *
 * The answer decides which symbolizer reads it. A file may take the process that parses it over,
 * which then may lie about every file that it is asked about later. So files of the system are read
 * by a process that has never seen anything else. Whatever is in doubt is anybody's: such a file is
 * named as well, but in worse company.
 */
#ifndef COLLECTOR_OWNER_H
#define COLLECTOR_OWNER_H

enum owner { OWNER_ROOT, OWNER_OTHERS, OWNER_MAX };

/*
 * That of the file behind FD (borrowed). OWNER_ROOT: it is root's, nobody else may write to it, and
 * it is the file that stands at its path here, in a directory of programs. The last keeps out what
 * is root's in a container only, and file systems that users have mounted, which may say what they
 * like. And what vdso_open() has made. Never waits for a file's server.
 */
enum owner owner_of(int fd);

#endif
