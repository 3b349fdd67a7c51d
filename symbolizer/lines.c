/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/lines.h"

#include <dwarf.h>
#include <stdio.h>
#include <string.h>

#include "symbolizer/die.h"

/* How many rows of line 0 are passed over to find a line. */
#define LINE_ZERO_ROWS_MAX 1024

/* The bytes of the line program at OFF; a number that is too large where this cannot be told. */
static uint64_t program_bytes(const Elf_Data *debug_line, uint64_t off)
{
	const char *bytes = debug_line->d_buf;
	uint32_t length32;
	uint64_t length64;

	if (!bytes || off > debug_line->d_size || debug_line->d_size - off < 12)
		return UINT64_MAX;
	memcpy(&length32, bytes + off, sizeof(length32));
	if (length32 != UINT32_MAX)
		return length32;
	memcpy(&length64, bytes + off + 4, sizeof(length64));
	return length64;
}

void lines__load(struct lines *ret, Dwarf_Die *unit, const Elf_Data *debug_line,
		 struct limits *limits)
{
	uint64_t off;

	ret->n_rows = ret->n_files = 0;
	ret->directory = die_string(unit, DW_AT_comp_dir);
	if (!debug_line || !die_number(unit, DW_AT_stmt_list, &off))
		return;
	if (program_bytes(debug_line, off) > LIMIT_LINE_PROGRAM_BYTES_MAX) {
		limits->hits[LIMIT_LINES]++;
		return;
	}
	if (dwarf_getsrclines(unit, &ret->rows, &ret->n_rows) != 0)
		ret->n_rows = 0;
	if (dwarf_getsrcfiles(unit, &ret->files, &ret->n_files) != 0)
		ret->n_files = 0;
}

static uint64_t row_vaddr(const struct lines *lines, size_t i)
{
	Dwarf_Addr vaddr = 0;

	dwarf_lineaddr(dwarf_onesrcline(lines->rows, i), &vaddr);
	return vaddr;
}

static bool row_ends_sequence(Dwarf_Line *row)
{
	bool ends = true;

	return dwarf_lineendsequence(row, &ends) != 0 || ends;
}

/* The path of FILE as libdw has it, made absolute; NULL where it is unknown. */
static const char *whole_path(struct lines *lines, const char *file)
{
	int n;

	/* What libdw says for a file number that is not in the table. */
	if (!file || !strcmp(file, "???"))
		return NULL;
	if (file[0] == '/' || !lines->directory)
		return file;
	/* libdw leaves DWARF 5's relative directories as they are. */
	if (!strncmp(file, "./", 2))
		file += 2;
	n = snprintf(lines->path, sizeof(lines->path), "%s/%s", lines->directory, file);
	return n < (int)sizeof(lines->path) ? lines->path : file;
}

bool lines__find(struct lines *lines, uint64_t vaddr, const char **ret_file, uint32_t *ret_line)
{
	size_t lo = 0, hi = lines->n_rows;
	Dwarf_Line *row;
	int line = 0;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (row_vaddr(lines, mid) <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == 0)
		return false;
	row = dwarf_onesrcline(lines->rows, lo - 1);
	if (row_ends_sequence(row))
		return false;
	for (size_t n = 0; n < LINE_ZERO_ROWS_MAX && n < lo; n++) {
		Dwarf_Line *before = dwarf_onesrcline(lines->rows, lo - 1 - n);

		if (row_ends_sequence(before))
			break;
		if (dwarf_lineno(before, &line) == 0 && line > 0) {
			row = before;
			break;
		}
	}
	*ret_line = line > 0 ? (uint32_t)line : 0;
	*ret_file = whole_path(lines, dwarf_linesrc(row, NULL, NULL));
	return true;
}

const char *lines__file(struct lines *lines, uint64_t index)
{
	if (index >= lines->n_files)
		return NULL;
	return whole_path(lines, dwarf_filesrc(lines->files, index, NULL, NULL));
}
