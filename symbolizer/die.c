/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/die.h"

#include <dwarf.h>

#include "base/util.h"
#include "symbolizer/form.h"

/* What the attributes of a DIE that is referred to take at most, and at a first try. */
#define DIE_BYTES_MAX (64u << 10)
#define DIE_BYTES_FIRST 256

static uint64_t offset_at(const struct die *die, const struct cursor *c)
{
	return die->attrs_off + (uint64_t)(c->pos - die->attrs.pos);
}

/* Passes over attributes I to N of DIE at C. */
static void skip_attrs(const struct die *die, struct cursor *c, uint32_t i, uint32_t n)
{
	const struct attr_spec *attrs = die->abbrev->attrs;

	while (i < n && !c->failed) {
		uint32_t run = attrs[i].run;

		if (run && run <= n - i) {
			cursor__skip(c, attrs[i].run_bytes);
			i += run;
		} else if (run) {
			/* N is in the run, too. */
			cursor__skip(c, attrs[i].run_bytes - attrs[n].run_bytes);
			i = n;
		} else {
			form_skip(c, attrs[i].form, &die->unit->encoding);
			i++;
		}
	}
}

/* Reads attribute NAME. */
static struct form_value find_attr(const struct die *die, uint16_t name)
{
	const struct form_value none = {FORM_NONE, 0};
	const struct attr_spec *attrs = die->abbrev->attrs;
	struct cursor c = die->attrs;

	for (uint32_t i = 0; i < die->abbrev->n_attrs; i++) {
		struct form_value v;

		if (attrs[i].name != name)
			continue;
		skip_attrs(die, &c, 0, i);
		v = form_read(&c, offset_at(die, &c), attrs[i].form, attrs[i].constant,
			      &die->unit->encoding);
		return c.failed ? none : v;
	}
	return none;
}

bool die_number(const struct die *die, uint16_t name, uint64_t *ret)
{
	struct form_value v = find_attr(die, name);

	*ret = v.number;
	return v.class == FORM_NUMBER;
}

bool die_string(const struct die *die, uint16_t name, struct dwarf_string *ret)
{
	struct form_value v = find_attr(die, name);

	*ret = dwarf_unit__string(die->unit, &v, DWARF_INFO);
	return ret->file != NULL;
}

/* Reads the code at C, which begins a DIE at OFF. False at the end of siblings and where broken. */
static bool read_die(struct die *ret, const struct dwarf_unit *unit, uint64_t off, struct cursor *c,
		     const struct abbrev_table *abbrevs)
{
	const uint8_t *start = c->pos;
	uint64_t code = cursor__uleb(c);

	ret->abbrev = code ? abbrev_table__find(abbrevs, code) : NULL;
	if (code && !ret->abbrev)
		cursor__skip(c, UINT64_MAX);
	ret->unit = unit;
	ret->off = off;
	ret->attrs = *c;
	ret->attrs_off = off + (uint64_t)(c->pos - start);
	return ret->abbrev && !c->failed;
}

/* Reads the DIE at OFF of a unit that is not at hand, N bytes of it. */
static int read_far(struct die *ret, const struct dwarf_unit *unit, uint64_t off, size_t n,
		    const struct abbrev_table *abbrevs, bool *ret_whole)
{
	struct cursor c;
	int r = dwarf_file__read(unit->file, DWARF_INFO, off, n, &c);

	*ret_whole = false;
	if (r < 0 || !read_die(ret, unit, off, &c, abbrevs))
		return r;
	skip_attrs(ret, &c, 0, ret->abbrev->n_attrs);
	*ret_whole = !c.failed;
	return 0;
}

/* Reads the DIE at OFF of .debug_info of FILE. */
static int die_at(struct dwarf_file *file, uint64_t off, struct die *ret, bool *ret_found)
{
	const struct dwarf_unit *unit = file ? dwarf_file__unit_at(file, off) : NULL;
	const struct abbrev_table *abbrevs;
	struct cursor c;
	int r;

	*ret_found = false;
	if (!unit || !unit->tag || off < unit->first_die)
		return 0;
	r = dwarf_unit__abbrevs(unit, &abbrevs);
	if (r == 0 && dwarf_unit__bytes(unit, off, &c)) {
		*ret_found = read_die(ret, unit, off, &c, abbrevs);
		return 0;
	}
	for (uint64_t n = DIE_BYTES_FIRST; r == 0 && !*ret_found && n <= DIE_BYTES_MAX; n *= 16) {
		r = read_far(ret, unit, off, MIN(n, unit->end - off), abbrevs, ret_found);
		if (n >= unit->end - off)
			break;
	}
	return r;
}

/* The file and the offset that a reference means. False where VALUE is none. */
static bool target_of(const struct form_value *value, const struct dwarf_unit *unit,
		      struct dwarf_file **ret_file, uint64_t *ret_off)
{
	*ret_file = unit->file;
	*ret_off = value->number;
	switch (value->class) {
	case FORM_UNIT_REF:
		*ret_off += unit->start;
		return value->number < unit->end - unit->start;
	case FORM_INFO_REF:
		return true;
	case FORM_ALT_REF:
		*ret_file = dwarf_file__alt(unit->file);
		return true;
	default:
		return false;
	}
}

bool die_origin_place(const struct die *die, struct dwarf_file **ret_file, uint64_t *ret_off)
{
	struct form_value value = find_attr(die, DW_AT_abstract_origin);

	if (value.class == FORM_NONE)
		value = find_attr(die, DW_AT_specification);
	return target_of(&value, die->unit, ret_file, ret_off);
}

int die_origin(const struct die *die, struct die *ret, bool *ret_found)
{
	struct dwarf_file *file;
	uint64_t off;

	*ret_found = false;
	return die_origin_place(die, &file, &off) ? die_at(file, off, ret, ret_found) : 0;
}

int die_walk__init(struct die_walk *walk, const struct dwarf_unit *unit, bool *ret_started)
{
	struct cursor c;
	int r = dwarf_unit__load(unit, &walk->abbrevs);

	walk->depth = 0;
	*ret_started = r == 0 && walk->abbrevs && dwarf_unit__bytes(unit, unit->first_die, &c) &&
		       read_die(&walk->die, unit, unit->first_die, &c, walk->abbrevs);
	return r;
}

/* Moves C, which is where DIE's attributes begin, past them, or to its sibling: *RET_SIBLING. */
static void pass_attrs(const struct die *die, struct cursor *c, bool *ret_sibling)
{
	const struct attr_spec *attrs = die->abbrev->attrs;
	uint64_t here = die->attrs_off, to;
	struct form_value v;
	uint32_t i = 0;

	*ret_sibling = false;
	if (!die->abbrev->has_sibling || !die->abbrev->has_children) {
		skip_attrs(die, c, 0, die->abbrev->n_attrs);
		return;
	}
	while (attrs[i].name != DW_AT_sibling)
		i++;
	skip_attrs(die, c, 0, i);
	v = form_read(c, 0, attrs[i].form, attrs[i].constant, &die->unit->encoding);
	here += (uint64_t)(c->pos - die->attrs.pos);
	to = v.number + (v.class == FORM_UNIT_REF ? die->unit->start : 0);
	/* A sibling that stands before would be walked for ever. */
	*ret_sibling = (v.class == FORM_UNIT_REF || v.class == FORM_INFO_REF) && to >= here;
	if (*ret_sibling)
		cursor__skip(c, to - here);
	else
		skip_attrs(die, c, i + 1, die->abbrev->n_attrs);
}

static bool take_die(struct limits *limits)
{
	if (limits->dies_left == 0) {
		limits->hits[LIMIT_DIES]++;
		return false;
	}
	limits->dies_left--;
	return true;
}

/* Moves C from the first child to behind the end of the children. */
static bool pass_children(const struct die_walk *walk, struct cursor *c, struct limits *limits)
{
	const struct dwarf_unit *unit = walk->die.unit;
	uint64_t level = 1;
	struct die die;

	while (level && !c->failed) {
		bool sibling;

		if (!read_die(&die, unit, offset_at(&walk->die, c), c, walk->abbrevs)) {
			level--;
			continue;
		}
		if (!take_die(limits))
			return false;
		pass_attrs(&die, c, &sibling);
		level += die.abbrev->has_children && !sibling;
	}
	return !c->failed;
}

/* Moves C from DIE's attributes to what follows its subtree, or to its first child. */
static bool pass_die(struct die_walk *walk, struct cursor *c, struct limits *limits, bool descend)
{
	const struct die *die = &walk->die;
	bool sibling;

	if (descend && die->abbrev->has_children && walk->depth + 1 < LIMIT_DEPTH_MAX) {
		skip_attrs(die, c, 0, die->abbrev->n_attrs);
		walk->depth++;
		return !c->failed;
	}
	if (descend && die->abbrev->has_children)
		limits->hits[LIMIT_DEPTH]++;
	pass_attrs(die, c, &sibling);
	if (!die->abbrev->has_children || sibling)
		return !c->failed;
	return pass_children(walk, c, limits);
}

bool die_walk__next(struct die_walk *walk, struct limits *limits, bool descend)
{
	struct die last = walk->die;
	struct cursor c = last.attrs;

	if (!take_die(limits) || !pass_die(walk, &c, limits, descend))
		return false;
	/* A null ends the children of one parent, whose sibling comes next. */
	for (; walk->depth > 0 && !c.failed; walk->depth--) {
		if (read_die(&walk->die, last.unit, offset_at(&last, &c), &c, walk->abbrevs))
			return true;
	}
	return false;
}
