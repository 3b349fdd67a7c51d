/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DWARF of one file, versions 2 to 5, in 32 or 64 bits: its sections and its units.
 *
 * Only the head of each unit and its first DIE are read at first; units that matter are loaded one
 * after the other. A file that dwz has thinned out refers to a second one, the alternate file. A
 * program of split units (section 3.1.3) has but their skeletons, and the rest is in a split file:
 * the .dwo of one unit, or the .dwp of all.
 */
#ifndef SYMBOLIZER_DWARF_FILE_H
#define SYMBOLIZER_DWARF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/abbrevs.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/form.h"
#include "symbolizer/limits.h"
#include "symbolizer/section.h"

enum dwarf_section {
	DWARF_INFO,
	DWARF_ABBREV,
	DWARF_LINE,
	DWARF_LINE_STR,
	DWARF_STR,
	DWARF_STR_OFFSETS,
	DWARF_ADDR,
	DWARF_RNGLISTS,
	DWARF_RANGES,
	DWARF_ARANGES,
	DWARF_UNIT_INDEX,
	DWARF_SECTIONS
};

struct dwarf_file;

/* A string that stands in a section of a file. */
struct dwarf_string {
	struct dwarf_file *file; /* NULL = no string */
	enum dwarf_section section;
	uint64_t off;
};

/* What a DIE says of its code: one range, or a list. */
struct dwarf_pcs {
	struct form_value low, high, ranges;
};

/* One unit of .debug_info (section 7.5.1), and what its first DIE says of all. */
struct dwarf_unit {
	struct dwarf_file *file;
	uint64_t start, end; /* offsets in .debug_info, of the head and of the end */
	uint64_t first_die;
	uint64_t abbrev_off;
	struct encoding encoding;
	uint8_t type;	   /* DW_UT_compile …; DW_UT_compile before version 5 */
	uint16_t tag;	   /* of the first DIE; 0 where it cannot be read */
	uint16_t language; /* DW_LANG_…; 0 = not said */
	uint64_t low_pc;   /* what its range lists are relative to */
	uint64_t addr_base, str_offsets_base, rnglists_base, ranges_base;
	uint64_t line_off;     /* in .debug_line; UINT64_MAX = none */
	uint64_t rnglists_off; /* what offsets of range lists are relative to */
	struct dwarf_string directory;
	struct dwarf_pcs pcs;
	bool has_split_id;
	uint64_t split_id; /* the same in both halves of a split unit */
	/* The other half, where there is one: of the skeleton the split unit, and the other way. */
	const struct dwarf_unit *split, *skeleton;
};

/*
 * Reads the sections' headers and all units of FILE, which must outlive it, as must LIMITS.
 * Broken units end the list. 0 or -ENOMEM.
 */
int dwarf_file__open(struct dwarf_file **ret, const struct elf_file *file, struct limits *limits);
struct dwarf_file *dwarf_file__close(struct dwarf_file *file);

/* The same of a split file. */
int dwarf_file__open_split(struct dwarf_file **ret, const struct elf_file *file,
			   struct limits *limits);

/* Joins the halves of FILE's units that SPLIT, which must outlive it, has. Returns how many, or
 * -ENOMEM. */
int dwarf_file__join(struct dwarf_file *file, struct dwarf_file *split);

/* The file that dwz has moved common parts to; borrowed. NULL = there is none. */
void dwarf_file__set_alt(struct dwarf_file *file, struct dwarf_file *alt);
struct dwarf_file *dwarf_file__alt(const struct dwarf_file *file);

size_t dwarf_file__n_units(const struct dwarf_file *file);
const struct dwarf_unit *dwarf_file__unit(const struct dwarf_file *file, size_t i);

/* The unit that OFF of .debug_info lies in, or NULL. */
const struct dwarf_unit *dwarf_file__unit_at(const struct dwarf_file *file, uint64_t off);

/* The unit that holds UNIT's DIEs: itself, unless it is a skeleton with its other half. */
const struct dwarf_unit *dwarf_unit__whole(const struct dwarf_unit *unit);

/* The abbreviations of UNIT, as abbrevs__get(). */
int dwarf_unit__abbrevs(const struct dwarf_unit *unit, const struct abbrev_table **ret);

/*
 * Takes all of UNIT into memory: it is the unit at hand until the next call for its file, and so
 * long its abbreviations *RET are borrowed. *RET is NULL where the unit is over the limit, which is
 * counted, or cannot be read. 0 or -ENOMEM.
 */
int dwarf_unit__load(const struct dwarf_unit *unit, const struct abbrev_table **ret);

/* The bytes of the unit at hand, if that is UNIT: from OFF to its end. False where it is not. */
bool dwarf_unit__bytes(const struct dwarf_unit *unit, uint64_t off, struct cursor *ret);

/* N bytes of a section at OFF, as window__read(); borrowed until the next call for this SECTION,
 * dwarf_unit__load() not counted. */
int dwarf_file__read(struct dwarf_file *file, enum dwarf_section section, uint64_t off, size_t n,
		     struct cursor *ret);
uint64_t dwarf_file__size(const struct dwarf_file *file, enum dwarf_section section);

/* The bytes of a string, as window__string(). */
int dwarf_string__get(const struct dwarf_string *string, const char **ret, size_t *ret_n);

/* The address that VALUE is in UNIT, by itself or as an index. False where it is none. */
bool dwarf_unit__address(const struct dwarf_unit *unit, const struct form_value *value,
			 uint64_t *ret);

/* The string that VALUE is in UNIT, in section HERE if it stands where the value does; without a
 * file where it is none. */
struct dwarf_string dwarf_unit__string(const struct dwarf_unit *unit,
				       const struct form_value *value, enum dwarf_section here);

#endif
