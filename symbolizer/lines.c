/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/lines.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/form.h"
#include "symbolizer/line_program.h"

#define PATH_BYTES_MAX 4096

/* Descriptions of entries name path, directory, time, size, MD5 and source. */
#define FORMATS_MAX 16
#define ENTRIES_MAX (1u << 20)

struct file_entry {
	struct dwarf_string name;
	uint64_t directory;
};

struct entries {
	struct file_entry *v;
	size_t n, cap;
};

struct lines {
	const struct dwarf_unit *unit;
	struct line_program program;
	struct entries directories, files;
	uint16_t version;
	char path[PATH_BYTES_MAX];
};

int lines__new(struct lines **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct lines *lines__free(struct lines *lines)
{
	if (!lines)
		return NULL;
	free(lines->directories.v);
	free(lines->files.v);
	free(lines);
	return NULL;
}

size_t lines__n_files(const struct lines *lines)
{
	return lines->files.n;
}

static int add_entry(struct entries *entries, const struct file_entry *entry)
{
	int r = array_reserve(&entries->v, &entries->cap, entries->n + 1, sizeof(*entries->v));

	if (r == 0)
		entries->v[entries->n++] = *entry;
	return r;
}

/* The part of .debug_line that is being read. */
struct head {
	struct lines *lines;
	struct cursor c;
	const uint8_t *start;
	uint64_t off; /* of START in .debug_line */
	struct encoding encoding;
};

static uint64_t here(const struct head *head)
{
	return head->off + (uint64_t)(head->c.pos - head->start);
}

/* Before version 5: names until an empty one, for files with the number of the directory. */
static int read_old_entries(struct head *head, struct entries *entries, bool are_files)
{
	while (entries->n < ENTRIES_MAX) {
		struct file_entry e = {
		    .name = {head->lines->unit->file, DWARF_LINE, here(head)},
		};
		const char *name = cursor__string(&head->c);
		int r;

		if (!name || !*name)
			return 0;
		if (are_files) {
			e.directory = cursor__uleb(&head->c);
			cursor__uleb(&head->c); /* time */
			cursor__uleb(&head->c); /* size */
		}
		r = add_entry(entries, &e);
		if (r < 0)
			return r;
	}
	return 0;
}

struct entry_format {
	uint64_t content; /* DW_LNCT_… */
	uint16_t form;
};

static size_t read_formats(struct head *head, struct entry_format formats[FORMATS_MAX])
{
	size_t n = cursor__u8(&head->c);

	for (size_t i = 0; i < n; i++) {
		uint64_t content = cursor__uleb(&head->c), form = cursor__uleb(&head->c);

		if (n > FORMATS_MAX || form > UINT16_MAX)
			cursor__skip(&head->c, UINT64_MAX);
		else
			formats[i] = (struct entry_format){content, (uint16_t)form};
	}
	return n;
}

/* Version 5: entries that describe themselves. */
static int read_entries(struct head *head, struct entries *entries)
{
	struct entry_format formats[FORMATS_MAX] = {0};
	size_t n_formats = read_formats(head, formats);
	uint64_t n = cursor__uleb(&head->c);

	/* Entries without fields take no bytes and would be endless. */
	if (!n_formats)
		return 0;
	for (uint64_t i = 0; i < n && !head->c.failed && entries->n < ENTRIES_MAX; i++) {
		struct file_entry e = {0};
		int r;

		for (size_t k = 0; k < n_formats && !head->c.failed; k++) {
			struct form_value v =
			    form_read(&head->c, here(head), formats[k].form, 0, &head->encoding);

			if (formats[k].content == DW_LNCT_path)
				e.name = dwarf_unit__string(head->lines->unit, &v, DWARF_LINE);
			if (formats[k].content == DW_LNCT_directory_index)
				e.directory = v.number;
		}
		r = head->c.failed ? 0 : add_entry(entries, &e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Reads from behind the lengths up to the program. */
static int read_head(struct head *head)
{
	struct lines *lines = head->lines;
	struct line_program *p = &lines->program;
	int r;

	p->min_insn_bytes = cursor__u8(&head->c);
	p->max_ops = lines->version >= 4 ? cursor__u8(&head->c) : 1;
	cursor__u8(&head->c); /* whether rows are statements at first */
	p->line_base = (int8_t)cursor__u8(&head->c);
	p->line_range = cursor__u8(&head->c);
	p->opcode_base = cursor__u8(&head->c);
	for (unsigned i = 1; i < p->opcode_base; i++)
		p->n_operands[i] = cursor__u8(&head->c);
	if (lines->version >= 5) {
		r = read_entries(head, &lines->directories);
		return r < 0 ? r : read_entries(head, &lines->files);
	}
	r = read_old_entries(head, &lines->directories, false);
	return r < 0 ? r : read_old_entries(head, &lines->files, true);
}

/* Reads the lengths, and leaves in HEAD the head alone and in the program the rest. */
static bool split(struct head *head, const struct dwarf_unit *unit)
{
	struct lines *lines = head->lines;
	uint64_t head_bytes;
	struct cursor all;

	head->encoding = unit->encoding;
	head->encoding.offset_size = 4;
	if (cursor__u32(&head->c) == UINT32_MAX) {
		cursor__u64(&head->c);
		head->encoding.offset_size = 8;
	}
	lines->version = cursor__u16(&head->c);
	if (lines->version < 2 || lines->version > 5)
		return false;
	if (lines->version >= 5) {
		head->encoding.address_size = cursor__u8(&head->c);
		cursor__u8(&head->c); /* size of segment selectors: nobody has segments */
	}
	head->encoding.version = (uint8_t)lines->version;
	head_bytes = cursor__number(&head->c, head->encoding.offset_size);
	all = head->c;
	head->c = cursor__take(&all, head_bytes);
	lines->program.bytes = all;
	lines->program.address_size = head->encoding.address_size;
	return !head->c.failed;
}

/* The bytes of the program at OFF, its length included; 0 where there is none. */
static int program_bytes(struct dwarf_file *file, uint64_t off, uint64_t *ret)
{
	uint64_t size = dwarf_file__size(file, DWARF_LINE), n, head = 4;
	struct cursor c;
	int r = dwarf_file__read(file, DWARF_LINE, off, 12, &c);

	*ret = 0;
	if (r < 0)
		return r;
	n = cursor__u32(&c);
	if (n == UINT32_MAX) {
		n = cursor__u64(&c);
		head = 12;
	}
	if (!c.failed && off < size && n <= size - off)
		*ret = MIN(n + head, size - off);
	return 0;
}

static bool take_bytes(struct limits *limits, uint64_t n)
{
	if (n > LIMIT_LINE_PROGRAM_BYTES_MAX || n > limits->line_bytes_left) {
		limits->hits[LIMIT_LINES]++;
		return false;
	}
	limits->line_bytes_left -= n;
	return true;
}

int lines__load(struct lines *lines, const struct dwarf_unit *unit, struct limits *limits)
{
	struct head head = {.lines = lines, .off = unit->line_off};
	uint64_t n;
	int r;

	lines->unit = unit;
	lines->program = (struct line_program){0};
	lines->directories.n = lines->files.n = 0;
	r = program_bytes(unit->file, unit->line_off, &n);
	if (r < 0 || !n || !take_bytes(limits, n))
		return r;
	r = dwarf_file__read(unit->file, DWARF_LINE, unit->line_off, n, &head.c);
	head.start = head.c.pos;
	if (r < 0 || !split(&head, unit))
		return r;
	r = read_head(&head);
	if (head.c.failed)
		lines->program.bytes.failed = true;
	return r;
}

void lines__run(struct lines *lines, const uint64_t *vaddrs, const uint32_t *queries, size_t n,
		struct line_row *rows, struct limits *limits)
{
	line_program_run(&lines->program, vaddrs, queries, n, rows, limits);
}

/* Appends the string to the path, of which N bytes are there. SIZE_MAX where there is no room. */
static int append(struct lines *lines, size_t *n, const struct dwarf_string *string)
{
	const char *s;
	size_t len;
	int r = dwarf_string__get(string, &s, &len);

	if (r < 0 || !len || *n >= PATH_BYTES_MAX)
		return r;
	if (s[0] == '/')
		*n = 0;
	/* "." is where one is. */
	while (len >= 2 && s[0] == '.' && s[1] == '/') {
		s += 2;
		len -= 2;
	}
	if (len == 1 && s[0] == '.')
		return 0;
	if (*n && lines->path[*n - 1] != '/')
		lines->path[(*n)++] = '/';
	if (*n + len >= PATH_BYTES_MAX) {
		*n = PATH_BYTES_MAX;
		return 0;
	}
	memcpy(lines->path + *n, s, len);
	*n += len;
	return 0;
}

/* Each absolute part of these three, one relative to the other, drops what is before it. */
int lines__path(struct lines *lines, uint64_t index, const char **ret)
{
	bool is_old = lines->version < 5;
	const struct file_entry *file;
	uint64_t directory;
	size_t n = 0;
	int r;

	*ret = NULL;
	/* Before version 5 files and directories count from 1, and directory 0 is the unit's. */
	index -= is_old;
	if (index >= lines->files.n)
		return 0;
	file = &lines->files.v[index];
	directory = file->directory - is_old;
	r = append(lines, &n, &lines->unit->directory);
	if (r == 0 && directory < lines->directories.n)
		r = append(lines, &n, &lines->directories.v[directory].name);
	if (r == 0)
		r = append(lines, &n, &file->name);
	if (r < 0 || !n || n >= PATH_BYTES_MAX)
		return r;
	lines->path[n] = '\0';
	*ret = lines->path;
	return 0;
}
