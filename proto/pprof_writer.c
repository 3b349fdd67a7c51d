/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streaming pprof writer; see pprof_writer.h.
 *
 * A profile is one protobuf message whose repeated fields may come in any order, so it can be
 * written front to back: each sub-message is packed by the generated code into one buffer that
 * is used again and again, and goes out behind its tag and length. A string goes out when it is
 * first used. A tree of the generated structs would take 450 bytes per stack (pprof files of
 * large hosts have a million); this takes nothing per stack.
 *
 * What must be remembered is which strings and functions are already out. Their text is not kept: a
 * string is known by 128 bits of keyed hash. The keys are drawn per writer, so names that collide
 * can neither happen nor be chosen by the process that is profiled.
 */
#include "proto/pprof_writer.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/hindex.h"
#include "base/text.h"
#include "base/util.h"
#include "proto/gzip_stream.h"
#include "proto/profile.pb-c.h"

/* Field numbers of the message Profile that are written by hand; all have wire type 2. */
enum profile_field {
	FIELD_SAMPLE = 2,
	FIELD_MAPPING = 3,
	FIELD_LOCATION = 4,
	FIELD_FUNCTION = 5,
	FIELD_STRING_TABLE = 6,
};

#define WIRE_TYPE_BYTES 2u

struct string_key {
	uint64_t a, b; /* the string's hashes under two keys */
};

/* A function is its four fields, three of which are strings that are out already. */
struct function_key {
	uint32_t name, system_name, filename, start_line;
};

struct pprof_writer {
	struct gzip_stream *gzip;
	int error; /* the first -errno; then nothing more is done */
	uint64_t period_ns;
	uint64_t n_mappings, n_locations;

	struct hash_key hash_a, hash_b;
	struct hindex string_index; /* of strings, by .a */
	struct string_key *strings; /* number = index in the file's string table */
	size_t n_strings, cap_strings;

	struct hindex function_index;
	struct function_key *functions; /* number = id - 1 */
	size_t n_functions, cap_functions;

	/* Room for one sub-message, used again for each. */
	uint8_t *packed;
	size_t cap_packed;
	Perftools__Profiles__Line *lines;
	size_t cap_lines;
	Perftools__Profiles__Label *labels;
	size_t cap_labels;
	void **parts; /* pointers to the lines or labels above, as the generated code wants them */
	size_t cap_parts;
};

int pprof_writer__new(struct pprof_writer **ret, int fd)
{
	struct pprof_writer *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->hash_a = hash_key_random();
	w->hash_b = hash_key_random();
	r = gzip_stream__new(&w->gzip, fd);
	if (r < 0) {
		pprof_writer__free(w);
		return r;
	}
	*ret = w;
	return 0;
}

struct pprof_writer *pprof_writer__free(struct pprof_writer *w)
{
	if (!w)
		return NULL;
	gzip_stream__free(w->gzip);
	hindex__fini(&w->string_index);
	hindex__fini(&w->function_index);
	free(w->strings);
	free(w->functions);
	free(w->packed);
	free(w->lines);
	free(w->labels);
	free(w->parts);
	free(w);
	return NULL;
}

/* Notes the first error. Returns whether writing goes on. */
static bool keep_going(struct pprof_writer *w, int r)
{
	if (r < 0 && !w->error)
		w->error = r;
	return !w->error;
}

static bool reserve(struct pprof_writer *w, void *array, size_t *cap, size_t want, size_t size)
{
	return keep_going(w, array_reserve(array, cap, want, size));
}

/* ---- bytes out ---------------------------------------------------------------------------------
 */

static void emit_field(struct pprof_writer *w, enum profile_field field, const void *p, size_t n)
{
	uint8_t head[1 + 10];
	size_t n_head = 0;
	uint64_t rest = n;

	if (w->error)
		return;
	head[n_head++] = (uint8_t)(field << 3 | WIRE_TYPE_BYTES);
	for (; rest >= 0x80; rest >>= 7)
		head[n_head++] = (uint8_t)(rest | 0x80);
	head[n_head++] = (uint8_t)rest;
	if (keep_going(w, gzip_stream__write(w->gzip, head, n_head)))
		keep_going(w, gzip_stream__write(w->gzip, p, n));
}

/* Packs MESSAGE into w->packed. Returns false after an error. */
static bool pack(struct pprof_writer *w, const ProtobufCMessage *message, size_t *ret_n)
{
	size_t n = protobuf_c_message_get_packed_size(message);

	if (!reserve(w, &w->packed, &w->cap_packed, n, 1))
		return false;
	*ret_n = protobuf_c_message_pack(message, w->packed);
	return true;
}

static void emit_message(struct pprof_writer *w, enum profile_field field,
			 const ProtobufCMessage *message)
{
	size_t n;

	if (!w->error && pack(w, message, &n))
		emit_field(w, field, w->packed, n);
}

/* ---- strings -----------------------------------------------------------------------------------
 */

/* The index of S in the string table, which is written there if it is new. 0 after an error. */
static uint32_t string_index(struct pprof_writer *w, const char *s)
{
	char text[TEXT_MAX + 1];
	size_t n = text_escape(text, sizeof(text), s, strlen(s));
	struct string_key key;
	struct hindex_iter it;
	uint32_t i;

	if (w->error)
		return 0;
	key.a = hash_bytes(&w->hash_a, text, n);
	key.b = hash_bytes(&w->hash_b, text, n);
	for (it = hindex__find(&w->string_index, key.a); hindex_iter__next(&it, &i);)
		if (w->strings[i].a == key.a && w->strings[i].b == key.b)
			return i;
	if (w->n_strings >= UINT32_MAX - 1) {
		keep_going(w, -EOVERFLOW);
		return 0;
	}
	i = (uint32_t)w->n_strings;
	if (!reserve(w, &w->strings, &w->cap_strings, w->n_strings + 1, sizeof(*w->strings)) ||
	    !keep_going(w, hindex__add(&w->string_index, key.a, i)))
		return 0;
	w->strings[w->n_strings++] = key;
	emit_field(w, FIELD_STRING_TABLE, text, n);
	return i;
}

/* ---- the profile -------------------------------------------------------------------------------
 */

static Perftools__Profiles__ValueType value_type(struct pprof_writer *w, const char *type,
						 const char *unit)
{
	Perftools__Profiles__ValueType v = PERFTOOLS__PROFILES__VALUE_TYPE__INIT;

	v.type = string_index(w, type);
	v.unit = string_index(w, unit);
	return v;
}

void pprof_writer__header(struct pprof_writer *w, const struct pprof_header *header)
{
	/* A Profile of the single fields alone; the repeated ones follow, each when it is known. */
	Perftools__Profiles__Profile profile = PERFTOOLS__PROFILES__PROFILE__INIT;
	Perftools__Profiles__ValueType count, cpu, *types[] = {&count, &cpu};
	cleanup_free int64_t *comments = calloc(header->n_comments + 1, sizeof(*comments));
	size_t n;

	assert(header->time_ns && header->duration_ns && header->period_ns);
	assert(w->n_strings == 0 || w->error);
	if (!keep_going(w, comments ? 0 : -ENOMEM))
		return;
	w->period_ns = header->period_ns;
	string_index(w, "");
	count = value_type(w, "samples", "count");
	cpu = value_type(w, "cpu", "nanoseconds");
	for (size_t i = 0; i < header->n_comments; i++)
		comments[i] = string_index(w, header->comments[i]);
	profile.n_sample_type = ARRAY_SIZE(types);
	profile.sample_type = types;
	profile.period_type = &cpu;
	profile.period = (int64_t)header->period_ns;
	profile.time_nanos = (int64_t)header->time_ns;
	profile.duration_nanos = (int64_t)header->duration_ns;
	profile.n_comment = header->n_comments;
	profile.comment = comments;
	if (!w->error && pack(w, &profile.base, &n))
		keep_going(w, gzip_stream__write(w->gzip, w->packed, n));
}

uint64_t pprof_writer__mapping(struct pprof_writer *w, const struct pprof_mapping *mapping)
{
	Perftools__Profiles__Mapping m = PERFTOOLS__PROFILES__MAPPING__INIT;

	assert(w->n_strings || w->error);
	m.id = w->n_mappings + 1;
	m.memory_start = mapping->start;
	m.memory_limit = mapping->limit;
	m.file_offset = mapping->offset;
	m.filename = string_index(w, mapping->filename);
	m.build_id = string_index(w, mapping->build_id);
	m.has_functions = true;
	m.has_filenames = true;
	m.has_line_numbers = true;
	m.has_inline_frames = true;
	emit_message(w, FIELD_MAPPING, &m.base);
	if (w->error)
		return 0;
	return ++w->n_mappings;
}

static uint64_t function_hash(const struct pprof_writer *w, const struct function_key *key)
{
	return hash_bytes(&w->hash_a, key, sizeof(*key));
}

/* The id of an equal function that is written already, or 0. */
static uint64_t find_function(const struct pprof_writer *w, const struct function_key *key,
			      uint64_t hash)
{
	struct hindex_iter it;
	uint32_t i;

	for (it = hindex__find(&w->function_index, hash); hindex_iter__next(&it, &i);)
		if (!memcmp(&w->functions[i], key, sizeof(*key)))
			return (uint64_t)i + 1;
	return 0;
}

uint64_t pprof_writer__function(struct pprof_writer *w, const struct pprof_function *function)
{
	Perftools__Profiles__Function f = PERFTOOLS__PROFILES__FUNCTION__INIT;
	const char *system_name = *function->system_name ? function->system_name : function->name;
	struct function_key key;
	uint64_t hash, id;

	assert(w->n_strings || w->error);
	key.name = string_index(w, function->name);
	key.system_name = string_index(w, system_name);
	key.filename = string_index(w, function->filename);
	key.start_line = function->start_line;
	if (w->error)
		return 0;
	hash = function_hash(w, &key);
	id = find_function(w, &key, hash);
	if (id)
		return id;
	id = w->n_functions + 1;
	if (!keep_going(w, id < UINT32_MAX ? 0 : -EOVERFLOW) ||
	    !reserve(w, &w->functions, &w->cap_functions, id, sizeof(*w->functions)) ||
	    !keep_going(w, hindex__add(&w->function_index, hash, (uint32_t)w->n_functions)))
		return 0;
	w->functions[w->n_functions++] = key;
	f.id = id;
	f.name = key.name;
	f.system_name = key.system_name;
	f.filename = key.filename;
	f.start_line = key.start_line;
	emit_message(w, FIELD_FUNCTION, &f.base);
	return w->error ? 0 : id;
}

uint64_t pprof_writer__location(struct pprof_writer *w, uint64_t mapping_id, uint64_t address,
				const struct pprof_line *lines, size_t n_lines)
{
	Perftools__Profiles__Location l = PERFTOOLS__PROFILES__LOCATION__INIT;

	if (w->error)
		return 0;
	assert(n_lines >= 1 && mapping_id <= w->n_mappings);
	if (!reserve(w, &w->lines, &w->cap_lines, n_lines, sizeof(*w->lines)) ||
	    !reserve(w, &w->parts, &w->cap_parts, n_lines, sizeof(*w->parts)))
		return 0;
	for (size_t i = 0; i < n_lines; i++) {
		assert(lines[i].function_id >= 1 && lines[i].function_id <= w->n_functions);
		perftools__profiles__line__init(&w->lines[i]);
		w->lines[i].function_id = lines[i].function_id;
		w->lines[i].line = lines[i].line;
		w->parts[i] = &w->lines[i];
	}
	l.id = w->n_locations + 1;
	l.mapping_id = mapping_id;
	l.address = address;
	l.n_line = n_lines;
	l.line = (Perftools__Profiles__Line **)w->parts;
	emit_message(w, FIELD_LOCATION, &l.base);
	if (w->error)
		return 0;
	return ++w->n_locations;
}

/* Turns LABELS into w->labels and w->parts. Returns how many there are to write. */
static size_t convert_labels(struct pprof_writer *w, const struct pprof_label *labels, size_t n)
{
	size_t n_out = 0;

	if (!reserve(w, &w->labels, &w->cap_labels, n, sizeof(*w->labels)) ||
	    !reserve(w, &w->parts, &w->cap_parts, n, sizeof(*w->parts)))
		return 0;
	for (size_t i = 0; i < n; i++) {
		Perftools__Profiles__Label *out = &w->labels[n_out];

		if (labels[i].str && !*labels[i].str)
			continue;
		perftools__profiles__label__init(out);
		out->key = string_index(w, labels[i].key);
		if (labels[i].str) {
			out->str = string_index(w, labels[i].str);
		} else {
			assert(labels[i].unit && *labels[i].unit);
			out->num = labels[i].num;
			out->num_unit = string_index(w, labels[i].unit);
		}
		w->parts[n_out++] = out;
	}
	return n_out;
}

void pprof_writer__sample(struct pprof_writer *w, const uint64_t *location_ids, size_t n_locations,
			  uint64_t count, const struct pprof_label *labels, size_t n_labels)
{
	Perftools__Profiles__Sample s = PERFTOOLS__PROFILES__SAMPLE__INIT;
	int64_t values[] = {(int64_t)count, (int64_t)(count * w->period_ns)};

	if (w->error)
		return;
	assert(n_locations >= 1);
	for (size_t i = 0; i < n_locations; i++)
		assert(location_ids[i] >= 1 && location_ids[i] <= w->n_locations);
	s.n_label = convert_labels(w, labels, n_labels);
	s.label = (Perftools__Profiles__Label **)w->parts;
	s.n_location_id = n_locations;
	s.location_id = (uint64_t *)location_ids; /* only read */
	s.n_value = ARRAY_SIZE(values);
	s.value = values;
	emit_message(w, FIELD_SAMPLE, &s.base);
}

int pprof_writer__finish(struct pprof_writer *w, uint64_t *ret_bytes)
{
	assert(w->n_strings || w->error);
	if (!w->error)
		keep_going(w, gzip_stream__finish(w->gzip, ret_bytes));
	return w->error;
}
