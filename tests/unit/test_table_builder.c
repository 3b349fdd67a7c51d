/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon/collector/table_builder: unwind tables from a thread, made by a process that may die or
 * lie.
 *
 * The program under one of the names in `fakes` is this test itself, which then plays the
 * symbolizer.
 */
#include "daemon/collector/table_builder.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "daemon/ipc/frame.h"
#include "tests/unit/fake_symbolizer.h"
#include "tests/unit/scratch_dir.h"
#include "tests/unit/self_window.h"
#include "tests/unit/valid_table.h"

#define SEALED (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* ---- the fakes ------------------------------------------------------------------------------- */

struct answer {
	struct ipc_msg msg;
	struct msg_unwind_table made;
	struct made_table table;
	size_t n_bytes; /* of the memory */
	int seals;
	bool last; /* it ends after this one */
};

static void honest(struct answer *a)
{
}

static void answers_once(struct answer *a)
{
	a->last = true;
}

static void slow(struct answer *a)
{
	nanosleep(&(struct timespec){.tv_nsec = 300 * 1000 * 1000}, NULL);
}

static void never(struct answer *a)
{
	pause();
}

static void says_failed(struct answer *a)
{
	a->msg.type = MSG_FAILED;
	a->msg.n_bytes = 0;
	a->n_bytes = 0;
}

static void no_memory(struct answer *a)
{
	a->n_bytes = 0;
}

static void two_descriptors(struct answer *a)
{
	a->msg.fds[1] = STDERR_FILENO;
	a->msg.n_fds = 2;
}

static void short_answer(struct answer *a)
{
	a->msg.n_bytes--;
}

static void long_build_id(struct answer *a)
{
	a->made.build_id.size = BUILD_ID_MAX + 1;
}

static void another_answer(struct answer *a)
{
	a->msg.type = MSG_IDENTIFY_OK;
}

static void bad_head(struct answer *a)
{
	made_head(&a->table)->shift = UNWIND_SHIFT_MAX + 1;
}

static void bad_row(struct answer *a)
{
	made_rows(&a->table)[2] = unwind_row(0x400, 3);
}

static void unsealed(struct answer *a)
{
	a->seals = 0;
}

static void writable(struct answer *a)
{
	a->seals = SEALED & ~F_SEAL_WRITE;
}

static void may_shrink(struct answer *a)
{
	a->seals = SEALED & ~F_SEAL_SHRINK;
}

static void more_than_said(struct answer *a)
{
	a->n_bytes += sizeof(struct unwind_line);
}

static void less_than_said(struct answer *a)
{
	a->n_bytes -= sizeof(struct unwind_line);
}

static void half_a_line_more(struct answer *a)
{
	a->n_bytes += sizeof(struct unwind_line) / 2;
}

static void says_none(struct answer *a)
{
	a->made.n_lines = 0;
}

static void says_too_many(struct answer *a)
{
	a->made.n_lines = UINT32_MAX;
}

/* Gives back what it was asked about: a file that others may change. */
static void gives_the_file_back(struct answer *a)
{
	a->msg.n_fds = 1;
}

static const struct fake {
	const char *name;
	void (*spoil)(struct answer *a);
	int error; /* of the table */
} fakes[] = {
    {"honest", honest, 0},
    {"answers_once", answers_once, 0},
    {"slow", slow, 0},
    {"never", never, -EIO},
    {"says_failed", says_failed, -ENOEXEC},
    {"no_memory", no_memory, -EIO},
    {"two_descriptors", two_descriptors, -EIO},
    {"short_answer", short_answer, -EIO},
    {"long_build_id", long_build_id, -EIO},
    {"another_answer", another_answer, -EIO},
    {"bad_head", bad_head, -EBADMSG},
    {"bad_row", bad_row, -EBADMSG},
    {"unsealed", unsealed, -EBADMSG},
    {"writable", writable, -EBADMSG},
    {"may_shrink", may_shrink, -EBADMSG},
    {"more_than_said", more_than_said, -EBADMSG},
    {"less_than_said", less_than_said, -EBADMSG},
    {"half_a_line_more", half_a_line_more, -EBADMSG},
    {"says_none", says_none, -EBADMSG},
    {"says_too_many", says_too_many, -EBADMSG},
    {"gives_the_file_back", gives_the_file_back, -EBADMSG},
};

static int answer_question(const struct fake *fake, const struct ipc_msg *question, uint32_t n)
{
	struct answer a = {.msg = IPC_MSG_INIT, .table = made_table_example(), .seals = SEALED};
	int fd = -1, r;

	a.made = (struct msg_unwind_table){
	    .build_id = {.size = 3, .bytes = "abc"}, .n_lines = a.table.n_lines, .n_bad = n};
	a.n_bytes = a.table.n_lines * sizeof(struct unwind_line);
	a.msg.id = question->id;
	a.msg.type = MSG_UNWIND_TABLE_OK;
	a.msg.payload = &a.made;
	a.msg.n_bytes = sizeof(a.made);
	fake->spoil(&a);
	if (a.msg.n_fds == 1) {
		a.msg.fds[0] = question->fds[0];
	} else if (a.n_bytes) {
		fd = a.msg.fds[0] = made_sealed(a.table.lines, a.n_bytes, a.seals);
		a.msg.n_fds = a.msg.n_fds ? a.msg.n_fds : 1;
	}
	r = ipc_send(IPC_SYMBOLIZER_FD, &a.msg, IPC_FOREVER);
	close_fd(fd);
	return r < 0 || a.last ? -1 : 0;
}

/* Answers every question in its own way, until the stream ends. */
static int play(const struct fake *fake)
{
	if (fake_symbolizer_ready() < 0)
		return 1;
	for (uint32_t n = 1;; n++) {
		_cleanup_(ipc_msg__fini) struct ipc_msg question = IPC_MSG_INIT;

		if (ipc_recv(IPC_SYMBOLIZER_FD, &question, IPC_FOREVER) < 0 ||
		    question.type != MSG_UNWIND_TABLE || question.n_fds != 1 ||
		    answer_question(fake, &question, n) < 0)
			return 0;
	}
}

static const struct fake *fake_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; slash && i < ARRAY_SIZE(fakes); i++)
		if (!strcmp(slash + 1, fakes[i].name))
			return &fakes[i];
	return NULL;
}

/* Makes NAME, in the directory of the test, a name of this program. */
static void link_to_self(const char *name)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	assert_int_equal(symlink(exe, name), 0);
}

/* ---- the thread ------------------------------------------------------------------------------ */

struct starts {
	_Atomic unsigned n;
	_Atomic uint32_t tgid; /* the last one's */
	_Atomic bool blocks_signals, in_a_thread;
	pthread_t caller;
};

static void on_start(void *ctx, enum owner owner, uint32_t tgid)
{
	struct starts *s = ctx;
	sigset_t blocked;

	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	s->blocks_signals = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGCHLD);
	s->in_a_thread = !pthread_equal(pthread_self(), s->caller);
	s->tgid = tgid;
	s->n++;
}

static struct table_builder *begin(const char *name, struct starts *starts)
{
	struct table_builder *b = NULL;
	char path[64];

	*starts = (struct starts){.caller = pthread_self()};
	snprintf(path, sizeof(path), "./%s", name);
	if (access(path, F_OK) < 0)
		link_to_self(path);
	assert_int_equal(table_builder__new(&b, path, NULL, on_start, starts), 0);
	return b;
}

/* A file that itself holds what a table is. */
static int a_file(void)
{
	struct made_table t = made_table_example();
	int fd = open("file", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(write_full(fd, t.lines, t.n_lines * sizeof(*t.lines)) > 0);
	return fd;
}

static void ask(struct table_builder *b, uint64_t id)
{
	cleanup_close int fd = a_file();

	assert_int_equal(table_builder__ask(b, fd, id), 0);
}

static struct built_table await(struct table_builder *b)
{
	struct pollfd p = {.fd = table_builder__fd(b), .events = POLLIN};
	struct built_table t = {0};

	while (!table_builder__take(b, &t))
		assert_int_equal(poll(&p, 1, 30000), 1);
	return t;
}

static bool readable(const struct table_builder *b)
{
	struct pollfd p = {.fd = table_builder__fd(b), .events = POLLIN};

	return poll(&p, 1, 0) == 1;
}

static size_t n_open_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void without_a_symbolizer_there_is_none(void **state)
{
	struct table_builder *b = NULL;

	assert_int_equal(table_builder__new(&b, "/nonexistent", NULL, NULL, NULL), -ENOENT);
	assert_null(b);
	assert_null(table_builder__free(NULL));
}

/* Nobody is started before the first question, and nothing is left behind. */
static void ends_without_a_question(void **state)
{
	size_t n = n_open_files();
	struct built_table t;
	struct starts starts;
	struct table_builder *b = begin("honest", &starts);

	assert_false(readable(b));
	assert_false(table_builder__take(b, &t));
	assert_int_equal(table_builder__ask(b, -1, 1), -EBADF);
	assert_null(table_builder__free(b));
	assert_int_equal(starts.n, 0);
	assert_int_equal(n_open_files(), n);
}

static void a_table_is_made(void **state)
{
	struct made_table want = made_table_example();
	size_t n = n_open_files();
	struct starts starts;
	struct table_builder *b = begin("honest", &starts);
	struct built_table t;

	ask(b, 4711);
	t = await(b);
	assert_int_equal(t.id, 4711);
	assert_int_equal(t.error, 0);
	assert_int_equal(t.n_lines, want.n_lines);
	assert_memory_equal(t.lines, want.lines, want.n_lines * sizeof(*want.lines));
	assert_int_equal(t.build_id.size, 3);
	assert_memory_equal(t.build_id.bytes, "abc", 3);
	assert_int_equal(t.n_bad, 1);
	assert_true(t.build_ns > 0);
	assert_false(table_builder__take(b, &t)); /* one question, one answer */
	assert_false(readable(b));
	assert_int_equal(t.id, 4711);
	table_builder__free(b);
	/* It is the caller's, and outlives the builder. */
	assert_true(unwind_table_valid(t.lines, t.n_lines));
	built_table__fini(&t);
	assert_null(t.lines);
	built_table__fini(&t); /* empty: nothing to do */
	assert_int_equal(n_open_files(), n);
	assert_int_equal(starts.n, 1);
	assert_true(starts.in_a_thread);
	assert_true(starts.blocks_signals); /* which are for the collector's thread */
}

/* One symbolizer answers all, in the order of the questions. */
static void answers_come_in_order(void **state)
{
	struct starts starts;
	struct table_builder *b = begin("honest", &starts);

	for (uint64_t i = 0; i < 50; i++)
		ask(b, 100 + i);
	for (uint64_t i = 0; i < 50; i++) {
		struct built_table t = await(b);

		assert_int_equal(t.id, 100 + i);
		assert_int_equal(t.n_bad, i + 1);
		built_table__fini(&t);
	}
	assert_int_equal(starts.n, 1);
	table_builder__free(b);
}

/* The descriptor tells of a table, until there is none. */
static void is_readable_until_all_is_taken(void **state)
{
	struct starts starts;
	struct table_builder *b = begin("honest", &starts);
	struct pollfd p = {.fd = table_builder__fd(b), .events = POLLIN};
	struct built_table t;

	ask(b, 1);
	ask(b, 2);
	assert_int_equal(poll(&p, 1, 30000), 1);
	t = await(b);
	built_table__fini(&t);
	assert_true(readable(b));
	t = await(b);
	assert_int_equal(t.id, 2);
	built_table__fini(&t);
	assert_false(table_builder__take(b, &t));
	assert_false(readable(b));
	table_builder__free(b);
}

/* The questions that wait and what nobody took are dropped. */
static void ends_amid_questions(void **state)
{
	size_t n = n_open_files();
	struct starts starts;
	struct table_builder *b = begin("slow", &starts);

	for (uint64_t i = 0; i < 10; i++)
		ask(b, i);
	while (!readable(b))
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	table_builder__free(b);
	assert_int_equal(n_open_files(), n);
	assert_int_equal(kill((pid_t)starts.tgid, 0), -1);
}

/* The end does not wait for the table at work. */
static void ends_amid_a_table(void **state)
{
	size_t n = n_open_files();
	struct starts starts;
	struct table_builder *b = begin("never", &starts);
	uint64_t before;

	ask(b, 1);
	while (!starts.n)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	before = clock_ns(CLOCK_MONOTONIC);
	table_builder__free(b);
	assert_true(clock_ns(CLOCK_MONOTONIC) - before < 5 * NSEC_PER_SEC);
	assert_int_equal(starts.n, 1);
	assert_int_equal(n_open_files(), n);
	assert_int_equal(kill((pid_t)starts.tgid, 0), -1);
}

static void questions_are_bounded(void **state)
{
	size_t n = n_open_files();
	struct starts starts;
	struct table_builder *b = begin("never", &starts);
	cleanup_close int fd = a_file();

	ask(b, 0);
	while (!starts.n) /* that one is at work */
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	for (uint64_t i = 1; i <= TABLE_BUILDER_QUESTIONS_MAX; i++)
		ask(b, i);
	assert_int_equal(table_builder__ask(b, fd, 100), TABLE_BUILDER_FULL);
	fd = close_fd(fd);
	table_builder__free(b);
	assert_int_equal(n_open_files(), n);
}

/* One that gave a bad table is not asked about the next file. */
static void one_that_has_lied_is_ended(void **state)
{
	struct starts starts;
	struct table_builder *b = begin("bad_row", &starts);

	for (unsigned i = 1; i <= 2; i++) {
		struct built_table t;

		ask(b, i);
		t = await(b);
		assert_int_equal(t.error, -EBADMSG);
		assert_int_equal(starts.n, i);
		assert_int_equal(kill((pid_t)starts.tgid, 0), -1);
	}
	table_builder__free(b);
}

static void which_errors_are_final(void **state)
{
	static const int final[] = {-ENOEXEC, -EIO, -EBADMSG, -EFBIG};
	static const int passing[] = {-ENOMEM, -EMFILE, -ENFILE, -EAGAIN};

	for (size_t i = 0; i < 4; i++) {
		assert_true(table_builder_is_final(final[i]));
		assert_false(table_builder_is_final(passing[i]));
	}
}

static void those_that_lie(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		size_t n = n_open_files();

		if (fakes[i].spoil == never)
			continue; /* nor does the test wait for it */
		struct starts starts;
		struct table_builder *b = begin(fakes[i].name, &starts);
		struct built_table t;

		ask(b, i);
		t = await(b);
		if (t.error != fakes[i].error)
			fail_msg("%s: %d", fakes[i].name, t.error);
		assert_int_equal(t.id, i);
		if (t.error) {
			assert_null(t.lines);
			assert_int_equal(t.n_lines, 0);
			assert_int_equal(t.build_id.size, 0);
		}
		built_table__fini(&t);
		table_builder__free(b);
		assert_int_equal(n_open_files(), n);
	}
}

/* A file that kills it costs that file's table; the next one is made. */
static void one_that_dies(void **state)
{
	cleanup_close int script = open("dies", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	struct starts starts;
	struct built_table t;
	struct table_builder *b;

	assert_int_equal(write_full(script, "#!/bin/sh\nexit 1\n", 17), 17);
	script = close_fd(script);
	b = begin("dies", &starts);
	ask(b, 1);
	ask(b, 2);
	for (unsigned i = 1; i <= 2; i++) {
		t = await(b);
		assert_int_equal(t.id, i);
		assert_int_equal(t.error, -ECHILD); /* it was not asked: no file's fault */
		assert_false(table_builder_is_final(t.error));
	}
	table_builder__free(b);
	b = begin("answers_once", &starts);
	for (unsigned i = 1; i <= 3; i++) {
		ask(b, i);
		t = await(b);
		assert_int_equal(t.error, 0);
		assert_int_equal(starts.n, i);
		built_table__fini(&t);
	}
	table_builder__free(b);
}

/* After some seconds without a question there is no symbolizer; the next question has another. */
static void rests_when_there_is_nothing_to_do(void **state)
{
	struct starts starts;
	struct table_builder *b = begin("honest", &starts);
	struct built_table t;
	unsigned tries = 0;

	ask(b, 1);
	t = await(b);
	built_table__fini(&t);
	assert_int_equal(kill((pid_t)starts.tgid, 0), 0);
	while (kill((pid_t)starts.tgid, 0) == 0 && tries++ < 300)
		nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
	assert_in_range(tries, 10, 299);
	ask(b, 2);
	t = await(b);
	assert_int_equal(t.error, 0);
	assert_int_equal(starts.n, 2);
	built_table__fini(&t);
	table_builder__free(b);
}

static void the_real_one(void **state)
{
	cleanup_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	cleanup_close int text = a_file();
	struct table_builder *b = NULL;
	struct built_table t;
	char path[4096];

	if (!self_symbolizer(path, sizeof(path))) {
		print_message("there is no cprofd-symbolizer beside the tests\n");
		skip();
	}
	assert_int_equal(table_builder__new(&b, path, NULL, NULL, NULL), 0);
	assert_int_equal(table_builder__ask(b, fd, 1), 0);
	assert_int_equal(table_builder__ask(b, text, 2), 0);
	t = await(b);
	assert_int_equal(t.error, 0);
	assert_true(((const struct unwind_table_head *)t.lines)->n_rows > 100);
	built_table__fini(&t);
	t = await(b);
	assert_int_equal(t.id, 2);
	assert_int_equal(t.error, -ENOEXEC);
	table_builder__free(b);
}

/* ---- unwind_table_valid() -------------------------------------------------------------------- */

static bool valid(const struct made_table *t)
{
	return unwind_table_valid(t->lines, t->n_lines);
}

/* Each line: makes one number wrong; the check must see it. */
static void every_number_is_checked(void **state)
{
	static const struct {
		const char *what;
		size_t off; /* of a word of the head */
		uint32_t bad[4];
	} heads[] = {
#define FIELD(f) #f, offsetof(struct unwind_table_head, f)
	    {FIELD(start), {1, 0x8000, 0x2ffff, 0x21000}},
	    {FIELD(shift), {0, UNWIND_SHIFT_MIN - 1, UNWIND_SHIFT_MAX + 1, UINT32_MAX}},
	    {FIELD(n_buckets), {0, 16, 1 << 20, UINT32_MAX}},
	    {FIELD(n_rows), {0, 5, 17, UINT32_MAX}},
	    {FIELD(n_rules), {0, 1, 5, 65537}},
	    {FIELD(dir_line), {0, 2, 3, UINT32_MAX}},
	    {FIELD(row_line), {0, 1, 3, UINT32_MAX}},
	    {FIELD(rule_line), {0, 2, 4, UINT32_MAX}},
	    {FIELD(n_lines), {0, 3, 5, UINT32_MAX}},
	    {FIELD(all_regs), {2, 3, 256, UINT32_MAX}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		for (unsigned k = 0; k < 4; k++) {
			struct made_table t = made_table_example();

			assert_true(valid(&t));
			memcpy((char *)t.lines + heads[i].off, &heads[i].bad[k], sizeof(uint32_t));
			if (valid(&t))
				fail_msg("%s = %u passes", heads[i].what, heads[i].bad[k]);
		}
	}
}

static void the_memory_must_be_as_long_as_the_table(void **state)
{
	struct made_table t = made_table_example();

	for (uint32_t n = 0; n < MADE_TABLE_LINES_MAX; n++)
		assert_int_equal(unwind_table_valid(t.lines, n), n == t.n_lines);
}

static void the_directory_is_checked(void **state)
{
	struct made_table t = made_table_example();
	uint32_t n_rows = made_head(&t)->n_rows, n = made_head(&t)->n_buckets;

	for (uint32_t b = 0; b <= n; b++) {
		t = made_table_example();
		made_dir(&t)[b] = n_rows + 1;
		assert_false(valid(&t));
		t = made_table_example();
		made_dir(&t)[b] = UINT32_MAX;
		assert_false(valid(&t));
	}
	/* It ascends. */
	t = made_table_example();
	made_dir(&t)[1] = made_dir(&t)[2] + 1;
	assert_false(valid(&t));
}

static void rows_are_checked(void **state)
{
	struct made_table t = made_table_example();
	uint32_t n_rows = made_head(&t)->n_rows, n_rules = made_head(&t)->n_rules;

	for (uint32_t i = 0; i < n_rows; i++) {
		t = made_table_example();
		made_rows(&t)[i] |= n_rules << 16;
		assert_false(valid(&t));
		t = made_table_example();
		made_rows(&t)[i] |= 0xffff0000;
		assert_false(valid(&t));
	}
	/* Row 0 holds for what comes before any bucket's first. */
	t = made_table_example();
	made_rows(&t)[0] |= 1;
	assert_false(valid(&t));
}

static void rules_are_checked(void **state)
{
	for (unsigned i = 0; i < 3; i++) {
		struct made_table t = made_table_example();

		made_rules(&t)[i].cfa = UNWIND_CFA_MAX;
		assert_false(valid(&t));
		made_rules(&t)[i].cfa = UNWIND_CFA_MAX - 1;
		assert_true(valid(&t));
		/* Registers and offsets have no wrong values: the walker masks and reads safely. */
		made_rules(&t)[i].cfa_reg = made_rules(&t)[i].ra = 255;
		assert_true(valid(&t));
	}
}

/* A row has 16 bits for the number of its rule. */
static void there_are_65536_rules_at_most(void **state)
{
	for (uint32_t n_rules = 65536; n_rules <= 65537; n_rules++) {
		uint32_t n_lines = 3 + (n_rules + 3) / UNWIND_RULES_PER_LINE;
		cleanup_free struct unwind_line *lines = calloc(n_lines, sizeof(*lines));
		struct unwind_table_head *h = (void *)lines;

		assert_non_null(lines);
		*h = (struct unwind_table_head){.shift = UNWIND_SHIFT_MIN,
						.n_buckets = 1,
						.n_rows = 1,
						.n_rules = n_rules,
						.dir_line = 1,
						.row_line = 2,
						.rule_line = 3,
						.n_lines = n_lines};
		lines[1].w[1] = 1;
		lines[2].w[0] = 65535u << 16;
		assert_int_equal(unwind_table_valid(lines, n_lines), n_rules == 65536);
	}
}

/* A memory full of holes is as long as its maker likes, and as cheap; to read it is not. */
static void tables_are_64_mib_at_most(void **state)
{
	for (uint32_t n_lines = UNWIND_TABLE_LINES_MAX; n_lines <= UNWIND_TABLE_LINES_MAX + 1;
	     n_lines++) {
		cleanup_free struct unwind_line *lines = calloc(n_lines, sizeof(*lines));
		struct unwind_table_head *h = (void *)lines;

		assert_non_null(lines);
		*h = (struct unwind_table_head){.shift = UNWIND_SHIFT_MIN,
						.n_buckets = 1,
						.n_rows = (n_lines - 3) * UNWIND_LINE_WORDS,
						.n_rules = 1,
						.dir_line = 1,
						.row_line = 2,
						.rule_line = n_lines - 1,
						.n_lines = n_lines};
		assert_int_equal(unwind_table_valid(lines, n_lines),
				 n_lines == UNWIND_TABLE_LINES_MAX);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(without_a_symbolizer_there_is_none),
	    in_scratch_dir(ends_without_a_question),
	    in_scratch_dir(a_table_is_made),
	    in_scratch_dir(answers_come_in_order),
	    in_scratch_dir(is_readable_until_all_is_taken),
	    in_scratch_dir(ends_amid_questions),
	    in_scratch_dir(ends_amid_a_table),
	    in_scratch_dir(questions_are_bounded),
	    in_scratch_dir(one_that_has_lied_is_ended),
	    in_scratch_dir(which_errors_are_final),
	    in_scratch_dir(those_that_lie),
	    in_scratch_dir(one_that_dies),
	    in_scratch_dir(rests_when_there_is_nothing_to_do),
	    in_scratch_dir(the_real_one),
	    cmocka_unit_test(every_number_is_checked),
	    cmocka_unit_test(the_memory_must_be_as_long_as_the_table),
	    cmocka_unit_test(the_directory_is_checked),
	    cmocka_unit_test(rows_are_checked),
	    cmocka_unit_test(rules_are_checked),
	    cmocka_unit_test(there_are_65536_rules_at_most),
	    cmocka_unit_test(tables_are_64_mib_at_most),
	};
	const struct fake *fake = fake_of(argv[0]);

	return fake ? play(fake) : cmocka_run_group_tests(tests, NULL, NULL);
}
