/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/kernel_namer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/kallsyms.h"
#include "daemon/collector/kernel_modules.h"
#include "daemon/collector/ksymbols.h"

/* A line of /proc/modules has 60 bytes, and the names of the modules that use it. */
#define MODULES_BYTES_MAX (1u << 20)

struct kernel_namer {
	struct names *names;	   /* borrowed */
	struct kallsyms *kallsyms; /* NULL = not read, or hidden */
	const char *hidden;
	struct ksymbols *ksymbols;
	atomic_bool stale;
	uint64_t modules_id; /* which modules there were when it was read */
	uint64_t generation; /* keeps names of an older kallsyms apart */
	struct kernel_range *ranges;
	size_t n_ranges, cap_ranges;
};

DEFINE_CLEANUP(struct kernel_namer *, kernel_namer__free);

int kernel_namer__new(struct kernel_namer **ret, struct names *names)
{
	_cleanup_(kernel_namer__freep) struct kernel_namer *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return -ENOMEM;
	k->names = names;
	atomic_init(&k->stale, true);
	r = ksymbols__new(&k->ksymbols);
	if (r < 0)
		return r;
	*ret = steal_ptr(k);
	return 0;
}

struct kernel_namer *kernel_namer__free(struct kernel_namer *k)
{
	if (!k)
		return NULL;
	kallsyms__free(k->kallsyms);
	ksymbols__free(k->ksymbols);
	free(k->ranges);
	free(k);
	return NULL;
}

int kernel_namer__changed(struct kernel_namer *k, const struct sideband_event *event)
{
	atomic_store(&k->stale, true);
	if (!event->bpf_program)
		return 0;
	return ksymbols__add(k->ksymbols, event->start, event->len, event->bpf_program);
}

const struct kernel_range *kernel_namer__ranges(const struct kernel_namer *k, size_t *ret_n)
{
	*ret_n = k->n_ranges;
	return k->ranges;
}

const char *kernel_namer__hidden(const struct kernel_namer *k)
{
	return k->hidden;
}

/* Who hides the kernel's addresses (kallsyms_show_value() in kernel/ksyms_common.c). */
static const char *why_hidden(void)
{
	cleanup_free char *text = NULL;

	if (read_text_file(AT_FDCWD, "/proc/sys/kernel/kptr_restrict", 64, &text, NULL) == 0 &&
	    text[0] == '2')
		return "kernel.kptr_restrict is 2: set it to 1 or less";
	return "CAP_SYSLOG is missing";
}

/* The text of /proc/modules, which no event tells of; empty for a kernel that takes none. */
static int read_modules(char **ret)
{
	int r = read_text_file(AT_FDCWD, "/proc/modules", MODULES_BYTES_MAX, ret, NULL);

	if (r == 0 || r == -ENOMEM)
		return r;
	*ret = strdup("");
	return *ret ? 0 : -ENOMEM;
}

static int load_symbols(struct kernel_namer *k)
{
	cleanup_free char *modules = NULL;
	cleanup_close int fd = -1;
	uint64_t modules_id;
	int r = read_modules(&modules);

	if (r < 0)
		return r;
	modules_id = kernel_modules_id(modules);
	if (!atomic_exchange(&k->stale, false) && modules_id == k->modules_id)
		return 0;
	k->modules_id = modules_id;
	k->kallsyms = kallsyms__free(k->kallsyms);
	k->generation++;
	k->hidden = NULL;
	fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	r = fd < 0 ? -errno : kallsyms__new(&k->kallsyms, fd);
	if (r == 0)
		r = kallsyms__set_modules(k->kallsyms, modules);
	if (r == -ENOMEM)
		return r;
	if (r == KALLSYMS_HIDDEN)
		k->hidden = why_hidden();
	else if (r != 0)
		k->hidden = "/proc/kallsyms cannot be read";
	return 0;
}

int kernel_namer__begin(struct kernel_namer *k)
{
	k->n_ranges = 0;
	return load_symbols(k);
}

/* The range called NAME, made or widened so that [START, END) lies in it. */
static int find_range(struct kernel_namer *k, const char *name, uint64_t start, uint64_t end,
		      uint32_t *ret)
{
	struct kernel_range *range;
	int r;

	for (*ret = 0; *ret < k->n_ranges; (*ret)++) {
		range = &k->ranges[*ret];
		if (!strcmp(range->name, name)) {
			range->start = MIN(range->start, start);
			range->end = MAX(range->end, end);
			return 0;
		}
	}
	r = array_reserve(&k->ranges, &k->cap_ranges, k->n_ranges + 1, sizeof(*k->ranges));
	if (r < 0)
		return r;
	range = &k->ranges[k->n_ranges++];
	*range = (struct kernel_range){.start = start, .end = end};
	snprintf(range->name, sizeof(range->name), "%s", name);
	return 0;
}

/*
 * "bpf_prog_6deef7357e7b4530_on_sample" is called "bpf_prog_on_sample": the tag in between is a
 * hash of the code, which says nothing to a reader and splits a program's history at each change.
 */
static int chain_of(struct kernel_namer *k, const char *symbol, const char *module, uint32_t *ret)
{
	static const char prefix[] = "bpf_prog_";
	const size_t n_prefix = sizeof(prefix) - 1, n_tag = 16;
	const char *tag = symbol + n_prefix;
	struct names_line line = {0};
	char name[LINE_MAX];
	int r;

	if (strcmp(module, "bpf") || strncmp(symbol, prefix, n_prefix) ||
	    strspn(tag, "0123456789abcdef") != n_tag || tag[n_tag] != '_' || !tag[n_tag + 1])
		return names__plain(k->names, symbol, NAME_KALLSYMS, ret);
	snprintf(name, sizeof(name), "%s%s", prefix, tag + n_tag + 1);
	r = names__function(k->names, name, symbol, "", 0, &line.function);
	return r < 0 ? r : names__chain(k->names, &line, 1, NAME_KALLSYMS, ret);
}

/* What /proc/kallsyms does not know: a BPF program that is gone, or hidden like all else. */
static int name_unknown(struct kernel_namer *k, uint64_t addr, uint32_t *ret_chain,
			uint32_t *ret_range)
{
	/* There is one "[kernel…" in a profile: what the kernel itself consists of. */
	const char *range = k->kallsyms ? "[unknown kernel code]" : "[kernel]";
	uint64_t page = addr & ~0xfffull;
	struct ksymbol gone;
	int r;

	if (ksymbols__find(k->ksymbols, addr, &gone)) {
		r = find_range(k, "[bpf]", gone.start, gone.end, ret_range);
		return r < 0 ? r : chain_of(k, gone.name, "bpf", ret_chain);
	}
	r = find_range(k, range, page, page + 4096, ret_range);
	return r < 0 ? r : names__plain(k->names, "[kernel]", NAME_NONE, ret_chain);
}

int kernel_namer__name(struct kernel_namer *k, uint64_t addr, uint32_t *ret_chain,
		       uint32_t *ret_range)
{
	uint64_t serial = UINT64_MAX - k->generation, start, end;
	struct kallsyms_symbol sym;
	char range[64];
	int r;

	if (!k->kallsyms || kallsyms__find(k->kallsyms, addr, &sym) != 0)
		return name_unknown(k, addr, ret_chain, ret_range);
	if (!sym.module[0]) {
		if (kallsyms__text(k->kallsyms, &start, &end) != 0 || addr < start || addr >= end) {
			start = sym.start;
			end = sym.end;
		}
		r = find_range(k, "[kernel.kallsyms]", start, end, ret_range);
	} else {
		snprintf(range, sizeof(range), "[%.60s]", sym.module);
		r = find_range(k, range, sym.start, sym.end, ret_range);
	}
	if (r < 0)
		return r;
	*ret_chain = names__find(k->names, serial, addr);
	if (*ret_chain != NAMES_NONE)
		return 0;
	r = chain_of(k, sym.name, sym.module, ret_chain);
	return r < 0 ? r : names__remember(k->names, serial, addr, *ret_chain);
}
