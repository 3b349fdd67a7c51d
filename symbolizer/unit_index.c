/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/unit_index.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/util.h"

#define INDEX_BYTES_MAX (64ull << 20)

/* Eight kinds of sections are known; a column for each. */
#define COLUMNS_MAX 16

/* The numbers of sections in both versions (table 7.1; GNU's have 5 and 8 for .debug_loc and
 * .debug_macro, and no lists of ranges). */
enum column { COLUMN_INFO = 1, COLUMN_ABBREV = 3, COLUMN_STR_OFFSETS = 6, COLUMN_RNGLISTS = 8 };

struct head {
	uint32_t version, n_columns, n_units, n_slots;
};

static bool read_head(struct cursor *c, struct head *ret)
{
	ret->version = cursor__u32(c) & 0xffff; /* two bytes and two of padding, or four */
	ret->n_columns = cursor__u32(c);
	ret->n_units = cursor__u32(c);
	ret->n_slots = cursor__u32(c);
	return !c->failed && (ret->version == 2 || ret->version == 5) && ret->n_columns &&
	       ret->n_columns <= COLUMNS_MAX && ret->n_units <= LIMIT_UNITS_MAX;
}

static void take(struct unit_parts *parts, const struct head *head, uint32_t column, uint32_t off)
{
	switch (column) {
	case COLUMN_INFO:
		parts->info = off;
		break;
	case COLUMN_ABBREV:
		parts->abbrev = off;
		break;
	case COLUMN_STR_OFFSETS:
		parts->str_offsets = off;
		break;
	case COLUMN_RNGLISTS:
		if (head->version == 5)
			parts->rnglists = off;
		break;
	default:
		break;
	}
}

static int by_info(const void *pa, const void *pb)
{
	const struct unit_parts *a = pa, *b = pb;

	return a->info < b->info ? -1 : a->info > b->info;
}

/* Reads the table of offsets at C, a row for each unit. */
static int read_rows(struct unit_index *index, const struct head *head, struct cursor *c)
{
	uint32_t columns[COLUMNS_MAX];

	if (head->n_units > cursor__left(c) / (sizeof(uint32_t) * head->n_columns))
		return 0;
	index->units = calloc((size_t)head->n_units + 1, sizeof(*index->units));
	if (!index->units)
		return -ENOMEM;
	for (uint32_t i = 0; i < head->n_columns; i++)
		columns[i] = cursor__u32(c);
	for (uint32_t unit = 0; unit < head->n_units && !c->failed; unit++) {
		for (uint32_t i = 0; i < head->n_columns; i++)
			take(&index->units[unit], head, columns[i], cursor__u32(c));
		index->n += !c->failed;
	}
	qsort(index->units, index->n, sizeof(*index->units), by_info);
	return 0;
}

int unit_index__read(struct unit_index *ret, const struct section *section, struct limits *limits)
{
	struct window window = {0};
	struct head head;
	struct cursor c;
	int r;

	*ret = (struct unit_index){0};
	if (section->size > INDEX_BYTES_MAX) {
		limits->hits[LIMIT_BYTES]++;
		return 0;
	}
	r = window__read(&window, section, 0, section->size, &c);
	if (r == 0 && read_head(&c, &head)) {
		/* The hash table by the units' numbers: those stand in the units themselves. */
		cursor__skip(&c, (uint64_t)head.n_slots * 12);
		r = read_rows(ret, &head, &c);
	}
	window__fini(&window);
	return r;
}

void unit_index__fini(struct unit_index *index)
{
	free(index->units);
	*index = (struct unit_index){0};
}

const struct unit_parts *unit_index__find(const struct unit_index *index, uint64_t info)
{
	struct unit_parts key = {.info = info};

	return index->n ? bsearch(&key, index->units, index->n, sizeof(key), by_info) : NULL;
}
