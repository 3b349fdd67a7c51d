/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Go programs: the input makes up functions (name, flags, depths, code), of which a right table is
 * made, and then changes bytes of the table. Whatever comes of it, functions have a start before
 * their end, runs ascend, and the unwind table can be laid out.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/util.h"
#include "symbolizer/go_frames.h"
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

static void take_function(struct input *in, struct go_function *f, char pcsp[32])
{
	static const char *const names[] = {
	    "main.f",	      "runtime.mcall",	   "runtime.systemstack", "gogo",
	    "runtime.goexit", "runtime.nanotime1", "runtime.sigreturn",	  "crosscall2",
	};
	const char *bytes;
	size_t n;

	f->name = names[take(in) % ARRAY_SIZE(names)];
	f->flags = take(in);
	bytes = take_bytes(in, 31, &n);
	memcpy(pcsp, bytes, n);
	pcsp[n] = '\0';
	f->pcsp = pcsp;
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
	char pcsp[N_FUNCTIONS][32];
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
		take_function(&in, &functions[i], pcsp[i]);
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
	unwind(file);
	elf_file__close(file);
	close(fd);
	return 0;
}
