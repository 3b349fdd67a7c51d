/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/store: profile files on disk, each test in a directory of its own. */
#include "daemon/collector/store.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/util.h"

/* 2026-03-01 23:59:07.5 UTC */
#define START_NS 1772409547500000000

static const struct store_name worker = {.start_ns = START_NS, .comm = "worker", .tgid = 42};

/* Runs in a fresh directory, which is the working directory. */
static int enter_directory(void **state)
{
	char *dir = strdup("/tmp/test_store.XXXXXX");

	umask(022);
	if (!dir || !mkdtemp(dir) || chmod(dir, 0755) < 0 || chdir(dir) < 0)
		return -1;
	*state = dir;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

static int leave_directory(void **state)
{
	int r = chdir("/");

	if (r == 0)
		r = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(*state);
	return r;
}

static int open_here(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode & 07777;
}

static void holds(const char *path, const char *want)
{
	cleanup_free char *text = NULL;

	assert_int_equal(read_text_file(AT_FDCWD, path, 1 << 20, &text, NULL), 0);
	assert_string_equal(text, want);
}

static void put(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write_full(fd, text, strlen(text)), strlen(text));
}

static size_t n_files;

static int count_file(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	n_files += flag != FTW_D;
	return 0;
}

/* All files below the working directory, temporary ones included. */
static size_t count_files(void)
{
	n_files = 0;
	assert_int_equal(nftw(".", count_file, 16, FTW_PHYS), 0);
	return n_files;
}

static void write_text(struct store_file *f, const char *text)
{
	assert_int_equal(write_full(store_file__fd(f), text, strlen(text)), strlen(text));
}

static void write_window(int dirfd, const struct store_name *name, const char *text,
			 const char *want_path)
{
	struct store_file *f = NULL;

	assert_int_equal(store_file__new_window(&f, dirfd, name), 0);
	write_text(f, text);
	assert_int_equal(store_file__commit(f), 0);
	assert_string_equal(store_file__path(f), want_path);
	assert_null(store_file__free(f));
	holds(want_path, text);
}

static void paths(void **state)
{
	struct store_name n = worker;
	char path[STORE_PATH_MAX];

	store_window_path(path, &n);
	assert_string_equal(path, "2026-03-01/23/235907Z.worker.42.cpu.pb.gz");
	store_run_path(path, &n);
	assert_string_equal(path, "worker.42.cpu.pb.gz");
	n.number = 1;
	store_run_path(path, &n);
	assert_string_equal(path, "worker.42.cpu.pb.gz");
	n.number = 3;
	n.format = STORE_FOLDED;
	store_window_path(path, &n);
	assert_string_equal(path, "2026-03-01/23/235907Z.worker.42.3.cpu.folded.txt");
	n = (struct store_name){.start_ns = START_NS, .comm = "../a b.c"};
	store_window_path(path, &n);
	assert_string_equal(path, "2026-03-01/23/235907Z.___a_b_c.many.cpu.pb.gz");
}

static void longest_path_fits(void **state)
{
	char comm[300] = "", path[STORE_PATH_MAX];
	struct store_name n = {
	    .start_ns = UINT64_MAX,
	    .comm = memset(comm, 'c', sizeof(comm) - 1),
	    .tgid = UINT32_MAX,
	    .number = UINT32_MAX,
	    .format = STORE_FOLDED,
	};

	store_window_path(path, &n);
	assert_string_equal(path + strlen(path) - 15, ".cpu.folded.txt");
}

static void a_window_makes_its_directories(void **state)
{
	cleanup_close int dirfd = open_here();

	write_window(dirfd, &worker, "profile", "2026-03-01/23/235907Z.worker.42.cpu.pb.gz");
	assert_int_equal(mode_of("2026-03-01"), 0750);
	assert_int_equal(mode_of("2026-03-01/23"), 0750);
	assert_int_equal(mode_of("2026-03-01/23/235907Z.worker.42.cpu.pb.gz"), 0640);
	assert_int_equal(count_files(), 1);
}

static void a_window_never_replaces(void **state)
{
	struct store_name grouped = {.start_ns = START_NS, .comm = "cc1"};
	cleanup_close int dirfd = open_here();

	write_window(dirfd, &worker, "one", "2026-03-01/23/235907Z.worker.42.cpu.pb.gz");
	write_window(dirfd, &worker, "two", "2026-03-01/23/235907Z.worker.42.2.cpu.pb.gz");
	write_window(dirfd, &worker, "three", "2026-03-01/23/235907Z.worker.42.3.cpu.pb.gz");
	holds("2026-03-01/23/235907Z.worker.42.cpu.pb.gz", "one");
	write_window(dirfd, &grouped, "", "2026-03-01/23/235907Z.cc1.many.cpu.pb.gz");
	write_window(dirfd, &grouped, "", "2026-03-01/23/235907Z.cc1.many.2.cpu.pb.gz");
	assert_int_equal(count_files(), 5);
}

/* Until the commit there is only a name that no reader looks at. */
static void nothing_is_seen_before_the_commit(void **state)
{
	cleanup_close int dirfd = open_here();
	struct store_file *f = NULL;

	assert_int_equal(store_file__new_window(&f, dirfd, &worker), 0);
	write_text(f, "half");
	assert_int_equal(count_files(), 1);
	assert_int_equal(access("2026-03-01/23/235907Z.worker.42.cpu.pb.gz", F_OK), -1);
	store_file__free(f);
	assert_int_equal(count_files(), 0);
	assert_null(store_file__free(NULL));
}

static void a_run_replaces(void **state)
{
	cleanup_close int dirfd = open_here();
	struct store_file *f = NULL;
	char path[STORE_PATH_MAX];

	store_run_path(path, &worker);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(store_file__new(&f, dirfd, path), 0);
		write_text(f, i ? "second" : "first");
		if (i)
			holds(path, "first"); /* whole until the other is */
		assert_int_equal(store_file__commit(f), 0);
		assert_string_equal(store_file__path(f), path);
		store_file__free(f);
	}
	holds(path, "second");
	assert_int_equal(mode_of(path), 0640);
	assert_int_equal(count_files(), 1);
}

static void a_run_writes_where_it_is_told(void **state)
{
	struct store_file *f = NULL;
	char absolute[128];

	assert_int_equal(mkdir("sub", 0700), 0);
	snprintf(absolute, sizeof(absolute), "%s/sub/out.pb.gz", (char *)*state);
	assert_int_equal(store_file__new(&f, AT_FDCWD, absolute), 0);
	write_text(f, "x");
	assert_int_equal(store_file__commit(f), 0);
	store_file__free(f);
	holds("sub/out.pb.gz", "x");
	assert_int_equal(store_file__new(&f, AT_FDCWD, "missing/out"), -ENOENT);
	assert_int_equal(store_file__new(&f, AT_FDCWD, "sub"), -EISDIR);
	assert_int_equal(store_file__new(&f, AT_FDCWD, "sub/"), -EISDIR);
	assert_int_equal(store_file__new(&f, AT_FDCWD, "sub/out.pb.gz/x"), -ENOTDIR);
	assert_int_equal(count_files(), 1);
}

/* /dev/null stays a device, and /dev/stdout a link. */
static void devices_and_fifos_are_written_to(void **state)
{
	struct store_file *f = NULL;
	cleanup_close int reader = -1;
	char got[4] = "";

	assert_int_equal(symlink("/dev/null", "null"), 0);
	assert_int_equal(store_check_file("null"), 0);
	assert_int_equal(store_file__new(&f, AT_FDCWD, "null"), 0);
	write_text(f, "x");
	assert_int_equal(store_file__commit(f), 0);
	store_file__free(f);
	assert_int_equal(mkfifo("fifo", 0600), 0);
	assert_int_equal(store_check_file("fifo"), 0);
	reader = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_int_equal(store_file__new(&f, AT_FDCWD, "fifo"), 0);
	write_text(f, "abc");
	assert_int_equal(store_file__commit(f), 0);
	store_file__free(f);
	assert_int_equal(read_full(reader, got, 4), 3);
	assert_string_equal(got, "abc");
	assert_int_equal(count_files(), 2);
}

/* Another user may have laid the link, and we may be root. */
static void links_to_files_are_refused(void **state)
{
	cleanup_close int dirfd = open_here();
	struct store_file *f = NULL;

	put("precious", "precious");
	assert_int_equal(symlink("precious", "out"), 0);
	assert_int_equal(store_check_file("out"), -ELOOP);
	assert_int_equal(store_file__new(&f, AT_FDCWD, "out"), -ELOOP);
	assert_int_equal(symlink("nowhere", "dangling"), 0);
	assert_int_equal(store_file__new(&f, AT_FDCWD, "dangling"), -ENOENT);
	assert_int_equal(mkdir("elsewhere", 0700), 0);
	assert_int_equal(symlink("elsewhere", "2026-03-01"), 0);
	assert_int_equal(store_file__new_window(&f, dirfd, &worker), -ENOTDIR);
	holds("precious", "precious");
	assert_null(f);
}

static void check_dir_makes_what_is_missing(void **state)
{
	cleanup_close int fd = -1, again = -1;

	assert_int_equal(store_check_dir("a/b//c/", &fd), 0);
	assert_int_equal(mode_of("a"), 0750);
	assert_int_equal(mode_of("a/b/c"), 0750);
	assert_int_equal(store_check_dir("a", &again), 0);
	assert_int_equal(count_files(), 0);
	assert_int_equal(mkdirat(fd, "writable", 0700), 0);
}

static void check_says_what_is_wrong(void **state)
{
	int fd = -1;

	put("file", "x");
	assert_int_equal(store_check_dir("file", &fd), -ENOTDIR);
	assert_int_equal(store_check_dir("file/sub", &fd), -ENOTDIR);
	assert_int_equal(store_check_dir("", &fd), -ENOENT);
	assert_int_equal(store_check_dir("/proc/cprofd", &fd), -ENOENT);
	assert_int_equal(store_check_file("missing/out"), -ENOENT);
	assert_int_equal(store_check_file("."), -EISDIR);
	assert_int_equal(store_check_file("file"), 0);
	assert_int_equal(store_check_file("new"), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(count_files(), 1);
	holds("file", "x");
}

/* Runs FN in a child that is not root, and asserts that it returns true. */
static void as_nobody(bool (*fn)(void))
{
	int status;
	pid_t child = fork();

	if (child == 0) {
		if (geteuid() == 0 &&
		    (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0))
			_exit(2);
		_exit(fn() ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static bool cannot_write_here(void)
{
	struct store_file *f = NULL;
	int dirfd = open_here(), fd = -1;

	return store_check_dir(".", &fd) == -EACCES && store_check_dir("sub", &fd) == -EACCES &&
	       store_check_file("out") == -EACCES &&
	       store_file__new(&f, AT_FDCWD, "out") == -EACCES &&
	       store_file__new_window(&f, dirfd, &worker) == -EACCES && fd == -1 && !f;
}

static void unwritable_directories_are_said(void **state)
{
	assert_int_equal(chmod(".", 0555), 0);
	as_nobody(cannot_write_here);
	assert_int_equal(chmod(".", 0755), 0);
	assert_int_equal(count_files(), 0);
}

/* A limit on file sizes stands for a full disk: writing fails, and nothing stays. */
static bool leaves_nothing_when_full(void)
{
	struct rlimit limit = {.rlim_cur = 10000, .rlim_max = 10000};
	static const char block[20000];
	struct store_file *f = NULL;
	int dirfd = open_here();

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0 || store_file__new_window(&f, dirfd, &worker) < 0 ||
	    write_full(store_file__fd(f), block, sizeof(block)) != -EFBIG)
		return false;
	store_file__free(f);
	limit.rlim_cur = 100;
	return setrlimit(RLIMIT_FSIZE, &limit) == 0 && store_check_file("out") == -EFBIG;
}

static void a_failed_write_leaves_nothing(void **state)
{
	assert_int_equal(chmod(".", 0777), 0);
	as_nobody(leaves_nothing_when_full);
	assert_int_equal(count_files(), 0);
}

/* A writer that dies without a chance to clean up. */
static void leave_stale_file(int dirfd)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct store_file *f = NULL;

		_exit(store_file__new_window(&f, dirfd, &worker) < 0 ||
		      store_file__new(&f, dirfd, "out") < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void stale_files_are_removed(void **state)
{
	struct store_name later = {
	    .start_ns = START_NS + 3600 * NSEC_PER_SEC, .comm = "x", .tgid = 1};
	cleanup_close int dirfd = open_here();
	struct store_file *alive = NULL;
	unsigned n = 77;

	leave_stale_file(dirfd);
	assert_int_equal(count_files(), 2);
	assert_int_equal(store_file__new_window(&alive, dirfd, &later), 0);
	put(".cprofd-not-one-of-ours.tmp", "");
	put(".cprofd-0123456789abcdef.tmp.kept", "");
	assert_int_equal(mkdir("2026-03-01/other", 0700), 0);
	put("2026-03-01/other/.cprofd-0123456789abcdef.tmp", "");
	assert_int_equal(symlink("2026-03-01", "2026-03-05"), 0);
	assert_int_equal(mkdir(".cprofd-0000000000000000.tmp", 0700), 0);
	assert_int_equal(store_remove_stale(dirfd, &n), 0);
	assert_int_equal(n, 2);
	assert_int_equal(count_files(), 5); /* the living one, three files and the link above */
	write_text(alive, "whole");
	assert_int_equal(store_file__commit(alive), 0);
	holds("2026-03-02/00/005907Z.x.1.cpu.pb.gz", "whole");
	store_file__free(alive);
}

static void nothing_stale_is_no_error(void **state)
{
	cleanup_close int dirfd = open_here();
	unsigned n = 77;

	write_window(dirfd, &worker, "x", "2026-03-01/23/235907Z.worker.42.cpu.pb.gz");
	assert_int_equal(store_remove_stale(dirfd, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(count_files(), 1);
}

#define in_directory(fn) cmocka_unit_test_setup_teardown(fn, enter_directory, leave_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths),
	    cmocka_unit_test(longest_path_fits),
	    in_directory(a_window_makes_its_directories),
	    in_directory(a_window_never_replaces),
	    in_directory(nothing_is_seen_before_the_commit),
	    in_directory(a_run_replaces),
	    in_directory(a_run_writes_where_it_is_told),
	    in_directory(devices_and_fifos_are_written_to),
	    in_directory(links_to_files_are_refused),
	    in_directory(check_dir_makes_what_is_missing),
	    in_directory(check_says_what_is_wrong),
	    in_directory(unwritable_directories_are_said),
	    in_directory(a_failed_write_leaves_nothing),
	    in_directory(stale_files_are_removed),
	    in_directory(nothing_stale_is_no_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
