/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon/collector/symbolizer_client: asking a process that may die, lie or not be there.
 *
 * The program under one of the names in `fakes` is this test itself, which then plays a symbolizer
 * gone wrong.
 */
#include "daemon/collector/symbolizer_client.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/fake_symbolizer.h"
#include "tests/unit/scratch_dir.h"
#include "tests/unit/self_window.h"

/* ---- the fakes ------------------------------------------------------------------------------- */

struct answer {
	struct ipc_msg msg;
	struct msg_identity identity;
	bool last; /* it ends after this one */
};

static void wrong_id(struct answer *a)
{
	a->msg.id++;
}

static void wrong_type(struct answer *a)
{
	a->msg.type = a->msg.type == MSG_IDENTIFY_OK ? MSG_SYMBOLIZE_OK : MSG_IDENTIFY_OK;
}

static void short_answer(struct answer *a)
{
	a->msg.n_bytes = sizeof(a->identity) - 1;
}

static void name_without_end(struct answer *a)
{
	memset(a->identity.debuglink, 'x', sizeof(a->identity.debuglink));
}

static void path_without_end(struct answer *a)
{
	memset(a->identity.alt_path, 'x', sizeof(a->identity.alt_path));
}

static void long_build_id(struct answer *a)
{
	a->identity.build_id.size = BUILD_ID_MAX + 1;
}

static void long_alt_build_id(struct answer *a)
{
	a->identity.alt_build_id.size = UINT32_MAX;
}

static void a_descriptor_along(struct answer *a)
{
	a->msg.fds[0] = STDERR_FILENO;
	a->msg.n_fds = 1;
}

static void says_failed(struct answer *a)
{
	a->msg.type = MSG_FAILED;
	a->msg.n_bytes = 0;
}

static void answers_once(struct answer *a)
{
	a->last = true;
}

static void dies_when_asked(struct answer *a)
{
	_exit(1);
}

/* Of the second question; what it read before may have broken it. */
static void dies_later(struct answer *a)
{
	static bool asked;

	if (asked)
		_exit(1);
	asked = true;
}

static void is_killed(struct answer *a)
{
	raise(SIGKILL);
}

static const struct fake {
	const char *name;
	void (*spoil)(struct answer *a);
	int result; /* of a question to it */
} fakes[] = {
    {"wrong_id", wrong_id, SYMBOLIZER_DIED},
    {"wrong_type", wrong_type, SYMBOLIZER_DIED},
    {"short_answer", short_answer, SYMBOLIZER_DIED},
    {"name_without_end", name_without_end, SYMBOLIZER_DIED},
    {"path_without_end", path_without_end, SYMBOLIZER_DIED},
    {"long_build_id", long_build_id, SYMBOLIZER_DIED},
    {"long_alt_build_id", long_alt_build_id, SYMBOLIZER_DIED},
    {"a_descriptor_along", a_descriptor_along, SYMBOLIZER_DIED},
    {"says_failed", says_failed, SYMBOLIZER_UNUSABLE},
    {"answers_once", answers_once, SYMBOLIZER_OK},
    {"dies_when_asked", dies_when_asked, SYMBOLIZER_DIED},
    {"dies_later", dies_later, SYMBOLIZER_OK},
    {"is_killed", is_killed, SYMBOLIZER_LATER},
};

/* Answers every question in its own way, until the stream ends. */
static int play(const struct fake *fake)
{
	if (fake_symbolizer_ready() < 0)
		return 1;
	for (;;) {
		_cleanup_(ipc_msg__fini) struct ipc_msg question = IPC_MSG_INIT;
		struct answer a = {.msg = IPC_MSG_INIT};

		if (ipc_recv(IPC_SYMBOLIZER_FD, &question, IPC_FOREVER) < 0)
			return 0;
		a.msg.id = question.id;
		a.msg.type = question.type == MSG_IDENTIFY ? MSG_IDENTIFY_OK : MSG_SYMBOLIZE_OK;
		a.msg.payload = &a.identity;
		a.msg.n_bytes = sizeof(a.identity);
		fake->spoil(&a);
		if (ipc_send(IPC_SYMBOLIZER_FD, &a.msg, IPC_FOREVER) < 0 || a.last)
			return 0;
	}
}

/* Those that never get so far; false for any other. */
static bool play_false_start(const char *path)
{
	struct msg_failed failed = {.error = -EPERM, .text = "seccomp: no"};
	struct ipc_msg msg = {.payload = &failed, .n_bytes = sizeof(failed)};

	if (strstr(path, "/fails_to_start"))
		msg.type = MSG_FAILED;
	else if (strstr(path, "/answers_before"))
		msg.type = MSG_IDENTIFY_OK;
	return msg.type && ipc_send(IPC_SYMBOLIZER_FD, &msg, IPC_FOREVER) == 0;
}

static const struct fake *fake_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	for (size_t i = 0; slash && i < ARRAY_SIZE(fakes); i++)
		if (!strcmp(slash + 1, fakes[i].name))
			return &fakes[i];
	return NULL;
}

/* ---- the tests ------------------------------------------------------------------------------- */

struct starts {
	unsigned n;
	uint32_t tgid; /* the last one's */
	enum owner owner;
};

static void on_start(void *ctx, enum owner owner, uint32_t tgid)
{
	struct starts *s = ctx;

	s->n++;
	s->owner = owner;
	s->tgid = tgid;
}

static struct symbolizer_client *begin(const char *path, struct starts *starts)
{
	struct symbolizer_client *c = NULL;

	assert_int_equal(symbolizer_client__new(&c, path, on_start, starts), 0);
	assert_int_equal(starts->n, 0); /* the first question starts it */
	assert_int_equal(symbolizer_client__restarts(c), 0);
	return c;
}

static void script(const char *path, const char *text)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);

	assert_int_equal(write_full(fd, text, strlen(text)), strlen(text));
}

/* Makes PATH a name of this program. */
static void link_to_self(const char *path)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';
	assert_int_equal(symlink(exe, path), 0);
}

static int identify(struct symbolizer_client *c, struct msg_identity *ret)
{
	cleanup_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	return symbolizer_client__identify(c, fd, ret);
}

static int identify_path(struct symbolizer_client *c, const char *path, struct msg_identity *ret)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	return symbolizer_client__identify(c, fd, ret);
}

static int symbolize(struct symbolizer_client *c, uint64_t off, struct ipc_msg *msg,
		     struct symbols_view *v)
{
	cleanup_close int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct symbolizer_files files = {.file = fd, .debug = -1, .alt = -1, .split = -1};

	return symbolizer_client__symbolize(c, &files, &off, 1, msg, v);
}

static void one_that_is_not_there(void **state)
{
	struct symbolizer_client *c = NULL;

	assert_int_equal(symbolizer_client__new(&c, "/nonexistent", NULL, NULL), -ENOENT);
	script("text", "no program");
	assert_int_equal(chmod("text", 0644), 0);
	assert_int_equal(symbolizer_client__new(&c, "./text", NULL, NULL), -EACCES);
	assert_null(c);
	assert_null(symbolizer_client__free(NULL));
}

/* One that does not get ready has not been asked yet: no file is at fault. */
static void those_that_do_not_get_ready(void **state)
{
	static const struct {
		const char *name, *script, *trouble;
	} all[] = {
	    {"./dies", "#!/bin/sh\nexit 0\n", "ends"},
	    {"./broken", "#!/nonexistent/interpreter\n", "ends"},
	    {"./nonsense",
	     "#!/bin/sh\nprintf %s 'this is not the header that you look for' >&3\n"
	     "read -r line <&3\n",
	     "ends"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct msg_identity id = {.has_dwarf = 77};
		struct starts starts = {0};
		struct symbolizer_client *c;
		bool has_landlock;

		script(all[i].name, all[i].script);
		c = begin(all[i].name, &starts);
		assert_null(symbolizer_client__trouble(c));
		assert_int_equal(identify(c, &id), -ECHILD);
		assert_non_null(strstr(symbolizer_client__trouble(c), all[i].trouble));
		assert_int_equal(symbolizer_client__probe(c, &has_landlock), -ECHILD);
		assert_int_equal(id.has_dwarf, 77);
		symbolizer_client__free(c);
		assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
	}
}

/* One that has read nothing else: then it is the file's fault, which costs that once. */
static void one_that_dies_of_the_question(void **state)
{
	struct msg_identity id = {.has_dwarf = 77};
	struct symbolizer_client *c;
	struct starts starts = {0};

	link_to_self("dies_when_asked");
	c = begin("./dies_when_asked", &starts);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(identify(c, &id), SYMBOLIZER_DIED);
		assert_int_equal(starts.n, 1);
	}
	assert_int_equal(id.has_dwarf, 77);
	/* Another file is another matter. */
	assert_int_equal(identify_path(c, "/", &id), SYMBOLIZER_DIED);
	assert_int_equal(starts.n, 2);
	assert_int_equal(symbolizer_client__restarts(c), 1);
	symbolizer_client__free(c);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

/* The last of several files is not blamed for what the others may have done: another process is
 * asked about it. */
static void one_that_dies_of_an_earlier_file(void **state)
{
	struct msg_identity id = {0};
	struct symbolizer_client *c;
	struct starts starts = {0};

	link_to_self("dies_later");
	c = begin("./dies_later", &starts);
	for (unsigned i = 1; i < 5; i++) {
		assert_int_equal(identify(c, &id), SYMBOLIZER_OK);
		assert_int_equal(starts.n, i);
	}
	symbolizer_client__free(c);
}

/* Who is killed by others, again and again, says nothing of the file: that is asked later. */
static void one_that_is_killed(void **state)
{
	struct msg_identity id = {0};
	struct symbolizer_client *c;
	struct starts starts = {0};

	link_to_self("is_killed");
	c = begin("./is_killed", &starts);
	assert_int_equal(identify(c, &id), SYMBOLIZER_LATER);
	assert_int_equal(starts.n, 2);
	assert_int_equal(identify(c, &id), SYMBOLIZER_LATER); /* it rests */
	assert_int_equal(starts.n, 2);
	assert_int_equal(identify_path(c, "/", &id), SYMBOLIZER_LATER);
	assert_int_equal(starts.n, 4);
	symbolizer_client__free(c);
}

/* Whatever comes in place of MSG_READY. */
static void one_that_cannot_enter_its_sandbox(void **state)
{
	static const char *const names[] = {"fails_to_start", "answers_before"};
	static const char *const troubles[] = {"cannot enter its sandbox: seccomp: no",
					       "no symbolizer of this version"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct starts starts = {0};
		struct symbolizer_client *c;
		bool has_landlock;
		char path[64];

		snprintf(path, sizeof(path), "./%s", names[i]);
		link_to_self(path);
		c = begin(path, &starts);
		assert_int_equal(symbolizer_client__probe(c, &has_landlock), -ECHILD);
		assert_non_null(strstr(symbolizer_client__trouble(c), troubles[i]));
		symbolizer_client__free(c);
	}
}

/* Well-formed messages with a wrong content. */
static void those_that_lie(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(fakes); i++) {
		struct msg_identity id = {0};
		struct symbolizer_client *c;
		struct starts starts = {0};
		char path[64];
		int r;

		snprintf(path, sizeof(path), "./%s", fakes[i].name);
		link_to_self(path);
		c = begin(path, &starts);
		r = identify(c, &id);
		if (r != fakes[i].result)
			fail_msg("%s: %d", fakes[i].name, r);
		/* The liar is gone; who merely says no stays. */
		assert_int_equal(kill((pid_t)starts.tgid, 0) < 0,
				 r == SYMBOLIZER_DIED || r == SYMBOLIZER_LATER);
		symbolizer_client__free(c);
	}
}

/* Not the one who is asked is at fault when it died before the question: asked again. */
static void one_that_died_between_questions(void **state)
{
	struct msg_identity id = {0};
	struct symbolizer_client *c;
	struct starts starts = {0};

	link_to_self("answers_once");
	c = begin("./answers_once", &starts);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(identify(c, &id), SYMBOLIZER_OK);
		assert_int_equal(symbolizer_client__restarts(c), i);
	}
	symbolizer_client__free(c);
}

/* The system's files and all others have a process each, so that those cannot reach these. */
static void root_files_are_read_elsewhere(void **state)
{
	cleanup_close int root = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	cleanup_close int other = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct symbolizer_files both = {.file = root, .debug = other, .alt = -1};
	uint32_t tgids[OWNER_MAX] = {0};
	struct ipc_msg msg = IPC_MSG_INIT;
	struct symbolizer_client *c;
	struct msg_identity id = {0};
	struct starts starts = {0};
	struct symbols_view v;
	uint64_t off = 0;

	if (owner_of(root) != OWNER_ROOT) {
		print_message("/bin/sh is not root's alone\n");
		skip();
	}
	link_to_self("says_failed");
	c = begin("./says_failed", &starts);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(symbolizer_client__identify(c, root, &id), SYMBOLIZER_UNUSABLE);
		assert_int_equal(symbolizer_client__identify(c, other, &id), SYMBOLIZER_UNUSABLE);
	}
	assert_int_equal(starts.n, 2);
	assert_int_equal(starts.owner, OWNER_OTHERS);
	tgids[OWNER_OTHERS] = starts.tgid;
	/* A question with one file of others' is theirs. */
	symbolizer_client__rest(c);
	assert_int_equal(symbolizer_client__symbolize(c, &both, &off, 1, &msg, &v),
			 SYMBOLIZER_UNUSABLE);
	assert_int_equal(starts.n, 3);
	assert_int_equal(starts.owner, OWNER_OTHERS);
	assert_int_not_equal(starts.tgid, tgids[OWNER_OTHERS]);
	assert_int_equal(symbolizer_client__identify(c, root, &id), SYMBOLIZER_UNUSABLE);
	assert_int_equal(starts.n, 4);
	assert_int_equal(starts.owner, OWNER_ROOT);
	symbolizer_client__free(c);
}

static void a_bad_list_of_symbols(void **state)
{
	struct ipc_msg msg = IPC_MSG_INIT;
	struct symbolizer_client *c;
	struct starts starts = {0};
	struct symbols_view v;

	link_to_self("answers_once"); /* an identity where symbols belong */
	c = begin("./answers_once", &starts);
	assert_int_equal(symbolize(c, 0, &msg, &v), SYMBOLIZER_DIED);
	assert_null(msg.payload);
	symbolizer_client__free(c);
}

static void the_real_one(void **state)
{
	cleanup_close int text = memfd_create("text", MFD_CLOEXEC);
	struct ipc_msg msg = IPC_MSG_INIT;
	struct self_window self;
	struct symbolizer_client *c;
	struct msg_identity id = {0};
	struct starts starts = {0};
	struct symbols_view v;
	char path[4096];

	if (!self_symbolizer(path, sizeof(path))) {
		print_message("there is no cprofd-symbolizer beside the tests\n");
		skip();
	}
	assert_int_equal(self_window__init(&self), 0);
	c = begin(path, &starts);
	assert_int_equal(identify(c, &id), SYMBOLIZER_OK);
	assert_int_equal(id.has_dwarf, 1);
	assert_int_equal(write_full(text, "no program\n", 11), 11);
	assert_int_equal(symbolizer_client__identify(c, text, &id), SYMBOLIZER_UNUSABLE);
	assert_int_equal(
	    symbolize(c, self_pc() - self.process->maps->exe->start + self.process->maps->exe->off,
		      &msg, &v),
	    SYMBOLIZER_OK);
	assert_int_equal(v.header->n_addrs, 1);
	assert_int_equal(v.addrs[0].n_frames, 2);
	assert_string_equal(v.strings + v.functions[v.frames[v.addrs[0].first_frame].function].name,
			    "self_inner");
	ipc_msg__fini(&msg);
	/* Killed by somebody: the next question is answered as if nothing had been. */
	assert_int_equal(kill((pid_t)starts.tgid, SIGKILL), 0);
	assert_int_equal(identify(c, &id), SYMBOLIZER_OK);
	assert_int_equal(symbolizer_client__restarts(c), 1);
	/* One that was sent to rest has not died. */
	symbolizer_client__rest(c);
	assert_int_equal(kill((pid_t)starts.tgid, 0), -1);
	assert_int_equal(identify(c, &id), SYMBOLIZER_OK);
	assert_int_equal(symbolizer_client__restarts(c), 1);
	assert_int_equal(starts.n, 3);
	symbolizer_client__free(c);
	self_window__fini(&self);
}

/* It must write the last window after a Ctrl-C, which goes to all processes of the terminal. */
static void signals_that_end_us_do_not_end_it(void **state)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct symbolizer_client *c;
	struct msg_identity id = {0};
	struct starts starts = {0};
	char path[4096];

	if (!self_symbolizer(path, sizeof(path))) {
		print_message("there is no cprofd-symbolizer beside the tests\n");
		skip();
	}
	c = begin(path, &starts);
	assert_int_equal(identify(c, &id), SYMBOLIZER_OK); /* it is up */
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		assert_int_equal(kill((pid_t)starts.tgid, signals[i]), 0);
	assert_int_equal(identify(c, &id), SYMBOLIZER_OK);
	assert_int_equal(symbolizer_client__restarts(c), 0);
	symbolizer_client__free(c);
}

static void is_located_beside_the_program(void **state)
{
	char path[4096] = "";
	int r = symbolizer_client_locate(path, sizeof(path));

	/* Beside the tests there is none; an installed one may be found. */
	assert_true(r == -ENOENT || (r == 0 && access(path, X_OK) == 0));
	assert_non_null(strstr(path, "/cprofd-symbolizer"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    in_scratch_dir(one_that_is_not_there),
	    in_scratch_dir(those_that_do_not_get_ready),
	    in_scratch_dir(one_that_dies_of_the_question),
	    in_scratch_dir(one_that_dies_of_an_earlier_file),
	    in_scratch_dir(one_that_is_killed),
	    in_scratch_dir(one_that_cannot_enter_its_sandbox),
	    in_scratch_dir(those_that_lie),
	    in_scratch_dir(one_that_died_between_questions),
	    in_scratch_dir(root_files_are_read_elsewhere),
	    in_scratch_dir(a_bad_list_of_symbols),
	    cmocka_unit_test(the_real_one),
	    cmocka_unit_test(signals_that_end_us_do_not_end_it),
	    cmocka_unit_test(is_located_beside_the_program),
	};
	const struct fake *fake = fake_of(argv[0]);

	if (play_false_start(argv[0]))
		return 1;
	return fake ? play(fake) : cmocka_run_group_tests(tests, NULL, NULL);
}
