/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/dwarf_file.h"

#include <dwarf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/unit_index.h"

/* Large enough for any real head of a unit with its first DIE, strings included. */
#define HEAD_BYTES (64u << 10)

/* What a first try takes. */
#define HEAD_BYTES_FIRST 512

struct dwarf_file {
	struct limits *limits;
	struct section sections[DWARF_SECTIONS];
	struct window windows[DWARF_SECTIONS];
	struct abbrevs *abbrevs;
	struct unit_index index; /* of a package; else empty */
	struct dwarf_unit *units;
	size_t n_units, cap_units;
	struct dwarf_file *alt;		 /* borrowed; NULL = none */
	const struct dwarf_unit *loaded; /* the unit at hand; NULL = none */
	struct window unit_window;
	struct cursor unit_bytes;
};

DEFINE_CLEANUP(struct dwarf_file *, dwarf_file__close);

static const char *const section_names[DWARF_SECTIONS] = {
    [DWARF_INFO] = ".debug_info",     [DWARF_ABBREV] = ".debug_abbrev",
    [DWARF_LINE] = ".debug_line",     [DWARF_LINE_STR] = ".debug_line_str",
    [DWARF_STR] = ".debug_str",	      [DWARF_STR_OFFSETS] = ".debug_str_offsets",
    [DWARF_ADDR] = ".debug_addr",     [DWARF_RNGLISTS] = ".debug_rnglists",
    [DWARF_RANGES] = ".debug_ranges", [DWARF_ARANGES] = ".debug_aranges",
};

/* What a split file has of its own. */
static const char *const split_names[DWARF_SECTIONS] = {
    [DWARF_INFO] = ".debug_info.dwo",	      [DWARF_ABBREV] = ".debug_abbrev.dwo",
    [DWARF_STR] = ".debug_str.dwo",	      [DWARF_STR_OFFSETS] = ".debug_str_offsets.dwo",
    [DWARF_RNGLISTS] = ".debug_rnglists.dwo", [DWARF_UNIT_INDEX] = ".debug_cu_index",
};

void dwarf_file__set_alt(struct dwarf_file *file, struct dwarf_file *alt)
{
	file->alt = alt;
}

struct dwarf_file *dwarf_file__alt(const struct dwarf_file *file)
{
	return file->alt;
}

size_t dwarf_file__n_units(const struct dwarf_file *file)
{
	return file->n_units;
}

const struct dwarf_unit *dwarf_file__unit(const struct dwarf_file *file, size_t i)
{
	return &file->units[i];
}

uint64_t dwarf_file__size(const struct dwarf_file *file, enum dwarf_section section)
{
	return file->sections[section].size;
}

struct dwarf_file *dwarf_file__close(struct dwarf_file *file)
{
	if (!file)
		return NULL;
	for (size_t i = 0; i < DWARF_SECTIONS; i++) {
		section__fini(&file->sections[i]);
		window__fini(&file->windows[i]);
	}
	unit_index__fini(&file->index);
	window__fini(&file->unit_window);
	abbrevs__free(file->abbrevs);
	free(file->units);
	free(file);
	return NULL;
}

/* Reads the head at C of a unit that begins at unit->start. False where it is broken or ends the
 * section. */
static bool read_head(struct cursor *c, uint64_t section_size, struct dwarf_unit *unit)
{
	const uint8_t *start = c->pos;
	uint64_t length = cursor__u32(c);
	uint16_t version;

	unit->encoding.offset_size = 4;
	if (length == UINT32_MAX) {
		length = cursor__u64(c);
		unit->encoding.offset_size = 8;
	}
	unit->end = unit->start + (uint64_t)(c->pos - start);
	if (c->failed || length > section_size - unit->end) {
		unit->end = unit->start;
		return false;
	}
	unit->end += length;
	version = cursor__u16(c);
	unit->encoding.version = (uint8_t)MIN(version, UINT8_MAX);
	unit->type = DW_UT_compile;
	if (unit->encoding.version >= 5) {
		unit->type = cursor__u8(c);
		unit->encoding.address_size = cursor__u8(c);
		unit->abbrev_off = cursor__number(c, unit->encoding.offset_size);
	} else {
		unit->abbrev_off = cursor__number(c, unit->encoding.offset_size);
		unit->encoding.address_size = cursor__u8(c);
	}
	if (unit->type == DW_UT_skeleton || unit->type == DW_UT_split_compile) {
		unit->has_split_id = true;
		unit->split_id = cursor__u64(c);
	}
	if (unit->type == DW_UT_type || unit->type == DW_UT_split_type) {
		cursor__u64(c);
		cursor__number(c, unit->encoding.offset_size);
	}
	unit->first_die = unit->start + (uint64_t)(c->pos - start);
	return !c->failed;
}

/* Whether we know how to read what follows the head. */
static bool is_readable(const struct dwarf_unit *unit)
{
	const struct encoding *e = &unit->encoding;

	return e->version >= 2 && e->version <= 5 && unit->first_die < unit->end &&
	       (e->address_size == 4 || e->address_size == 8);
}

/* Takes what attribute NAME of the first DIE says. */
static void take_attr(struct dwarf_unit *unit, uint16_t name, const struct form_value *v,
		      struct form_value *ret_directory)
{
	switch (name) {
	case DW_AT_low_pc:
		unit->pcs.low = *v;
		break;
	case DW_AT_high_pc:
		unit->pcs.high = *v;
		break;
	case DW_AT_ranges:
		unit->pcs.ranges = *v;
		break;
	case DW_AT_comp_dir:
		*ret_directory = *v;
		break;
	case DW_AT_language:
		unit->language = v->number <= UINT16_MAX ? (uint16_t)v->number : 0;
		break;
	case DW_AT_stmt_list:
		unit->line_off = v->number;
		break;
	case DW_AT_addr_base:
	case DW_AT_GNU_addr_base:
		unit->addr_base = v->number;
		break;
	case DW_AT_str_offsets_base:
		unit->str_offsets_base = v->number;
		break;
	case DW_AT_rnglists_base:
		unit->rnglists_base = v->number;
		break;
	case DW_AT_GNU_dwo_id:
		unit->has_split_id = true;
		unit->split_id = v->number;
		break;
	case DW_AT_GNU_ranges_base:
		unit->ranges_base = v->number;
		break;
	default:
		break;
	}
}

/* Reads the first DIE at C, of which ABBREV is. */
static void read_root(struct dwarf_unit *unit, const struct abbrev *abbrev, struct cursor *c,
		      uint64_t here)
{
	const uint8_t *start = c->pos;
	struct form_value directory = {0};

	unit->tag = abbrev->tag;
	for (uint32_t i = 0; i < abbrev->n_attrs && !c->failed; i++) {
		const struct attr_spec *a = &abbrev->attrs[i];
		struct form_value v = form_read(c, here + (uint64_t)(c->pos - start), a->form,
						a->constant, &unit->encoding);

		if (!c->failed)
			take_attr(unit, a->name, &v, &directory);
	}
	/* Not before all is read: indices count from a place that the DIE tells, too. */
	unit->directory = dwarf_unit__string(unit, &directory, DWARF_INFO);
	if (!dwarf_unit__address(unit, &unit->pcs.low, &unit->low_pc))
		unit->low_pc = 0;
}

/* Where the unit's tables begin if it does not say: behind a table's own head, and in a package
 * where its part of the section does. */
static void place_tables(const struct dwarf_file *file, struct dwarf_unit *unit)
{
	static const struct unit_parts all = {0};
	const struct unit_parts *parts = unit_index__find(&file->index, unit->start);
	uint64_t head = unit->encoding.offset_size == 8 ? 16 : 8;

	if (!parts)
		parts = &all;
	if (unit->encoding.version < 5)
		head = 0;
	unit->abbrev_off += parts->abbrev;
	unit->addr_base = head;
	unit->str_offsets_base = parts->str_offsets + head;
	unit->rnglists_off = parts->rnglists;
	unit->rnglists_base = parts->rnglists + head + 4;
	unit->line_off = UINT64_MAX;
}

/*
 * Reads what stands at unit->start. Returns 1; 0 where it is broken, in its first N bytes at least,
 * *RET_MORE then says whether more bytes may mend that; or -ENOMEM.
 */
static int read_unit(struct dwarf_file *file, struct dwarf_unit *unit, size_t n, bool *ret_more)
{
	const struct abbrev *abbrev = NULL;
	uint64_t size = file->sections[DWARF_INFO].size;
	const uint8_t *start;
	struct cursor c;
	int r = dwarf_file__read(file, DWARF_INFO, unit->start, n, &c);

	start = c.pos;
	*ret_more = cursor__left(&c) == n;
	if (r < 0)
		return r;
	if (!read_head(&c, size, unit))
		return 0;
	place_tables(file, unit);
	if (!is_readable(unit))
		return 1;
	r = abbrevs__get_one(file->abbrevs, unit->abbrev_off, &unit->encoding, cursor__uleb(&c),
			     &abbrev);
	if (r < 0)
		return r;
	if (abbrev)
		read_root(unit, abbrev, &c, unit->start + (uint64_t)(c.pos - start));
	return !c.failed;
}

static int add_unit(struct dwarf_file *file, uint64_t start, uint64_t *ret_end)
{
	struct dwarf_unit unit;
	bool more = true;
	int r = 0;

	for (size_t n = HEAD_BYTES_FIRST; r == 0 && more && n <= HEAD_BYTES; n *= 8) {
		unit = (struct dwarf_unit){.file = file, .start = start, .end = start};
		r = read_unit(file, &unit, n, &more);
	}
	*ret_end = unit.end;
	/* A unit whose first DIE is broken is passed over; one that does not end is the last. */
	if (r < 0 || unit.end <= start)
		return r;
	r = array_reserve(&file->units, &file->cap_units, file->n_units + 1, sizeof(*file->units));
	if (r == 0)
		file->units[file->n_units++] = unit;
	return r;
}

static int read_units(struct dwarf_file *file)
{
	uint64_t size = file->sections[DWARF_INFO].size, off = 0, end = 0;

	for (; off < size; off = end) {
		int r;

		if (file->n_units == LIMIT_UNITS_MAX) {
			file->limits->hits[LIMIT_UNITS]++;
			break;
		}
		r = add_unit(file, off, &end);
		if (r < 0)
			return r;
		if (end <= off)
			break;
	}
	return 0;
}

static int open_file(struct dwarf_file **ret, const struct elf_file *elf,
		     const char *const names[DWARF_SECTIONS], struct limits *limits)
{
	_cleanup_(dwarf_file__closep) struct dwarf_file *file = calloc(1, sizeof(*file));
	int r = 0;

	if (!file)
		return -ENOMEM;
	file->limits = limits;
	for (size_t i = 0; r == 0 && i < DWARF_SECTIONS; i++)
		if (names[i])
			r = section__open(&file->sections[i], elf, names[i], limits);
	if (r == 0)
		r = section__load(&file->sections[DWARF_ABBREV], LIMIT_ABBREV_BYTES_MAX, limits);
	if (r == 0)
		r = abbrevs__new(&file->abbrevs, &file->sections[DWARF_ABBREV]);
	if (r == 0)
		r = unit_index__read(&file->index, &file->sections[DWARF_UNIT_INDEX], limits);
	if (r == 0)
		r = read_units(file);
	if (r < 0)
		return r;
	*ret = steal_ptr(file);
	return 0;
}

int dwarf_file__open(struct dwarf_file **ret, const struct elf_file *elf, struct limits *limits)
{
	return open_file(ret, elf, section_names, limits);
}

int dwarf_file__open_split(struct dwarf_file **ret, const struct elf_file *elf,
			   struct limits *limits)
{
	return open_file(ret, elf, split_names, limits);
}

static int by_split_id(const void *pa, const void *pb)
{
	const struct dwarf_unit *const *a = pa, *const *b = pb;

	return (*a)->split_id < (*b)->split_id ? -1 : (*a)->split_id > (*b)->split_id;
}

/* The units of FILE that have the number of a split unit, by it. */
static int list_split(struct dwarf_file *file, struct dwarf_unit ***ret, size_t *ret_n)
{
	struct dwarf_unit **list = calloc(file->n_units + 1, sizeof(struct dwarf_unit *));
	size_t n = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < file->n_units; i++)
		if (file->units[i].has_split_id)
			list[n++] = &file->units[i];
	qsort(list, n, sizeof(struct dwarf_unit *), by_split_id);
	*ret = list;
	*ret_n = n;
	return 0;
}

int dwarf_file__join(struct dwarf_file *file, struct dwarf_file *split)
{
	cleanup_free struct dwarf_unit **list = NULL;
	size_t n, n_joined = 0;
	int r = list_split(split, &list, &n);

	for (size_t i = 0; r == 0 && n && i < file->n_units; i++) {
		struct dwarf_unit *key = &file->units[i], **other;

		if (!key->has_split_id)
			continue;
		other = bsearch(&key, list, n, sizeof(struct dwarf_unit *), by_split_id);
		if (!other || (*other)->skeleton)
			continue;
		key->split = *other;
		(*other)->skeleton = key;
		(*other)->low_pc = key->low_pc;
		n_joined++;
	}
	return r < 0 ? r : (int)MIN(n_joined, INT_MAX);
}

const struct dwarf_unit *dwarf_unit__whole(const struct dwarf_unit *unit)
{
	return unit->split ? unit->split : unit;
}

const struct dwarf_unit *dwarf_file__unit_at(const struct dwarf_file *file, uint64_t off)
{
	size_t lo = 0, hi = file->n_units;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (file->units[mid].start <= off)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo && off < file->units[lo - 1].end ? &file->units[lo - 1] : NULL;
}

int dwarf_unit__abbrevs(const struct dwarf_unit *unit, const struct abbrev_table **ret)
{
	return abbrevs__get(unit->file->abbrevs, unit->abbrev_off, &unit->encoding, ret);
}

int dwarf_unit__load(const struct dwarf_unit *unit, const struct abbrev_table **ret)
{
	struct dwarf_file *file = unit->file;
	uint64_t n = unit->end - unit->start;
	int r;

	*ret = NULL;
	file->loaded = NULL;
	if (n > LIMIT_UNIT_BYTES_MAX) {
		file->limits->hits[LIMIT_BYTES]++;
		return 0;
	}
	r = window__read(&file->unit_window, &file->sections[DWARF_INFO], unit->start, n,
			 &file->unit_bytes);
	if (r < 0 || cursor__left(&file->unit_bytes) != n)
		return r;
	file->loaded = unit;
	return abbrevs__get_lasting(file->abbrevs, unit->abbrev_off, &unit->encoding, ret);
}

bool dwarf_unit__bytes(const struct dwarf_unit *unit, uint64_t off, struct cursor *ret)
{
	if (unit->file->loaded != unit || off < unit->first_die || off >= unit->end)
		return false;
	*ret = unit->file->unit_bytes;
	cursor__skip(ret, off - unit->start);
	return true;
}

int dwarf_file__read(struct dwarf_file *file, enum dwarf_section section, uint64_t off, size_t n,
		     struct cursor *ret)
{
	return window__read(&file->windows[section], &file->sections[section], off, n, ret);
}

int dwarf_string__get(const struct dwarf_string *string, const char **ret, size_t *ret_n)
{
	*ret = NULL;
	*ret_n = 0;
	if (!string->file)
		return 0;
	return window__string(&string->file->windows[string->section],
			      &string->file->sections[string->section], string->off, ret, ret_n);
}

/* Entry INDEX of SIZE bytes of the table that UNIT has in SECTION. */
static bool table_entry(const struct dwarf_unit *unit, enum dwarf_section section, uint64_t index,
			unsigned size, uint64_t *ret)
{
	uint64_t base = section == DWARF_ADDR ? unit->addr_base : unit->str_offsets_base;
	uint64_t section_size = unit->file->sections[section].size;
	struct cursor c;

	if (base > section_size || index >= (section_size - base) / size ||
	    dwarf_file__read(unit->file, section, base + index * size, size, &c) < 0)
		return false;
	*ret = cursor__number(&c, size);
	return !c.failed;
}

bool dwarf_unit__address(const struct dwarf_unit *unit, const struct form_value *value,
			 uint64_t *ret)
{
	*ret = value->number;
	/* Addresses are the linker's, and so in the linked file. */
	if (value->class == FORM_ADDRESS_INDEX)
		return table_entry(unit->skeleton ? unit->skeleton : unit, DWARF_ADDR,
				   value->number, unit->encoding.address_size, ret);
	return value->class == FORM_ADDRESS;
}

struct dwarf_string dwarf_unit__string(const struct dwarf_unit *unit,
				       const struct form_value *value, enum dwarf_section here)
{
	struct dwarf_file *file = unit->file;
	uint64_t off;

	switch (value->class) {
	case FORM_STRING:
		return (struct dwarf_string){file, here, value->number};
	case FORM_STRP:
		return (struct dwarf_string){file, DWARF_STR, value->number};
	case FORM_LINE_STRP:
		return (struct dwarf_string){file, DWARF_LINE_STR, value->number};
	case FORM_ALT_STRP:
		return (struct dwarf_string){file->alt, DWARF_STR, value->number};
	case FORM_STRING_INDEX:
		if (table_entry(unit, DWARF_STR_OFFSETS, value->number, unit->encoding.offset_size,
				&off))
			return (struct dwarf_string){file, DWARF_STR, off};
		return (struct dwarf_string){0};
	default:
		return (struct dwarf_string){0};
	}
}
