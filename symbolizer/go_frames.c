/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is used, from cmd/internal/obj/x86/obj6.go:
 *
 * The depth d of the stack at an instruction, without the return address, is in the table (pcsp):
 * CFA = rsp + d + 8. It is exact except in assembler functions that set rsp (go_switch.c).
 *
 * A function with a frame, or one in assembler that calls, saves its caller's rbp right below the
 * return address, at CFA - 16, and makes rbp point there:
 *
 *	from 1.21:	push %rbp; mov %rsp,%rbp; sub $n,%rsp
 *			add $n,%rsp; pop %rbp; ret
 *	before:		sub $n,%rsp; mov %rbp,n-8(%rsp); lea n-8(%rsp),%rbp
 *			mov n-8(%rsp),%rbp; add $n,%rsp; ret
 *
 * These are the first instructions that change the depth: a check of the stack's size, which may
 * come before, does not. From the store on the slot holds the caller's rbp as long as the depth is
 * not 0 again, in the epilogue as well; and the depth is 0 before the prologue, after the
 * epilogue, and where the check calls runtime.morestack. Functions that begin otherwise (NOFRAME
 * ones) leave rbp alone, or use it for themselves and give it back.
 *
 * No other register is kept in Go. Assembler functions that C calls save those that C wants kept,
 * in one sequence of instructions (runtime/cgo/abi_amd64.h). r14 is the current goroutine (g)
 * everywhere since 1.17.
 */
#include "symbolizer/go_frames.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "symbolizer/go_switch.h"
#include "symbolizer/gopclntab.h"

#define RBP 6
#define RSP 7

/* Places in unwind_rule.saved, by UNWIND_SAVED_X86_64. */
enum saved { SAVED_RBX, SAVED_RBP, SAVED_R12, SAVED_R13, SAVED_R14, SAVED_R15 };

/*
 * Runs of all functions together: a file may give each function the same long table. Real
 * functions have 8 on average.
 */
#define RUNS_MAX (32u << 20)
#define FUNCTION_RUNS_MAX (1u << 20)
/* The deepest there is: runtime.call1073741824 has a frame of 8 bytes more than its name says. */
#define DEPTH_MAX ((1 << 30) + (1 << 20))

#define CODE_BYTES (256u << 10)
/* All that is read of the code: functions may lie such that little of each piece is of use. */
#define ALL_CODE_BYTES_MAX (1ull << 30)
/* Functions that are followed through; the longest, runtime.cgocallback, has 500 bytes. */
#define FOLLOWED_BYTES_MAX (8u << 10)

/* Linkers align functions to 32 bytes: what lies between two is padding, which needs no row. */
#define PADDING_MAX 32

#define NAME_BYTES 64

/* A stretch of code, read ahead. */
struct code {
	unsigned char *bytes;
	uint64_t vaddr;
	size_t n;
};

struct reader {
	const struct elf_file *file; /* borrowed */
	struct unwind_table *t;	     /* borrowed */
	struct gopclntab *tab;
	struct code code;
	struct gopclntab_run *runs; /* of the function at work, not empty ones */
	size_t n_runs, cap_runs;
	uint64_t runs_left, code_bytes_left;
	uint64_t done; /* functions ascend, so that the code is read once */
};

/* What the function at work does, and from where on. */
struct shape {
	uint64_t end;
	uint64_t rbp_from;  /* the caller's rbp is saved */
	uint64_t kept_from; /* so are the other registers that C wants kept */
	int32_t kept_depth; /* the depth with them on the stack */
	bool for_c;	    /* C calls it: it leaves alone what it has not saved */
	bool r14_is_g;	    /* as from Go 1.17 on, told apart from 1.18 on */
	bool interrupts;    /* a signal handler has put the call of it between two instructions */
	struct go_switch_span spans[GO_SWITCH_SPANS_MAX];
	size_t n_spans; /* 0 = the depths say it all */
};

/* ---- code ------------------------------------------------------------------------------------ */

/* N bytes of code at VADDR, borrowed until the next call, or NULL where there are not so many. */
static const unsigned char *code_at(struct reader *rd, uint64_t vaddr, size_t n)
{
	size_t n_segments;
	const struct elf_segment *s = elf_file__code(rd->file, &n_segments);
	struct code *code = &rd->code;

	if (vaddr >= code->vaddr && vaddr - code->vaddr <= code->n &&
	    n <= code->n - (vaddr - code->vaddr))
		return code->bytes + (vaddr - code->vaddr);
	code->n = 0;
	for (size_t i = 0; i < n_segments; i++) {
		uint64_t left;

		if (vaddr < s[i].vaddr || vaddr - s[i].vaddr >= s[i].n_bytes)
			continue;
		left = MIN(s[i].n_bytes - (vaddr - s[i].vaddr), CODE_BYTES);
		if (n > left || left > rd->code_bytes_left ||
		    elf_file__read_vaddr(rd->file, vaddr, code->bytes, left) < 0)
			return NULL;
		rd->code_bytes_left -= left;
		code->vaddr = vaddr;
		code->n = (size_t)left;
		return code->bytes;
	}
	return NULL;
}

static bool begins_with(const unsigned char *code, size_t n, const void *bytes, size_t n_bytes)
{
	return n_bytes <= n && !memcmp(code, bytes, n_bytes);
}

/*
 * Where the caller's rbp is saved, if the instruction that ends at PC, with which the depth becomes
 * DEPTH, is of a prologue; else UINT64_MAX.
 */
static uint64_t match_prologue(struct reader *rd, const struct gopclntab_function *f, uint64_t pc,
			       int32_t depth)
{
	size_t n = (size_t)MIN(f->end - pc, 8);
	const unsigned char *at = pc > f->start ? code_at(rd, pc - 1, n + 1) : NULL;
	int32_t disp;

	if (!at)
		return UINT64_MAX;
	/* push %rbp; mov %rsp,%rbp */
	if (begins_with(at, n + 1, "\x55\x48\x89\xe5", 4) && depth == 8)
		return pc;
	at++;
	/* mov %rbp,(%rsp), with a byte, with four bytes of displacement */
	if (begins_with(at, n, "\x48\x89\x2c\x24", 4) && depth == 8)
		return pc + 4;
	if (begins_with(at, n, "\x48\x89\x6c\x24", 4) && n >= 5 && (int8_t)at[4] == depth - 8)
		return pc + 5;
	if (!begins_with(at, n, "\x48\x89\xac\x24", 4) || n < 8)
		return UINT64_MAX;
	memcpy(&disp, at + 4, sizeof(disp));
	return disp == depth - 8 ? pc + 8 : UINT64_MAX;
}

static int32_t depth_at(const struct reader *rd, uint64_t pc)
{
	for (size_t i = 0; i < rd->n_runs; i++)
		if (pc < rd->runs[i].end)
			return rd->runs[i].value;
	return 0;
}

/* Looks for PUSH_REGS_HOST_TO_ABI0, which is within the first instructions. */
static void match_kept(struct reader *rd, const struct gopclntab_function *f, struct shape *shape)
{
	/* mov %rbp,0x28(%rsp); lea 0x28(%rsp),%rbp; mov %rbx,(%rsp); mov %r12,8(%rsp); … %r15 */
	static const char saves[] = "\x48\x89\x6c\x24\x28\x48\x8d\x6c\x24\x28\x48\x89\x1c\x24"
				    "\x4c\x89\x64\x24\x08\x4c\x89\x6c\x24\x10\x4c\x89\x74\x24\x18"
				    "\x4c\x89\x7c\x24\x20";
	const size_t n_saves = sizeof(saves) - 1;
	size_t n = (size_t)MIN(f->end - f->start, 128);
	const unsigned char *code = code_at(rd, f->start, n);
	const unsigned char *found = code ? memmem(code, n, saves, n_saves) : NULL;

	if (!found)
		return;
	shape->for_c = true;
	shape->kept_from = f->start + (size_t)(found - code) + n_saves;
	shape->kept_depth = depth_at(rd, shape->kept_from);
	if (shape->kept_depth < 48)
		shape->kept_from = UINT64_MAX;
}

/* ---- names ----------------------------------------------------------------------------------- */

enum kind { KIND_ORDINARY, KIND_ROOT, KIND_SIGNAL };

static bool name_is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

/*
 * What the function NAME is. The flag is there since 1.17. It is also set for the signal handler,
 * whose frame the runtime has its own way to get over; ours is to unwind it like any other, for it
 * returns to sigreturn. The program's entry has none, as nothing ever unwinds from there in Go.
 */
static enum kind kind_of(const char *name, uint8_t flags)
{
	static const char *const roots[] = {"runtime.goexit", "runtime.mstart", "runtime.rt0_go",
					    "_rt0_amd64", "_rt0_amd64_linux"};
	static const char *const signals[] = {"runtime.sigreturn", "runtime.sigreturn__sigaction"};

	if (name_is_one_of(name, signals, ARRAY_SIZE(signals)))
		return KIND_SIGNAL;
	if (name_is_one_of(name, roots, ARRAY_SIZE(roots)))
		return KIND_ROOT;
	return (flags & GOPCLNTAB_FLAG_TOP_FRAME) && strcmp(name, "runtime.sigtramp") != 0
		   ? KIND_ROOT
		   : KIND_ORDINARY;
}

static enum go_switch_end switch_end(const char *name)
{
	static const char *const one_way[] = {"runtime.mcall", "runtime.morestack",
					      "runtime.clone"};
	static const char *const resuming[] = {"runtime.gogo", "gogo"};

	if (name_is_one_of(name, one_way, ARRAY_SIZE(one_way)))
		return GO_SWITCH_END_ROOT;
	if (name_is_one_of(name, resuming, ARRAY_SIZE(resuming)))
		return GO_SWITCH_END_RESUME;
	return GO_SWITCH_END_UNKNOWN;
}

/* Without flags, whatever may be in assembler: the runtime, and names that no Go package gives. */
static bool may_set_sp(const struct reader *rd, const struct gopclntab_function *f,
		       const char *name)
{
	/* It sets rsp to right after a call in its caller's caller, as its depth says. */
	if (!strcmp(name, "runtime.jmpdefer"))
		return false;
	if (gopclntab__has_flags(rd->tab))
		return f->flags & GOPCLNTAB_FLAG_SP_WRITE;
	return !strncmp(name, "runtime.", 8) || !strchr(name, '.');
}

/* ---- one function ---------------------------------------------------------------------------- */

/* Collects the runs of F that have any addresses. 0, GOPCLNTAB_BROKEN, or a negative error. */
static int read_runs(struct reader *rd, const struct gopclntab_function *f)
{
	struct gopclntab_values it;
	struct gopclntab_run run;
	int r;

	rd->n_runs = 0;
	gopclntab__values(rd->tab, f, f->pcsp, &it);
	while ((r = gopclntab_values__next(&it, &run)) == GOPCLNTAB_OK) {
		if (rd->n_runs >= FUNCTION_RUNS_MAX || !rd->runs_left || run.end > f->end ||
		    run.value < -8 || run.value > DEPTH_MAX)
			return GOPCLNTAB_BROKEN;
		rd->runs_left--;
		if (run.start == run.end)
			continue;
		r = array_reserve(&rd->runs, &rd->cap_runs, rd->n_runs + 1, sizeof(*rd->runs));
		if (r < 0)
			return r;
		rd->runs[rd->n_runs++] = run;
	}
	return r == GOPCLNTAB_END ? 0 : r;
}

static void follow_switches(struct reader *rd, const struct gopclntab_function *f, const char *name,
			    struct shape *shape)
{
	struct go_switch_function fn = {
	    .start = f->start,
	    .n_bytes = (size_t)MIN(f->end - f->start, FOLLOWED_BYTES_MAX),
	    .depths = rd->runs,
	    .n_depths = rd->n_runs,
	    .framed_from = shape->rbp_from,
	    .end = switch_end(name),
	};

	fn.code = code_at(rd, f->start, fn.n_bytes);
	if (fn.code && f->end - f->start <= FOLLOWED_BYTES_MAX)
		shape->n_spans = go_switch_follow(&fn, shape->spans);
}

/* Finds out what F does. Its runs are there. */
static void find_shape(struct reader *rd, const struct gopclntab_function *f, const char *name,
		       struct shape *shape)
{
	/* src/runtime/preempt.go, signal_amd64.go: (*sigctxt).pushCall */
	static const char *const interrupting[] = {"runtime.asyncPreempt", "runtime.sigpanic0",
						   "runtime.debugCallV1", "runtime.debugCallV2"};

	*shape = (struct shape){
	    .end = rd->runs[rd->n_runs - 1].end,
	    .rbp_from = UINT64_MAX,
	    .kept_from = UINT64_MAX,
	    .r14_is_g = gopclntab__has_flags(rd->tab),
	};
	if (f->end - shape->end < PADDING_MAX)
		shape->end = f->end;
	for (size_t i = 0; i < rd->n_runs; i++) {
		if (rd->runs[i].value == 0)
			continue;
		shape->rbp_from = match_prologue(rd, f, rd->runs[i].start, rd->runs[i].value);
		break;
	}
	if (!*name)
		return;
	shape->interrupts = name_is_one_of(name, interrupting, ARRAY_SIZE(interrupting));
	match_kept(rd, f, shape);
	if (may_set_sp(rd, f, name))
		follow_switches(rd, f, name, shape);
}

/*
 * The register that the instruction which ends at PC pops, by DWARF's number; -1 where it is
 * none.
 */
static int popped_register(struct reader *rd, uint64_t pc)
{
	static const uint8_t dwarf[] = {0, 2, 1, 3, 7, 6, 4, 5};
	const unsigned char *at = code_at(rd, pc - 2, 2);

	if (!at || (at[1] & 0xf8) != 0x58)
		return -1;
	return at[0] == 0x41 ? 8 + (at[1] & 7) : dwarf[at[1] & 7];
}

/* The registers as they are at PC, with the stack DEPTH deep. */
static void set_saved(const struct shape *shape, uint64_t pc, int32_t depth,
		      struct unwind_rule *rule)
{
	bool kept = pc >= shape->kept_from && depth >= shape->kept_depth;
	uint8_t lost = shape->for_c ? 0 : UNWIND_SAVED_LOST;
	/* The slot of rbx, which is the lowest. */
	uint8_t slot = kept ? (uint8_t)MIN((shape->kept_depth + 8) / 8, UNWIND_SAVED_SLOT_MAX) : 0;

	rule->saved[SAVED_RBX] = kept ? slot : lost;
	rule->saved[SAVED_R12] = kept ? slot - 1 : lost;
	rule->saved[SAVED_R13] = kept ? slot - 2 : lost;
	rule->saved[SAVED_R14] = kept ? slot - 3 : shape->r14_is_g ? 0 : lost;
	rule->saved[SAVED_R15] = kept ? slot - 4 : lost;
	rule->saved[SAVED_RBP] = depth > 0 && pc >= shape->rbp_from ? 2 : 0;
}

/* The rule by the frame pointer. It holds on whatever stack rsp is. */
static const struct unwind_rule by_frame = {
    .cfa = UNWIND_CFA_FRAME,
    .cfa_reg = RBP,
    .ra = 1,
    .flags = UNWIND_FLAG_SWITCH,
    .cfa_off = 16,
    .saved = {UNWIND_SAVED_LOST, 2, UNWIND_SAVED_LOST, UNWIND_SAVED_LOST, UNWIND_SAVED_LOST,
	      UNWIND_SAVED_LOST},
};

/* The rule at PC, which lies in RUN, with SPAN (may be NULL) for what the run does not know. */
static struct unwind_rule rule_at(struct reader *rd, const struct shape *shape,
				  const struct gopclntab_run *run,
				  const struct go_switch_span *span, uint64_t pc)
{
	struct unwind_rule rule = {.cfa = UNWIND_CFA_REG, .cfa_reg = RSP, .ra = 1};
	enum go_switch_mode mode = span ? span->mode : GO_SWITCH_DEPTH;
	int32_t depth = run->value + (mode == GO_SWITCH_DEPTH && span ? span->off : 0);

	set_saved(shape, pc, depth, &rule);
	rule.cfa_off = depth + 8;
	rule.flags = shape->interrupts ? UNWIND_FLAG_EXACT : 0;
	switch (mode) {
	case GO_SWITCH_DEPTH:
		/* syscall.rawVforkSyscall takes its return address off the stack that it is about
		 * to share with the child. */
		if (depth < 0) {
			int reg =
			    depth == -8 && run->start >= 2 ? popped_register(rd, run->start) : -1;

			rule.ra = (uint8_t)(UNWIND_RA_REG + MAX(reg, 0));
			if (reg < 0)
				return (struct unwind_rule){.cfa = UNWIND_CFA_NONE};
		}
		return rule;
	case GO_SWITCH_COPY:
		rule.cfa_reg = span->reg;
		rule.cfa_off = span->off + 8;
		rule.flags = UNWIND_FLAG_SWITCH;
		return rule;
	case GO_SWITCH_FRAME:
		return by_frame;
	case GO_SWITCH_RESUME:
		/* All registers are already those of the code that goes on. */
		rule.cfa_off = 0;
		rule.saved[SAVED_RBP] = 0;
		rule.ra = (uint8_t)(UNWIND_RA_REG + span->reg);
		return rule;
	case GO_SWITCH_ROOT:
		return (struct unwind_rule){.cfa = UNWIND_CFA_ROOT};
	default:
		return (struct unwind_rule){.cfa = UNWIND_CFA_NONE};
	}
}

/* The rows of one run: one at its start, and one wherever something else changes within it. */
static int add_run(struct reader *rd, const struct shape *shape, const struct gopclntab_run *run,
		   size_t *span)
{
	uint64_t pc = run->start;

	while (pc < run->end) {
		const struct go_switch_span *now = NULL;
		uint64_t next = run->end;
		struct unwind_rule rule;
		int r;

		while (*span + 1 < shape->n_spans && shape->spans[*span + 1].from <= pc)
			(*span)++;
		if (shape->n_spans)
			now = &shape->spans[*span];
		rule = rule_at(rd, shape, run, now, pc);
		r = unwind_table__row(rd->t, pc, &rule);
		if (r < 0)
			return r;
		if (*span + 1 < shape->n_spans)
			next = MIN(next, shape->spans[*span + 1].from);
		if (shape->rbp_from > pc)
			next = MIN(next, shape->rbp_from);
		if (shape->kept_from > pc)
			next = MIN(next, shape->kept_from);
		pc = next;
	}
	return 0;
}

static int add_whole(struct reader *rd, uint64_t start, uint64_t end, enum unwind_cfa cfa)
{
	struct unwind_rule rule = {.cfa = cfa};
	int r = unwind_table__begin(rd->t, UNWIND_SOURCE_GO, start, end);

	return r < 0 ? r : unwind_table__row(rd->t, start, &rule);
}

static int add_ordinary(struct reader *rd, const struct gopclntab_function *f, const char *name)
{
	struct shape shape;
	size_t span = 0;
	int r = read_runs(rd, f);

	/* Go's linker makes one function without instructions. */
	if (r || rd->n_runs == 0)
		return r;
	find_shape(rd, f, name, &shape);
	r = unwind_table__begin(rd->t, UNWIND_SOURCE_GO, f->start, shape.end);
	for (size_t i = 0; i < rd->n_runs && r == 0; i++)
		r = add_run(rd, &shape, &rd->runs[i], &span);
	return r;
}

/* 0, GOPCLNTAB_BROKEN, or a negative error. */
static int add_function(struct reader *rd, size_t i)
{
	struct gopclntab_function f;
	char name[NAME_BYTES] = "";
	int r = gopclntab__function(rd->tab, i, &f);

	if (r == 0 && f.start < rd->done)
		r = GOPCLNTAB_BROKEN;
	if (r)
		return r;
	rd->done = f.end;
	/* Only assembler functions are told apart by their names. */
	if (f.flags || !gopclntab__has_flags(rd->tab))
		r = gopclntab__name(rd->tab, &f, name, sizeof(name));
	/* C, that Go's linker has put between. */
	if (r || !f.pcsp)
		return r;
	switch (kind_of(name, f.flags)) {
	case KIND_ROOT:
		return add_whole(rd, f.start, f.end, UNWIND_CFA_ROOT);
	case KIND_SIGNAL:
		/* Signal handlers return to its first byte, and a return address is looked up at
		 * the byte before. */
		return add_whole(rd, f.start - 1, f.end, UNWIND_CFA_SIGNAL);
	default:
		return add_ordinary(rd, &f, name);
	}
}

static int add_functions(struct reader *rd)
{
	struct unwind_table_stats *stats = unwind_table__stats(rd->t);
	uint64_t left_out;
	size_t n = gopclntab__n_functions(rd->tab, &left_out);

	stats->n_dropped += left_out;
	for (size_t i = 0; i < n; i++) {
		int r = add_function(rd, i);

		if (r < 0)
			return r;
		if (r)
			stats->n_bad++;
	}
	return 0;
}

int go_frames_read(const struct elf_file *file, struct unwind_table *t)
{
	struct reader rd = {
	    .file = file,
	    .t = t,
	    .runs_left = RUNS_MAX,
	    .code_bytes_left = ALL_CODE_BYTES_MAX,
	};
	int r;

	if (elf_file__machine(file) != EM_X86_64)
		return GO_FRAMES_NONE;
	r = gopclntab__open(&rd.tab, file);
	if (r)
		return r < 0 ? r : r == GOPCLNTAB_NONE ? GO_FRAMES_NONE : GO_FRAMES_BROKEN;
	rd.code.bytes = malloc(CODE_BYTES);
	r = rd.code.bytes ? add_functions(&rd) : -ENOMEM;
	free(rd.code.bytes);
	free(rd.runs);
	gopclntab__close(rd.tab);
	return r < 0 ? r : GO_FRAMES_READ;
}
