/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/opener: opens what a process has mapped, regular files only, without reading them. */
#include "daemon/opener/opener.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/procstat.h"
#include "base/util.h"
#include "tests/unit/scratch_dir.h"

static void put(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_int_equal(write_full(fd, text, strlen(text)), strlen(text));
}

/* What the file behind FD holds; closes it. It can be read and nothing else. */
static void holds(int fd, const char *want)
{
	char text[64];
	int64_t n = pread_full(fd, text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
	assert_int_equal(write(fd, "x", 1), -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

/* Of a process that is gone: only the path leads to the file. */
static struct opener_mapping gone(const char *path)
{
	struct opener_mapping m = {.tgid = 1, .path = path};
	struct stat st;

	if (stat(path, &st) == 0) {
		m.dev = st.st_dev;
		m.ino = st.st_ino;
	}
	return m;
}

static void by_path_when_the_process_is_gone(void **state)
{
	struct opener_mapping m;
	int fd = -1;

	put("file", "one");
	m = gone("file");
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_OK);
	holds(fd, "one");
	m = gone("missing");
	fd = -77;
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_ABSENT);
	m.path = "/proc/1/nonexistent/file (deleted)";
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_ABSENT);
	assert_int_equal(fd, -77);
}

/* Another file under the same name is none, unless the caller can tell by its build id. */
static void a_file_that_was_replaced(void **state)
{
	struct opener_mapping m;
	int fd = -77;

	put("file", "old");
	m = gone("file");
	put("new", "new");
	assert_int_equal(rename("new", "file"), 0);
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_REFUSED);
	assert_int_equal(fd, -77);
	m.has_build_id = 1;
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_OK);
	holds(fd, "new");
	m = (struct opener_mapping){.path = "file"}; /* nothing is known of it */
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_REFUSED);
}

/* Looked at before it is opened: a FIFO would block, a device might do something. */
static void what_is_no_regular_file(void **state)
{
	static const char *const paths[] = {"fifo",	 "link_to_fifo", ".",
					    "/dev/null", "/dev/zero",	 "socket"};
	cleanup_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "socket"};

	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_int_equal(symlink("fifo", "link_to_fifo"), 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof(addr)), 0);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct opener_mapping m = gone(paths[i]);
		int fd = -77;

		m.has_build_id = 1;
		if (opener_open_mapping(&m, &fd) != OPENER_REFUSED)
			fail_msg("%s was not refused", paths[i]);
		assert_int_equal(fd, -77);
	}
}

/* A mapping of ours, as the kernel sees it. */
static struct opener_mapping map(const char *path, struct stat *ret_st)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *p = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	struct procstat st;

	assert_true(p != MAP_FAILED);
	assert_int_equal(fstat(fd, ret_st), 0);
	assert_int_equal(procstat_read((uint32_t)getpid(), &st), 0);
	return (struct opener_mapping){
	    .tgid = (uint32_t)getpid(),
	    .start_ns = st.start_ns + 1,
	    .start = (uintptr_t)p,
	    .end = (uintptr_t)p + 4096,
	    .path = path,
	    .dev = ret_st->st_dev,
	    .ino = ret_st->st_ino,
	};
}

static void unmap(const struct opener_mapping *m)
{
	munmap((void *)(uintptr_t)m->start, m->end - m->start);
}

static void of_a_process_that_lives(void **state)
{
	struct opener_mapping m;
	struct stat st;
	int fd = -1;

	put("file", "mapped");
	m = map("file", &st);
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_OK);
	holds(fd, "mapped");
	unmap(&m);
}

/* The very object, though its name is gone or leads to another file. */
static void the_object_itself_not_its_name(void **state)
{
	struct opener_mapping m;
	struct stat st;
	int fd = -1;

	if (geteuid() != 0) {
		print_message("/proc/PID/map_files needs root\n");
		skip();
	}
	put("file", "mapped");
	m = map("file", &st);
	put("new", "replaced");
	assert_int_equal(rename("new", "file"), 0);
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_OK);
	holds(fd, "mapped");
	assert_int_equal(unlink("file"), 0);
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_OK);
	holds(fd, "mapped");
	unmap(&m);
}

/* The tgid belongs to another process by now: its mappings are none of ours. */
static void of_another_process_with_the_same_number(void **state)
{
	struct opener_mapping m;
	struct stat st;
	int fd = -77;

	put("file", "mapped");
	m = map("file", &st);
	m.start_ns -= 10 * NSEC_PER_SEC;
	m.path = "missing";
	assert_int_equal(opener_open_mapping(&m, &fd), OPENER_ABSENT);
	assert_int_equal(fd, -77);
	unmap(&m);
}

static void by_build_id(void **state)
{
	struct msg_build_id id = {.size = 20, .bytes = {0xff, 0xff, 1}};
	int fd = -77;

	assert_int_equal(opener_open_build_id(&id, &fd), OPENER_ABSENT);
	id.size = BUILD_ID_MAX;
	assert_int_equal(opener_open_build_id(&id, &fd), OPENER_ABSENT);
	for (uint32_t size = 0; size < 2; size++) {
		id.size = size;
		assert_int_equal(opener_open_build_id(&id, &fd), OPENER_ABSENT);
	}
	id.size = UINT32_MAX; /* the symbolizer's word is not trusted */
	assert_int_equal(opener_open_build_id(&id, &fd), OPENER_ABSENT);
	assert_int_equal(fd, -77);
}

/* The absolute path of NAME in the test's directory. */
static const char *here(char *out, size_t size, const char *name)
{
	assert_non_null(getcwd(out, size));
	snprintf(out + strlen(out), size - strlen(out), "/%s", name);
	return out;
}

static void by_debuglink(void **state)
{
	char object[4096];
	int fd = -77;

	here(object, sizeof(object), "program");
	put("program", "program");
	assert_int_equal(opener_open_debuglink(object, "program.debug", &fd), OPENER_ABSENT);
	assert_int_equal(opener_open_debuglink(object, "program", &fd), OPENER_ABSENT); /* itself */
	assert_int_equal(mkdir(".debug", 0755), 0);
	put(".debug/program.debug", "hidden");
	assert_int_equal(opener_open_debuglink(object, "program.debug", &fd), OPENER_OK);
	holds(fd, "hidden");
	put("program.debug", "beside");
	assert_int_equal(opener_open_debuglink(object, "program.debug", &fd), OPENER_OK);
	holds(fd, "beside");
	put(".debug/program", "same name");
	assert_int_equal(opener_open_debuglink(object, "program", &fd), OPENER_OK);
	holds(fd, "same name");
}

/* The name comes out of the file: it may lead nowhere but beside it. */
static void debuglinks_that_lead_elsewhere(void **state)
{
	static const char *const names[] = {"",	   "..",	"/etc/passwd", "../program",
					    "a/b", "./program", "/",	       "program/"};
	char object[4096];
	int fd = -77;

	here(object, sizeof(object), "program");
	put("program", "program");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(opener_open_debuglink(object, names[i], &fd), OPENER_REFUSED);
	assert_int_equal(opener_open_debuglink("program", "x", &fd), OPENER_REFUSED);
	assert_int_equal(opener_open_debuglink("[vdso]", "x", &fd), OPENER_REFUSED);
	assert_int_equal(mkfifo("fifo", 0644), 0);
	assert_true(opener_open_debuglink(object, "fifo", &fd) > 0);
	assert_true(opener_open_debuglink(object, ".", &fd) > 0);
	assert_int_equal(fd, -77);
}

/* A dwz file is looked for in one place only, whatever else the path says. */
static void dwz_files(void **state)
{
	static const char *const refused[] = {
	    "",
	    "/etc/passwd",
	    "/usr/lib/debug/x.debug",
	    "/usr/lib/debug/.dwz/../../../../etc/passwd",
	    "/.dwz/a/../../x",
	};
	int fd = -77;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		assert_int_equal(opener_open_dwz(refused[i], &fd), OPENER_REFUSED);
	assert_int_equal(opener_open_dwz("../../.dwz/no-such.debug", &fd), OPENER_ABSENT);
	assert_int_equal(opener_open_dwz("/usr/lib/debug/.dwz/no/such.debug", &fd), OPENER_ABSENT);
	assert_int_equal(fd, -77);
}

/* ---- perf maps: in /tmp itself, since that is where they are looked for ---------------------- */

static uint64_t start_of(pid_t pid)
{
	struct procstat st;

	assert_int_equal(procstat_read((uint32_t)pid, &st), 0);
	return st.start_ns + 1;
}

static uint64_t my_start(void)
{
	return start_of(getpid());
}

/* A child that does not outlive a test that fails. */
static pid_t forked(void)
{
	pid_t child = fork();

	if (child == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return child;
}

static int open_map(uint32_t tgid, int *fd)
{
	struct opener_runtime runtime = {0};

	*fd = -77;
	return opener_open_perf_map(tgid, my_start(), &runtime, fd);
}

static void perf_map_path(char *out, size_t size, uint32_t tgid)
{
	snprintf(out, size, "/tmp/perf-%u.map", tgid);
	unlink(out);
}

static void a_perf_map(void **state)
{
	uint32_t me = (uint32_t)getpid();
	char path[64];
	int fd;

	perf_map_path(path, sizeof(path), me);
	assert_int_equal(open_map(me, &fd), OPENER_ABSENT);
	put(path, "1000 10 name\n");
	assert_int_equal(open_map(me, &fd), OPENER_OK);
	holds(fd, "1000 10 name\n");
	/* Another process had the number when this was written. */
	assert_int_equal(utimensat(AT_FDCWD, path, (struct timespec[2]){{0}, {0}}, 0), 0);
	assert_int_equal(open_map(me, &fd), OPENER_REFUSED);
	assert_int_equal(fd, -77);
	unlink(path);
}

static void perf_maps_that_are_none(void **state)
{
	uint32_t me = (uint32_t)getpid();
	char path[64];
	int fd;

	perf_map_path(path, sizeof(path), me);
	assert_int_equal(mkfifo(path, 0644), 0);
	assert_int_equal(open_map(me, &fd), OPENER_REFUSED);
	unlink(path);
	put("secret", "1000 10 secret\n");
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(open_map(me, &fd), OPENER_REFUSED);
	unlink(path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_int_equal(open_map(me, &fd), OPENER_REFUSED);
	rmdir(path);
	/* A name that somebody gave to somebody's file. */
	if (link("secret", path) == 0)
		assert_int_equal(open_map(me, &fd), OPENER_REFUSED);
	unlink(path);
	assert_int_equal(fd, -77);
}

static void perf_maps_of_others(void **state)
{
	uint32_t me = (uint32_t)getpid();
	char path[64];
	int fd;

	if (geteuid() != 0) {
		print_message("only root gives files away\n");
		skip();
	}
	perf_map_path(path, sizeof(path), me);
	put(path, "1000 10 name\n");
	assert_int_equal(chown(path, 12345, 12345), 0);
	assert_int_equal(open_map(me, &fd), OPENER_REFUSED);
	assert_int_equal(fd, -77);
	unlink(path);
}

/* Somebody puts a link to what only root may read in the map's place, and takes it away again. */
static void a_perf_map_that_is_swapped(void **state)
{
	uint32_t me = (uint32_t)getpid();
	char path[64], text[64];
	int fd, n_opened = 0;
	pid_t child;

	perf_map_path(path, sizeof(path), me);
	put("secret", "1000 10 secret\n");
	put("map", "1000 10 name\n");
	child = forked();
	for (; child == 0;) {
		if (link("map", path) < 0 || unlink(path) < 0 || symlink("/etc/passwd", path) < 0 ||
		    unlink(path) < 0 || rename("map", path) < 0 || rename(path, "map") < 0)
			_exit(1);
	}
	for (int i = 0; i < 10000; i++) {
		if (open_map(me, &fd) != OPENER_OK)
			continue;
		n_opened++;
		assert_int_equal(pread_full(fd, text, sizeof(text), 0), 13);
		assert_memory_equal(text, "1000 10 name\n", 13);
		close(fd);
	}
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	unlink(path);
	print_message("opened %d times of 10,000\n", n_opened);
}

/* A root of its own, in which /tmp is a link: it leads to what lies in that root, not in ours. */
static void a_perf_map_behind_a_link_in_another_root(void **state)
{
	struct opener_runtime runtime = {0};
	char path[64], ready;
	int pipefd[2], fd;
	pid_t child;

	if (geteuid() != 0) {
		print_message("chroot() needs root\n");
		skip();
	}
	assert_int_equal(pipe(pipefd), 0);
	assert_int_equal(mkdir("etc", 0755), 0);
	assert_int_equal(symlink("/etc", "tmp"), 0);
	child = forked();
	if (child == 0) {
		if (chroot(".") < 0 || write(pipefd[1], "x", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipefd[0], &ready, 1), 1);
	snprintf(path, sizeof(path), "etc/perf-%d.map", (int)child);
	put(path, "1000 10 inside\n");
	assert_int_equal(opener_open_perf_map((uint32_t)child, start_of(child), &runtime, &fd),
			 OPENER_OK);
	holds(fd, "1000 10 inside\n");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(opener_open_perf_map((uint32_t)child, start_of(child), &runtime, &fd),
			 OPENER_REFUSED);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	close(pipefd[0]);
	close(pipefd[1]);
}

/* What a process that has ended left, if nobody but root can have put it there. */
static void the_perf_map_of_a_process_that_is_gone(void **state)
{
	struct opener_runtime known = {0};
	pid_t child = fork();
	uint32_t tgid = (uint32_t)child;
	char path[64];
	int fd, r;

	if (child == 0)
		_exit(0);
	perf_map_path(path, sizeof(path), tgid);
	put(path, "1000 10 name\n");
	assert_int_equal(waitpid(child, NULL, 0), child);
	r = open_map(tgid, &fd);
	if (geteuid() == 0) {
		assert_int_equal(r, OPENER_OK);
		holds(fd, "1000 10 name\n");
		assert_int_equal(chown(path, 12345, 12345), 0);
		/* But to him who met the process while it lived. */
		known = (struct opener_runtime){.pid = tgid, .uid = 12345};
		r = opener_open_perf_map(tgid, my_start(), &known, &fd);
		assert_int_equal(r, OPENER_OK);
		holds(fd, "1000 10 name\n");
		known.is_nested = true; /* this /tmp was never its own */
		r = opener_open_perf_map(tgid, my_start(), &known, &fd);
		assert_int_equal(r, OPENER_ABSENT);
		r = open_map(tgid, &fd);
	}
	assert_int_equal(r, OPENER_REFUSED);
	assert_int_equal(fd, -77);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(by_path_when_the_process_is_gone),
	    in_scratch_dir(a_file_that_was_replaced),
	    in_scratch_dir(what_is_no_regular_file),
	    in_scratch_dir(of_a_process_that_lives),
	    in_scratch_dir(the_object_itself_not_its_name),
	    in_scratch_dir(of_another_process_with_the_same_number),
	    in_scratch_dir(by_build_id),
	    in_scratch_dir(by_debuglink),
	    in_scratch_dir(debuglinks_that_lead_elsewhere),
	    in_scratch_dir(dwz_files),
	    in_scratch_dir(a_perf_map),
	    in_scratch_dir(perf_maps_that_are_none),
	    in_scratch_dir(perf_maps_of_others),
	    in_scratch_dir(a_perf_map_that_is_swapped),
	    in_scratch_dir(a_perf_map_behind_a_link_in_another_root),
	    in_scratch_dir(the_perf_map_of_a_process_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
