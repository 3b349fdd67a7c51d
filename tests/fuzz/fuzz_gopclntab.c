/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go programs: the input makes up functions (name, flags, depths, places, inlined calls, code), of
 * which a right table is made, and then changes bytes of the table. Whatever comes of it, functions
 * have a start before their end, runs ascend, and the unwind table can be laid out.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/util.h"
#include "daemon/ipc/symbols.h"
#include "symbolizer/go_frames.h"
#include "symbolizer/go_names.h"
#include "symbolizer/gopclntab.h"
#include "tests/unit/go_image.h"

#define N_FUNCTIONS 8
#define N_RUNS 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *bytes;
	size_t n;
};

static uint8_t take(struct input *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->bytes++;
}

/* Up to MAX bytes, their number first. Borrowed from the input. */
static const char *take_bytes(struct input *in, size_t max, size_t *ret_n)
{
	size_t n = take(in);
	const char *bytes = (const char *)in->bytes;

	n = MIN(MIN(n, max), in->n);
	in->bytes += n;
	in->n -= n;
	*ret_n = n;
	return bytes;
}

/* A table of runs, kept in RUNS. */
static const char *take_runs(struct input *in, char runs[32])
{
	size_t n;
	const char *bytes = take_bytes(in, 31, &n);

	memcpy(runs, bytes, n);
	runs[n] = '\0';
	return n ? runs : NULL;
}

static void take_function(struct input *in, struct go_function *f, struct go_source *source,
			  char runs[4][32])
{
	static const char *const names[] = {
	    "main.f",	      "runtime.mcall",	   "runtime.systemstack", "gogo",
	    "runtime.goexit", "runtime.nanotime1", "runtime.sigreturn",	  "crosscall2",
	};

	f->name = names[take(in) % ARRAY_SIZE(names)];
	f->flags = take(in);
	f->pcsp = take_runs(in, runs[0]);
	source->files = take_runs(in, runs[1]);
	source->lines = take_runs(in, runs[2]);
	source->inline_index = take_runs(in, runs[3]);
	source->start_line = take(in);
	f->code = take_bytes(in, GO_FUNCTION_BYTES, &f->n_code);
}

static void walk(const struct elf_file *file)
{
	struct gopclntab *tab;

	if (gopclntab__open(&tab, file) != GOPCLNTAB_OK)
		return;
	for (size_t i = 0; i < MIN(gopclntab__n_functions(tab, NULL), 64u); i++) {
		struct gopclntab_function f;
		struct gopclntab_values it;
		struct gopclntab_run run;
		char name[16];
		uint64_t pc;

		if (gopclntab__function(tab, i, &f) != GOPCLNTAB_OK)
			continue;
		assert(f.start < f.end);
		pc = f.start;
		if (gopclntab__name(tab, &f, name, sizeof(name)) == GOPCLNTAB_OK)
			assert(memchr(name, '\0', sizeof(name)));
		gopclntab__values(tab, &f, f.pcsp, &it);
		for (int k = 0; k < N_RUNS && gopclntab_values__next(&it, &run) == GOPCLNTAB_OK;
		     k++) {
			assert(run.start == pc && run.end >= pc);
			pc = run.end;
		}
	}
	gopclntab__close(tab);
}

/* Names an address in each function, and those around its end. */
static void name(const struct elf_file *file, size_t n_functions)
{
	uint64_t vaddrs[N_FUNCTIONS * 4];
	uint32_t addrs[N_FUNCTIONS * 4];
	struct symbols_view view;
	struct gopclntab *tab;
	struct answer *answer;
	struct limits limits;
	size_t n = 0, n_payload;
	void *payload;
	int r;

	if (gopclntab__open(&tab, file) != GOPCLNTAB_OK)
		return;
	r = gopclntab__find_inlined(tab);
	assert(r >= 0);
	for (size_t i = 0; i < n_functions; i++)
		for (uint64_t k = 0; k < 4; k++, n++) {
			vaddrs[n] = GO_TEXT + i * GO_FUNCTION_BYTES + k * 3;
			addrs[n] = (uint32_t)n;
		}
	limits__init(&limits, n);
	r = answer__new(&answer, (uint32_t)n, true, &limits);
	assert(r == 0);
	r = go_names_run(&(struct go_names){tab, vaddrs, addrs, n, answer, &limits});
	assert(r == 0);
	r = answer__encode(answer, false, &payload, &n_payload);
	assert(r == 0);
	r = symbols_view__init(&view, payload, n_payload, (uint32_t)n);
	assert(r == 0);
	free(payload);
	answer__free(answer);
	gopclntab__close(tab);
}

static void unwind(const struct elf_file *file)
{
	struct unwind_line *lines = NULL;
	struct unwind_table *t;
	size_t n;
	int r;

	r = unwind_table__new(&t);
	assert(r == 0);
	r = go_frames_read(file, t);
	assert(r >= 0);
	r = unwind_table__layout(t, file, &lines, &n);
	assert(r == 0);
	free(lines);
	unwind_table__free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct go_image image;
	struct go_function functions[N_FUNCTIONS];
	struct input in = {data, size};
	char runs[N_FUNCTIONS][4][32];
	struct go_source sources[N_FUNCTIONS];
	struct go_inlined inlined[4];
	struct elf_file *file;
	uint8_t how = take(&in);
	int fd, r;

	image.layout = (enum go_layout)(how % 3);
	image.no_sections = how & 4;
	image.no_text = how & 8;
	image.functions = functions;
	image.relocated = how & 128;
	image.n = 1 + (how >> 4) % N_FUNCTIONS;
	for (size_t i = 0; i < image.n; i++)
		take_function(&in, &functions[i], &sources[i], runs[i]);
	image.sources = sources;
	image.inlined = inlined;
	image.n_inlined = take(&in) % 5;
	image.tree_behind = image.n_inlined & 1;
	for (size_t i = 0; i < image.n_inlined; i++)
		inlined[i] = (struct go_inlined){take(&in) % image.n, take(&in), take(&in)};
	go_image__fill(&image);
	while (in.n >= 3) {
		size_t at = take(&in);

		at |= (size_t)take(&in) << 8;
		image.table[at % image.n_table] = take(&in);
	}
	fd = go_image__fd(&image);
	r = elf_file__open(&file, fd);
	assert(r == 0);
	walk(file);
	name(file, image.n);
	unwind(file);
	elf_file__close(file);
	close(fd);
	return 0;
}
