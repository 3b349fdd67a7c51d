/* SPDX-License-Identifier: Apache-2.0 */
/* daemon/collector/finisher: windows in, files and reports out. */
#include "daemon/collector/finisher.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/util.h"
#include "tests/unit/read_profile.h"
#include "tests/unit/scratch_dir.h"
#include "tests/unit/self_window.h"

struct scene {
	void *dir;
	struct self_window self;
	char symbolizer[4096];
	struct finisher_options options;
	struct finisher *f;
};

static int free_scene(void **state)
{
	struct scene *s = *state;

	finisher__free(s->f);
	self_window__fini(&s->self);
	close_fd(s->options.dirfd);
	scratch_dir__leave(&s->dir);
	free(s);
	return 0;
}

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	*state = s;
	if (!s || scratch_dir__enter(&s->dir) < 0 || self_window__init(&s->self) < 0)
		return -1;
	if (!self_symbolizer(s->symbolizer, sizeof(s->symbolizer))) {
		print_message("there is no cprofd-symbolizer beside the tests\n");
		return -1;
	}
	s->options = (struct finisher_options){
	    .dirfd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    .dir = "profiles",
	    .frequency_hz = 99,
	    .event = "cpu-clock",
	    .symbolizer = s->symbolizer,
	};
	return 0;
}

static void start(struct scene *s, enum finisher_output output)
{
	s->options.output = output;
	assert_int_equal(finisher__new(&s->f, &s->options, NULL, NULL), 0);
	assert_true(finisher__ready(s->f));
}

/* Samples of thread 1 of a process of this tgid and name, all in one stack. */
static void count(struct scene *s, uint32_t tgid, const char *comm, unsigned n)
{
	struct made_sample sample =
	    made_sample(0, 1, "t", NO_FRAMES, FRAMES(self_pc(), self_root()), STACK_END_ROOT);

	assert_int_equal(self_window__count(&s->self, tgid, comm, &sample, n), 0);
}

/* Waits for the next window to come back. */
static struct report take(struct scene *s)
{
	struct pollfd pfd = {.fd = finisher__fd(s->f), .events = POLLIN};
	struct report report = {0};
	struct window *w = NULL;

	assert_int_equal(poll(&pfd, 1, 30000), 1);
	assert_true(finisher__take(s->f, &w, &report));
	window__free(w);
	return report;
}

/* Hands over the window, takes it back, and begins another. */
static struct report finish(struct scene *s)
{
	assert_int_equal(window__close(s->self.w, 60 * NSEC_PER_SEC), 0);
	finisher__submit(s->f, steal_ptr(s->self.w));
	assert_int_equal(self_window__new_window(&s->self), 0);
	return take(s);
}

static int64_t total_of(const char *path)
{
	profile *p = profile_read_path(path);
	int64_t n;

	assert_non_null(p);
	n = profile_total(p);
	profile_free(p);
	return n;
}

/* "profiles/PATH" is what a report calls the file PATH of the working directory. */
static void file_is(const struct report *r, size_t i, const char *path, uint64_t n_samples)
{
	char want[512];

	assert_true(i < r->n_files);
	snprintf(want, sizeof(want), "profiles/%s", path);
	assert_string_equal(r->files[i].path, want);
	assert_int_equal(r->files[i].n_samples, n_samples);
	assert_int_equal(total_of(path), n_samples);
}

static void a_missing_symbolizer_is_said(void **state)
{
	struct scene *s = *state;

	s->options.symbolizer = "/nonexistent";
	assert_int_equal(finisher__new(&s->f, &s->options, NULL, NULL), -ENOENT);
	assert_null(s->f);
	assert_null(finisher__free(NULL));
}

static void a_file_per_process(void **state)
{
	struct scene *s = *state;
	struct report r;

	start(s, FINISHER_RUN_DIR);
	count(s, 10, "few", 2);
	count(s, 11, "many samples", 7);
	r = finish(s);
	assert_int_equal(r.n_samples, 9);
	assert_int_equal(r.n_ends[STACK_END_ROOT], 9);
	assert_int_equal(r.duration_ns, 60 * NSEC_PER_SEC);
	assert_int_equal(r.period_ns, SELF_PERIOD_NS);
	assert_int_equal(r.n_failed, 0);
	assert_int_equal(r.n_files, 2); /* most samples first */
	file_is(&r, 0, "many_samples.11.cpu.pb.gz", 7);
	file_is(&r, 1, "few.10.cpu.pb.gz", 2);
	assert_int_equal(r.files[0].tgid, 11);
	assert_string_equal(r.files[0].comm, "many samples");
	assert_int_equal(r.n_functions, 1);
	assert_string_equal(r.functions[0].name, "self_inner");
	assert_int_equal(r.functions[0].n_samples, 9);
	report__fini(&r);
	assert_int_equal(r.n_files, 0);
}

/* Processes below min_samples share a file per name; nobody's samples are dropped. */
static void small_processes_share_a_file(void **state)
{
	struct scene *s = *state;
	struct report r;
	int64_t pid = 0;
	profile *p;

	s->options.min_samples = 5;
	start(s, FINISHER_WINDOWS);
	for (uint32_t i = 0; i < 20; i++)
		count(s, 100 + i, i % 2 ? "cc1" : "as", 1 + i % 4);
	count(s, 200, "cc1", 5);
	r = finish(s);
	assert_int_equal(r.n_files, 3);
	/* The shared ones take their place by what they hold. */
	file_is(&r, 0, "2026-03-01/23/235907Z.cc1.many.cpu.pb.gz", 30);
	file_is(&r, 1, "2026-03-01/23/235907Z.as.many.cpu.pb.gz", 20);
	file_is(&r, 2, "2026-03-01/23/235907Z.cc1.200.cpu.pb.gz", 5);
	assert_int_equal(r.files[1].tgid, 0);
	report__fini(&r);
	p = profile_read_path("2026-03-01/23/235907Z.as.many.cpu.pb.gz");
	assert_int_equal(p->n_sample, 10);
	for (size_t i = 0; i < p->n_sample; i++) {
		assert_non_null(profile_label(p, p->sample[i], "pid", &pid));
		assert_true(pid >= 100 && pid < 120 && pid % 2 == 0);
	}
	profile_free(p);
}

/* Names that differ only in what a path cannot hold must not replace each other's files. */
static void names_that_look_alike_in_a_path(void **state)
{
	struct scene *s = *state;
	struct report r;

	s->options.min_samples = 5;
	start(s, FINISHER_RUN_DIR);
	count(s, 1, "kworker/0", 1);
	count(s, 2, "kworker:0", 2);
	count(s, 3, "kworker_0", 3);
	r = finish(s);
	assert_int_equal(r.n_files, 3);
	assert_int_equal(r.n_failed, 0);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(total_of(r.files[i].path + strlen("profiles/")), 3 - i);
	report__fini(&r);
}

/* Two files for one PID that came twice. */
static void a_reused_pid_has_two_files(void **state)
{
	struct scene *s = *state;
	struct report r;

	start(s, FINISHER_RUN_DIR);
	count(s, 9, "p", 3);
	s->self.process->start_ns += 1000;
	count(s, 9, "p", 2);
	r = finish(s);
	file_is(&r, 0, "p.9.cpu.pb.gz", 3);
	file_is(&r, 1, "p.9.2.cpu.pb.gz", 2);
	report__fini(&r);
}

/* Viewers take files of equal time for the same profile. */
static void times_are_unique(void **state)
{
	struct scene *s = *state;
	int64_t times[8];
	struct report r;

	start(s, FINISHER_WINDOWS);
	for (uint32_t i = 0; i < ARRAY_SIZE(times); i++)
		count(s, i + 1, "p", 1);
	r = finish(s);
	assert_int_equal(r.n_files, ARRAY_SIZE(times));
	for (size_t i = 0; i < r.n_files; i++) {
		profile *p = profile_read_path(r.files[i].path + strlen("profiles/"));

		times[i] = p->time_nanos;
		assert_in_range(times[i], SELF_START_NS, SELF_START_NS + 1000);
		assert_int_equal(p->duration_nanos, 60 * NSEC_PER_SEC);
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(times[k], times[i]);
		profile_free(p);
	}
	report__fini(&r);
}

/* `cprofd -- CMD`: everything in one file, and the program asked for is the main binary. */
static void one_merged_file(void **state)
{
	struct scene *s = *state;
	struct report r;
	int64_t pid = 0;
	profile *p;

	s->options.file = "out.pb.gz";
	s->options.main_tgid = 20;
	s->options.min_samples = 5;
	start(s, FINISHER_FILE);
	count(s, 10, "child", 9);
	count(s, 20, "main", 1);
	r = finish(s);
	assert_int_equal(r.n_files, 1);
	assert_string_equal(r.files[0].path, "out.pb.gz");
	assert_int_equal(r.files[0].n_samples, 10);
	report__fini(&r);
	p = profile_read_path("out.pb.gz");
	assert_int_equal(profile_total(p), 10);
	assert_int_equal(p->n_sample, 2);
	assert_true(p->n_comment >= 5);
	(void)profile_label(p, p->sample[0], "pid", &pid);
	assert_true(pid == 10 || pid == 20);
	profile_free(p);
}

static void a_file_without_samples(void **state)
{
	struct scene *s = *state;
	struct report r;

	/* Worth one where the process was there and idle … */
	s->options.file = "empty.pb.gz";
	start(s, FINISHER_FILE);
	s->self.w->write_empty = true;
	r = finish(s);
	assert_int_equal(r.n_samples, 0);
	assert_int_equal(r.n_functions, 0);
	assert_int_equal(total_of("empty.pb.gz"), 0);
	report__fini(&r);

	/* … and not where it was never seen. */
	r = finish(s);
	assert_int_equal(r.n_files, 0);
	assert_int_equal(r.n_failed, 0);
	report__fini(&r);
}

static void nothing_in_a_directory_without_samples(void **state)
{
	struct scene *s = *state;
	struct report r;

	start(s, FINISHER_RUN_DIR);
	r = finish(s);
	assert_int_equal(r.n_files, 0);
	assert_int_equal(r.n_failed, 0);
	report__fini(&r);
}

static void folded_files(void **state)
{
	cleanup_free char *text = NULL;
	struct scene *s = *state;
	struct report r;

	s->options.format = STORE_FOLDED;
	start(s, FINISHER_RUN_DIR);
	count(s, 5, "p", 4);
	r = finish(s);
	assert_string_equal(r.files[0].path, "profiles/p.5.cpu.folded.txt");
	report__fini(&r);
	assert_int_equal(read_text_file(AT_FDCWD, "p.5.cpu.folded.txt", 4096, &text, NULL), 0);
	assert_string_equal(text, "p;_start;self_outer;self_inner 4\n");
}

/* A window that cannot be written is said and lost; the next one is tried again. */
static void a_failed_write_is_reported(void **state)
{
	struct scene *s = *state;
	struct report r;

	start(s, FINISHER_RUN_DIR);
	assert_int_equal(mkdir("p.1.cpu.pb.gz", 0700), 0);
	count(s, 1, "p", 3);
	count(s, 2, "q", 2);
	r = finish(s);
	assert_int_equal(r.n_failed, 1);
	assert_true(r.error < 0);
	assert_int_equal(r.n_files, 1); /* the other one is there */
	assert_int_equal(r.files[0].tgid, 2);
	assert_true(r.failed_path[0]);
	report__fini(&r);
	assert_int_equal(rmdir("p.1.cpu.pb.gz"), 0);
	count(s, 1, "p", 3);
	r = finish(s);
	assert_int_equal(r.n_failed, 0);
	assert_int_equal(r.error, 0);
	assert_int_equal(r.n_files, 1);
	report__fini(&r);
}

/* At most one at work and one waiting; they come back in order. */
static void windows_queue_up(void **state)
{
	struct scene *s = *state;

	start(s, FINISHER_RUN_DIR);
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(finisher__ready(s->f));
		count(s, 1, "p", i + 1);
		assert_int_equal(window__close(s->self.w, 1), 0);
		finisher__submit(s->f, steal_ptr(s->self.w));
		assert_int_equal(self_window__new_window(&s->self), 0);
	}
	assert_false(finisher__ready(s->f));
	for (uint32_t i = 0; i < 2; i++) {
		struct report r = take(s);

		assert_int_equal(r.n_samples, i + 1);
		assert_true(finisher__ready(s->f));
		report__fini(&r);
	}
	assert_false(finisher__take(s->f, &(struct window *){NULL}, &(struct report){0}));
	assert_int_equal(poll(&(struct pollfd){.fd = finisher__fd(s->f), .events = POLLIN}, 1, 0),
			 0);
}

/* What it still holds goes with it. */
static void ends_with_windows_on_the_way(void **state)
{
	struct scene *s = *state;

	start(s, FINISHER_RUN_DIR);
	for (int i = 0; i < 2; i++) {
		count(s, 1, "p", 1);
		assert_int_equal(window__close(s->self.w, 1), 0);
		finisher__submit(s->f, steal_ptr(s->self.w));
		assert_int_equal(self_window__new_window(&s->self), 0);
	}
	assert_int_equal(finisher__kernel_changed(s->f, &(struct sideband_event){0}), 0);
	s->f = finisher__free(s->f);
	assert_null(s->f);
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_scene(a_missing_symbolizer_is_said),
	    in_scene(a_file_per_process),
	    in_scene(small_processes_share_a_file),
	    in_scene(names_that_look_alike_in_a_path),
	    in_scene(a_reused_pid_has_two_files),
	    in_scene(times_are_unique),
	    in_scene(one_merged_file),
	    in_scene(a_file_without_samples),
	    in_scene(nothing_in_a_directory_without_samples),
	    in_scene(folded_files),
	    in_scene(a_failed_write_is_reported),
	    in_scene(windows_queue_up),
	    in_scene(ends_with_windows_on_the_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
