/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/abbrevs.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"

/* DIEs of the largest programs have some thousand forms, with ten attributes each. */
#define ATTRS_MAX (1u << 20)

struct abbrev_table {
	uint64_t off;
	struct encoding encoding;
	uint64_t last_used; /* 0 = no table */
	struct abbrev *abbrevs;
	size_t n, cap;
	struct attr_spec *attrs;
	size_t n_attrs, cap_attrs;
	bool is_sorted; /* by code */
};

/* References lead to a few units again and again. */
#define ABBREVS_KEPT 16

struct abbrevs {
	const struct section *section;
	struct abbrev_table tables[ABBREVS_KEPT];
	const struct abbrev_table *lasting; /* one of these; NULL = none */
	struct abbrev_table one;
	uint64_t n_uses;
};

int abbrevs__new(struct abbrevs **ret, const struct section *section)
{
	struct abbrevs *abbrevs = calloc(1, sizeof(*abbrevs));

	if (!abbrevs)
		return -ENOMEM;
	abbrevs->section = section;
	*ret = abbrevs;
	return 0;
}

static void fini_table(struct abbrev_table *table)
{
	free(table->abbrevs);
	free(table->attrs);
}

struct abbrevs *abbrevs__free(struct abbrevs *abbrevs)
{
	if (!abbrevs)
		return NULL;
	for (size_t i = 0; i < ABBREVS_KEPT; i++)
		fini_table(&abbrevs->tables[i]);
	fini_table(&abbrevs->one);
	free(abbrevs);
	return NULL;
}

static void add_up_runs(struct attr_spec *attrs, size_t n, const struct encoding *encoding)
{
	uint32_t run = 0, bytes = 0;

	for (size_t i = n; i-- > 0;) {
		int size = form_size(attrs[i].form, encoding);

		if (size >= 0 && run < UINT16_MAX) {
			run++;
			bytes += (uint32_t)size;
		} else {
			run = size >= 0;
			bytes = size >= 0 ? (uint32_t)size : 0;
		}
		attrs[i].run = (uint16_t)run;
		attrs[i].run_bytes = bytes;
	}
}

static void note(struct abbrev *abbrev, uint16_t name)
{
	abbrev->has_sibling |= name == DW_AT_sibling;
	abbrev->has_code |= name == DW_AT_low_pc || name == DW_AT_ranges;
}

static uint16_t narrow(uint64_t v)
{
	return v <= UINT16_MAX ? (uint16_t)v : 0;
}

/* Reads one declaration at C, whose attributes are added to TABLE and counted in RET->n_attrs.
 * Returns 1, 0 at the end or where it breaks, or -ENOMEM. */
static int read_one(struct cursor *c, struct abbrev_table *table, struct abbrev *ret)
{
	*ret = (struct abbrev){.code = cursor__uleb(c)};
	if (!ret->code)
		return 0;
	ret->tag = narrow(cursor__uleb(c));
	ret->has_children = cursor__u8(c) == DW_CHILDREN_yes;
	for (;;) {
		uint64_t name = cursor__uleb(c), form = cursor__uleb(c);
		struct attr_spec spec = {.name = narrow(name), .form = narrow(form)};
		int r;

		if (c->failed)
			return 0;
		if (!name && !form)
			return 1;
		if (form == DW_FORM_implicit_const)
			spec.constant = cursor__sleb(c);
		if (table->n_attrs == ATTRS_MAX)
			return 0;
		r = array_reserve(&table->attrs, &table->cap_attrs, table->n_attrs + 1,
				  sizeof(*table->attrs));
		if (r < 0)
			return r;
		table->attrs[table->n_attrs++] = spec;
		note(ret, spec.name);
		ret->n_attrs++;
	}
}

static void start_table(struct abbrev_table *table, const struct section *section, uint64_t off,
			const struct encoding *encoding, struct cursor *ret)
{
	table->off = off;
	table->encoding = *encoding;
	table->n = table->n_attrs = 0;
	table->is_sorted = true;
	if (section->bytes && off < section->size)
		cursor__init(ret, section->bytes + off, section->size - off);
	else
		cursor__init(ret, NULL, 0);
}

static int compare_codes(const void *pa, const void *pb)
{
	const struct abbrev *a = pa, *b = pb;

	return a->code < b->code ? -1 : a->code > b->code;
}

/* Gives each abbreviation its attributes, which follow one another. */
static void share_attrs(struct abbrev_table *table)
{
	struct attr_spec *attrs = table->attrs;

	for (size_t i = 0; i < table->n; i++) {
		struct abbrev *abbrev = &table->abbrevs[i];

		if (!abbrev->n_attrs)
			continue;
		add_up_runs(attrs, abbrev->n_attrs, &table->encoding);
		abbrev->attrs = attrs;
		attrs += abbrev->n_attrs;
	}
	if (!table->is_sorted)
		qsort(table->abbrevs, table->n, sizeof(*table->abbrevs), compare_codes);
}

static int read_table(struct abbrev_table *table, const struct section *section, uint64_t off,
		      const struct encoding *encoding)
{
	struct abbrev abbrev;
	struct cursor c;
	int r;

	start_table(table, section, off, encoding, &c);
	while ((r = read_one(&c, table, &abbrev)) > 0) {
		r = array_reserve(&table->abbrevs, &table->cap, table->n + 1,
				  sizeof(*table->abbrevs));
		if (r < 0)
			return r;
		if (table->n && table->abbrevs[table->n - 1].code >= abbrev.code)
			table->is_sorted = false;
		table->abbrevs[table->n++] = abbrev;
	}
	if (r == 0)
		share_attrs(table);
	return r;
}

static bool is_table(const struct abbrev_table *table, uint64_t off, const struct encoding *e)
{
	return table->last_used && table->off == off &&
	       table->encoding.offset_size == e->offset_size &&
	       table->encoding.address_size == e->address_size &&
	       table->encoding.version == e->version;
}

int abbrevs__get(struct abbrevs *abbrevs, uint64_t off, const struct encoding *encoding,
		 const struct abbrev_table **ret)
{
	struct abbrev_table *oldest = NULL;

	for (size_t i = 0; i < ABBREVS_KEPT; i++) {
		struct abbrev_table *t = &abbrevs->tables[i];

		if (is_table(t, off, encoding)) {
			t->last_used = ++abbrevs->n_uses;
			*ret = t;
			return 0;
		}
		if (t != abbrevs->lasting && (!oldest || t->last_used < oldest->last_used))
			oldest = t;
	}
	oldest->last_used = ++abbrevs->n_uses;
	*ret = oldest;
	return read_table(oldest, abbrevs->section, off, encoding);
}

int abbrevs__get_lasting(struct abbrevs *abbrevs, uint64_t off, const struct encoding *encoding,
			 const struct abbrev_table **ret)
{
	int r;

	abbrevs->lasting = NULL;
	r = abbrevs__get(abbrevs, off, encoding, ret);
	if (r == 0)
		abbrevs->lasting = *ret;
	return r;
}

int abbrevs__get_one(struct abbrevs *abbrevs, uint64_t off, const struct encoding *encoding,
		     uint64_t code, const struct abbrev **ret)
{
	struct abbrev_table *one = &abbrevs->one;
	struct abbrev abbrev;
	struct cursor c;
	int r;

	*ret = NULL;
	start_table(one, abbrevs->section, off, encoding, &c);
	while ((r = read_one(&c, one, &abbrev)) > 0 && abbrev.code != code)
		one->n_attrs = 0;
	if (r <= 0)
		return r;
	r = array_reserve(&one->abbrevs, &one->cap, 1, sizeof(*one->abbrevs));
	if (r < 0)
		return r;
	one->abbrevs[0] = abbrev;
	one->n = 1;
	share_attrs(one);
	*ret = one->abbrevs;
	return 0;
}

const struct abbrev *abbrev_table__find(const struct abbrev_table *table, uint64_t code)
{
	size_t lo = 0, hi = table->n;

	/* Compilers number them from 1. */
	if (code - 1 < table->n && table->abbrevs[code - 1].code == code)
		return &table->abbrevs[code - 1];
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (table->abbrevs[mid].code < code)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < table->n && table->abbrevs[lo].code == code ? &table->abbrevs[lo] : NULL;
}
