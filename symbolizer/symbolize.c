/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/symbolize.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"
#include "symbolizer/answer.h"
#include "symbolizer/demangle.h"
#include "symbolizer/elf_file.h"
#include "symbolizer/fde_index.h"
#include "symbolizer/gnu_debugdata.h"
#include "symbolizer/go_names.h"
#include "symbolizer/plt.h"
#include "symbolizer/sweep.h"
#include "symbolizer/symtab.h"

/* The files of one request. */
struct files {
	struct elf_file *file;
	struct elf_file *debug; /* NULL = none that fits */
	struct elf_file *alt;	/* NULL = none that fits */
	struct elf_file *split; /* NULL = none */
	struct elf_file *mini;	/* .gnu_debugdata; NULL = none that can be used */
	int mini_fd;
	bool debug_ignored;
};

/* The addresses that lie in code, sorted by address, with their numbers in the request. */
struct queries {
	uint64_t *vaddrs;
	uint32_t *addrs;
	struct sweep_line *lines;
	size_t n;
};

DEFINE_CLEANUP(struct elf_file *, elf_file__close);
DEFINE_CLEANUP(struct answer *, answer__free);
DEFINE_CLEANUP(struct symtab *, symtab__free);
DEFINE_CLEANUP(struct plt *, plt__free);
DEFINE_CLEANUP(struct gopclntab *, gopclntab__close);

int symbolize_identify(int fd, struct msg_identity *ret)
{
	_cleanup_(elf_file__closep) struct elf_file *file = NULL;
	struct msg_identity id = {0};
	int r = elf_file__open(&file, fd);

	if (r < 0)
		return r;
	id.build_id = *elf_file__build_id(file);
	id.has_dwarf = elf_file__has_dwarf(file);
	elf_file__debuglink(file, id.debuglink, &id.debuglink_crc);
	elf_file__altlink(file, id.alt_path, &id.alt_build_id);
	*ret = id;
	return 0;
}

static void files__fini(struct files *files)
{
	elf_file__close(files->file);
	elf_file__close(files->debug);
	elf_file__close(files->alt);
	elf_file__close(files->split);
	elf_file__close(files->mini);
	close_fd(files->mini_fd);
}

/* True where DEBUG is the debug information of the file: the build ids say so, or the CRC if there
 * are none. */
static bool debug_fits(const struct files *files, const struct elf_file *debug)
{
	const struct elf_file *file = files->file;
	const struct msg_build_id *id = elf_file__build_id(file);
	const struct msg_build_id *debug_id = elf_file__build_id(debug);
	uint32_t want, crc;
	char name[256];

	if (id->size || debug_id->size)
		return build_id_equal(id, debug_id);
	return elf_file__debuglink(file, name, &want) && elf_file__crc(debug, &crc) == 0 &&
	       crc == want;
}

static bool is_linked_to(const struct elf_file *source, const struct elf_file *alt)
{
	struct msg_build_id want;
	char path[1024];

	return source && elf_file__altlink(source, path, &want) &&
	       build_id_equal(&want, elf_file__build_id(alt));
}

static bool alt_fits(const struct files *files, const struct elf_file *alt)
{
	return is_linked_to(files->file, alt) || is_linked_to(files->debug, alt);
}

/* Its units have numbers, which are held against those of the skeletons when both are read. */
static bool split_fits(const struct files *files, const struct elf_file *split)
{
	return elf_file__section(split, ".debug_info.dwo") != NULL;
}

/* The file whose DWARF serves; NULL where there is none. */
static struct elf_file *dwarf_source(const struct files *files)
{
	if (elf_file__has_dwarf(files->file))
		return files->file;
	if (files->debug && elf_file__has_dwarf(files->debug))
		return files->debug;
	return NULL;
}

/* Opens a file beside the one that is asked about, FD, -1 = none. One that cannot be used, or that
 * FITS says is another's, is NULL, and said to be ignored. 0 or -ENOMEM. */
static int open_beside(struct files *files, int fd,
		       bool (*fits)(const struct files *files, const struct elf_file *beside),
		       struct elf_file **ret)
{
	int r;

	if (fd < 0)
		return 0;
	r = elf_file__open(ret, fd);
	if (r == -ENOMEM)
		return r;
	if (r < 0 || !fits(files, *ret)) {
		*ret = elf_file__close(*ret);
		files->debug_ignored = true;
	}
	return 0;
}

static int open_files(struct files *files, const struct symbolize_fds *fds)
{
	int r = elf_file__open(&files->file, fds->file);

	if (r == 0)
		r = open_beside(files, fds->debug, debug_fits, &files->debug);
	if (r == 0)
		r = open_beside(files, fds->alt, alt_fits, &files->alt);
	if (r == 0)
		r = open_beside(files, fds->split, split_fits, &files->split);
	return r;
}

static void queries__fini(struct queries *q)
{
	free(q->vaddrs);
	free(q->addrs);
	free(q->lines);
}

struct placed {
	uint64_t vaddr;
	uint32_t addr;
};

static int compare_placed(const void *pa, const void *pb)
{
	const struct placed *a = pa, *b = pb;

	if (a->vaddr != b->vaddr)
		return a->vaddr < b->vaddr ? -1 : 1;
	return (a->addr > b->addr) - (a->addr < b->addr);
}

/* Places the offsets in the address space of FILE; those outside of code keep their offset. */
static int queries__init(struct queries *q, const struct elf_file *file, const uint64_t *offs,
			 uint32_t n, struct answer *answer)
{
	cleanup_free struct placed *placed = calloc((size_t)n + 1, sizeof(*placed));

	q->vaddrs = calloc((size_t)n + 1, sizeof(*q->vaddrs));
	q->addrs = calloc((size_t)n + 1, sizeof(*q->addrs));
	q->lines = calloc((size_t)n + 1, sizeof(*q->lines));
	if (!placed || !q->vaddrs || !q->addrs || !q->lines)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		struct placed *p = &placed[q->n];

		answer__set_vaddr(answer, i, offs[i]);
		if (!elf_file__vaddr_of(file, offs[i], &p->vaddr))
			continue;
		answer__set_vaddr(answer, i, p->vaddr);
		p->addr = i;
		q->n++;
	}
	qsort(placed, q->n, sizeof(*placed), compare_placed);
	for (size_t i = 0; i < q->n; i++) {
		q->vaddrs[i] = placed[i].vaddr;
		q->addrs[i] = placed[i].addr;
	}
	return 0;
}

/* Opens what the linker's distribution has put into .gnu_debugdata, NULL where there is nothing. */
static int open_mini(struct files *files, struct limits *limits)
{
	int r = gnu_debugdata_inflate(files->file, limits, &files->mini_fd);

	if (r)
		return r == -ENOMEM ? r : 0;
	r = elf_file__open(&files->mini, files->mini_fd);
	return r == -ENOMEM ? r : 0;
}

static int load_symtab(struct symtab *symtab, const struct files *files, struct limits *limits)
{
	int r = symtab__add(symtab, files->file, ".symtab", limits);

	if (r == 0 && files->debug)
		r = symtab__add(symtab, files->debug, ".symtab", limits);
	if (r == 0 && files->mini)
		r = symtab__add(symtab, files->mini, ".symtab", limits);
	if (r == 0)
		r = symtab__add(symtab, files->file, ".dynsym", limits);
	if (r == 0)
		symtab__sort(symtab);
	return r;
}

/* The DWARF of a request. */
struct dwarf_files {
	struct dwarf_file *main, *alt, *split; /* alt, split: NULL = none */
};

static void dwarf_files__fini(struct dwarf_files *d)
{
	dwarf_file__close(d->main);
	dwarf_file__close(d->alt);
	dwarf_file__close(d->split);
}

static int open_dwarf(struct dwarf_files *d, struct files *files, const struct elf_file *source,
		      struct limits *limits)
{
	int r = dwarf_file__open(&d->main, source, limits);

	if (r == 0 && files->alt)
		r = dwarf_file__open(&d->alt, files->alt, limits);
	if (r == 0 && files->split)
		r = dwarf_file__open_split(&d->split, files->split, limits);
	if (r < 0)
		return r;
	dwarf_file__set_alt(d->main, d->alt);
	if (!d->split)
		return 0;
	r = dwarf_file__join(d->main, d->split);
	files->debug_ignored |= r == 0;
	return MIN(r, 0);
}

/* Names what the DWARF of SOURCE can name. */
static int name_from_dwarf(struct files *files, const struct elf_file *source, struct queries *q,
			   const struct symtab *symtab, struct answer *answer,
			   struct limits *limits)
{
	_cleanup_(dwarf_files__fini) struct dwarf_files dwarf = {0};
	int r = open_dwarf(&dwarf, files, source, limits);

	if (r < 0)
		return r;
	return sweep_run(&(struct sweep){
	    .dwarf = dwarf.main,
	    .vaddrs = q->vaddrs,
	    .addrs = q->addrs,
	    .n = q->n,
	    .symtab = symtab,
	    .answer = answer,
	    .limits = limits,
	    .lines = q->lines,
	});
}

/* Takes the addresses that have a name out of Q, which has no lines yet. */
static void drop_named(struct queries *q, const struct answer *answer)
{
	size_t n = 0;

	for (size_t i = 0; i < q->n; i++) {
		if (answer__is_named(answer, q->addrs[i]))
			continue;
		q->vaddrs[n] = q->vaddrs[i];
		q->addrs[n++] = q->addrs[i];
	}
	q->n = n;
}

/* Finds Go's table, if FILE has one that tells of inlined calls too (*RET_WHOLE) or not. */
static int open_go(struct gopclntab **ret, bool *ret_whole, const struct elf_file *file)
{
	int r = gopclntab__open(ret, file);

	if (r == GOPCLNTAB_OK) {
		r = gopclntab__find_inlined(*ret);
		*ret_whole = r == GOPCLNTAB_OK;
	}
	return r == -ENOMEM ? r : 0;
}

static int name_from_go(struct gopclntab *tab, struct queries *q, struct answer *answer,
			struct limits *limits)
{
	return go_names_run(&(struct go_names){
	    .tab = tab,
	    .vaddrs = q->vaddrs,
	    .addrs = q->addrs,
	    .n = q->n,
	    .answer = answer,
	    .limits = limits,
	});
}

/*
 * The symbol for code at VADDR, or NULL. Nobody has called what a signal handler returns to, or
 * the first function of a made stack: such a return address is a function's first, and we ask for
 * the byte before.
 */
static const char *find_symbol(const struct symtab *symtab, uint64_t vaddr)
{
	const char *symbol = symtab__find(symtab, vaddr, NULL);
	uint64_t start;

	if (symbol)
		return symbol;
	symbol = symtab__find(symtab, vaddr + 1, &start);
	return symbol && start == vaddr + 1 ? symbol : NULL;
}

/* Names what is left from the symbols, with the line where DWARF had one. */
static int name_from_symbols(const struct queries *q, const struct symtab *symtab,
			     struct answer *answer)
{
	for (size_t i = 0; i < q->n; i++) {
		struct answer_frame frame = {
		    .function.filename = q->lines[i].file,
		    .line = q->lines[i].line,
		};
		const char *symbol;
		size_t n;
		int r;

		if (answer__is_named(answer, q->addrs[i]))
			continue;
		symbol = find_symbol(symtab, q->vaddrs[i]);
		if (!symbol)
			continue;
		n = symbol_name_length(symbol);
		r = answer__names(answer, symbol, linkage_name_length(symbol, n),
				  &frame.function.system_name, &frame.function.name);
		if (r == 0)
			r = answer__set_frames(answer, q->addrs[i], SYMBOL_SOURCE_SYMTAB, &frame,
					       1);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Gives ADDR the name of SYMBOL's stub: "f(int)@plt". */
static int name_stub(struct answer *answer, uint32_t addr, const char *symbol)
{
	char text[TEXT_MAX + 1];
	struct answer_frame frame = {0};
	uint32_t system_name, name;
	int n, r;

	r = answer__names(answer, symbol, symbol_name_length(symbol), &system_name, &name);
	for (int i = 0; r == 0 && i < 2; i++) {
		n = snprintf(text, sizeof(text), "%.*s@plt", TEXT_MAX - 4,
			     answer__text(answer, i ? system_name : name));
		r = answer__string(answer, text, (size_t)n,
				   i ? &frame.function.system_name : &frame.function.name);
	}
	return r < 0 ? r : answer__set_frames(answer, addr, SYMBOL_SOURCE_SYMTAB, &frame, 1);
}

static int name_stubs(const struct queries *q, const struct elf_file *file, struct answer *answer,
		      struct limits *limits)
{
	_cleanup_(plt__freep) struct plt *plt = NULL;

	for (size_t i = 0; i < q->n; i++) {
		const char *symbol;
		int r = 0;

		if (answer__is_named(answer, q->addrs[i]))
			continue;
		if (!plt)
			r = plt__new(&plt, file, limits);
		symbol = r == 0 ? plt__find(plt, q->vaddrs[i]) : NULL;
		if (symbol)
			r = name_stub(answer, q->addrs[i], symbol);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Says which addresses without a name are of one function. */
static void find_functions(const struct queries *q, const struct elf_file *file,
			   struct answer *answer)
{
	struct fde_index index;

	fde_index__init(&index, file);
	for (size_t i = 0; i < q->n; i++) {
		uint64_t start;

		if (!answer__is_named(answer, q->addrs[i]) &&
		    fde_index__find(&index, q->vaddrs[i], &start))
			answer__set_function(answer, q->addrs[i], start);
	}
}

int symbolize_offsets(const struct symbolize_fds *fds, const uint64_t *offs, uint32_t n, void **ret,
		      size_t *ret_n, struct limits *ret_limits)
{
	/* In this order, since what is released last must outlive the rest. */
	_cleanup_(files__fini) struct files files = {.mini_fd = -1};
	_cleanup_(symtab__freep) struct symtab *symtab = NULL;
	_cleanup_(gopclntab__closep) struct gopclntab *go = NULL;
	_cleanup_(answer__freep) struct answer *answer = NULL;
	_cleanup_(queries__fini) struct queries queries = {0};
	struct elf_file *source;
	bool go_is_whole = false;
	int r;

	for (uint32_t i = 1; i < n; i++)
		if (offs[i] <= offs[i - 1])
			return -EINVAL;
	limits__init(ret_limits, n);
	r = open_files(&files, fds);
	if (r == 0)
		r = open_mini(&files, ret_limits);
	if (r == 0)
		r = open_go(&go, &go_is_whole, files.file);
	/* What Go's table leaves unnamed is not Go's, and may be C++. */
	if (r == 0)
		r = answer__new(&answer, n, elf_file__is_go(files.file) && !go_is_whole,
				ret_limits);
	if (r == 0)
		r = queries__init(&queries, files.file, offs, n, answer);
	if (r == 0)
		r = symtab__new(&symtab);
	if (r == 0)
		r = load_symtab(symtab, &files, ret_limits);
	/* Go's own table knows more of Go's code than its DWARF, unless inlined calls are lost. */
	if (r == 0 && go_is_whole)
		r = name_from_go(go, &queries, answer, ret_limits);
	if (r < 0)
		return r;
	drop_named(&queries, answer);
	source = dwarf_source(&files);
	if (source && queries.n)
		r = name_from_dwarf(&files, source, &queries, symtab, answer, ret_limits);
	if (r == 0 && go && !go_is_whole)
		r = name_from_go(go, &queries, answer, ret_limits);
	if (r == 0)
		r = name_from_symbols(&queries, symtab, answer);
	if (r == 0)
		r = name_stubs(&queries, files.file, answer, ret_limits);
	if (r == 0) {
		find_functions(&queries, files.file, answer);
		r = answer__encode(answer, files.debug_ignored, ret, ret_n);
	}
	return r;
}
