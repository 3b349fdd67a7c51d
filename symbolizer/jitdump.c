/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/jitdump.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/cursor.h"
#include "symbolizer/file_window.h"

#define MAGIC 0x4A695444u
#define VERSION 1
#define FLAG_ARCH_TIMESTAMP 1u /* times are a counter of the CPU's: no use to us */

enum {
	RECORD_LOAD,
	RECORD_MOVE,
	RECORD_DEBUG,
	RECORD_CLOSE,
};

/* The fixed parts of records, prefix included. */
#define PREFIX_BYTES 16
#define HEADER_BYTES 40
#define LOAD_BYTES (PREFIX_BYTES + 40)
#define MOVE_BYTES (PREFIX_BYTES + 48)
#define DEBUG_BYTES (PREFIX_BYTES + 16)
#define DEBUG_ENTRY_BYTES 16 /* before its file name */

/* perf puts the code behind an ELF header, and V8 counts its lines from there. */
#define ELF_HEADER_BYTES 64

struct record {
	uint64_t off; /* in the file */
	uint64_t time_ns;
	uint32_t id, size;
	uint64_t addr, n_code; /* load, move: the code's new place; debug: addr alone */
	uint64_t old_addr;     /* move */
};

/* One address that was asked for, on its way to the record that loaded its code. */
struct query {
	uint64_t addr, time_ns;
	uint64_t before; /* only records before this offset matter */
	uint32_t place;	 /* in the question */
	/* The best record so far. */
	bool found, moved;
	uint64_t found_ns;
	uint64_t load, debug; /* offsets in the file; debug 0 = none. Load: of the move if moved */
	uint64_t old_addr;    /* moved: where this address was before */
};

struct dump {
	struct file_window window;
	uint64_t first; /* offset of the first record */
	bool timed;
	struct limits *limits; /* borrowed */
	struct query *queries; /* those that are looked for, by address */
	size_t n;
};

/* ---- records --------------------------------------------------------------------------------- */

static int read_header(struct dump *d)
{
	const uint8_t *p;
	int64_t n = file_window__at(&d->window, 0, HEADER_BYTES, &p);
	uint32_t magic, version, size;
	struct cursor c;

	if (n < 0)
		return (int)n;
	cursor__init(&c, p, (size_t)n);
	magic = cursor__u32(&c);
	version = cursor__u32(&c);
	size = cursor__u32(&c);
	cursor__skip(&c, 4 + 4 + 4 + 8); /* machine, padding, pid, time */
	d->timed = !(cursor__u64(&c) & FLAG_ARCH_TIMESTAMP);
	if (c.failed || magic != MAGIC || version != VERSION || size < HEADER_BYTES)
		return -ENOEXEC;
	d->first = size;
	return 0;
}

/* Reads the fixed part of the record at OFF. 1; 0 where there is no whole record; or -errno. */
static int read_record(struct dump *d, uint64_t off, struct record *ret)
{
	struct record rec = {.off = off};
	const uint8_t *p;
	struct cursor c;
	int64_t n = file_window__at(&d->window, off, MOVE_BYTES, &p);

	if (n < 0)
		return (int)n;
	cursor__init(&c, p, (size_t)n);
	rec.id = cursor__u32(&c);
	rec.size = cursor__u32(&c);
	rec.time_ns = cursor__u64(&c);
	if (c.failed || rec.size < PREFIX_BYTES || rec.size > d->window.end - off)
		return 0;
	c.end = p + MIN((size_t)n, rec.size);
	if (rec.id == RECORD_LOAD || rec.id == RECORD_MOVE)
		cursor__skip(&c, 4 + 4 + 8); /* pid, tid, address in the "file" */
	if (rec.id == RECORD_MOVE)
		rec.old_addr = cursor__u64(&c);
	if (rec.id <= RECORD_DEBUG)
		rec.addr = cursor__u64(&c);
	if (rec.id == RECORD_LOAD || rec.id == RECORD_MOVE) {
		rec.n_code = cursor__u64(&c);
		cursor__u64(&c); /* number of the code */
	}
	if (c.failed)
		rec.id = UINT32_MAX; /* too short for what it says it is: passed over */
	*ret = rec;
	return 1;
}

/* ---- which record an address belongs to ------------------------------------------------------ */

/* Whether REC tells more of what was at Q's address at its time than what was found before. */
static bool is_better(const struct dump *d, const struct query *q, const struct record *rec)
{
	bool late = rec->time_ns > q->time_ns, found_late = q->found_ns > q->time_ns;

	if (rec->off >= q->before)
		return false;
	if (!d->timed)
		return true; /* by the order of the file */
	if (late && rec->time_ns - q->time_ns > JITDUMP_LATE_NS)
		return false;
	if (!q->found)
		return true;
	if (late != found_late)
		return found_late;
	return late ? rec->time_ns < q->found_ns : rec->time_ns >= q->found_ns;
}

static size_t lower_bound(const struct dump *d, uint64_t addr)
{
	size_t lo = 0, hi = d->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (d->queries[mid].addr < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* Offers REC, a load or move, to the addresses it covers. DEBUG: the lines that came before it; 0 =
 * none. False where the work is too much. */
static bool match_record(struct dump *d, const struct record *rec, uint64_t debug)
{
	uint64_t end = rec->addr + MIN(rec->n_code, UINT64_MAX - rec->addr);

	for (size_t i = lower_bound(d, rec->addr); i < d->n && d->queries[i].addr < end; i++) {
		struct query *q = &d->queries[i];

		if (d->limits->matches_left == 0) {
			d->limits->hits[LIMIT_MATCHES]++;
			return false;
		}
		d->limits->matches_left--;
		if (!is_better(d, q, rec))
			continue;
		q->found = true;
		q->found_ns = rec->time_ns;
		q->moved = rec->id == RECORD_MOVE;
		q->load = rec->off;
		q->debug = debug;
		q->old_addr = rec->old_addr + (q->addr - rec->addr);
	}
	return true;
}

static int match_records(struct dump *d)
{
	struct record rec, debug = {0};
	uint64_t off = d->first;
	int r;

	while ((r = read_record(d, off, &rec)) > 0 && rec.id != RECORD_CLOSE) {
		bool lines = debug.off && rec.id == RECORD_LOAD && debug.addr == rec.addr;

		if (rec.id == RECORD_DEBUG)
			debug = rec;
		if ((rec.id == RECORD_LOAD || rec.id == RECORD_MOVE) &&
		    !match_record(d, &rec, lines ? debug.off : 0))
			break;
		if (rec.id == RECORD_LOAD)
			debug.off = 0;
		off += rec.size;
	}
	return r < 0 ? r : 0;
}

static int by_addr(const void *pa, const void *pb)
{
	const struct query *a = pa, *b = pb;

	return a->addr < b->addr ? -1 : a->addr > b->addr;
}

/*
 * Takes those that were found out of the queries, at their end, and leaves those whose code was
 * moved there: they are asked about again, where they came from.
 */
static void sort_out(struct dump *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		struct query q = d->queries[i];

		if (!q.found || !q.moved)
			continue;
		q.before = q.load;
		q.time_ns = q.found_ns;
		q.addr = q.old_addr;
		q.found = q.moved = false;
		d->queries[i] = d->queries[n];
		d->queries[n++] = q;
	}
	d->n = n;
	if (n)
		qsort(d->queries, n, sizeof(*d->queries), by_addr);
}

/* ---- names and lines ------------------------------------------------------------------------- */

/* Lines of one function: the records' own bytes. */
struct lines {
	uint8_t *bytes;
	size_t n;
	uint64_t n_entries;
	uint64_t shift; /* of their addresses against the code's */
};

struct line_entry {
	uint64_t addr;
	uint32_t line;
	const char *file;
};

/* Takes the next entry off. FILE is that of the entry before, which "\377" stands for. */
static bool take_entry(struct cursor *c, const char *file, struct line_entry *ret)
{
	ret->addr = cursor__u64(c);
	ret->line = cursor__u32(c);
	cursor__u32(c); /* discriminator */
	ret->file = cursor__string(c);
	if (c->failed)
		return false;
	if (!strcmp(ret->file, "\377"))
		ret->file = file;
	return true;
}

/*
 * Whether the entries are what they should be: ascending, and all in the code LOAD. Some runtimes
 * write names that are not terminated (V8, of strings that are gone), and what follows is noise:
 * such lines are left out as a whole.
 */
static bool lines_valid(struct lines *l, const struct record *load)
{
	uint64_t last = 0;
	struct cursor c;

	cursor__init(&c, l->bytes, l->n);
	for (uint64_t i = 0; i < l->n_entries; i++) {
		struct line_entry e;

		if (!take_entry(&c, "", &e) || e.addr < last)
			return false;
		if (i == 0 && e.addr == load->addr + ELF_HEADER_BYTES)
			l->shift = ELF_HEADER_BYTES;
		if (e.addr < load->addr || e.addr - load->addr > load->n_code + l->shift)
			return false;
		last = e.addr;
	}
	return true;
}

/* Reads the lines in the record at OFF. 1; 0 where there are none to be used; or -errno. */
static int read_lines(struct dump *d, uint64_t off, const struct record *load, struct lines *ret)
{
	cleanup_free uint8_t *bytes = NULL;
	struct record rec;
	int64_t n;
	int r = read_record(d, off, &rec);

	if (r <= 0 || rec.id != RECORD_DEBUG)
		return r < 0 ? r : 0;
	if (rec.size > LIMIT_JITDUMP_DEBUG_BYTES_MAX) {
		d->limits->hits[LIMIT_LINES]++;
		return 0;
	}
	bytes = malloc(rec.size);
	if (!bytes)
		return -ENOMEM;
	n = pread_full(d->window.fd, bytes, rec.size, off);
	if (n < 0)
		return (int)n;
	if (n < (int64_t)DEBUG_BYTES)
		return 0;
	*ret = (struct lines){.n = (size_t)n - DEBUG_BYTES};
	memcpy(&ret->n_entries, bytes + DEBUG_BYTES - 8, 8);
	memmove(bytes, bytes + DEBUG_BYTES, ret->n);
	ret->bytes = bytes;
	if (!lines_valid(ret, load))
		return 0;
	ret->bytes = steal_ptr(bytes);
	return 1;
}

/* The name in the load record LOAD: *RET_FRAME with no line. 1, 0 where it has none, or -errno. */
static int read_name(struct dump *d, const struct record *load, struct answer *answer,
		     struct answer_frame *ret)
{
	uint64_t n_max = load->size - LOAD_BYTES;
	const uint8_t *p;
	size_t n_name;
	int64_t n;
	int r;

	if (load->n_code < n_max) /* the name ends before the code */
		n_max -= load->n_code;
	n_max = MIN(n_max, SYMBOL_STRING_MAX);
	n = file_window__at(&d->window, load->off + LOAD_BYTES, n_max, &p);
	if (n < 0)
		return (int)n;
	n_name = strnlen((const char *)p, MIN((size_t)n, n_max));
	if (n_name == 0)
		return 0;
	*ret = (struct answer_frame){0};
	r = answer__names(answer, (const char *)p, n_name, &ret->function.system_name,
			  &ret->function.name);
	return r < 0 ? r : 1;
}

/*
 * Gives the N queries at Q, all of the code LOAD and ascending, their FRAME, and where there are
 * lines each its own: that of the last entry at or before its address.
 */
static int set_frames(struct answer *answer, const struct query *q, size_t n,
		      const struct lines *lines, const struct answer_frame *frame)
{
	struct line_entry e = {.file = ""}, next = {.file = ""};
	uint64_t left = lines->n_entries;
	struct cursor c = {0};
	bool more;
	int r = 0;

	if (left > 0)
		cursor__init(&c, lines->bytes, lines->n);
	more = left > 0 && take_entry(&c, "", &next);
	for (size_t i = 0; i < n && r == 0; i++) {
		struct answer_frame f = *frame;

		while (more && next.addr - lines->shift <= q[i].addr) {
			e = next;
			more = --left > 0 && take_entry(&c, e.file, &next);
		}
		f.line = e.line;
		r = answer__string(answer, e.file, strlen(e.file), &f.function.filename);
		if (r == 0)
			r = answer__set_frames(answer, q[i].place, SYMBOL_SOURCE_JIT, &f, 1);
	}
	return r;
}

/* Names the N queries at Q, which all lie in the code of one record. */
static int name_group(struct dump *d, const struct query *q, size_t n, struct answer *answer)
{
	struct lines lines = {0};
	struct answer_frame frame;
	struct record load;
	int r = read_record(d, q->load, &load);

	if (r > 0 && load.id != RECORD_LOAD)
		return 0; /* changed since */
	if (r > 0)
		r = read_name(d, &load, answer, &frame);
	if (r <= 0)
		return r;
	r = q->debug ? read_lines(d, q->debug, &load, &lines) : 0;
	if (r == 0)
		lines = (struct lines){0};
	if (r >= 0)
		r = set_frames(answer, q, n, &lines, &frame);
	free(lines.bytes);
	return r;
}

static int by_load(const void *pa, const void *pb)
{
	const struct query *a = pa, *b = pb;

	if (a->load != b->load)
		return a->load < b->load ? -1 : 1;
	return by_addr(pa, pb);
}

/* Names the N queries that have found their records. */
static int name_found(struct dump *d, struct query *all, size_t n, struct answer *answer)
{
	size_t last;
	int r = 0;

	qsort(all, n, sizeof(*all), by_load);
	for (size_t i = 0; i < n && r == 0; i = last) {
		last = i + 1;
		if (!all[i].found)
			continue;
		while (last < n && all[last].found && all[last].load == all[i].load)
			last++;
		r = name_group(d, all + i, last - i, answer);
	}
	return r;
}

static int find_records(struct dump *d, const struct msg_jit_addr *addrs, uint32_t n_addrs)
{
	int r = read_header(d);

	for (uint32_t i = 0; i < n_addrs; i++)
		d->queries[i] = (struct query){.addr = addrs[i].addr,
					       .time_ns = addrs[i].time_ns,
					       .before = UINT64_MAX,
					       .place = i};
	d->n = n_addrs;
	for (unsigned i = 0; r == 0 && d->n > 0 && i <= JITDUMP_MOVES_MAX; i++) {
		r = match_records(d);
		sort_out(d);
	}
	if (d->n > 0)
		d->limits->hits[LIMIT_HOPS]++;
	return r;
}

int jitdump_name(int fd, const struct msg_jit_addr *addrs, uint32_t n_addrs, struct answer *answer,
		 struct limits *limits)
{
	struct dump d = {.limits = limits};
	uint64_t size;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	size = st.st_size > 0 ? (uint64_t)st.st_size : 0;
	if (size > LIMIT_JITDUMP_BYTES_MAX)
		limits->hits[LIMIT_BYTES]++;
	d.queries = calloc((size_t)n_addrs + 1, sizeof(*d.queries));
	r = d.queries ? file_window__init(&d.window, fd, MIN(size, LIMIT_JITDUMP_BYTES_MAX))
		      : -ENOMEM;
	if (r == 0)
		r = find_records(&d, addrs, n_addrs);
	if (r == 0)
		r = name_found(&d, d.queries, n_addrs, answer);
	file_window__fini(&d.window);
	free(d.queries);
	return r;
}
