/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/naming: no frame of a window is nameless. */
#include "daemon/collector/naming.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/fake_symbolizer.h"
#include "tests/unit/self_window.h"

struct scene {
	struct self_window self;
	struct naming *naming;
};

static int free_scene(void **state)
{
	struct scene *s = *state;

	naming__free(s->naming);
	self_window__fini(&s->self);
	free(s);
	return 0;
}

/* This test under this name plays a symbolizer that can read no file, and takes long to find that
 * out of one of one byte. */
#define SLOW_SYMBOLIZER "/tmp/cprofd-test-slow-symbolizer"

static int play_slow_symbolizer(void)
{
	int r = fake_symbolizer_ready();

	while (r == 0) {
		_cleanup_(ipc_msg__fini) struct ipc_msg question = IPC_MSG_INIT;
		struct ipc_msg answer = {.type = MSG_FAILED};
		struct stat st;

		r = ipc_recv(IPC_SYMBOLIZER_FD, &question, IPC_FOREVER);
		if (r == 0 && fstat(question.fds[0], &st) == 0 && st.st_size == 1)
			usleep(1100000);
		answer.id = question.id;
		if (r == 0)
			r = ipc_send(IPC_SYMBOLIZER_FD, &answer, IPC_FOREVER);
	}
	return 0;
}

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));
	char path[4096];

	*state = s;
	if (!s || self_window__init(&s->self) < 0)
		return -1;
	if (!self_symbolizer(path, sizeof(path))) {
		print_message("there is no cprofd-symbolizer beside the tests\n");
		return -1;
	}
	return naming__new(&s->naming, path, NULL, NULL, NULL);
}

static void count_user(struct scene *s, size_t n, const uint64_t *user, enum stack_end end)
{
	struct made_sample sample = made_sample(0, 1, "self", NO_FRAMES, n, user, end);

	assert_int_equal(self_window__count(&s->self, 1, "self", &sample, 1), 0);
}

/* Closes the window and names it. */
static struct named_window name(struct scene *s)
{
	struct named_window named;

	assert_int_equal(window__close(s->self.w, 1), 0);
	assert_int_equal(naming__window(s->naming, s->self.w, &named), 0);
	return named;
}

static void next_window(struct scene *s)
{
	window__free(s->self.w);
	assert_int_equal(self_window__new_window(&s->self), 0);
}

static const struct names_chain *chain_of(const struct named_window *named, size_t frame)
{
	return &named->names->chains[named->chains[frame]];
}

static const struct names_function *function_of(const struct named_window *named, size_t frame,
						size_t line)
{
	const struct names_chain *c = chain_of(named, frame);

	assert_true(line < c->n);
	return &named->names->functions[named->names->lines[c->first + line].function];
}

static const char *name_of(const struct named_window *named, size_t frame, size_t line)
{
	return names__text(named->names, function_of(named, frame, line)->name);
}

static uint32_t line_of(const struct named_window *named, size_t frame, size_t line)
{
	return named->names->lines[chain_of(named, frame)->first + line].line;
}

static void a_missing_symbolizer_is_said(void **state)
{
	struct naming *n = NULL;

	assert_int_equal(naming__new(&n, "/nonexistent/symbolizer", NULL, NULL, NULL), -ENOENT);
	assert_null(n);
	assert_null(naming__free(NULL));
}

static void an_empty_window(void **state)
{
	struct named_window named = name(*state);

	assert_int_equal(named.n_kernel_ranges, 0);
	for (unsigned i = 0; i < NAME_SOURCE_MAX; i++)
		assert_int_equal(named.n_frames_by_source[i], 0);
}

/* Function, file, line and the inline chain, innermost first. */
static void a_program_with_dwarf(void **state)
{
	struct scene *s = *state;
	struct named_window named;

	count_user(s, FRAMES(self_pc()), STACK_END_ROOT);
	named = name(s);
	assert_int_equal(chain_of(&named, 0)->source, NAME_DWARF);
	assert_int_equal(chain_of(&named, 0)->n, 2);
	assert_string_equal(name_of(&named, 0, 0), "self_inner");
	assert_string_equal(name_of(&named, 0, 1), "self_outer");
	assert_int_equal(line_of(&named, 0, 0), SELF_INNER_LINE + 2);
	assert_int_equal(line_of(&named, 0, 1), SELF_OUTER_LINE + 2);
	assert_int_equal(function_of(&named, 0, 1)->start_line, SELF_OUTER_LINE);
	assert_non_null(strstr(names__text(named.names, function_of(&named, 0, 0)->filename),
			       "tests/unit/self_window.h"));
	assert_int_equal(named.n_frames_by_source[NAME_DWARF], 1);
	assert_int_equal(named.n_absent_objects, 0);
	assert_int_equal(named.n_bad_objects, 0);
}

/* What was learned is kept: the second window needs no file. */
static void names_are_kept_from_window_to_window(void **state)
{
	struct scene *s = *state;
	struct object *exe = s->self.process->maps->exe->object;
	struct named_window named;
	int fd;

	count_user(s, FRAMES(self_pc()), STACK_END_ROOT);
	name(s);
	next_window(s);
	fd = exe->fd;
	exe->fd = -1;
	count_user(s, FRAMES(self_pc()), STACK_END_ROOT);
	count_user(s, FRAMES(self_pc() + 1), STACK_END_ROOT);
	named = name(s);
	exe->fd = fd;
	assert_string_equal(name_of(&named, 0, 0), "self_inner");
	/* The new address has no file to be asked of, for now. */
	assert_int_equal(chain_of(&named, 1)->source, NAME_NONE);
	assert_int_equal(named.n_absent_objects, 1);
	next_window(s);
	count_user(s, FRAMES(self_pc() + 1), STACK_END_ROOT);
	named = name(s);
	assert_int_equal(chain_of(&named, 0)->source, NAME_DWARF);
}

/* Another run of the profiler, with a cache in DIR. */
static void restart(struct scene *s, const char *dir)
{
	char path[4096];

	naming__free(s->naming);
	s->naming = NULL;
	assert_true(self_symbolizer(path, sizeof(path)));
	assert_int_equal(naming__new(&s->naming, path, dir, NULL, NULL), 0);
}

/* Names, lines, addresses without a name and the build id; and what is new is asked for alone. */
static void names_are_kept_from_run_to_run(void **state)
{
	struct scene *s = *state;
	char dir[] = "/tmp/cprofd-test.XXXXXX", unnamed[300], command[64];
	uint64_t start = s->self.process->maps->exe->start;
	struct named_window named;
	struct msg_build_id id, again;

	assert_non_null(mkdtemp(dir));
	for (int run = 0; run < 3; run++) {
		restart(s, dir);
		next_window(s);
		count_user(s, FRAMES(self_pc()), STACK_END_ROOT);
		count_user(s, FRAMES(start), STACK_END_ROOT);
		if (run == 2)
			count_user(s, FRAMES(self_root()), STACK_END_ROOT);
		named = name(s);
		assert_int_equal(named.n_asked, run == 0 ? 2 : run == 1 ? 0 : 1);
		assert_int_equal(named.n_kept, run == 0 ? 0 : 2);
		assert_int_equal(chain_of(&named, 0)->source, NAME_DWARF);
		assert_int_equal(chain_of(&named, 0)->n, 2);
		assert_string_equal(name_of(&named, 0, 0), "self_inner");
		assert_int_equal(line_of(&named, 0, 1), SELF_OUTER_LINE + 2);
		assert_int_equal(function_of(&named, 0, 1)->start_line, SELF_OUTER_LINE);
		if (run == 0) {
			id = naming__build_id(s->naming, s->self.process->maps->exe->object);
			snprintf(unnamed, sizeof(unnamed), "%s", name_of(&named, 1, 0));
		}
		assert_string_equal(name_of(&named, 1, 0), unnamed);
		again = naming__build_id(s->naming, s->self.process->maps->exe->object);
		assert_memory_equal(&id, &again, sizeof(id));
	}
	restart(s, NULL);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* Chains are numbered in the order in which they become known. */
static void hot_files_are_asked_about_first(void **state)
{
	struct scene *s = *state;
	uint64_t libc = (uintptr_t)dlsym(RTLD_DEFAULT, "qsort");
	struct named_window named;

	count_user(s, FRAMES(self_pc()), STACK_END_ROOT);
	count_user(s, FRAMES(libc), STACK_END_ROOT);
	named = name(s);
	assert_true(named.chains[0] < named.chains[1]);
	next_window(s);
	count_user(s, FRAMES(self_pc() + 1), STACK_END_ROOT);
	for (int i = 0; i < 3; i++)
		count_user(s, FRAMES(libc + 1), STACK_END_ROOT);
	named = name(s);
	assert_true(named.chains[0] > named.chains[1]);
}

/* A file of USER's with N bytes. */
static int file_of(uid_t user, size_t n)
{
	int fd = memfd_create("file", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	assert_int_equal(fchown(fd, user, user), 0);
	return fd;
}

/* A user's file that takes long costs his other files their turn, and nobody else's. */
static void slow_users_wait(void **state)
{
	struct scene *s = *state;
	const uint64_t pcs[3] = {self_pc(), (uintptr_t)dlsym(RTLD_DEFAULT, "qsort"),
				 (uintptr_t)dlsym(RTLD_DEFAULT, "_cmocka_run_group_tests")};
	const uid_t users[3] = {1000, 1000, 1001};
	struct named_window named;
	uint32_t chains[3];
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (geteuid() != 0) {
		print_message("only root has files of several users\n");
		skip();
	}
	assert_true(n > 0);
	exe[n] = '\0';
	(void)unlink(SLOW_SYMBOLIZER);
	assert_int_equal(symlink(exe, SLOW_SYMBOLIZER), 0);
	naming__free(s->naming);
	assert_int_equal(naming__new(&s->naming, SLOW_SYMBOLIZER, NULL, NULL, NULL), 0);
	for (size_t i = 0; i < 3; i++) {
		struct object *o = mapset__find(s->self.process->maps, pcs[i])->object;

		close_fd(o->fd);
		o->fd = file_of(users[i], i + 1);
		for (size_t k = i; k < 3; k++) /* the first is the hottest */
			count_user(s, FRAMES(pcs[i]), STACK_END_ROOT);
	}
	named = name(s);
	for (size_t i = 0; i < 3; i++)
		chains[i] = named.chains[i];
	assert_true(chains[0] < chains[2]);
	assert_true(chains[2] < chains[1]);
	assert_int_equal(unlink(SLOW_SYMBOLIZER), 0);
}

/* The file that naming finds behind FD in place of our program. */
static struct named_window with_file(struct scene *s, int fd, const struct msg_build_id *told)
{
	struct object *exe = s->self.process->maps->exe->object;
	struct msg_build_id id = exe->id.build_id;
	struct named_window named;
	int own = exe->fd;

	count_user(s, FRAMES(self_pc(), self_root()), STACK_END_ROOT);
	exe->fd = fd;
	if (told)
		exe->id.build_id = *told;
	named = name(s);
	exe->id.build_id = id;
	exe->fd = own;
	return named;
}

static void numbered(struct scene *s, const struct named_window *named)
{
	const struct mapping *m = s->self.process->maps->exe;
	char want[64];

	snprintf(want, sizeof(want), "test_naming+0x%" PRIx64, self_pc() - m->start + m->off);
	assert_string_equal(name_of(named, 1, 0), want); /* frames are interned root first */
	assert_int_equal(chain_of(named, 1)->n, 1);
	assert_int_equal(named->n_frames_by_source[NAME_NONE], 2);
}

static void a_file_that_is_not_elf(void **state)
{
	cleanup_close int fd = memfd_create("text", MFD_CLOEXEC);
	struct scene *s = *state;
	struct named_window named;

	assert_int_equal(write_full(fd, "no program\n", 11), 11);
	named = with_file(s, fd, NULL);
	numbered(s, &named);
	assert_int_equal(named.n_bad_objects, 0); /* the symbolizer lives */
	/* It is not asked about again. */
	next_window(s);
	named = with_file(s, s->self.process->maps->exe->object->fd, NULL);
	numbered(s, &named);
}

/* The kernel told another build id: the path leads to another file by now. */
static void a_file_that_was_replaced(void **state)
{
	static const struct msg_build_id told = {.size = 20, .bytes = {1, 2, 3}};
	struct scene *s = *state;
	struct named_window named = with_file(s, s->self.process->maps->exe->object->fd, &told);
	struct msg_build_id id;

	numbered(s, &named);
	assert_int_equal(named.n_absent_objects, 1);
	id = naming__build_id(s->naming, s->self.process->maps->exe->object);
	assert_int_equal(id.size, 20);
	assert_memory_equal(id.bytes, told.bytes, 20);
}

/* The loader's note, which the mappings alone do not tell. */
static void build_ids_are_read_from_the_file(void **state)
{
	struct scene *s = *state;
	const struct object *exe = s->self.process->maps->exe->object;

	assert_int_equal(naming__build_id(s->naming, exe).size, 0);
	count_user(s, FRAMES(self_pc()), STACK_END_ROOT);
	name(s);
	if (!naming__build_id(s->naming, exe).size) {
		print_message("this compiler writes no build id\n");
		skip();
	}
	assert_in_range(naming__build_id(s->naming, exe).size, 8, BUILD_ID_MAX);
}

static void the_vdso_is_read_from_our_own(void **state)
{
	struct scene *s = *state;
	uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
	struct named_window named;
	uint64_t addr;

	if (!vdso) {
		print_message("this kernel has no vDSO\n");
		skip();
	}
	/* Somewhere in the image there is a named function. */
	for (addr = vdso + 0x100; addr < vdso + 0x2000; addr += 16)
		count_user(s, FRAMES(addr), STACK_END_ROOT);
	named = name(s);
	assert_true(named.n_frames_by_source[NAME_SYMTAB] > 0);
	for (size_t i = 0; i < s->self.w->n_frames; i++)
		if (s->self.w->frames[i].kind == FRAME_USER)
			assert_true(!strncmp(name_of(&named, i, 0), "[vdso]+0x", 9) ||
				    chain_of(&named, i)->source == NAME_SYMTAB);
}

static void what_has_no_code_has_a_word(void **state)
{
	static const struct {
		enum stack_end end;
		const char *name;
	} cases[] = {
	    {STACK_END_UNREADABLE, "[truncated: stack unreadable]"},
	    {STACK_END_BAD_CFA, "[truncated: bad CFA]"},
	    {STACK_END_DEPTH, "[truncated: depth]"},
	    {STACK_END_COMPAT, "[truncated: 32-bit process]"},
	    {STACK_END_NO_REGS, "[truncated: no user registers]"},
	};
	struct scene *s = *state;
	struct named_window named;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		count_user(s, NO_FRAMES, cases[i].end);
	count_user(s, NO_FRAMES, STACK_END_NO_USER);
	count_user(s, FRAMES(0x10), STACK_END_ROOT);
	named = name(s);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_string_equal(name_of(&named, i, 0), cases[i].name);
		assert_int_equal(chain_of(&named, i)->source, NAME_PSEUDO);
	}
	assert_string_equal(name_of(&named, 5, 0), "[no stack]");
	assert_string_equal(name_of(&named, 6, 0), "[unmapped code]");
}

static void code_without_a_file(void **state)
{
	struct scene *s = *state;
	struct object *anon = made_object(s->self.objects, "//anon", 0);
	struct named_window named;

	assert_int_equal(
	    mapset__add(&s->self.process->maps, s->self.objects, 0x1000, 0x2000, 0, anon), 0);
	objects__unref(s->self.objects, anon);
	count_user(s, FRAMES(0x1234), STACK_END_ROOT);
	named = name(s);
	assert_string_equal(name_of(&named, 0, 0), "[anonymous code]");
}

/* With names or without: a range of the kernel's own holds every address, so that none is taken for
 * the program's. */
static void kernel_addresses_have_a_range(void **state)
{
	struct scene *s = *state;
	struct made_sample sample =
	    made_sample(0, 1, "self", FRAMES(0xffffffff81000100, 0xffff800000000010), NO_FRAMES,
			STACK_END_NO_USER);
	struct named_window named;

	assert_int_equal(self_window__count(&s->self, 1, "self", &sample, 1), 0);
	named = name(s);
	assert_true(named.n_kernel_ranges > 0);
	for (size_t i = 0; i < s->self.w->n_frames; i++) {
		const struct window_frame *f = &s->self.w->frames[i];
		const struct kernel_range *r;

		assert_true(named.kernel_range[i] < named.n_kernel_ranges);
		r = &named.kernel_ranges[named.kernel_range[i]];
		assert_true(r->start <= f->addr && f->addr < r->end);
		assert_int_equal(r->name[0], '[');
		assert_true(*name_of(&named, i, 0));
	}
	if (named.kernel_hidden)
		assert_string_equal(name_of(&named, 0, 0), "[kernel]");
	/* Read again on demand, with the same result. */
	assert_int_equal(naming__kernel_changed(s->naming, &(struct sideband_event){0}), 0);
	named = name(s);
	assert_true(*name_of(&named, 0, 0));
}

/* BPF programs that are gone have their names from the kernel's events; the tag is left out of
 * what is shown. */
static void bpf_programs_that_are_gone(void **state)
{
	static const struct sideband_event events[] = {
	    {.start = 0xffff800000000000,
	     .len = 0x100,
	     .bpf_program = "bpf_prog_6deef7357e7b4530_on_sample"},
	    {.start = 0xffff800000000100, .len = 0x100, .bpf_program = "bpf_trampoline_12345"},
	    {.start = 0xffff800000000200, .len = 0x100, .bpf_program = "bpf_prog_6deef7357e7b4530"},
	};
	static const char *const names[] = {"bpf_prog_on_sample", "bpf_trampoline_12345",
					    "bpf_prog_6deef7357e7b4530", "[kernel]"};
	struct scene *s = *state;
	struct named_window named;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct made_sample sample =
		    made_sample(0, 1, "self", FRAMES(0xffff800000000010 + i * 0x100), NO_FRAMES,
				STACK_END_NO_USER);

		assert_int_equal(self_window__count(&s->self, 1, "self", &sample, 1), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		assert_int_equal(naming__kernel_changed(s->naming, &events[i]), 0);
	named = name(s);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(name_of(&named, i, 0), names[i]);
	assert_string_equal(names__text(named.names, function_of(&named, 0, 0)->system_name),
			    "bpf_prog_6deef7357e7b4530_on_sample");
	assert_int_equal(chain_of(&named, 0)->source, NAME_KALLSYMS);
	assert_string_equal(named.kernel_ranges[named.kernel_range[0]].name, "[bpf]");
	assert_int_equal(named.kernel_range[2], named.kernel_range[0]);
	assert_int_not_equal(named.kernel_range[3], named.kernel_range[0]);
}

static uint32_t chain_named(struct names *names, const char *name, const char *system_name)
{
	struct names_line lines[2] = {0};
	uint32_t chain;

	assert_int_equal(names__function(names, "inlined", "", "", 0, &lines[0].function), 0);
	assert_int_equal(names__function(names, name, system_name, "", 0, &lines[1].function), 0);
	assert_int_equal(names__chain(names, lines, 2, NAME_DWARF, &chain), 0);
	return chain;
}

/* The outermost function of the chain decides, by its linker's name. */
static void first_functions_are_roots(void **state)
{
	static const char *const roots[] = {"_start", "clone3", "runtime.goexit", "start_thread"};
	struct names *names = NULL;

	assert_int_equal(names__new(&names), 0);
	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		assert_true(naming_is_root(names, chain_named(names, roots[i], ""), NAMES_NONE));
	assert_false(naming_is_root(names, chain_named(names, "main", ""), NAMES_NONE));
	assert_false(
	    naming_is_root(names, chain_named(names, "_start", "_ZN3foo6_startEv"), NAMES_NONE));
	assert_true(naming_is_root(names, chain_named(names, "pretty", "clone"), NAMES_NONE));
	names__free(names);
}

/* In a stripped libc the function that calls main() has no name. */
static void what_calls_main_is_a_root(void **state)
{
	struct names *names = NULL;
	uint32_t unnamed, called_by_main;

	assert_int_equal(names__new(&names), 0);
	assert_int_equal(names__plain(names, "libc.so.6+0x27249", NAME_NONE, &unnamed), 0);
	called_by_main = chain_named(names, "work", "");
	assert_true(naming_is_root(names, unnamed, chain_named(names, "main", "")));
	assert_false(naming_is_root(names, unnamed, called_by_main));
	assert_false(naming_is_root(names, unnamed, NAMES_NONE));
	assert_false(naming_is_root(names, called_by_main, chain_named(names, "main", "")));
	names__free(names);
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_missing_symbolizer_is_said),
	    in_scene(an_empty_window),
	    in_scene(a_program_with_dwarf),
	    in_scene(names_are_kept_from_window_to_window),
	    in_scene(names_are_kept_from_run_to_run),
	    in_scene(hot_files_are_asked_about_first),
	    in_scene(slow_users_wait),
	    in_scene(a_file_that_is_not_elf),
	    in_scene(a_file_that_was_replaced),
	    in_scene(build_ids_are_read_from_the_file),
	    in_scene(the_vdso_is_read_from_our_own),
	    in_scene(what_has_no_code_has_a_word),
	    in_scene(code_without_a_file),
	    in_scene(kernel_addresses_have_a_range),
	    in_scene(bpf_programs_that_are_gone),
	    cmocka_unit_test(first_functions_are_roots),
	    cmocka_unit_test(what_calls_main_is_a_root),
	};

	if (!strcmp(argv[0], SLOW_SYMBOLIZER))
		return play_slow_symbolizer();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
