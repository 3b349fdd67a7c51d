/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/code_flow: which unwind rules follow from instructions alone. */
#include "symbolizer/code_flow.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/util.h"
#include "symbolizer/code_gap.h"
#include "tests/unit/elf_image.h"

#ifndef __x86_64__
int main(void)
{
	return 0;
}
#else

/* Assembles CODE, without unwind information, between two labels that are never run. */
#define ASSEMBLE(name, code)                                                                       \
	__asm__(".pushsection .rodata\n.balign 16\n" #name ":\n" code "\n" #name "_end:\n"         \
		".popsection\n");                                                                  \
	extern const uint8_t name[], name##_end[]

struct row {
	uint32_t off;
	struct unwind_rule rule;
};

#define LOST UNWIND_SAVED_LOST
#define BY(reg, off, ...)                                                                          \
	{                                                                                          \
		.cfa = UNWIND_CFA_REG, .cfa_reg = reg, .ra = 1, .flags = UNWIND_FLAG_GUESSED,      \
		.cfa_off = off, .saved = {                                                         \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define THROUGH(reg, off, off2, ...)                                                               \
	{                                                                                          \
		.cfa = UNWIND_CFA_DEREF, .cfa_reg = reg, .ra = 1, .flags = UNWIND_FLAG_GUESSED,    \
		.cfa_off = off, .cfa_off2 = off2, .saved = {                                       \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}
#define FRAME                                                                                      \
	{                                                                                          \
		.cfa = UNWIND_CFA_FRAME, .flags = UNWIND_FLAG_GUESSED                              \
	}

enum { RAX, RCX = 2, RBX = 3, RBP = 6, RSP = 7, R10 = 10, R11 = 11 };

static struct code_gap *analyse(const uint8_t *bytes, const uint8_t *end, bool is_called)
{
	uint64_t steps_left = UINT64_MAX;
	struct code_gap *g;

	assert_int_equal(code_gap__new(&g, bytes, (uint32_t)(end - bytes), &steps_left), 0);
	if (is_called)
		code_gap__add_entry(g, 0, true);
	assert_int_equal(code_gap__analyse(g), 0);
	return g;
}

/* The rows of G, those that say the same as the one before left out, are the N of WANT. */
static void check_rows(const struct code_gap *g, uint32_t n_bytes, const struct row *want, size_t n)
{
	const struct unwind_rule *last = NULL;
	size_t k = 0;

	for (uint32_t off = 0; off < n_bytes; off++) {
		const struct unwind_rule *rule = code_gap__rule(g, off);

		if (!rule || (last && !memcmp(rule, last, sizeof(*rule))))
			continue;
		last = rule;
		if (k == n || want[k].off != off || memcmp(rule, &want[k].rule, sizeof(*rule)) != 0)
			fail_msg(
			    "row %zu at %u: cfa %d reg %d off %d off2 %d saved %d %d %d %d %d %d "
			    "flags %d",
			    k, off, rule->cfa, rule->cfa_reg, rule->cfa_off, rule->cfa_off2,
			    rule->saved[0], rule->saved[1], rule->saved[2], rule->saved[3],
			    rule->saved[4], rule->saved[5], rule->flags);
		k++;
	}
	assert_int_equal(k, n);
}

#define CHECK(name, is_called, ...)                                                                \
	do {                                                                                       \
		const struct row want_[] = {__VA_ARGS__};                                          \
		struct code_gap *g_ = analyse(name, name##_end, is_called);                        \
		check_rows(g_, (uint32_t)(name##_end - name), want_, ARRAY_SIZE(want_));           \
		code_gap__free(g_);                                                                \
	} while (0)

ASSEMBLE(pushes, "push %rbx\n push %r12\n sub $24, %rsp\n mov %rdi, %rbx\n mov 8(%rbx), %r12\n"
		 "call *%rax\n add $24, %rsp\n pop %r12\n pop %rbx\n ret");

static void pushes_and_pops(void **state)
{
	CHECK(pushes, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {1, BY(RSP, 16, 2, 0, 0, 0, 0, 0)},
	      {3, BY(RSP, 24, 2, 0, 3, 0, 0, 0)}, {7, BY(RSP, 48, 2, 0, 3, 0, 0, 0)},
	      {20, BY(RSP, 24, 2, 0, 3, 0, 0, 0)}, {22, BY(RSP, 16, 2, 0, 0, 0, 0, 0)},
	      {23, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

ASSEMBLE(framed, "push %rbp\n mov %rsp, %rbp\n push %rbx\n sub %rax, %rsp\n mov %rdi, %rbx\n"
		 "lea -8(%rbp), %rsp\n pop %rbx\n leave\n ret");

static void a_frame_of_unknown_size_is_left_to_the_frame_pointer(void **state)
{
	CHECK(framed, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {1, BY(RSP, 16, 0, 2, 0, 0, 0, 0)},
	      {5, BY(RSP, 24, 3, 2, 0, 0, 0, 0)}, {8, BY(RBP, 16, 3, 2, 0, 0, 0, 0)},
	      {15, BY(RSP, 24, 3, 2, 0, 0, 0, 0)}, {16, BY(RSP, 16, 0, 2, 0, 0, 0, 0)},
	      {17, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

/* x86inc.asm's PROLOGUE with an aligned stack, as in x264 and dav1d. */
ASSEMBLE(aligned, "push %rbx\n mov %rsp, %rax\n and $-32, %rsp\n sub $64, %rsp\n"
		  "mov %rax, 56(%rsp)\n mov %rdi, %rbx\n call *%rdx\n mov 56(%rsp), %rsp\n"
		  "pop %rbx\n ret");

static void an_aligned_stack_that_keeps_the_old_pointer(void **state)
{
	CHECK(aligned, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {1, BY(RSP, 16, 2, 0, 0, 0, 0, 0)},
	      {8, BY(RAX, 16, 2, 0, 0, 0, 0, 0)}, {17, THROUGH(RSP, 56, 16, 2, 0, 0, 0, 0, 0)},
	      {27, BY(RSP, 16, 2, 0, 0, 0, 0, 0)}, {28, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

/* OpenSSL saves by mov and restores through a pointer to the top of its frame. */
ASSEMBLE(openssl, "lea (%rsp), %r11\n sub $64, %rsp\n mov %rbx, -16(%r11)\n and $-64, %rsp\n"
		  "mov %r11, 8(%rsp)\n xor %ebx, %ebx\n mov 8(%rsp), %r11\n mov -16(%r11), %rbx\n"
		  "lea (%r11), %rsp\n ret");

static void saves_through_a_copy_of_the_stack_pointer(void **state)
{
	CHECK(openssl, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {8, BY(RSP, 72, 0, 0, 0, 0, 0, 0)},
	      {12, BY(RSP, 72, 3, 0, 0, 0, 0, 0)}, {16, BY(R11, 8, 3, 0, 0, 0, 0, 0)},
	      {21, THROUGH(RSP, 8, 8, 3, 0, 0, 0, 0, 0)}, {35, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

/* What gcc makes of a function with aligned locals: nothing but rbp knows where it all is. */
ASSEMBLE(realigned, "lea 8(%rsp), %r10\n and $-32, %rsp\n push -8(%r10)\n push %rbp\n"
		    "mov %rsp, %rbp\n push %r12\n push %r10\n sub $40, %rsp\n xor %r12d, %r12d\n"
		    "call *%rax\n ret");

static void an_aligned_stack_with_a_frame_pointer(void **state)
{
	CHECK(realigned, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {9, BY(R10, 0, 0, 0, 0, 0, 0, 0)},
	      {17, BY(R10, 0, 0, LOST, 0, 0, 0, 0)},
	      {21,
	       {.cfa = UNWIND_CFA_DEREF,
		.cfa_reg = RBP,
		.ra = 1,
		.flags = UNWIND_FLAG_GUESSED | UNWIND_FLAG_SAVED_AT_REG,
		.cfa_off = -16,
		.saved = {0, 1, 2, 0, 0, 0}}});
}

/* x264's trellis: the helper is known to leave rcx alone, a function would not be. */
ASSEMBLE(helped, "mov %rsp, %rcx\n and $-16, %rsp\n call 1f\n call *%rax\n mov %rcx, %rsp\n ret\n"
		 "1: mov %rdi, %rax\n ret");

static void registers_live_through_calls_of_helpers_that_leave_them_alone(void **state)
{
	CHECK(helped, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {7, BY(RCX, 8, 0, 0, 0, 0, 0, 0)},
	      {14, FRAME}, {18, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

/* A loop that touches every page of a large frame: rsp moves, r11 does not. */
ASSEMBLE(probing, "lea -16384(%rsp), %r11\n 1: sub $4096, %rsp\n orq $0, (%rsp)\n"
		  "cmp %r11, %rsp\n jne 1b\n sub $8, %rsp\n call *%rax\n add $16392, %rsp\n ret");

static void a_loop_that_moves_the_stack_pointer(void **state)
{
	CHECK(probing, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)},
	      {8, BY(R11, 16392, 0, 0, 0, 0, 0, 0)}, {25, BY(RSP, 16392, 0, 0, 0, 0, 0, 0)},
	      {29, BY(RSP, 16400, 0, 0, 0, 0, 0, 0)}, {38, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

/* The early way out has saved nothing, and the register is lost where it was not kept. */
ASSEMBLE(branches, "test %rdi, %rdi\n je 1f\n push %rbx\n xor %ebx, %ebx\n pop %rbx\n"
		   "xor %r12d, %r12d\n 1: ret");

static void ways_that_meet_keep_what_both_know(void **state)
{
	CHECK(branches, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {6, BY(RSP, 16, 2, 0, 0, 0, 0, 0)},
	      {9, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {12, BY(RSP, 8, 0, 0, LOST, 0, 0, 0)});
}

/* The second part is only reached through the table. What it pops tells where it belongs. */
ASSEMBLE(tables, "push %rbx\n sub $16, %rsp\n mov (%rdi), %rbx\n jmp *(%rdi)\n .balign 16, 0x90\n"
		 "nopl 0(%rax)\n mov %rbx, %rax\n add $16, %rsp\n pop %rbx\n ret");

static void parts_behind_a_table_are_at_the_depth_that_their_return_needs(void **state)
{
	CHECK(tables, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {1, BY(RSP, 16, 2, 0, 0, 0, 0, 0)},
	      {5, BY(RSP, 32, 2, 0, 0, 0, 0, 0)}, {26, BY(RSP, 16, 2, 0, 0, 0, 0, 0)},
	      {27, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

/* A function that nothing names, after another one. */
ASSEMBLE(unnamed, "push %rbx\n pop %rbx\n ret\n .balign 16, 0xcc\n sub $8, %rsp\n call *%rax\n"
		  "add $8, %rsp\n ret");

static void functions_begin_behind_padding(void **state)
{
	CHECK(unnamed, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {1, BY(RSP, 16, 2, 0, 0, 0, 0, 0)},
	      {2, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {20, BY(RSP, 16, 0, 0, 0, 0, 0, 0)},
	      {26, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

/* A handler of V8's interpreter works in the frame of whoever jumped to it. */
ASSEMBLE(handler, "mov -24(%rbp), %rbx\n push %rax\n call *%rcx\n pop %rcx\n jmp *%rbx");
ASSEMBLE(returning, "mov -24(%rbp), %rbx\n leave\n ret");
ASSEMBLE(helper, "mov 24(%rbp), %rbx\n add %rax, %rbx\n ret");

static void handlers_run_in_the_frame_of_another(void **state)
{
	CHECK(handler, false, {0, FRAME});
	CHECK(returning, false, {0, FRAME}, {5, BY(RSP, 8, LOST, 0, 0, 0, 0, 0)});
	/* This one was called, with rbp for an argument. */
	CHECK(helper, false, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)},
	      {4, BY(RSP, 8, LOST, 0, 0, 0, 0, 0)});
}

ASSEMBLE(restorer, "ret\n nopw 0(%rax,%rax)\n mov $15, %rax\n syscall\n nop");

static void signals_return_to_a_system_call(void **state)
{
	CHECK(restorer, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {5, {.cfa = UNWIND_CFA_SIGNAL}});
}

/* As in musl. */
ASSEMBLE(cloning,
	 "xor %eax, %eax\n mov $56, %al\n mov %rdi, %r11\n and $-16, %rsi\n sub $8, %rsi\n"
	 "mov %rcx, (%rsi)\n syscall\n test %eax, %eax\n jnz 1f\n xor %ebp, %ebp\n"
	 "pop %rdi\n call *%r9\n mov %eax, %edi\n xor %eax, %eax\n mov $60, %al\n syscall\n"
	 "hlt\n 1: ret");

static void the_child_of_clone_has_no_caller(void **state)
{
	CHECK(cloning, true, {0, BY(RSP, 8, 0, 0, 0, 0, 0, 0)}, {26, {.cfa = UNWIND_CFA_ROOT}},
	      {38, BY(RSP, 8, 0, 0, 0, 0, 0, 0)});
}

static void anything_may_be_fed(void **state)
{
	uint8_t bytes[4096];
	uint32_t x = 1;

	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(bytes); i++) {
			x = x * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(x >> 24);
		}
		code_gap__free(analyse(bytes, bytes + sizeof(bytes), round & 1));
	}
	code_gap__free(analyse(bytes, bytes, false));
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Rows of a file: the rule at VADDR of what T lays out. */
static struct unwind_rule rule_at(struct unwind_table *t, const struct elf_file *file, uint64_t off)
{
	struct unwind_line *lines;
	struct unwind_table_head head;
	struct unwind_rule rule;
	const uint32_t *rows;
	uint32_t i;
	size_t n;

	assert_int_equal(unwind_table__layout(t, file, &lines, &n), 0);
	memcpy(&head, lines, sizeof(head));
	rows = lines[head.row_line].w;
	for (i = 0; i + 1 < head.n_rows && (rows[i + 1] & 0xffff) <= off;)
		i++;
	memcpy(&rule, (const struct unwind_rule *)&lines[head.rule_line] + (rows[i] >> 16),
	       sizeof(rule));
	unwind_rule_at(&rule, (uint32_t)(off - rows[i]) & 0xffff);
	free(lines);
	return rule;
}

/* A function with unwind information, the entry point, one that is called from there, and one that
 * is called from the first. */
ASSEMBLE(code, "push %rbp\n call 3f\n pop %rbp\n ret\n .balign 16, 0x90\n"
	       "xor %ebp, %ebp\n call 2f\n hlt\n .balign 16, 0x90\n"
	       "2: push %rbx\n pop %rbx\n ret\n .balign 32, 0x90\n"
	       "3: push %rsp\n pop %rsp\n ret");
#define CODE_VADDR 0x1000

struct code_file {
	int fd;
	struct elf_file *file;
	struct unwind_table *t;
	uint64_t off; /* of the code */
};

/* The same code, said to be for MACHINE, after it has gone through code_flow_read(). */
static void open_code(struct code_file *f, uint16_t machine, struct code_flow_stats *ret_stats)
{
	const struct unwind_rule known = BY(RSP, 16, 0, 0, 0, 0, 0, 0);
	const size_t n = (size_t)(code_end - code);
	struct elf_image image;

	elf_image__init(&image);
	f->off = elf_image__put(&image, code, n);
	elf_image__segment(&image, PT_LOAD, PF_R | PF_X, f->off, CODE_VADDR, n);
	image.ehdr.e_entry = CODE_VADDR + 16;
	image.ehdr.e_machine = machine;
	f->fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&f->file, f->fd), 0);
	assert_int_equal(unwind_table__new(&f->t), 0);
	assert_int_equal(
	    unwind_table__begin(f->t, UNWIND_SOURCE_EH_FRAME, CODE_VADDR, CODE_VADDR + 16), 0);
	assert_int_equal(unwind_table__row(f->t, CODE_VADDR, &known), 0);
	assert_int_equal(code_flow_read(f->file, f->t, ret_stats), 0);
}

static void close_code(struct code_file *f)
{
	unwind_table__free(f->t);
	elf_file__close(f->file);
	close(f->fd);
}

static void fills_the_gaps_of_a_file(void **state)
{
	static const struct row want[] = {
	    {1, BY(RSP, 16, 0, 0, 0, 0, 0, 0)},	 {16, {.cfa = UNWIND_CFA_ROOT}},
	    {22, {.cfa = UNWIND_CFA_ROOT}},	 {32, BY(RSP, 8, 0, 0, 0, 0, 0, 0)},
	    {33, BY(RSP, 16, 2, 0, 0, 0, 0, 0)}, {64, BY(RSP, 8, 0, 0, 0, 0, 0, 0)},
	    {65, BY(RSP, 16, 0, 0, 0, 0, 0, 0)},
	};
	struct code_flow_stats stats;
	struct code_file f;

	open_code(&f, EM_X86_64, &stats);
	assert_int_equal(stats.n_skipped_bytes, 0);
	assert_int_equal(stats.n_cut, 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct unwind_rule got = rule_at(f.t, f.file, f.off + want[i].off);

		assert_memory_equal(&got, &want[i].rule, sizeof(got));
	}
	assert_int_equal(unwind_table__stats(f.t)->n_functions[UNWIND_SOURCE_ENTRY], 1);
	close_code(&f);
}

/* __start_context() of glibc, to which makecontext() has the first function of a stack return. */
ASSEMBLE(bottom, "push %rbx\n pop %rbx\n ret\n .balign 16, 0x90\n"
		 "mov %rbx, %rsp\n mov (%rsp), %rdi\n test %rdi, %rdi\n hlt");

static void stacks_that_are_made_have_a_bottom(void **state)
{
	const struct unwind_rule known = BY(RSP, 8, 0, 0, 0, 0, 0, 0);
	const struct unwind_rule root = {.cfa = UNWIND_CFA_ROOT};
	const size_t n = (size_t)(bottom_end - bottom);
	const uint64_t starts[] = {CODE_VADDR, CODE_VADDR + 16, CODE_VADDR + n};
	struct elf_image image;
	struct code_file f;

	elf_image__init(&image);
	f.off = elf_image__put(&image, bottom, n);
	elf_image__segment(&image, PT_LOAD, PF_R | PF_X, f.off, CODE_VADDR, n);
	f.fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&f.file, f.fd), 0);
	assert_int_equal(unwind_table__new(&f.t), 0);
	for (size_t i = 0; i < 2; i++) {
		/* The first ends where its padding begins. */
		uint64_t end = i ? starts[2] : starts[0] + 3;

		assert_int_equal(unwind_table__begin(f.t, UNWIND_SOURCE_EH_FRAME, starts[i], end),
				 0);
		assert_int_equal(unwind_table__row(f.t, starts[i], &known), 0);
	}
	assert_int_equal(code_flow_read(f.file, f.t, NULL), 0);
	for (size_t off = 0; off < n; off++) {
		struct unwind_rule got = rule_at(f.t, f.file, f.off + off);

		assert_memory_equal(&got, off == 15 ? &root : &known, sizeof(got));
	}
	close_code(&f);
}

static void other_machines_get_nothing(void **state)
{
	struct code_file f;

	open_code(&f, EM_AARCH64, NULL);
	assert_int_equal(unwind_table__stats(f.t)->n_functions[UNWIND_SOURCE_CODE], 0);
	close_code(&f);
}

/* Only so many instructions are looked at, those of helpers that are asked about included. */
static void work_is_bounded(void **state)
{
	enum { N = 1 << 16 };
	uint8_t *bytes = malloc(N);
	uint64_t steps_left = 100000;
	struct code_gap *g;

	/* lea 8(%rsp),%r10; and $-32,%rsp; then calls of the last instructions of all. */
	assert_non_null(bytes);
	memset(bytes, 0x90, N);
	memcpy(bytes, "\x4c\x8d\x54\x24\x08\x48\x83\xe4\xe0", 9);
	for (int32_t at = 9; at < N / 2; at += 5) {
		int32_t rel = N - 1000 - (at + 5);

		bytes[at] = 0xe8;
		memcpy(bytes + at + 1, &rel, sizeof(rel));
	}
	bytes[N - 1] = 0xc3;
	assert_int_equal(code_gap__new(&g, bytes, N, &steps_left), 0);
	code_gap__add_entry(g, 0, true);
	assert_int_equal(code_gap__analyse(g), 0);
	assert_int_equal(steps_left, 0);
	assert_true(code_gap__stats(g)->n_cut > 0);
	code_gap__free(g);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(work_is_bounded),
	    cmocka_unit_test(pushes_and_pops),
	    cmocka_unit_test(a_frame_of_unknown_size_is_left_to_the_frame_pointer),
	    cmocka_unit_test(an_aligned_stack_that_keeps_the_old_pointer),
	    cmocka_unit_test(saves_through_a_copy_of_the_stack_pointer),
	    cmocka_unit_test(an_aligned_stack_with_a_frame_pointer),
	    cmocka_unit_test(registers_live_through_calls_of_helpers_that_leave_them_alone),
	    cmocka_unit_test(a_loop_that_moves_the_stack_pointer),
	    cmocka_unit_test(ways_that_meet_keep_what_both_know),
	    cmocka_unit_test(parts_behind_a_table_are_at_the_depth_that_their_return_needs),
	    cmocka_unit_test(functions_begin_behind_padding),
	    cmocka_unit_test(handlers_run_in_the_frame_of_another),
	    cmocka_unit_test(signals_return_to_a_system_call),
	    cmocka_unit_test(the_child_of_clone_has_no_caller),
	    cmocka_unit_test(anything_may_be_fed),
	    cmocka_unit_test(fills_the_gaps_of_a_file),
	    cmocka_unit_test(stacks_that_are_made_have_a_bottom),
	    cmocka_unit_test(other_machines_get_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
#endif
