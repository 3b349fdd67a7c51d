/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/names_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/util.h"
#include "daemon/collector/names.h"
#include "daemon/collector/names_answer.h"

#define MAGIC 0x73656d616e70631aull
#define VERSION 1u

struct names_file_head {
	uint64_t magic;
	uint32_t version;
	uint32_t n_addrs;
	uint64_t n_bytes;	    /* of the whole file */
	uint64_t hash;		    /* of the whole file, this being 0 */
	struct file_identity maker; /* the symbolizer */
	struct names_sources sources;
};

_Static_assert(sizeof(struct names_file_head) % 8 == 0, "the offsets are aligned");

bool names_sources_equal(const struct names_sources *a, const struct names_sources *b)
{
	return file_identity_equal(&a->file, &b->file) &&
	       file_identity_equal(&a->debug, &b->debug) && file_identity_equal(&a->alt, &b->alt) &&
	       file_identity_equal(&a->split, &b->split);
}

/* SipHash in the place of a CRC: it is here already, as fast, and of 64 bits. */
static uint64_t hash_of(const void *bytes, size_t n)
{
	static const struct hash_key key = {7, 8};

	return hash_bytes(&key, bytes, n);
}

/* ---- reading --------------------------------------------------------------------------------- */

/* Whether the hash that HEAD, the begin of N bytes, tells is right. Leaves it 0. */
static bool take_hash(struct names_file_head *head, size_t n)
{
	uint64_t want = head->hash;

	head->hash = 0;
	return hash_of(head, n) == want;
}

static bool told_valid(const struct msg_identity *id)
{
	return id->build_id.size <= BUILD_ID_MAX && id->alt_build_id.size <= BUILD_ID_MAX &&
	       memchr(id->debuglink, 0, sizeof(id->debuglink)) &&
	       memchr(id->alt_path, 0, sizeof(id->alt_path));
}

static bool offs_valid(const uint64_t *offs, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		if (offs[i] <= offs[i - 1])
			return false;
	return true;
}

/* Takes BYTES apart; the same on every error. */
static int parse(struct names_file *f, size_t n, const struct file_identity *file,
		 const struct file_identity *maker)
{
	struct names_file_head *head = f->bytes;
	size_t body;

	if (n < sizeof(*head) || head->magic != MAGIC || head->version != VERSION ||
	    head->n_bytes != n || head->n_addrs > SYMBOLIZE_ADDRS_MAX ||
	    !file_identity_equal(&head->sources.file, file) ||
	    !file_identity_equal(&head->maker, maker) || !take_hash(head, n) ||
	    !told_valid(&head->sources.of_file) || !told_valid(&head->sources.of_debug))
		return -EBADMSG;
	body = sizeof(*head) + head->n_addrs * sizeof(*f->offs);
	f->sources = &head->sources;
	f->offs = (const void *)(head + 1);
	if (n < body || !offs_valid(f->offs, head->n_addrs))
		return -EBADMSG;
	return symbols_view__init(&f->view, (const char *)f->bytes + body, n - body, head->n_addrs);
}

int names_file__init(struct names_file *ret, void *bytes, size_t n,
		     const struct file_identity *file, const struct file_identity *maker)
{
	struct names_file f = {.bytes = bytes};
	int r = parse(&f, n, file, maker);

	if (r < 0) {
		free(bytes);
		return r;
	}
	*ret = f;
	return 0;
}

void names_file__fini(struct names_file *f)
{
	free(f->bytes);
	*f = (struct names_file){0};
}

uint32_t names_file__count(const struct names_file *f)
{
	return f->bytes ? f->view.header->n_addrs : 0;
}

bool names_file__find(const struct names_file *f, uint64_t off, uint32_t *ret)
{
	uint32_t first = 0, n = names_file__count(f);

	/* The last one that is not behind OFF, if any is, lies in [first, first + n). */
	while (n > 1) {
		uint32_t half = n / 2;

		first += f->offs[first + half] <= off ? half : 0;
		n -= half;
	}
	if (n == 0 || f->offs[first] != off)
		return false;
	*ret = first;
	return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

struct entry {
	uint64_t off;
	size_t order; /* the first of one address counts */
	uint32_t chain;
	struct msg_symbol_addr addr; /* as it was answered */
};

struct merged {
	struct names *names; /* strings, functions and chains of all */
	struct entry *entries;
	size_t n, cap;
	bool debug_ignored, cut;
};

static void merged__fini(struct merged *m)
{
	names__free(m->names);
	free(m->entries);
}

static int by_off(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;

	if (a->off != b->off)
		return a->off < b->off ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

static int add_batch(struct merged *m, const struct names_batch *b)
{
	_cleanup_(names_answer__fini) struct names_answer answer = {0};
	uint32_t n = b->view.header->n_addrs;
	int r = array_reserve(&m->entries, &m->cap, m->n + n, sizeof(*m->entries));

	m->debug_ignored |= b->view.header->debug_ignored != 0;
	m->cut |= b->view.header->cut != 0;
	if (r == 0)
		r = names_answer__init(&answer, m->names, &b->view);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		struct entry *e = &m->entries[m->n];

		*e = (struct entry){.off = b->offs[i], .order = m->n, .addr = b->view.addrs[i]};
		m->n++;
		if (e->addr.n_frames)
			r = names_answer__chain(&answer, i, &e->chain);
	}
	return r;
}

static void sort(struct merged *m)
{
	size_t n = 0;

	if (m->n)
		qsort(m->entries, m->n, sizeof(*m->entries), by_off);
	for (size_t i = 0; i < m->n; i++)
		if (n == 0 || m->entries[n - 1].off != m->entries[i].off)
			m->entries[n++] = m->entries[i];
	m->n = n;
}

/* Writes the answer HEAD of all that was merged to P, which is zero. */
static void write_answer(const struct merged *m, const struct msg_symbols *head, char *p)
{
	struct symbols_layout l = symbols_layout(head);
	struct msg_symbol_addr *addrs = (void *)(p + l.addrs);
	struct msg_symbol_frame *frames = (void *)(p + l.frames);
	struct msg_symbol_function *functions = (void *)(p + l.functions);
	const struct names *names = m->names;
	const uint32_t *strings = names->strings.offs;

	memcpy(p, head, sizeof(*head));
	for (size_t i = 0; i < m->n; i++) {
		addrs[i] = m->entries[i].addr;
		addrs[i].first_frame =
		    addrs[i].n_frames ? names->chains[m->entries[i].chain].first : 0;
	}
	for (size_t i = 0; i < names->n_lines; i++)
		frames[i] =
		    (struct msg_symbol_frame){names->lines[i].function, names->lines[i].line};
	for (size_t i = 0; i < names->n_functions; i++) {
		const struct names_function *f = &names->functions[i];

		functions[i] = (struct msg_symbol_function){
		    .name = strings[f->name],
		    .system_name = strings[f->system_name],
		    .filename = strings[f->filename],
		    .start_line = f->start_line,
		};
	}
	memcpy(p + l.strings, names->strings.bytes, names->strings.n_bytes);
}

static int encode(const struct merged *m, const struct names_sources *sources,
		  const struct file_identity *maker, size_t max, void **ret, size_t *ret_n)
{
	const struct names *names = m->names;
	const struct msg_symbols answer = {
	    .n_addrs = (uint32_t)m->n,
	    .n_frames = (uint32_t)names->n_lines,
	    .n_functions = (uint32_t)names->n_functions,
	    .n_string_bytes = (uint32_t)names->strings.n_bytes,
	    .debug_ignored = m->debug_ignored,
	    .cut = m->cut,
	};
	struct names_file_head head = {
	    .magic = MAGIC,
	    .version = VERSION,
	    .n_addrs = answer.n_addrs,
	    .maker = *maker,
	    .sources = *sources,
	};
	size_t body = sizeof(head) + m->n * sizeof(uint64_t);
	size_t n = body + symbols_layout(&answer).end;
	uint64_t *offs;
	char *bytes;

	if (n > max)
		return -EFBIG;
	bytes = calloc(1, n);
	if (!bytes)
		return -ENOMEM;
	head.n_bytes = n;
	memcpy(bytes, &head, sizeof(head));
	offs = (void *)(bytes + sizeof(head));
	for (size_t i = 0; i < m->n; i++)
		offs[i] = m->entries[i].off;
	write_answer(m, &answer, bytes + body);
	head.hash = hash_of(bytes, n);
	memcpy(bytes, &head, sizeof(head));
	*ret = bytes;
	*ret_n = n;
	return 0;
}

int names_file_make(const struct names_sources *sources, const struct file_identity *maker,
		    const struct names_batch *batches, size_t n, size_t max, void **ret,
		    size_t *ret_n)
{
	_cleanup_(merged__fini) struct merged m = {0};
	int r = names__new(&m.names);

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_batch(&m, &batches[i]);
	if (r < 0)
		return r;
	sort(&m);
	return m.n > SYMBOLIZE_ADDRS_MAX ? -EFBIG : encode(&m, sources, maker, max, ret, ret_n);
}
