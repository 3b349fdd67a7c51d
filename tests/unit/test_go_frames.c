/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/go_frames: the rules at each instruction of the forms of functions that Go has. */
#include "symbolizer/go_frames.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "symbolizer/gopclntab.h"
#include "tests/unit/go_image.h"

#define LOST UNWIND_SAVED_LOST
#define RBX 3
#define RSP 7

/* The rules of a program of one function or more, as they are laid out. */
struct rules {
	struct elf_file *file;
	int fd;
	struct unwind_table *t;
	struct unwind_line *lines;
	uint64_t text_off;
};

static void read_rules(struct rules *rules, enum go_layout layout,
		       const struct go_function *functions, size_t n)
{
	struct go_image image = {.layout = layout, .functions = functions, .n = n};
	size_t n_lines, n_code;

	go_image__fill(&image);
	rules->fd = go_image__fd(&image);
	assert_int_equal(elf_file__open(&rules->file, rules->fd), 0);
	assert_int_equal(unwind_table__new(&rules->t), 0);
	assert_int_equal(go_frames_read(rules->file, rules->t), GO_FRAMES_READ);
	assert_int_equal(unwind_table__layout(rules->t, rules->file, &rules->lines, &n_lines), 0);
	rules->text_off = elf_file__code(rules->file, &n_code)->off;
}

static void free_rules(struct rules *rules)
{
	free(rules->lines);
	unwind_table__free(rules->t);
	elf_file__close(rules->file);
	close(rules->fd);
}

/* The rule at byte AT of function I, until the next call. The made files have less than 64 KiB. */
static const struct unwind_rule *rule_at(const struct rules *rules, size_t i, int at)
{
	const struct unwind_table_head *head = (const void *)rules->lines;
	const uint32_t *rows = rules->lines[head->row_line].w;
	const struct unwind_rule *all = (const void *)&rules->lines[head->rule_line];
	static struct unwind_rule rule;
	int64_t off = (int64_t)(rules->text_off + i * GO_FUNCTION_BYTES) + at;
	uint32_t row = 0;

	while (row + 1 < head->n_rows && (rows[row + 1] & 0xffff) <= off)
		row++;
	rule = all[rows[row] >> 16];
	unwind_rule_at(&rule, (uint32_t)(off - rows[row]) & 0xffff);
	return &rule;
}

static void check_reg(const struct rules *rules, size_t i, int at, int reg, int off, int rbp)
{
	const struct unwind_rule *rule = rule_at(rules, i, at);

	assert_int_equal(rule->cfa, UNWIND_CFA_REG);
	assert_int_equal(rule->cfa_reg, reg);
	assert_int_equal(rule->cfa_off, off);
	assert_int_equal(rule->ra, 1);
	assert_int_equal(rule->flags, reg == RSP ? 0 : UNWIND_FLAG_SWITCH);
	assert_int_equal(rule->saved[1], rbp);
}

static int cfa_at(const struct rules *rules, size_t i, int at)
{
	return rule_at(rules, i, at)->cfa;
}

static void frame_since_1_21(void **state)
{
	/* push %rbp; mov %rsp,%rbp; sub $16,%rsp; nop; add $16,%rsp; pop %rbp; ret */
	static const struct go_function f = {
	    "main.f", "\x55\x48\x89\xe5\x48\x83\xec\x10\x90\x48\x83\xc4\x10\x5d\xc3", 15,
	    "\x02\x01\x10\x07\x20\x05\x1f\x01\x0f\x01", 0};
	struct rules rules;

	read_rules(&rules, GO_120, &f, 1);
	check_reg(&rules, 0, 0, RSP, 8, 0);
	check_reg(&rules, 0, 1, RSP, 16, 2);
	check_reg(&rules, 0, 8, RSP, 32, 2);
	check_reg(&rules, 0, 13, RSP, 16, 2);
	check_reg(&rules, 0, 14, RSP, 8, 0);
	assert_int_equal(rule_at(&rules, 0, 8)->saved[0], LOST);
	assert_int_equal(rule_at(&rules, 0, 8)->saved[4], 0);
	/* Far behind the last instruction nobody knows. */
	assert_int_equal(cfa_at(&rules, 0, 64), UNWIND_CFA_FRAME);
	assert_int_equal(rule_at(&rules, 0, 64)->flags, UNWIND_FLAG_GUESSED);
	free_rules(&rules);
}

/* For an instruction the depth is there, but rbp is not yet. */
static void frame_before_1_21(void **state)
{
	/* sub $24,%rsp; mov %rbp,16(%rsp); lea 16(%rsp),%rbp; nop; mov 16(%rsp),%rbp; add; ret */
	static const struct go_function f = {
	    "main.f",
	    "\x48\x83\xec\x18\x48\x89\x6c\x24\x10\x48\x8d\x6c\x24\x10\x90\x48\x8b\x6c\x24\x10\x48"
	    "\x83\xc4\x18\xc3",
	    25, "\x02\x04\x30\x14\x2f\x01", 0};

	for (int layout = GO_116; layout <= GO_120; layout++) {
		struct rules rules;

		read_rules(&rules, (enum go_layout)layout, &f, 1);
		check_reg(&rules, 0, 0, RSP, 8, 0);
		check_reg(&rules, 0, 4, RSP, 32, 0);
		check_reg(&rules, 0, 9, RSP, 32, 2);
		check_reg(&rules, 0, 20, RSP, 32, 2);
		check_reg(&rules, 0, 24, RSP, 8, 0);
		free_rules(&rules);
	}
}

static void no_frame(void **state)
{
	static const struct go_function f[] = {
	    /* push %r15; nop; pop %r15; ret */
	    {"runtime.addmoduledata", "\x41\x57\x90\x41\x5f\xc3", 6, "\x02\x02\x10\x03\x0f\x01",
	     GOPCLNTAB_FLAG_ASM},
	    /* pop %r12; syscall; push %r12; ret */
	    {"syscall.rawVforkSyscall", "\x41\x5c\x0f\x05\x41\x54\xc3", 7,
	     "\x02\x02\x0f\x04\x10\x01", GOPCLNTAB_FLAG_ASM},
	};
	struct rules rules;

	read_rules(&rules, GO_120, f, 2);
	check_reg(&rules, 0, 2, RSP, 16, 0);
	check_reg(&rules, 0, 5, RSP, 8, 0);
	check_reg(&rules, 1, 0, RSP, 8, 0);
	assert_int_equal(rule_at(&rules, 1, 2)->cfa_off, 0);
	assert_int_equal(rule_at(&rules, 1, 2)->ra, UNWIND_RA_REG + 12);
	check_reg(&rules, 1, 6, RSP, 8, 0);
	free_rules(&rules);
}

static void roots_and_signals(void **state)
{
	static const struct go_function f[] = {
	    {"main.f", "\xc3", 1, "\x02\x7f", 0},
	    {"runtime.sigreturn__sigaction", "\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", 9, "\x02\x09",
	     GOPCLNTAB_FLAG_ASM},
	    {"runtime.goexit", "\x90", 1, "\x02\x01", GOPCLNTAB_FLAG_TOP_FRAME},
	    {"runtime.sigtramp", "\xc3", 1, "\x02\x01", GOPCLNTAB_FLAG_TOP_FRAME},
	    {"_rt0_amd64_linux", "\xc3", 1, "\x02\x01", GOPCLNTAB_FLAG_ASM},
	};
	struct rules rules;

	for (int layout = GO_116; layout <= GO_120; layout++) {
		read_rules(&rules, (enum go_layout)layout, f, 5);
		assert_int_equal(cfa_at(&rules, 1, -2), UNWIND_CFA_REG);
		assert_int_equal(cfa_at(&rules, 1, -1), UNWIND_CFA_SIGNAL);
		assert_int_equal(cfa_at(&rules, 1, 7), UNWIND_CFA_SIGNAL);
		assert_int_equal(cfa_at(&rules, 2, 0), UNWIND_CFA_ROOT);
		check_reg(&rules, 3, 0, RSP, 8, 0);
		assert_int_equal(cfa_at(&rules, 4, 0), UNWIND_CFA_ROOT);
		free_rules(&rules);
	}
}

#define SWITCHING (GOPCLNTAB_FLAG_ASM | GOPCLNTAB_FLAG_SP_WRITE)

static void stack_switches_by_frame_pointer(void **state)
{
	static const struct go_function f[] = {
	    /*
	     * push %rbp; mov %rsp,%rbp; mov 56(%rdx),%rsp; call *%rdi; mov 56(%rax),%rsp; pop;
	     * ret
	     */
	    {"runtime.systemstack",
	     "\x55\x48\x89\xe5\x48\x8b\x62\x38\xff\xd7\x48\x8b\x60\x38\x5d\xc3", 16,
	     "\x02\x01\x10\x0e\x0f\x01", SWITCHING},
	    {"runtime.mcall", "\x55\x48\x89\xe5\x48\x8b\x62\x38\xff\xd7\x0f\x0b", 12,
	     "\x02\x01\x10\x0b", SWITCHING},
	    /* until 1.20: mov 56(%rdx),%rsp; call *%rdi; mov 56(%rax),%rsp; ret */
	    {"runtime.systemstack", "\x48\x8b\x62\x38\xff\xd7\x48\x8b\x60\x38\xc3", 11, "\x02\x0b",
	     SWITCHING},
	    /* mov (%rbx),%rsp; mov 8(%rbx),%rbp; jmp *%rbx */
	    {"gogo", "\x48\x8b\x23\x48\x8b\x6b\x08\xff\xe3", 9, "\x02\x09", SWITCHING},
	};
	struct rules rules;

	for (int layout = GO_116; layout <= GO_120; layout++) {
		read_rules(&rules, (enum go_layout)layout, f, 4);
		check_reg(&rules, 0, 4, RSP, 16, 2);
		assert_int_equal(cfa_at(&rules, 0, 8), UNWIND_CFA_FRAME);
		assert_int_equal(rule_at(&rules, 0, 8)->flags, UNWIND_FLAG_SWITCH);
		assert_int_equal(cfa_at(&rules, 0, 14), UNWIND_CFA_FRAME);
		check_reg(&rules, 0, 15, RSP, 8, 0);
		check_reg(&rules, 1, 4, RSP, 16, 2);
		assert_int_equal(cfa_at(&rules, 1, 8), UNWIND_CFA_ROOT);
		check_reg(&rules, 2, 0, RSP, 8, 0);
		assert_int_equal(cfa_at(&rules, 2, 4), UNWIND_CFA_FRAME);
		check_reg(&rules, 2, 10, RSP, 8, 0);
		assert_int_equal(cfa_at(&rules, 3, 3), UNWIND_CFA_FRAME);
		assert_int_equal(rule_at(&rules, 3, 7)->cfa_off, 0);
		assert_int_equal(rule_at(&rules, 3, 7)->ra, UNWIND_RA_REG + RBX);
		free_rules(&rules);
	}
}

/* As runtime.nanotime1 does it; its second path lies behind the return. */
static void stack_switches_by_copy(void **state)
{
	static const struct go_function f = {
	    "runtime.nanotime1",
	    /* push %rbp; mov %rsp,%rbp; mov %rsp,%r12; mov 56(%rdx),%rsp; and $-16,%rsp;
	     * je 24; call *%rax; 19: mov %r12,%rsp; pop %rbp; ret; 24: syscall; jmp 19 */
	    "\x55\x48\x89\xe5\x49\x89\xe4\x48\x8b\x62\x38\x48\x83\xe4\xf0\x74\x07\xff\xd0\x4c\x89"
	    "\xe4\x5d\xc3\x0f\x05\xeb\xf7",
	    28, "\x02\x01\x10\x16\x0f\x01\x10\x04", SWITCHING};
	struct rules rules;

	read_rules(&rules, GO_120, &f, 1);
	check_reg(&rules, 0, 7, RSP, 16, 2);
	check_reg(&rules, 0, 11, 12, 16, 2);
	check_reg(&rules, 0, 19, 12, 16, 2);
	check_reg(&rules, 0, 22, RSP, 16, 2);
	check_reg(&rules, 0, 23, RSP, 8, 0);
	check_reg(&rules, 0, 24, 12, 16, 2);
	check_reg(&rules, 0, 27, 12, 16, 2);
	free_rules(&rules);
}

/* sub $48,%rsp and the stores that follow; then add $48,%rsp; ret. */
static void registers_that_c_wants_kept(void **state)
{
	static const struct go_function f = {
	    "crosscall2",
	    "\x48\x83\xec\x30\x48\x89\x6c\x24\x28\x48\x8d\x6c\x24\x28\x48\x89\x1c\x24\x4c\x89\x64"
	    "\x24\x08\x4c\x89\x6c\x24\x10\x4c\x89\x74\x24\x18\x4c\x89\x7c\x24\x20\x90\x48\x83\xc4"
	    "\x30\xc3",
	    44, "\x02\x04\x60\x27\x5f\x01", GOPCLNTAB_FLAG_ASM};
	static const uint8_t saved[UNWIND_N_SAVED] = {7, 2, 6, 5, 4, 3};
	static const uint8_t kept[UNWIND_N_SAVED] = {0};
	struct rules rules;

	read_rules(&rules, GO_120, &f, 1);
	assert_memory_equal(rule_at(&rules, 0, 4)->saved, kept, sizeof(kept));
	check_reg(&rules, 0, 9, RSP, 56, 2);
	assert_int_equal(rule_at(&rules, 0, 9)->saved[0], 0);
	check_reg(&rules, 0, 39, RSP, 56, 2);
	assert_memory_equal(rule_at(&rules, 0, 39)->saved, saved, sizeof(saved));
	assert_memory_equal(rule_at(&rules, 0, 43)->saved, kept, sizeof(kept));
	free_rules(&rules);
}

static void broken_functions_are_counted(void **state)
{
	static const struct go_function f[] = {
	    {"main.a", "\xc3", 1, "\x02\x81\x81\x01", 0},     /* longer than the function */
	    {"main.b", "\xc3", 1, "\xff\xff\xff\x0f\x01", 0}, /* depth below 0 */
	    {"main.c", "\xc3", 1, "\x02\x01", 0},
	    {"c_function", "\xc3", 1, NULL, 0},
	};
	struct rules rules;

	read_rules(&rules, GO_120, f, 4);
	assert_int_equal(unwind_table__stats(rules.t)->n_bad, 2);
	assert_int_equal(unwind_table__stats(rules.t)->n_functions[UNWIND_SOURCE_GO], 1);
	check_reg(&rules, 2, 0, RSP, 8, 0);
	assert_int_equal(rule_at(&rules, 3, 0)->flags, UNWIND_FLAG_GUESSED);
	free_rules(&rules);
}

/* The go command is a Go program with thousands of functions. */
static void a_real_program(void **state)
{
	struct unwind_table *t;
	struct elf_file *file;
	char path[4096] = "";
	FILE *which = popen("command -v go", "r");
	int fd;

	assert_non_null(which);
	if (!fgets(path, sizeof(path), which) || path[0] != '/')
		path[0] = '\0';
	pclose(which);
	path[strcspn(path, "\n")] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		skip();
	/* It may also be a script. */
	if (elf_file__open(&file, fd) < 0) {
		close(fd);
		skip();
	}
	assert_int_equal(unwind_table__new(&t), 0);
	assert_int_equal(go_frames_read(file, t), GO_FRAMES_READ);
	assert_in_range(unwind_table__stats(t)->n_functions[UNWIND_SOURCE_GO], 3000, 1000000);
	assert_int_equal(unwind_table__stats(t)->n_bad, 0);
	assert_int_equal(unwind_table__stats(t)->n_dropped, 0);
	unwind_table__free(t);
	elf_file__close(file);
	close(fd);
}

static void other_programs_have_none(void **state)
{
	struct unwind_table *t;
	struct elf_image image;
	struct elf_file *file;
	int fd;

	elf_image__init(&image);
	fd = elf_image__fd(&image);
	assert_int_equal(elf_file__open(&file, fd), 0);
	assert_int_equal(unwind_table__new(&t), 0);
	assert_int_equal(go_frames_read(file, t), GO_FRAMES_NONE);
	unwind_table__free(t);
	elf_file__close(file);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(frame_since_1_21),
	    cmocka_unit_test(frame_before_1_21),
	    cmocka_unit_test(no_frame),
	    cmocka_unit_test(roots_and_signals),
	    cmocka_unit_test(stack_switches_by_frame_pointer),
	    cmocka_unit_test(stack_switches_by_copy),
	    cmocka_unit_test(registers_that_c_wants_kept),
	    cmocka_unit_test(broken_functions_are_counted),
	    cmocka_unit_test(a_real_program),
	    cmocka_unit_test(other_programs_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
