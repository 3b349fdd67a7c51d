/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf/unwind_fp: the very source that runs in the kernel, compiled natively over made-up and
 * recorded stacks. Exact frames, exact reasons.
 *
 *	test_unwind_fp --record DEPTH >tests/bpf/recorded/NAME.txt
 *
 * writes a stack of its own in the form that replays_recordings() reads.
 */
#include "bpf/unwind_fp.bpf.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define STACK 0x7ffc00000000 /* address of the first word */
#define WORDS 8192
#define CODE 0x400000
#define USER_END (1ULL << 47)
#define FRAME_WORDS 4 /* of a frame in a made stack: fp, return address, two locals */

#define UNTOUCHED 0xdeadULL

struct walk {
	struct native_memory memory;
	uint64_t words[WORDS];
	struct user_regs regs;
	uint64_t frames[SAMPLE_FRAMES_MAX + 1]; /* one more, which nobody may touch */
	uint32_t n;
	uint8_t end;
};

static int make_walk(void **state)
{
	struct walk *w = calloc(1, sizeof(*w));

	*state = w;
	if (!w)
		return -1;
	w->memory = (struct native_memory){
	    .start = STACK, .bytes = w->words, .n_bytes = sizeof(w->words), .fault_at = SIZE_MAX};
	w->regs = (struct user_regs){.ip = CODE, .sp = STACK, .fp = STACK, .end = USER_END};
	return 0;
}

static int free_walk(void **state)
{
	free(*state);
	return 0;
}

static uint64_t frame_at(size_t i)
{
	return STACK + i * FRAME_WORDS * 8;
}

/* Frame I of the stack: the caller's frame pointer and the address to return to. */
static void set_frame(struct walk *w, size_t i, uint64_t fp, uint64_t ret_addr)
{
	w->words[i * FRAME_WORDS] = fp;
	w->words[i * FRAME_WORDS + 1] = ret_addr;
}

static uint64_t ret_addr(size_t i)
{
	return CODE + 16 * (i + 1);
}

/* N frames, each in the next one; the last has no caller. */
static void make_chain(struct walk *w, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set_frame(w, i, i + 1 < n ? frame_at(i + 1) : 0, ret_addr(i));
	w->regs.fp = n ? frame_at(0) : 0;
}

static void unwind_after(struct walk *w, uint32_t n_before)
{
	for (size_t i = 0; i < sizeof(w->frames) / 8; i++)
		w->frames[i] = UNTOUCHED;
	w->memory.n_reads = 0;
	w->memory.went_back = false;
	native_memory = &w->memory;
	w->end = 0xff;
	w->n = unwind_user(&w->regs, w->frames, n_before, &w->end);
	for (size_t i = 0; i < sizeof(w->frames) / 8; i++)
		if (i < n_before || i >= n_before + w->n)
			assert_int_equal(w->frames[i], UNTOUCHED);
	assert_false(w->memory.went_back);
}

static void unwind(struct walk *w)
{
	unwind_after(w, 0);
}

/* The interrupted instruction and the first N return addresses of a made chain. */
static void walked(const struct walk *w, size_t n, enum stack_end end)
{
	assert_int_equal(w->end, end);
	assert_int_equal(w->n, n + 1);
	assert_int_equal(w->frames[0], CODE);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(w->frames[i + 1], ret_addr(i));
}

static void whole_chains(void **state)
{
	static const size_t lengths[] = {0, 1, 2, 3, 100, 1000};
	struct walk *w = *state;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		make_chain(w, lengths[i]);
		unwind(w);
		walked(w, lengths[i], STACK_END_ROOT);
		assert_int_equal(w->memory.n_reads, lengths[i]); /* one a frame */
	}
}

/* The other mark of the outermost frame: nowhere to return to. */
static void a_return_address_of_zero_ends_it(void **state)
{
	struct walk *w = *state;

	make_chain(w, 5);
	set_frame(w, 3, frame_at(4), 0);
	unwind(w);
	walked(w, 3, STACK_END_ROOT);
}

static void frame_pointers_that_are_none(void **state)
{
	struct walk *w = *state;

	make_chain(w, 3);
	for (uint64_t off = 1; off < 8; off++) {
		w->regs.fp = STACK + off; /* not aligned */
		unwind(w);
		walked(w, 0, STACK_END_BAD_CFA);
		assert_int_equal(w->memory.n_reads, 0);
	}
	w->regs.fp = STACK;
	w->regs.sp = STACK + 8; /* below the stack pointer */
	unwind(w);
	walked(w, 0, STACK_END_BAD_CFA);
	w->regs.sp = STACK;
	set_frame(w, 1, frame_at(2) + 4, ret_addr(1));
	unwind(w);
	walked(w, 2, STACK_END_BAD_CFA);
}

/* Each frame lies above the last and does not overlap it: so every walk ends. */
static void goes_outwards_or_ends(void **state)
{
	static const int64_t steps[] = {0, -8, 8, -32, -64, -(int64_t)STACK + 8};
	struct walk *w = *state;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		make_chain(w, 6);
		set_frame(w, 3, frame_at(3) + (uint64_t)steps[i], ret_addr(3));
		unwind(w);
		walked(w, 4, STACK_END_BAD_CFA);
	}
	/* Frames that touch are frames. */
	make_chain(w, 1);
	w->words[0] = STACK + 16;
	w->words[2] = 0;
	w->words[3] = ret_addr(1);
	unwind(w);
	walked(w, 2, STACK_END_ROOT);
	/* A ring of two. */
	make_chain(w, 2);
	set_frame(w, 1, frame_at(0), ret_addr(1));
	unwind(w);
	walked(w, 2, STACK_END_BAD_CFA);
}

/* Memory that is paged out, whichever frame it holds: what was walked is kept. */
static void a_fault_at_every_frame(void **state)
{
	struct walk *w = *state;

	make_chain(w, 64);
	for (size_t k = 0; k < 64; k++) {
		w->memory.fault_at = k;
		unwind(w);
		walked(w, k, STACK_END_UNREADABLE);
		assert_int_equal(w->memory.n_reads, k + 1);
	}
	w->memory.fault_at = 64; /* never reached */
	unwind(w);
	walked(w, 64, STACK_END_ROOT);
}

static void frames_outside_of_the_memory(void **state)
{
	static const uint64_t addrs[] = {STACK + WORDS * 8, STACK + WORDS * 8 - 8, USER_END,
					 0xffffffff81000000, UINT64_MAX - 7};
	struct walk *w = *state;

	for (size_t i = 0; i < sizeof(addrs) / sizeof(addrs[0]); i++) {
		make_chain(w, 2);
		set_frame(w, 1, addrs[i], ret_addr(1));
		unwind(w);
		walked(w, 2, STACK_END_UNREADABLE);
	}
}

static void return_addresses_in_the_kernel(void **state)
{
	struct walk *w = *state;

	make_chain(w, 4);
	set_frame(w, 2, frame_at(3), USER_END);
	unwind(w);
	walked(w, 2, STACK_END_BAD_CFA);
	set_frame(w, 2, frame_at(3), UINT64_MAX);
	unwind(w);
	walked(w, 2, STACK_END_BAD_CFA);
	set_frame(w, 2, frame_at(3), USER_END - 1); /* the last one that is not */
	unwind(w);
	assert_int_equal(w->end, STACK_END_ROOT);
	assert_int_equal(w->frames[3], USER_END - 1);
}

/* The limit counts the interrupted instruction; a stack of exactly that depth is whole. */
static void the_depth_limit(void **state)
{
	struct walk *w = *state;

	make_chain(w, USER_FRAMES_MAX - 1);
	unwind(w);
	walked(w, USER_FRAMES_MAX - 1, STACK_END_ROOT);
	make_chain(w, USER_FRAMES_MAX);
	unwind(w);
	walked(w, USER_FRAMES_MAX - 1, STACK_END_DEPTH);
	make_chain(w, USER_FRAMES_MAX + 500);
	unwind(w);
	walked(w, USER_FRAMES_MAX - 1, STACK_END_DEPTH);
}

/* The user part follows the kernel's, whose frames stay, and has its full depth after it. */
static void after_kernel_frames(void **state)
{
	struct walk *w = *state;

	for (uint32_t n_before = 0; n_before <= KERNEL_FRAMES_MAX; n_before++) {
		make_chain(w, 5);
		unwind_after(w, n_before);
		assert_int_equal(w->n, 6);
		assert_int_equal(w->end, STACK_END_ROOT);
		assert_int_equal(w->frames[n_before], CODE);
		assert_int_equal(w->frames[n_before + 5], ret_addr(4));
	}
	make_chain(w, USER_FRAMES_MAX + 1);
	unwind_after(w, KERNEL_FRAMES_MAX);
	assert_int_equal(w->n, USER_FRAMES_MAX);
	assert_int_equal(w->end, STACK_END_DEPTH);
	assert_int_equal(w->frames[SAMPLE_FRAMES_MAX - 1], ret_addr(USER_FRAMES_MAX - 2));
}

/* More than there can be: never a word past the record, and the reason is set. */
static void where_there_is_no_room(void **state)
{
	struct walk *w = *state;

	make_chain(w, 10);
	unwind_after(w, SAMPLE_FRAMES_MAX - 3);
	assert_int_equal(w->n, 3);
	assert_int_equal(w->end, STACK_END_DEPTH);
	unwind_after(w, SAMPLE_FRAMES_MAX - 1);
	assert_int_equal(w->n, 1);
	assert_int_equal(w->end, STACK_END_DEPTH);
	unwind_after(w, SAMPLE_FRAMES_MAX);
	assert_int_equal(w->n, 0);
	assert_int_equal(w->end, STACK_END_DEPTH);
}

/* Whatever the memory holds: the walk ends, goes outwards, says a reason, and stays in bounds. */
static void any_memory(void **state)
{
	struct walk *w = *state;

	srand(5);
	for (int round = 0; round < 2000; round++) {
		for (size_t i = 0; i < 512; i++) {
			switch (rand() % 4) {
			case 0:
				w->words[i] = 0;
				break;
			case 1:
				w->words[i] = STACK + (uint64_t)rand() % 4096;
				break;
			case 2:
				w->words[i] = STACK + (i + 2 + (uint64_t)rand() % 6) * 8;
				break;
			default:
				w->words[i] = (uint64_t)rand() << 32 | (uint64_t)rand();
			}
		}
		w->regs.fp = STACK + (uint64_t)rand() % 512 * 8;
		unwind(w);
		assert_in_range(w->n, 1, USER_FRAMES_MAX);
		assert_true(w->end == STACK_END_ROOT || w->end == STACK_END_BAD_CFA ||
			    w->end == STACK_END_UNREADABLE || w->end == STACK_END_DEPTH);
	}
}

/* ---- a real stack ---------------------------------------------------------------------------- */

#define RECORD_WORDS 2048
#define RECORD_FRAMES 64

struct recording {
	uint64_t ip, fp; /* sp is where the memory starts */
	uint64_t start;	 /* address of words[0] */
	uint64_t words[RECORD_WORDS];
	size_t n_words;
	uint64_t callers[RECORD_FRAMES]; /* as the compiler knows them; outermost first */
	size_t n_callers;
	uint64_t top; /* the memory ends here */
};

/* Copies the stack as it stands: reads frames of others, which a sanitizer must not look at. */
static __attribute__((noinline, no_sanitize("address", "undefined"))) void
take_stack(struct recording *rec)
{
	const volatile uint64_t *p = __builtin_frame_address(0);

	rec->callers[rec->n_callers++] = (uintptr_t)__builtin_return_address(0);
	rec->ip = (uintptr_t)take_stack;
	rec->fp = rec->start = (uintptr_t)p;
	for (rec->n_words = 0; rec->n_words < RECORD_WORDS && (uintptr_t)p < rec->top; p++)
		rec->words[rec->n_words++] = *p;
	__asm__ volatile("" ::: "memory");
}

static __attribute__((noinline)) void recurse(struct recording *rec, unsigned depth)
{
	volatile char *locals = __builtin_alloca(16 * (depth % 7) + 1); /* frames of all sizes */

	locals[0] = 1;
	rec->callers[rec->n_callers++] = (uintptr_t)__builtin_return_address(0);
	if (depth)
		recurse(rec, depth - 1);
	else
		take_stack(rec);
	__asm__ volatile("" ::: "memory"); /* not a tail call */
}

/* The outermost frame that is recorded. Its own caller's frame is cut off. */
static __attribute__((noinline)) void record(struct recording *rec, unsigned depth)
{
	rec->n_callers = 0;
	rec->callers[rec->n_callers++] = (uintptr_t)__builtin_return_address(0);
	rec->top = (uintptr_t)__builtin_frame_address(0) + 16;
	recurse(rec, depth);
	__asm__ volatile("" ::: "memory");
}

/* Unwinds a recording; the frames must be its callers from the innermost on. */
static void replay(const struct recording *rec, enum stack_end end)
{
	struct walk *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->memory = (struct native_memory){.start = rec->start,
					   .bytes = rec->words,
					   .n_bytes = rec->n_words * 8,
					   .fault_at = SIZE_MAX};
	w->regs =
	    (struct user_regs){.ip = rec->ip, .sp = rec->start, .fp = rec->fp, .end = 1ULL << 56};
	unwind(w);
	assert_int_equal(w->n, rec->n_callers + 1);
	assert_int_equal(w->frames[0], rec->ip);
	for (size_t i = 0; i < rec->n_callers; i++)
		assert_int_equal(w->frames[i + 1], rec->callers[rec->n_callers - 1 - i]);
	assert_int_equal(w->end, end);
	free(w);
}

/* This compiler, this machine, now: the return addresses that the compiler itself knows. */
static void a_stack_of_its_own(void **state)
{
	static struct recording rec;

	for (unsigned depth = 0; depth < 40; depth += 13) {
		record(&rec, depth);
		assert_int_equal(rec.n_callers, depth + 3);
		replay(&rec, STACK_END_UNREADABLE); /* the memory was cut off on purpose */
	}
}

static void print_recording(unsigned depth)
{
	static struct recording rec;

	record(&rec, depth);
	printf("# Recipe: test_unwind_fp --record %u\n", depth);
	printf("# %u recursive calls, built with -O2 -fno-omit-frame-pointer by %s.\n", depth,
	       __VERSION__);
	printf("ip %" PRIx64 "\nfp %" PRIx64 "\nstart %" PRIx64 "\n", rec.ip, rec.fp, rec.start);
	for (size_t i = 0; i < rec.n_callers; i++)
		printf("caller %" PRIx64 "\n", rec.callers[i]);
	for (size_t i = 0; i < rec.n_words; i++)
		printf("word %" PRIx64 "\n", rec.words[i]);
	printf("end %d\n", STACK_END_UNREADABLE);
}

/* Reads one recording and replays it. */
static void replay_file(const char *path)
{
	static struct recording rec;
	FILE *f = fopen(path, "re");
	char line[256], key[16];
	uint64_t value;
	int end = -1;

	if (!f)
		fail_msg("%s: not there; run from the root of the tree", path);
	rec = (struct recording){0};
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%15s %" SCNx64, key, &value), 2);
		if (!strcmp(key, "ip"))
			rec.ip = value;
		else if (!strcmp(key, "fp"))
			rec.fp = value;
		else if (!strcmp(key, "start"))
			rec.start = value;
		else if (!strcmp(key, "caller") && rec.n_callers < RECORD_FRAMES)
			rec.callers[rec.n_callers++] = value;
		else if (!strcmp(key, "word") && rec.n_words < RECORD_WORDS)
			rec.words[rec.n_words++] = value;
		else if (!strcmp(key, "end"))
			end = (int)value;
		else
			fail_msg("%s: %s", path, line);
	}
	fclose(f);
	replay(&rec, (enum stack_end)end);
}

static void replays_recordings(void **state)
{
	replay_file("tests/bpf/recorded/recursion_gcc.txt");
	replay_file("tests/bpf/recorded/recursion_clang.txt");
}

#define in_walk(fn) cmocka_unit_test_setup_teardown(fn, make_walk, free_walk)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    in_walk(whole_chains),
	    in_walk(a_return_address_of_zero_ends_it),
	    in_walk(frame_pointers_that_are_none),
	    in_walk(goes_outwards_or_ends),
	    in_walk(a_fault_at_every_frame),
	    in_walk(frames_outside_of_the_memory),
	    in_walk(return_addresses_in_the_kernel),
	    in_walk(the_depth_limit),
	    in_walk(after_kernel_frames),
	    in_walk(where_there_is_no_room),
	    in_walk(any_memory),
	    cmocka_unit_test(a_stack_of_its_own),
	    cmocka_unit_test(replays_recordings),
	};

	if (argc == 3 && !strcmp(argv[1], "--record")) {
		print_recording((unsigned)atoi(argv[2]));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
