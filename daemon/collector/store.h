/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profile files on disk.
 *
 * Guarantees: a reader sees a whole file or none. A file is written under a temporary name in its
 * own directory, then fsync, rename, fsync of the directory; what is not committed leaves nothing
 * behind, and what a killed run left is recognised and removed by store_remove_stale(). Symbolic
 * links below the directory are never followed. Modes are 0640 and 0750, less what the umask takes.
 * Bytes of process names reach a path only through text_file_name().
 *
 * Used by the collector; one thread per file. Does not decide what to keep. The process must ignore
 * SIGXFSZ and SIGPIPE for limits and closed pipes to be seen as -errno.
 *
 *	the daemon	DIR/YYYY-MM-DD/HH/HHMMSSZ.COMM.PID[.N].cpu.pb.gz	replaces nothing
 *	a one-shot run	DIR/COMM.PID[.N].cpu.pb.gz, or any path			replaces the file
 *
 * "many" stands for PID where a file holds many small processes of one COMM, and ".cpu.folded.txt"
 * for ".cpu.pb.gz" in the folded format.
 */
#ifndef COLLECTOR_STORE_H
#define COLLECTOR_STORE_H

#include <stddef.h>
#include <stdint.h>

enum store_format {
	STORE_PPROF,
	STORE_FOLDED,
};

/* What a path says about a profile. */
struct store_name {
	uint64_t start_ns; /* of the window, CLOCK_REALTIME; not used by store_run_path() */
	const char *comm;
	uint32_t tgid; /* 0 = many */
	/* From 2 on: the N of the path. For a window the first to be tried, for a one-shot run the
	 * caller counts, since a PID may come twice within the run. */
	uint32_t number;
	enum store_format format;
};

/* Room for every path that follows. */
#define STORE_PATH_MAX 160

/* The highest N; a PID cannot come that often in one window. */
#define STORE_NUMBER_MAX 9999

/* Write the path, relative to the directory of profiles, to OUT. */
void store_window_path(char out[STORE_PATH_MAX], const struct store_name *name);
void store_run_path(char out[STORE_PATH_MAX], const struct store_name *name);

/*
 * To be called before anything starts: makes the directory PATH and its parents where missing,
 * proves that a file with a block of data can be made there, and opens it. *RET_DIRFD is the
 * caller's to close. Returns 0 or the -errno that says what is wrong (-ENOTDIR, -EACCES, -EROFS,
 * -ENOSPC …).
 */
int store_check_dir(const char *path, int *ret_dirfd);

/*
 * The same for one output file: its directory must exist and take a new file, and PATH must be
 * something that store_file__new() can replace or write to. Returns 0 or -errno as
 * store_file__new() does.
 */
int store_check_file(const char *path);

struct store_file;

/*
 * Begins the file of a window below DIRFD, which stays the caller's and must stay open until the
 * file is freed; makes the directories of its day and hour. Returns 0 or -errno.
 */
int store_file__new_window(struct store_file **ret, int dirfd, const struct store_name *name);

/*
 * Begins a file at PATH, relative to DIRFD (AT_FDCWD, or borrowed as above), that replaces a file
 * of that name. A FIFO, a character device (/dev/null) or a link to one (/dev/stdout) is written to
 * as it is, not replaced. Returns 0; -EISDIR; -ELOOP for a link to a file, since another user may
 * have laid it; -EOPNOTSUPP for other things that are no files; or -errno.
 */
int store_file__new(struct store_file **ret, int dirfd, const char *path);

/* The descriptor to write to, at the start of the file; borrowed until commit or free. */
int store_file__fd(const struct store_file *f);

/*
 * Makes the file visible under its name. Returns 0, or -errno, and then nothing of it
 * stays once it is freed.
 * -EEXIST: all numbers of a window's name are taken. After this only store_file__path() and free
 * may be called.
 */
int store_file__commit(struct store_file *f);

/* The path relative to DIRFD, as it was given or made; final once committed. Borrowed until free.
 */
const char *store_file__path(const struct store_file *f);

/* Takes NULL. Removes what was not committed. Returns NULL. */
struct store_file *store_file__free(struct store_file *f);

/*
 * Removes temporary files that runs which were killed left in the directory DIRFD (borrowed) and in
 * the directories of its days and hours. Files of runs that are still going are locked and stay.
 * *RET_N (may be NULL) is how many are gone. Reads every directory, so the daemon calls it after
 * sampling has begun. Returns 0 or the first -errno, after trying all.
 */
int store_remove_stale(int dirfd, unsigned *ret_n);

#endif
