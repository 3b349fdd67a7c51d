/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon/collector/unwinder: finishes walks over the registers and the stack of a sample.
 *
 * First on the frames of this very program, which glibc walks too, then on stacks made by hand.
 */
#include "daemon/collector/unwinder.h"

#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "daemon/collector/table_builder.h"
#include "daemon/collector/unwind_tables.h"
#include "daemon/collector/vdso.h"
#include "tests/unit/made_walk.h"
#include "tests/unit/self_window.h"

static struct walked_sample walked;

/* ---- our own frames -------------------------------------------------------------------------- */

#define FRAMES_MAX 100

/* A moment of this program: what the kernel would send, and what glibc says. */
static struct moment {
	struct made_walk walk;
	void *expected[FRAMES_MAX]; /* leaf first; a frame or two of backtrace() itself before it */
	int n_expected;
} moment;

static void read_context(const ucontext_t *uc, struct unwind_regs *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->exact = 1;
#ifdef __x86_64__
	static const int order[16] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
				      REG_RBP, REG_RSP, REG_R8,	 REG_R9,  REG_R10, REG_R11,
				      REG_R12, REG_R13, REG_R14, REG_R15};

	for (int i = 0; i < 16; i++)
		ret->r[i] = (uint64_t)uc->uc_mcontext.gregs[order[i]];
	ret->ip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	ret->valid = 0xffff;
#else
	memcpy(ret->r, uc->uc_mcontext.regs, 31 * sizeof(uint64_t));
	ret->r[31] = uc->uc_mcontext.sp;
	ret->ip = uc->uc_mcontext.pc;
	ret->valid = 0xffffffff;
#endif
	ret->sp = ret->r[MADE_SP];
}

/* Copies of the stack what is there, page by page as the kernel side does. */
static void take_moment(const ucontext_t *uc)
{
	static char stack[STACK_COPY_MAX];
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	struct unwind_regs regs;
	size_t n = 0;

	read_context(uc, &regs);
	while (n < sizeof(stack)) {
		size_t part = MIN(4096 - ((regs.sp + n) & 4095), sizeof(stack) - n);

		if (pread_full(mem, stack + n, part, regs.sp + n) != (int64_t)part)
			break;
		n += part;
	}
	close(mem);
	made_walk(&moment.walk, (uint32_t)getpid(), &regs, stack, n);
}

static __attribute__((noinline)) void leaf(void)
{
	ucontext_t uc;

	getcontext(&uc);
	take_moment(&uc);
	moment.n_expected = backtrace(moment.expected, FRAMES_MAX);
}

/* Functions with frames of several kinds: with saved registers, of variable size, of many bytes. */
static __attribute__((noinline)) int saves_registers(int n, void (*fn)(void))
{
	int a = n * 3, b = n * 5, c = n * 7, d = n * 11, e = n * 13;

	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
	fn();
	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
	return a + b + c + d + e;
}

static __attribute__((noinline)) int has_a_variable_frame(int n, void (*fn)(void))
{
	volatile char *bytes = __builtin_alloca((size_t)n * 16);
	int r;

	bytes[0] = 1;
	r = saves_registers(n, fn);
	return r + bytes[0];
}

static __attribute__((noinline)) int has_a_large_frame(int n, void (*fn)(void))
{
	volatile char bytes[1500];

	bytes[n] = 1;
	return has_a_variable_frame(n, fn) + bytes[n];
}

/* What the walk over our own frames needs. */
struct self_walk {
	struct self_window self;
	struct unwind_memory *memory;
	struct table_builder *builder;
	struct unwind_tables *tables;
	unsigned n_wanted; /* tables that were asked for */
};

static void self_walk__init(struct self_walk *s, const char *symbolizer)
{
	*s = (struct self_walk){0};
	assert_int_equal(self_window__init(&s->self), 0);
	assert_int_equal(unwind_memory__new(&s->memory, -1, 1u << 18), 0);
	assert_int_equal(table_builder__new(&s->builder, symbolizer, NULL, NULL, NULL), 0);
	assert_int_equal(unwind_tables__new(&s->tables, s->memory, s->builder), 0);
}

static void self_walk__fini(struct self_walk *s)
{
	table_builder__free(s->builder);
	unwind_tables__free(s->tables);
	unwind_memory__free(s->memory);
	self_window__fini(&s->self);
}

static void on_change(void *ctx, const struct unwind_file *file)
{
}

/* Gets the table of the code at M, as unwinding.c does. */
static void provide(struct self_walk *s, const struct mapping *m)
{
	struct pollfd p = {.fd = table_builder__fd(s->builder), .events = POLLIN};
	struct object *o = m->object;
	cleanup_close int fd =
	    o->kind == OBJECT_VDSO ? vdso_open() : open(o->id.path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(unwind_tables__file(s->tables, fd, &o->unwind), 0);
	assert_int_equal(unwind_tables__want(s->tables, o->unwind, fd, 1), 0);
	while (unwind_tables__busy(s->tables)) {
		assert_int_equal(poll(&p, 1, 60000), 1);
		assert_int_equal(unwind_tables__take(s->tables, 1, on_change, NULL), 0);
	}
	assert_int_equal(o->unwind->state, UNWIND_FILE_READY);
	s->n_wanted++;
}

static void walk_moment(struct self_walk *s)
{
	const struct mapset *maps = s->self.process->maps;
	const struct mapping *m;

	while ((m = unwinder_finish(s->memory, maps, &moment.walk.sample.record, &walked))) {
		assert_true(s->n_wanted < maps->n); /* each is asked for once */
		provide(s, m);
	}
}

/* Frame FIRST of the walk and all outside of it are those that glibc has found. */
static void expect_same_from(unsigned first)
{
	int at = 0;

	while (at < moment.n_expected &&
	       (uint64_t)(uintptr_t)moment.expected[at] != walked.frames[first])
		at++;
	for (unsigned i = first; i < walked.record.n_user; i++, at++) {
		if (at == moment.n_expected)
			fail_msg("frame %u is one too many", i);
		/* What a signal has interrupted is one more, so that it is no return address. */
		if ((uint64_t)(uintptr_t)moment.expected[at] != walked.frames[i] &&
		    (uint64_t)(uintptr_t)moment.expected[at] + 1 != walked.frames[i])
			fail_msg("frame %u: %#lx, expected %p", i, walked.frames[i],
				 moment.expected[at]);
	}
	assert_int_equal(at, moment.n_expected);
	assert_int_equal(walked.record.user_end, STACK_END_ROOT);
	assert_int_equal(walked.record.stack_bytes, 0);
}

static void find_symbolizer(char path[4096])
{
	if (!self_symbolizer(path, 4096)) {
		print_message("there is no cprofd-symbolizer beside the tests\n");
		skip();
	}
}

static void walks_as_glibc_does(void **state)
{
	struct self_walk s;
	char path[4096];

	find_symbolizer(path);
	has_a_large_frame(33, leaf);
	self_walk__init(&s, path);
	walk_moment(&s);
	/* Frame 0 is at getcontext(), the caller's at backtrace(). */
	expect_same_from(1);
	assert_true(walked.record.n_user > 6);
	assert_true(s.n_wanted >= 2); /* of this program and of the C library */
	self_walk__fini(&s);
}

static void on_signal(int sig)
{
	leaf();
}

static void on_signal_with_context(int sig, siginfo_t *si, void *context)
{
	take_moment(context);
	moment.n_expected = backtrace(moment.expected, FRAMES_MAX);
}

static void raise_signal(void)
{
	raise(SIGUSR1);
}

/* From the handler, through the frame that the kernel has made, to what was interrupted. */
static void walks_through_a_signal(void **state)
{
	struct sigaction before, action = {.sa_handler = on_signal};
	struct self_walk s;
	char path[4096];

	find_symbolizer(path);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	has_a_large_frame(5, raise_signal);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	self_walk__init(&s, path);
	walk_moment(&s);
	expect_same_from(1);
	self_walk__fini(&s);
}

/* From an instruction anywhere, in libc without frame pointers. */
static void walks_from_where_a_signal_hit(void **state)
{
	struct sigaction before,
	    action = {.sa_sigaction = on_signal_with_context, .sa_flags = SA_SIGINFO};
	struct self_walk s;
	char path[4096];

	find_symbolizer(path);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	has_a_variable_frame(5, raise_signal);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	self_walk__init(&s, path);
	walk_moment(&s);
	expect_same_from(0);
	self_walk__fini(&s);
}

/* However little of the stack came along: what is walked is right, and it says that it was cut. */
static void a_short_copy_gives_a_part(void **state)
{
	struct self_walk s;
	char path[4096];
	uint32_t all;
	unsigned n_cut = 0;

	find_symbolizer(path);
	has_a_large_frame(33, leaf);
	self_walk__init(&s, path);
	walk_moment(&s);
	all = walked.record.n_user;
	moment.walk.sample.record.flags = SAMPLE_STACK_CUT;
	for (uint32_t bytes = moment.walk.sample.record.stack_bytes; bytes >= 8; bytes -= 8) {
		struct walked_sample whole = walked;

		moment.walk.sample.record.stack_bytes = bytes;
		walk_moment(&s);
		assert_true(walked.record.n_user <= whole.record.n_user);
		assert_memory_equal(walked.frames, whole.frames, walked.record.n_user * 8u);
		if (walked.record.n_user < all) {
			assert_int_equal(walked.record.user_end, STACK_END_CUT);
			n_cut++;
		}
	}
	assert_true(n_cut > 100);
	assert_int_equal(walked.record.n_user, 1);
	moment.walk.sample.record.stack_bytes = 0;
	walk_moment(&s);
	assert_int_equal(walked.record.n_user, 1);
	assert_int_equal(walked.record.user_end, STACK_END_CUT);
	self_walk__fini(&s);
}

/* ---- made by hand ---------------------------------------------------------------------------- */

#define STACK 0x7ffd00000000
#define CODE 0x400000
#define LIB 0x7f0000000000
#define JIT 0x7f1000000000

struct scene {
	struct objects *objects;
	struct unwind_memory *memory;
	struct mapset *maps;
	struct object *code, *lib;
	struct unwind_file code_file, lib_file; /* of both objects, where a test wants it */
	struct made_walk walk;
	uint64_t stack[STACK_COPY_MAX / 8];
};

static struct object *map(struct scene *s, uint64_t start, const char *path)
{
	struct object *o = made_object(s->objects, path, start);

	assert_int_equal(mapset__add(&s->maps, s->objects, start, start + 0x2000, 0, o), 0);
	objects__unref(s->objects, o); /* the mapping has its own */
	return o;
}

static int make_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	*state = s;
	if (!s || objects__new(&s->objects) < 0 || mapset__new(&s->maps) < 0 ||
	    unwind_memory__new(&s->memory, -1, 1000) < 0)
		return -1;
	s->code = map(s, CODE, "/bin/x");
	s->lib = map(s, LIB, "/lib/y.so");
	map(s, JIT, "//anon");
	s->code_file.n_refs = s->lib_file.n_refs = 1;
	return 0;
}

static int free_scene(void **state)
{
	struct scene *s = *state;

	mapset__unref(s->maps, s->objects);
	objects__free(s->objects);
	unwind_memory__free(s->memory);
	free(s);
	return 0;
}

/* All of O's code has RULE. */
static void give_table(struct scene *s, struct object *o, struct unwind_rule rule)
{
	struct unwind_file *f = o == s->code ? &s->code_file : &s->lib_file;
	struct made_table t = made_table_of(0x2000, rule);

	assert_int_equal(unwind_memory__take(s->memory, t.n_lines, &f->line), 0);
	memcpy(unwind_memory__lines(s->memory) + f->line, t.lines, t.n_lines * sizeof(*t.lines));
	f->state = UNWIND_FILE_READY;
	o->unwind = f;
}

/* Walks from REGS over the first N_WORDS of the stack. */
static const struct mapping *walk(struct scene *s, struct unwind_regs regs, size_t n_words)
{
	made_walk(&s->walk, 1, &regs, s->stack, n_words * 8);
	return unwinder_finish(s->memory, s->maps, &s->walk.sample.record, &walked);
}

static void expect(enum stack_end end, size_t n, const uint64_t *frames)
{
	assert_int_equal(walked.record.user_end, end);
	assert_int_equal(walked.record.n_user, n);
	assert_int_equal(walked.record.stack_bytes, 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(walked.frames[walked.record.n_kernel + i], frames[i]);
}

/* The sample comes back as it was, so that it can wait and be walked again from its begin. */
static void one_that_needs_a_table(void **state)
{
	struct scene *s = *state;

	give_table(s, s->code, made_rule(0));
	s->stack[0] = LIB + 5;
	s->stack[1] = CODE + 9;
	assert_ptr_equal(walk(s, made_regs(CODE + 1, STACK, 0), 2), mapset__find(s->maps, LIB));
	expect(STACK_END_NO_INFO, FRAMES(CODE + 1));
	give_table(s, s->lib, made_rule(0));
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 2));
	expect(STACK_END_UNREADABLE, FRAMES(CODE + 1, LIB + 5, CODE + 9));
}

/* A return address may be the first of the next mapping's: the call lies before it. */
static void a_caller_is_looked_up_before_its_return_address(void **state)
{
	struct scene *s = *state;

	give_table(s, s->code, made_rule(0));
	give_table(s, s->lib, (struct unwind_rule){.cfa = UNWIND_CFA_ROOT});
	s->stack[0] = LIB + 0x2000; /* behind the end: a call that does not return */
	assert_null(walk(s, made_regs(CODE, STACK, 0), 1));
	expect(STACK_END_ROOT, FRAMES(CODE, LIB + 0x2000));
}

static void an_address_in_no_mapping(void **state)
{
	struct scene *s = *state;

	assert_null(walk(s, made_regs(0x1234567, STACK, 0), 10));
	expect(STACK_END_NO_MAPPING, FRAMES(0x1234567));
	give_table(s, s->code, made_rule(0));
	s->stack[0] = 0x1234567;
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 1));
	expect(STACK_END_NO_MAPPING, FRAMES(CODE + 1)); /* which is no caller */
	s->stack[0] = 4095;				/* no address at all */
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 1));
	expect(STACK_END_NO_MAPPING, FRAMES(CODE + 1));
}

static void code_that_cannot_have_a_table(void **state)
{
	struct scene *s = *state;

	s->code->open = OBJECT_ABSENT;
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 10));
	expect(STACK_END_NO_INFO, FRAMES(CODE + 1));
	s->code->unwind = &s->code_file;
	s->code_file.state = UNWIND_FILE_NO_ROOM;
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 10));
	expect(STACK_END_NO_INFO, FRAMES(CODE + 1));
	give_table(s, s->lib, (struct unwind_rule){.cfa = UNWIND_CFA_NONE});
	assert_null(walk(s, made_regs(LIB + 1, STACK, 0), 10));
	expect(STACK_END_NO_INFO, FRAMES(LIB + 1));
}

/* What is no file is walked by the frame pointer, out of it and back into files. */
static void code_that_was_made_at_run_time(void **state)
{
	struct scene *s = *state;

	give_table(s, s->code, (struct unwind_rule){.cfa = UNWIND_CFA_ROOT});
	s->stack[2] = STACK + 40; /* the caller's frame pointer */
	s->stack[3] = JIT + 7;
	s->stack[5] = 0;
	s->stack[6] = CODE + 3;
	assert_null(walk(s, made_regs(JIT + 1, STACK, STACK + 16), 10));
	expect(STACK_END_ROOT, FRAMES(JIT + 1, JIT + 7, CODE + 3));
}

/* The kernel side has come so far, and its frames stay. */
static void goes_on_after_the_frames_that_are_there(void **state)
{
	struct scene *s = *state;
	struct unwind_regs regs = made_regs(LIB + 2, STACK, 0);

	regs.exact = 0;
	give_table(s, s->lib, made_rule(1));
	give_table(s, s->code, (struct unwind_rule){.cfa = UNWIND_CFA_ROOT});
	s->stack[0] = 0xdead; /* pushed */
	s->stack[1] = CODE + 8;
	s->walk.sample = made_sample(1, 2, "both", FRAMES(91, 92, 93), FRAMES(CODE + 1, LIB + 2),
				     STACK_END_UNKNOWN);
	made_walk__goes_on(&s->walk, &regs, s->stack, 16);
	assert_null(unwinder_finish(s->memory, s->maps, &s->walk.sample.record, &walked));
	expect(STACK_END_ROOT, FRAMES(CODE + 1, LIB + 2, CODE + 8));
	assert_int_equal(walked.record.n_kernel, 3);
	assert_memory_equal(walked.frames, ((uint64_t[]){91, 92, 93}), 24);
	assert_int_equal(walked.record.tid, 2);
	assert_string_equal(walked.record.comm, "both");
}

/* One that goes on for ever: as many frames as fit, and it says so. */
static void the_depth_is_bounded(void **state)
{
	static const uint64_t kernel[KERNEL_FRAMES_MAX];
	struct scene *s = *state;
	struct unwind_regs regs = made_regs(CODE + 1, STACK, 0);

	give_table(s, s->code, made_rule(0));
	for (size_t i = 0; i < ARRAY_SIZE(s->stack); i++)
		s->stack[i] = CODE + 1;
	assert_null(walk(s, regs, ARRAY_SIZE(s->stack)));
	assert_int_equal(walked.record.n_user, USER_FRAMES_MAX);
	assert_int_equal(walked.record.user_end, STACK_END_DEPTH);
	/* Kernel frames have a room of their own. */
	s->walk.sample = made_sample(1, 1, "deep", KERNEL_FRAMES_MAX, kernel, FRAMES(CODE + 1),
				     STACK_END_UNKNOWN);
	made_walk__goes_on(&s->walk, &regs, s->stack, sizeof(s->stack));
	assert_null(unwinder_finish(s->memory, s->maps, &s->walk.sample.record, &walked));
	assert_int_equal(walked.record.n_kernel, KERNEL_FRAMES_MAX);
	assert_int_equal(walked.record.n_user, USER_FRAMES_MAX);
	assert_int_equal(walked.frames[SAMPLE_FRAMES_MAX - 1], CODE + 1);
}

/* Walks again what walk() has made, but with FLAGS. */
static void walk_again(struct scene *s, uint8_t flags)
{
	s->walk.sample.record.flags = flags;
	assert_null(unwinder_finish(s->memory, s->maps, &s->walk.sample.record, &walked));
}

/* Cut is what lies right above a copy that had no more room; all else was never to be had. */
static void cut_is_not_unreadable(void **state)
{
	struct scene *s = *state;

	give_table(s, s->code, made_rule(20));
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 10));
	expect(STACK_END_UNREADABLE, FRAMES(CODE + 1)); /* the stack was not in memory */
	walk_again(s, SAMPLE_STACK_CUT);
	expect(STACK_END_CUT, FRAMES(CODE + 1));
	give_table(s, s->lib,
		   (struct unwind_rule){
		       .cfa = UNWIND_CFA_REG, .cfa_reg = MADE_SP, .ra = 1, .cfa_off = 1 << 20});
	assert_null(walk(s, made_regs(LIB + 1, STACK, 0), 10));
	walk_again(s, SAMPLE_STACK_CUT);
	expect(STACK_END_UNREADABLE, FRAMES(LIB + 1));
	/* Nothing came along: there was no room in the ring, or nothing to be had. */
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 0));
	expect(STACK_END_UNREADABLE, FRAMES(CODE + 1));
	walk_again(s, SAMPLE_STACK_CUT);
	expect(STACK_END_CUT, FRAMES(CODE + 1));
	/* A copy is full when there is no room for another page. */
	give_table(s, s->code, made_rule(STACK_COPY_MAX / 8));
	assert_null(walk(s, made_regs(CODE + 1, STACK + 8, 0), (STACK_COPY_MAX - 8) / 8));
	expect(STACK_END_CUT, FRAMES(CODE + 1));
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0),
			 (STACK_COPY_MAX - USER_PAGE - STACK_COPY_BELOW) / 8));
	expect(STACK_END_UNREADABLE, FRAMES(CODE + 1));
}

/* A page that nobody has written to is not in the copy, though what lies around it is. */
static void pages_that_are_missing(void **state)
{
	struct scene *s = *state;
	struct unwind_regs regs = made_regs(CODE + 1, STACK + 8, 0);

	give_table(s, s->code, made_rule(2 * USER_PAGE / 8));
	give_table(s, s->lib, (struct unwind_rule){.cfa = UNWIND_CFA_ROOT});
	/* The return address lies in the fourth page; in the first the copy begins, below the stack
	 * pointer. */
	s->stack[2 * USER_PAGE / 8] = LIB + 5;
	for (unsigned page = 0; page < 5; page++) {
		assert_null(walk(s, regs, 4 * USER_PAGE / 8 - 1));
		s->walk.sample.record.stack_missing = 1u << page;
		walk_again(s, 0);
		if (page == 3)
			expect(STACK_END_UNREADABLE, FRAMES(CODE + 1));
		else
			expect(STACK_END_ROOT, FRAMES(CODE + 1, LIB + 5));
	}
}

/* The frame pointers may lead to another stack, of which a piece came along too. */
static void another_stack(void **state)
{
	struct scene *s = *state;
	struct sample_record *r = &s->walk.sample.record;
	const uint64_t other[3] = {0, LIB + 5};
	struct unwind_regs regs = made_regs(CODE + 1, STACK, 0xc000001000);

	give_table(s, s->code,
		   (struct unwind_rule){.cfa = UNWIND_CFA_FRAME, .flags = UNWIND_FLAG_SWITCH});
	give_table(s, s->lib, (struct unwind_rule){.cfa = UNWIND_CFA_ROOT});
	assert_null(walk(s, regs, 10));
	expect(STACK_END_UNREADABLE, FRAMES(CODE + 1));
	r->other_start = 0xc000001000;
	r->other_bytes = sizeof(other);
	memcpy((char *)(s->walk.sample.frames + 1) + sizeof(regs) + r->stack_bytes, other,
	       sizeof(other));
	walk_again(s, 0);
	expect(STACK_END_ROOT, FRAMES(CODE + 1, LIB + 5));
	assert_int_equal(walked.record.other_bytes, 0);
	r->other_start += 8;
	walk_again(s, 0);
	expect(STACK_END_UNREADABLE, FRAMES(CODE + 1));
}

/* A thread that has not left clone yet has an empty stack: that is no failure. */
static void a_thread_that_has_not_begun(void **state)
{
	struct scene *s = *state;

	give_table(s, s->code, made_rule(0));
	s->stack[0] = 0x1234;
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 10));
	expect(STACK_END_NO_MAPPING, FRAMES(CODE + 1));
	walk_again(s, SAMPLE_NEW_THREAD);
	expect(STACK_END_ROOT, FRAMES(CODE + 1));
	/* The child of vfork shares its parent's, where there is a caller. */
	s->stack[0] = CODE + 9;
	s->stack[1] = 0x1234;
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 10));
	walk_again(s, SAMPLE_NEW_THREAD);
	expect(STACK_END_NO_MAPPING, FRAMES(CODE + 1, CODE + 9));
}

/* A caller's frame lies outwards, or the walk might go in circles. */
static void a_frame_that_lies_inwards(void **state)
{
	struct scene *s = *state;

	s->stack[0] = STACK; /* points to itself */
	s->stack[1] = JIT + 7;
	assert_null(walk(s, made_regs(JIT + 1, STACK, STACK), 10));
	expect(STACK_END_NO_INFO, FRAMES(JIT + 1, JIT + 7)); /* nor does the stack say more */
	give_table(s, s->code, made_rule(-1));
	assert_null(walk(s, made_regs(CODE + 1, STACK, 0), 10));
	expect(STACK_END_BAD_CFA, FRAMES(CODE + 1));
}

#define in_scene(fn) cmocka_unit_test_setup_teardown(fn, make_scene, free_scene)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(walks_as_glibc_does),
	    cmocka_unit_test(walks_through_a_signal),
	    cmocka_unit_test(walks_from_where_a_signal_hit),
	    cmocka_unit_test(a_short_copy_gives_a_part),
	    in_scene(one_that_needs_a_table),
	    in_scene(a_caller_is_looked_up_before_its_return_address),
	    in_scene(an_address_in_no_mapping),
	    in_scene(code_that_cannot_have_a_table),
	    in_scene(code_that_was_made_at_run_time),
	    in_scene(goes_on_after_the_frames_that_are_there),
	    in_scene(the_depth_is_bounded),
	    in_scene(cut_is_not_unreadable),
	    in_scene(pages_that_are_missing),
	    in_scene(another_stack),
	    in_scene(a_thread_that_has_not_begun),
	    in_scene(a_frame_that_lies_inwards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
