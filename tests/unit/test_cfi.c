/* SPDX-License-Identifier: Apache-2.0 */
/* symbolizer/cfi: the entries of .eh_frame and .debug_frame, in all their versions, and broken
 * ones. */
#include "symbolizer/cfi.h"

#include <dwarf.h>
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/made_table.h"

#define VADDR 0x500000ull /* where the section is loaded */
#define START (CODE + 0x1000)

/* How addresses are encoded. */
#define ABSOLUTE 0x00
#define PCREL_S32 0x1b
#define INDIRECT 0x9b

/* A section in the making, on the heap when read, so that the sanitizer sees a byte too far. */
struct made {
	uint8_t bytes[8192];
	size_t n, entry; /* where the entry at work begins */
	bool is_debug_frame, is_64, ends_at_zero;
	uint64_t code_start;
	uint16_t machine;
	struct made_table *m;
};

static void put(struct made *s, const void *bytes, size_t n)
{
	assert_true(s->n + n <= sizeof(s->bytes));
	memcpy(s->bytes + s->n, bytes, n);
	s->n += n;
}

static void put_number(struct made *s, uint64_t v, size_t n)
{
	put(s, &v, n);
}

#define PUT(s, ...) put(s, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Begins an entry and returns its offset. */
static size_t begin(struct made *s)
{
	s->entry = s->n;
	if (s->is_64)
		put_number(s, 0xffffffff, 4);
	put_number(s, 0, s->is_64 ? 8 : 4);
	return s->entry;
}

static void end(struct made *s)
{
	size_t at = s->entry + (s->is_64 ? 4 : 0), width = s->is_64 ? 8 : 4;
	uint64_t length = s->n - at - width;

	memcpy(s->bytes + at, &length, width);
}

static size_t begin_cie(struct made *s, uint8_t version, const char *augmentation)
{
	size_t at = begin(s);

	put_number(s, s->is_debug_frame ? UINT64_MAX : 0, s->is_debug_frame && s->is_64 ? 8 : 4);
	put_number(s, version, 1);
	put(s, augmentation, strlen(augmentation) + 1);
	return at;
}

/* The CIE of GCC: "zR" with ENCODING. */
static size_t put_cie(struct made *s, uint8_t encoding)
{
	size_t at = begin_cie(s, 1, "zR");

	PUT(s, 1, 0x78, 16, 1, encoding, DW_CFA_def_cfa, 7, 8, DW_CFA_offset + 16, 1);
	end(s);
	return at;
}

static void begin_fde(struct made *s, size_t cie)
{
	begin(s);
	if (s->is_debug_frame)
		put_number(s, cie, s->is_64 ? 8 : 4);
	else
		put_number(s, s->n - cie, 4);
}

/* Up to the program, with the addresses as they are; CFA of the CIE. */
static void put_absolute_fde(struct made *s, size_t cie, uint64_t start, uint64_t n)
{
	begin_fde(s, cie);
	put_number(s, start, 8);
	put_number(s, n, 8);
}

static void put_pcrel_fde(struct made *s, size_t cie, uint64_t start, uint32_t n)
{
	begin_fde(s, cie);
	put_number(s, start - (VADDR + s->n), 4);
	put_number(s, n, 4);
	PUT(s, 0);
}

static void made__init(struct made *s)
{
	memset(s, 0, sizeof(*s));
	s->code_start = CODE;
	s->machine = EM_X86_64;
}

static const struct unwind_table_stats *read_made(struct made *s)
{
	struct cfi_section section = {
	    .bytes = malloc(s->n + !s->n),
	    .n_bytes = s->n,
	    .vaddr = VADDR,
	    .is_debug_frame = s->is_debug_frame,
	    .ends_at_zero = s->ends_at_zero,
	    .address_size = 8,
	    .text_vaddr = CODE,
	    .code_start = s->code_start,
	    .code_end = CODE + CODE_BYTES,
	};

	assert_non_null(section.bytes);
	memcpy((void *)section.bytes, s->bytes, s->n);
	if (!s->m)
		s->m = made_table__new(s->machine);
	assert_int_equal(cfi_read(&section, s->machine, s->m->t), 0);
	free((void *)section.bytes);
	return unwind_table__stats(s->m->t);
}

static void made__fini(struct made *s)
{
	made_table__free(s->m);
}

static struct unwind_rule rule_at(struct made *s, uint64_t off)
{
	return made_table__rule(s->m, START + off);
}

#define assert_entry_rule(s, off)                                                                  \
	assert_rule(rule_at(s, off), .cfa = UNWIND_CFA_REG, .cfa_reg = 7, .cfa_off = 8, .ra = 1)

static void functions_of_eh_frame(void **state)
{
	struct made s;
	const struct unwind_table_stats *stats;
	size_t cie;

	made__init(&s);
	cie = put_cie(&s, PCREL_S32);
	put_pcrel_fde(&s, cie, START, 0x10);
	PUT(&s, DW_CFA_advance_loc + 4, DW_CFA_def_cfa_offset, 16);
	end(&s);
	put_pcrel_fde(&s, cie, START + 0x100, 0x10);
	end(&s);
	PUT(&s, 0, 0, 0, 0);
	stats = read_made(&s);
	assert_int_equal(stats->n_functions[UNWIND_SOURCE_EH_FRAME], 2);
	assert_int_equal(stats->n_bad + stats->n_dropped, 0);
	assert_entry_rule(&s, 0);
	assert_int_equal(rule_at(&s, 4).cfa_off, 16);
	assert_true(rule_is_unknown(rule_at(&s, 0x10)));
	assert_entry_rule(&s, 0x100);
	made__fini(&s);
}

/* All of GCC's letters, and a personality that is longer than it says at first sight. */
static void augmentations(void **state)
{
	static const struct {
		const char *letters;
		uint8_t bytes[8]; /* after the return address column */
		uint8_t n;
		bool good;
	} cases[] = {
	    {"zR", {1, PCREL_S32}, 2, true},
	    {"zPLR", {7, 0x9b, 1, 2, 3, 4, 0x1b, PCREL_S32}, 8, true},
	    {"zRB", {1, PCREL_S32}, 2, true},
	    {"zRQ", {3, PCREL_S32, 9, 9}, 4, true}, /* not known, but its length is */
	    {"zR", {9, PCREL_S32}, 2, false},
	    {"zPR", {2, 0x9b, 1}, 3, false},
	    {"Q", {0}, 0, false},
	    {"R", {PCREL_S32}, 1, true},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct unwind_table_stats *stats;
		struct made s;
		size_t cie;

		made__init(&s);
		cie = begin_cie(&s, 1, cases[i].letters);
		PUT(&s, 1, 0x78, 16);
		put(&s, cases[i].bytes, cases[i].n);
		end(&s);
		begin_fde(&s, cie);
		put_number(&s, START - (VADDR + s.n), 4);
		put_number(&s, 0x10, 4);
		if (cases[i].letters[0] == 'z')
			PUT(&s, 2, 0xee, 0xee);
		end(&s);
		stats = read_made(&s);
		assert_int_equal(stats->n_functions[UNWIND_SOURCE_EH_FRAME], cases[i].good);
		assert_int_equal(stats->n_bad, !cases[i].good);
		made__fini(&s);
	}
}

static void old_and_new_versions(void **state)
{
	for (uint8_t version = 1; version <= 5; version++) {
		const struct unwind_table_stats *stats;
		bool good = version != 2 && version != 5;
		struct made s;
		size_t cie;

		made__init(&s);
		cie = begin_cie(&s, version, version == 1 ? "eh" : "");
		if (version == 1)
			PUT(&s, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee, 0xee);
		if (version == 4)
			PUT(&s, 8, 0);
		PUT(&s, 1, 0x78);
		if (version == 3)
			PUT(&s, 0x90, 0x00); /* an unsigned LEB128 from here on */
		else
			PUT(&s, 16);
		end(&s);
		put_absolute_fde(&s, cie, START, 0x10);
		end(&s);
		stats = read_made(&s);
		assert_int_equal(stats->n_functions[UNWIND_SOURCE_EH_FRAME], good);
		assert_int_equal(stats->n_bad, !good);
		made__fini(&s);
	}
}

/* FDEs before their CIE, absolute addresses, both lengths, and what the linker left of dropped
 * code. */
static void functions_of_debug_frame(void **state)
{
	for (int is_64 = 0; is_64 < 2; is_64++) {
		const struct unwind_table_stats *stats;
		struct made s;
		size_t cie, first, end_of_first;

		made__init(&s);
		s.is_debug_frame = true;
		s.is_64 = is_64;
		put_absolute_fde(&s, 0, START, 0x10);
		first = s.entry;
		end(&s);
		end_of_first = s.n;
		cie = begin_cie(&s, 3, "");
		PUT(&s, 1, 0x78, 16);
		end(&s);
		memcpy(s.bytes + first + (is_64 ? 12 : 4), &cie, is_64 ? 8 : 4);
		assert_true(end_of_first == cie);
		put_absolute_fde(&s, cie, 0, 0x10);
		end(&s);
		put_absolute_fde(&s, cie, UINT64_MAX, 0);
		end(&s);
		put_absolute_fde(&s, cie, START + 0x40, 0);
		end(&s);
		stats = read_made(&s);
		assert_int_equal(stats->n_functions[UNWIND_SOURCE_DEBUG_FRAME], 1);
		assert_int_equal(stats->n_bad + stats->n_dropped, 0);
		assert_entry_rule(&s, 0);
		made__fini(&s);
	}
}

/* The length has 64 bits, what follows does not. */
static void long_entries_of_eh_frame(void **state)
{
	struct made s;
	size_t cie;

	made__init(&s);
	s.is_64 = true;
	cie = put_cie(&s, PCREL_S32);
	put_pcrel_fde(&s, cie, START, 0x10);
	end(&s);
	assert_int_equal(read_made(&s)->n_functions[UNWIND_SOURCE_EH_FRAME], 1);
	assert_int_equal(unwind_table__stats(s.m->t)->n_bad, 0);
	made__fini(&s);
}

static void terminators(void **state)
{
	for (int ends_at_zero = 0; ends_at_zero < 2; ends_at_zero++) {
		const struct unwind_table_stats *stats;
		struct made s;
		size_t cie;

		made__init(&s);
		s.ends_at_zero = ends_at_zero;
		cie = put_cie(&s, PCREL_S32);
		put_pcrel_fde(&s, cie, START, 0x10);
		end(&s);
		PUT(&s, 0, 0, 0, 0);
		put_pcrel_fde(&s, cie, START + 0x40, 0x10);
		end(&s);
		PUT(&s, 0, 0, 0, 0, 0xee, 0xee, 0xee, 0xee);
		stats = read_made(&s);
		assert_int_equal(stats->n_functions[UNWIND_SOURCE_EH_FRAME], 2 - ends_at_zero);
		assert_int_equal(stats->n_bad, 1 - ends_at_zero);
		made__fini(&s);
	}
}

/* Each costs itself, and is counted. */
static void broken_functions(void **state)
{
	const struct unwind_table_stats *stats;
	struct made s;
	size_t cie, indirect, other_ra;

	made__init(&s);
	cie = put_cie(&s, PCREL_S32);
	indirect = put_cie(&s, INDIRECT);
	other_ra = begin_cie(&s, 1, "");
	PUT(&s, 1, 0x78, 15);
	end(&s);
	put_pcrel_fde(&s, indirect, START, 0x10);
	end(&s);
	put_pcrel_fde(&s, other_ra, START, 0x10);
	end(&s);
	put_pcrel_fde(&s, cie + 4, START, 0x10);
	end(&s);
	put_pcrel_fde(&s, cie, START, 0x10);
	PUT(&s, 0x3f);
	end(&s);
	put_pcrel_fde(&s, cie, START, UINT32_MAX);
	s.n -= 5; /* the range is cut off */
	end(&s);
	begin(&s);
	PUT(&s, 1, 2);
	end(&s);
	put_pcrel_fde(&s, cie, START + 0x40, 0x10);
	end(&s);
	stats = read_made(&s);
	assert_int_equal(stats->n_bad, 6);
	assert_int_equal(stats->n_functions[UNWIND_SOURCE_EH_FRAME], 1);
	assert_true(rule_is_unknown(rule_at(&s, 0)));
	assert_entry_rule(&s, 0x40);
	made__fini(&s);
}

/* An entry longer than the section ends it; cut anywhere, nothing outside is read. */
static void cut_sections(void **state)
{
	struct made s;
	size_t cie, n, first;

	made__init(&s);
	cie = put_cie(&s, PCREL_S32);
	put_pcrel_fde(&s, cie, START, 0x10);
	end(&s);
	first = s.n;
	put_pcrel_fde(&s, cie, START + 0x40, 0x10);
	PUT(&s, DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 8);
	end(&s);
	n = s.n;
	for (size_t cut = 0; cut < n; cut++) {
		const struct unwind_table_stats *stats;

		s.n = cut;
		s.m = NULL;
		stats = read_made(&s);
		assert_int_equal(stats->n_functions[UNWIND_SOURCE_EH_FRAME], cut >= first);
		made__fini(&s);
	}
}

static void signal_frames(void **state)
{
	struct made s;
	size_t cie;

	made__init(&s);
	cie = begin_cie(&s, 1, "zRS");
	PUT(&s, 1, 0x78, 16, 1, PCREL_S32);
	end(&s);
	/* One byte before the code, so that a caller's address less one finds it. */
	put_pcrel_fde(&s, cie, START - 1, 0x11);
	PUT(&s, DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 0x01, DW_OP_deref);
	end(&s);
	read_made(&s);
	assert_rule(made_table__rule(s.m, START - 1), .cfa = UNWIND_CFA_SIGNAL);
	assert_rule(rule_at(&s, 0xf), .cfa = UNWIND_CFA_SIGNAL);
	made__fini(&s);
}

/* stp x29, x30, [sp, -32]! under pointer authentication. */
static void functions_of_aarch64(void **state)
{
	struct made s;
	size_t cie;

	made__init(&s);
	s.machine = EM_AARCH64;
	cie = begin_cie(&s, 1, "zRB");
	PUT(&s, 4, 0x78, 30, 1, PCREL_S32, DW_CFA_def_cfa, 31, 0);
	end(&s);
	put_pcrel_fde(&s, cie, START, 0x40);
	PUT(&s, DW_CFA_advance_loc + 1, 0x2d, DW_CFA_advance_loc + 1, DW_CFA_def_cfa_offset, 32,
	    DW_CFA_offset + 29, 4, DW_CFA_offset + 30, 3);
	end(&s);
	assert_int_equal(read_made(&s)->n_bad, 0);
	assert_rule(rule_at(&s, 4), .cfa = UNWIND_CFA_REG, .cfa_reg = 31, .ra = UNWIND_RA_REG + 30);
	assert_rule(rule_at(&s, 8), .cfa = UNWIND_CFA_REG, .cfa_reg = 31, .cfa_off = 32, .ra = 3,
		    .saved = {4, 3});
	made__fini(&s);
}

static void machines_that_are_not_known(void **state)
{
	struct made s;
	size_t cie;

	made__init(&s);
	cie = put_cie(&s, PCREL_S32);
	put_pcrel_fde(&s, cie, START, 0x10);
	end(&s);
	s.m = made_table__new(EM_X86_64);
	s.machine = EM_RISCV;
	assert_int_equal(read_made(&s)->n_functions[UNWIND_SOURCE_EH_FRAME], 0);
	assert_int_equal(unwind_table__stats(s.m->t)->n_bad, 0);
	s.n = 0;
	s.machine = EM_X86_64;
	read_made(&s);
	made__fini(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(functions_of_eh_frame),
	    cmocka_unit_test(augmentations),
	    cmocka_unit_test(old_and_new_versions),
	    cmocka_unit_test(functions_of_debug_frame),
	    cmocka_unit_test(long_entries_of_eh_frame),
	    cmocka_unit_test(terminators),
	    cmocka_unit_test(broken_functions),
	    cmocka_unit_test(cut_sections),
	    cmocka_unit_test(signal_frames),
	    cmocka_unit_test(functions_of_aarch64),
	    cmocka_unit_test(machines_that_are_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
