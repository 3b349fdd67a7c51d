/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Profile files on disk; see store.h.
 *
 * A temporary file is named ".cprofd-" + 16 random hex digits + ".tmp" and holds an flock while it
 * is written. Whoever gets the lock of such a file without waiting knows that its writer is dead.
 * The one race, a remover that locks between the writer's open and lock, is seen by the writer as a
 * link count of 0.
 */
#include "daemon/collector/store.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"

#define DIR_MODE 0750
#define FILE_MODE 0640

#define TEMP_PREFIX ".cprofd-"
#define TEMP_SUFFIX ".tmp"
#define TEMP_DIGITS 16
#define TEMP_SIZE (sizeof(TEMP_PREFIX) + TEMP_DIGITS + sizeof(TEMP_SUFFIX) - 1)

/* Longer than the kernel's names of threads (15), short enough for every path. */
#define COMM_SIZE 64

/* A few names collide only if something is badly wrong. */
#define TEMP_TRIES 16

/* ---- names -------------------------------------------------------------------------------------
 */

static void format_leaf(char *out, size_t size, const struct store_name *name)
{
	static const char *const suffix[] = {
	    [STORE_PPROF] = "pb.gz",
	    [STORE_FOLDED] = "folded.txt",
	};
	char comm[COMM_SIZE], pid[16] = "many", number[16] = "";

	text_file_name(comm, sizeof(comm), name->comm);
	if (name->tgid)
		snprintf(pid, sizeof(pid), "%" PRIu32, name->tgid);
	if (name->number >= 2)
		snprintf(number, sizeof(number), ".%" PRIu32, name->number);
	snprintf(out, size, "%s.%s%s.cpu.%s", comm, pid, number, suffix[name->format]);
}

void store_run_path(char out[STORE_PATH_MAX], const struct store_name *name)
{
	format_leaf(out, STORE_PATH_MAX, name);
}

void store_window_path(char out[STORE_PATH_MAX], const struct store_name *name)
{
	time_t seconds = (time_t)(name->start_ns / NSEC_PER_SEC);
	struct tm utc;
	size_t n;

	gmtime_r(&seconds, &utc);
	n = strftime(out, STORE_PATH_MAX, "%Y-%m-%d/%H/%H%M%SZ.", &utc);
	format_leaf(out + n, STORE_PATH_MAX - n, name);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* ---- directories -------------------------------------------------------------------------------
 */

/* fsync of a directory; some file systems have no such thing and say EINVAL. */
static int sync_dir(int dirfd)
{
	return fsync(dirfd) < 0 && errno != EINVAL ? -errno : 0;
}

/* For walking only, which needs no permission to read. */
#define WALK_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)
#define READ_FLAGS (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

/* Makes the directory NAME in DIRFD so that it outlives a crash. That it is there is no error. */
static int make_dir(int dirfd, const char *name)
{
	cleanup_close int fd = -1;

	if (mkdirat(dirfd, name, DIR_MODE) < 0)
		return errno == EEXIST ? 0 : -errno;
	fd = openat(dirfd, ".", READ_FLAGS);
	return fd < 0 ? -errno : sync_dir(fd);
}

/*
 * Opens the directory part of PATH (up to its last slash), a component at a time, making what is
 * missing. FLAGS: O_NOFOLLOW below a directory of ours, 0 for what a user typed.
 */
static int open_parents(int dirfd, const char *path, int flags, int *ret_fd)
{
	cleanup_free char *copy = strndup(path, (size_t)(base_name(path) - path));
	cleanup_close int fd = -1;
	char *rest = copy, *part;
	int r;

	if (!copy)
		return -ENOMEM;
	fd = openat(dirfd, *path == '/' ? "/" : ".", WALK_FLAGS);
	while (fd >= 0 && (part = strsep(&rest, "/"))) {
		int next;

		if (!*part)
			continue;
		next = openat(fd, part, WALK_FLAGS | flags);
		if (next < 0 && errno == ENOENT) {
			r = make_dir(fd, part);
			if (r < 0)
				return r;
			next = openat(fd, part, WALK_FLAGS | flags);
		}
		close_fd(fd);
		fd = next;
	}
	if (fd < 0)
		return -errno;
	r = openat(fd, ".", READ_FLAGS);
	if (r < 0)
		return -errno;
	*ret_fd = r;
	return 0;
}

/* ---- temporary files ---------------------------------------------------------------------------
 */

static void make_temp_name(char out[TEMP_SIZE])
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)getpid() << 32;
	snprintf(out, TEMP_SIZE, TEMP_PREFIX "%016" PRIx64 TEMP_SUFFIX, random);
}

static bool is_temp_name(const char *name)
{
	size_t n = sizeof(TEMP_PREFIX) - 1;

	return strlen(name) == TEMP_SIZE - 1 && !strncmp(name, TEMP_PREFIX, n) &&
	       strspn(name + n, "0123456789abcdef") == TEMP_DIGITS &&
	       !strcmp(name + n + TEMP_DIGITS, TEMP_SUFFIX);
}

/* Makes a locked temporary file in DIRFD. */
static int open_temp(int dirfd, char ret_name[TEMP_SIZE], int *ret_fd)
{
	for (int i = 0; i < TEMP_TRIES; i++) {
		cleanup_close int fd = -1;
		char name[TEMP_SIZE];
		struct stat st;

		make_temp_name(name);
		fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    FILE_MODE);
		if (fd < 0 && errno == EEXIST)
			continue;
		if (fd < 0)
			return -errno;
		/* A file system without locks only means that a remover cannot lock either. */
		while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
			;
		if (fstat(fd, &st) < 0)
			return -errno;
		if (st.st_nlink == 0)
			continue;
		memcpy(ret_name, name, TEMP_SIZE);
		*ret_fd = steal_fd(&fd);
		return 0;
	}
	return -EEXIST;
}

/* Whether a file can be made in DIRFD and hold a block of data. Returns 0 or -errno. */
static int probe_dir(int dirfd)
{
	static const char block[4096];
	cleanup_close int fd = -1;
	char name[TEMP_SIZE];
	int64_t n;
	int r = open_temp(dirfd, name, &fd);

	if (r < 0)
		return r;
	n = write_full(fd, block, sizeof(block));
	if (unlinkat(dirfd, name, 0) < 0)
		return -errno;
	return n < 0 ? (int)n : 0;
}

int store_check_dir(const char *path, int *ret_dirfd)
{
	cleanup_free char *with_slash = NULL;
	cleanup_close int fd = -1;
	int r;

	if (!*path)
		return -ENOENT;
	if (asprintf(&with_slash, "%s/", path) < 0)
		return -ENOMEM;
	r = open_parents(AT_FDCWD, with_slash, 0, &fd);
	if (r == 0)
		r = probe_dir(fd);
	if (r < 0)
		return r;
	*ret_dirfd = steal_fd(&fd);
	return 0;
}

/* ---- files -------------------------------------------------------------------------------------
 */

enum publish_mode {
	PUBLISH_NEXT_NUMBER, /* a window: under the first name that is free */
	PUBLISH_REPLACE,     /* over the file of that name */
	PUBLISH_DIRECT,	     /* no file at all: written as it is */
};

struct store_file {
	enum publish_mode mode;
	int dirfd; /* of the file's own directory; owned */
	int fd;
	char temp[TEMP_SIZE]; /* "" = none, or gone */
	struct store_name name;
	char comm[COMM_SIZE];
	char *path; /* room for STORE_PATH_MAX at least */
};

struct store_file *store_file__free(struct store_file *f)
{
	if (!f)
		return NULL;
	/* The lock goes with the descriptor, so the name goes first. */
	if (*f->temp)
		unlinkat(f->dirfd, f->temp, 0);
	close_fd(f->fd);
	close_fd(f->dirfd);
	free(f->path);
	free(f);
	return NULL;
}

DEFINE_CLEANUP(struct store_file *, store_file__free);

static int new_file(struct store_file **ret, const char *path, enum publish_mode mode)
{
	struct store_file *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->dirfd = -1;
	f->fd = -1;
	f->mode = mode;
	f->path = malloc(MAX(strlen(path) + 1, STORE_PATH_MAX));
	if (!f->path) {
		store_file__free(f);
		return -ENOMEM;
	}
	strcpy(f->path, path);
	*ret = f;
	return 0;
}

int store_file__new_window(struct store_file **ret, int dirfd, const struct store_name *name)
{
	_cleanup_(store_file__freep) struct store_file *f = NULL;
	char path[STORE_PATH_MAX];
	int r;

	store_window_path(path, name);
	r = new_file(&f, path, PUBLISH_NEXT_NUMBER);
	if (r < 0)
		return r;
	f->name = *name;
	text_file_name(f->comm, sizeof(f->comm), name->comm);
	f->name.comm = f->comm;
	f->name.number = MAX(name->number, 1);
	r = open_parents(dirfd, path, O_NOFOLLOW, &f->dirfd);
	if (r == 0)
		r = open_temp(f->dirfd, f->temp, &f->fd);
	if (r < 0)
		return r;
	*ret = steal_ptr(f);
	return 0;
}

/*
 * Decides how to write to LEAF in DIRFD. For PUBLISH_DIRECT *RET_FD is it, open; otherwise -1. A
 * link is opened, not resolved, so that the kernel's protection of links in sticky directories
 * applies, and without O_CREAT or O_TRUNC, so that nothing changes before it is known what it is.
 */
static int open_target(int dirfd, const char *leaf, enum publish_mode *ret_mode, int *ret_fd)
{
	cleanup_close int fd = -1;
	bool is_link;
	struct stat st;

	*ret_fd = -1;
	*ret_mode = PUBLISH_REPLACE;
	if (!*leaf)
		return -EISDIR;
	if (fstatat(dirfd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	is_link = S_ISLNK(st.st_mode);
	if (is_link && fstatat(dirfd, leaf, &st, 0) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (S_ISREG(st.st_mode))
		return -ELOOP;
	if (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))
		return -EOPNOTSUPP;
	fd = openat(dirfd, leaf, O_WRONLY | O_NOCTTY | O_CLOEXEC | (is_link ? 0 : O_NOFOLLOW));
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISCHR(st.st_mode) && !S_ISFIFO(st.st_mode))
		return -EOPNOTSUPP;
	*ret_mode = PUBLISH_DIRECT;
	*ret_fd = steal_fd(&fd);
	return 0;
}

/* Opens the existing directory part of a user's PATH. */
static int open_dir_of(int dirfd, const char *path, int *ret_fd)
{
	cleanup_free char *dir = strndup(path, (size_t)(base_name(path) - path));
	int fd;

	if (!dir)
		return -ENOMEM;
	fd = openat(dirfd, *dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int store_file__new(struct store_file **ret, int dirfd, const char *path)
{
	_cleanup_(store_file__freep) struct store_file *f = NULL;
	int r = new_file(&f, path, PUBLISH_REPLACE);

	if (r == 0)
		r = open_dir_of(dirfd, path, &f->dirfd);
	if (r == 0)
		r = open_target(f->dirfd, base_name(path), &f->mode, &f->fd);
	if (r == 0 && f->mode == PUBLISH_REPLACE)
		r = open_temp(f->dirfd, f->temp, &f->fd);
	if (r < 0)
		return r;
	*ret = steal_ptr(f);
	return 0;
}

int store_check_file(const char *path)
{
	cleanup_close int dirfd = -1, fd = -1;
	enum publish_mode mode;
	struct stat st;
	int r = open_dir_of(AT_FDCWD, path, &dirfd);

	if (r < 0)
		return r;
	/* To open a FIFO would wait for its reader, and to close it again would send it away. */
	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0 ? -errno : 0;
	r = open_target(dirfd, base_name(path), &mode, &fd);
	if (r < 0 || mode == PUBLISH_DIRECT)
		return r;
	return probe_dir(dirfd);
}

int store_file__fd(const struct store_file *f)
{
	return f->fd;
}

const char *store_file__path(const struct store_file *f)
{
	return f->path;
}

/* Gives the temporary file the name LEAF unless that is taken (-EEXIST). */
static int rename_new(struct store_file *f, const char *leaf)
{
	if (renameat2(f->dirfd, f->temp, f->dirfd, leaf, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	/* NFS and some FUSE file systems know no RENAME_NOREPLACE; a link never replaces either. */
	if (linkat(f->dirfd, f->temp, f->dirfd, leaf, 0) < 0)
		return -errno;
	if (unlinkat(f->dirfd, f->temp, 0) < 0) {
		int r = -errno;

		unlinkat(f->dirfd, leaf, 0);
		return r;
	}
	return 0;
}

/* Gives a window's file the first free number. */
static int rename_next_number(struct store_file *f)
{
	for (; f->name.number <= STORE_NUMBER_MAX; f->name.number++) {
		int r;

		store_window_path(f->path, &f->name);
		r = rename_new(f, base_name(f->path));
		if (r != -EEXIST)
			return r;
	}
	return -EEXIST;
}

int store_file__commit(struct store_file *f)
{
	int r = 0;

	if (f->mode == PUBLISH_DIRECT) {
		r = close(f->fd) < 0 ? -errno : 0;
		f->fd = -1;
		return r;
	}
	assert(*f->temp);
	/* A failed fsync may have thrown pages away that a second one calls clean: no retry. */
	if (fsync(f->fd) < 0)
		return -errno;
	if (f->mode == PUBLISH_NEXT_NUMBER)
		r = rename_next_number(f);
	else if (renameat(f->dirfd, f->temp, f->dirfd, base_name(f->path)) < 0)
		r = -errno;
	if (r < 0)
		return r;
	*f->temp = '\0';
	r = sync_dir(f->dirfd);
	if (r < 0)
		unlinkat(f->dirfd, base_name(f->path), 0);
	f->fd = close_fd(f->fd);
	return r;
}

/* ---- stale files -------------------------------------------------------------------------------
 */

/* Removes the temporary file NAME unless its writer lives. Returns 1 if it is gone, 0 or -errno. */
static int remove_if_stale(int dirfd, const char *name)
{
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return 0;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0 : -errno;
	if (unlinkat(dirfd, name, 0) < 0)
		return errno == ENOENT ? 0 : -errno;
	return 1;
}

/* Whether NAME has the form of PATTERN, in which 0 stands for any digit. */
static bool has_form(const char *name, const char *pattern)
{
	for (; *name && *pattern; name++, pattern++)
		if (*pattern == '0' ? *name < '0' || *name > '9' : *name != *pattern)
			return false;
	return !*name && !*pattern;
}

/* The names of the directories on each level of the store. */
static const char *const level_form[] = {"0000-00-00", "00"};

/* Cleans the directory DIRFD, which becomes the callee's, of LEVEL 0 to 2, and those below it. */
static int clean_level(int dirfd, size_t level, unsigned *n)
{
	cleanup_closedir DIR *dir = fdopendir(dirfd);
	const struct dirent *e;
	int first = 0;

	if (!dir) {
		first = -errno;
		close_fd(dirfd);
		return first;
	}
	while (errno = 0, e = readdir(dir)) {
		int r = 0;

		if (is_temp_name(e->d_name)) {
			r = remove_if_stale(dirfd, e->d_name);
			*n += r == 1;
		} else if (level < ARRAY_SIZE(level_form) &&
			   has_form(e->d_name, level_form[level])) {
			int fd = openat(dirfd, e->d_name,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			/* A link or file of that name is not ours, and may have gone. */
			if (fd >= 0)
				r = clean_level(fd, level + 1, n);
			else if (errno != ENOTDIR && errno != ENOENT)
				r = -errno;
		}
		if (r < 0 && !first)
			first = r;
	}
	return first ? first : -errno;
}

int store_remove_stale(int dirfd, unsigned *ret_n)
{
	unsigned n = 0;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = clean_level(fd, 0, &n);
	if (ret_n)
		*ret_n = n;
	return r;
}
