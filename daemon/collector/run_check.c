/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cprofd check: what this kernel, these capabilities and settings allow, one line each, with the
 * remedy. The truth is found by trying: the same code that samples is loaded and run for a moment.
 */
#include "daemon/collector/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/kallsyms.h"
#include "daemon/collector/names_cache.h"
#include "daemon/collector/sampler.h"
#include "daemon/collector/sideband.h"
#include "daemon/collector/symbolizer_client.h"
#include "daemon/collector/table_cache.h"

enum check_state {
	CHECK_OK,
	CHECK_WEAKER, /* sampling works, with less */
	CHECK_FAILED, /* sampling does not work */
};

struct check {
	const char *name;
	enum check_state state;
	char text[OPTIONS_ERROR_SIZE];
};

#define CHECKS_MAX 12

struct checks {
	struct check all[CHECKS_MAX];
	size_t n;
};

__attribute__((format(printf, 4, 5))) static void add(struct checks *c, const char *name,
						      enum check_state state, const char *fmt, ...)
{
	struct check *check = &c->all[c->n++];
	va_list ap;

	check->name = name;
	check->state = state;
	va_start(ap, fmt);
	vsnprintf(check->text, sizeof(check->text), fmt, ap);
	va_end(ap);
}

static void check_kernel(struct checks *c)
{
	struct utsname uts = {0};

	uname(&uts);
	add(c, "kernel", CHECK_OK, "Linux %s %s", uts.release, uts.machine);
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		add(c, "btf", CHECK_OK, "type information is there");
	else
		add(c, "btf", CHECK_FAILED,
		    "/sys/kernel/btf/vmlinux is missing: the kernel needs CONFIG_DEBUG_INFO_BTF");
}

static void check_namespace(struct checks *c)
{
	char err[OPTIONS_ERROR_SIZE];

	if (run_check_namespace(err) < 0)
		add(c, "pid namespace", CHECK_FAILED, "%s", err);
	else
		add(c, "pid namespace", CHECK_OK, "the host's");
}

static int count_sample(void *ctx, const struct sample_record *record, size_t size)
{
	(void)record;
	(void)size;
	++*(uint64_t *)ctx;
	return 0;
}

/* Samples for a moment and looks whether every CPU ticked. */
static void check_ticks(struct checks *c, struct sampler *s)
{
	struct timespec moment = {.tv_nsec = 200000000};
	uint64_t n_samples = 0, n_ticks = 0;
	unsigned silent = 0;
	unsigned n_cpus = sampler__n_cpus(s);
	cleanup_free struct sampler_ticks *ticks = calloc(n_cpus, sizeof(*ticks));
	int r = ticks ? sampler__start(s) : -ENOMEM;

	nanosleep(&moment, NULL);
	if (r == 0)
		r = sampler__stop(s);
	if (r == 0)
		r = sampler__drain(s, count_sample, &n_samples);
	if (r >= 0)
		r = sampler__read_ticks(s, ticks);
	if (r < 0) {
		add(c, "samples", CHECK_FAILED, "%s", strerror(-r));
		return;
	}
	for (unsigned i = 0; i < n_cpus; i++) {
		n_ticks += ticks[i].kept + ticks[i].idle;
		silent += ticks[i].kept + ticks[i].idle == 0;
	}
	if (silent)
		add(c, "samples", CHECK_FAILED, "%u of %u CPUs gave no tick in 0.2 s", silent,
		    n_cpus);
	else
		add(c, "samples", CHECK_OK,
		    "%u CPUs, %" PRIu64 " ticks in 0.2 s, %" PRIu64 " of them in processes", n_cpus,
		    n_ticks, n_samples);
}

static void check_sampling(struct checks *c)
{
	struct sampler_options o = {
	    .frequency_hz = OPTIONS_ONESHOT_HZ, .kernel_stacks = true, .filter = FILTER_NONE};
	unsigned cpu = 0;
	struct sideband *sideband;
	struct sampler *s;
	char why[OPTIONS_ERROR_SIZE];

	if (sampler__new(&s, &o, why, sizeof(why)) < 0) {
		add(c, "sampling", CHECK_FAILED, "%s", why);
		return;
	}
	add(c, "sampling", CHECK_OK, "the BPF program is loaded and cpu-clock events are open");
	if (sampler__own_walker(s))
		add(c, "unwinding", CHECK_OK, "by unwind tables, in the kernel");
	else
		add(c, "unwinding", CHECK_WEAKER,
		    "by frame pointers only: this kernel has no bpf_loop, which came with 5.17");
	check_ticks(c, s);
	cpu = sampler__cpu(s, 0);
	sampler__free(s);
	if (sideband__new(&sideband, &cpu, 1, why, sizeof(why)) < 0) {
		add(c, "process events", CHECK_FAILED, "%s", why);
	} else {
		add(c, "process events", CHECK_OK, "starts, ends, names and mappings are told");
		sideband__free(sideband);
	}
	o.event = SAMPLER_EVENT_CYCLES;
	if (sampler__new(&s, &o, why, sizeof(why)) < 0) {
		add(c, "cycles", CHECK_WEAKER, "--event cycles will not work: %s", why);
	} else {
		add(c, "cycles", CHECK_OK, "the hardware counter works: --event cycles");
		sampler__free(s);
	}
}

/* Starts it, to see whether it gets into its sandbox. */
static void check_symbolizer(struct checks *c, const char *path)
{
	struct symbolizer_client *client = NULL;
	const char *trouble = NULL;
	bool has_landlock = false;
	int r = symbolizer_client__new(&client, path, NULL, NULL);

	if (r == 0) {
		r = symbolizer_client__probe(client, &has_landlock);
		trouble = symbolizer_client__trouble(client);
	}
	if (r < 0)
		add(c, "symbolizer", CHECK_WEAKER, "no names and no unwind tables: %s: %s", path,
		    trouble ? trouble : strerror(-r));
	else if (has_landlock)
		add(c, "symbolizer", CHECK_OK, "%s, held by seccomp and Landlock", path);
	else
		add(c, "symbolizer", CHECK_WEAKER,
		    "%s, held by seccomp alone: this kernel has no Landlock", path);
	symbolizer_client__free(client);
}

static void check_names(struct checks *c)
{
	cleanup_close int fd = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
	struct kallsyms *ks = NULL;
	char path[4096];
	int r = fd < 0 ? -errno : kallsyms__new(&ks, fd);

	if (r == 0)
		add(c, "kernel names", CHECK_OK, "%zu symbols", kallsyms__stats(ks).n_symbols);
	else if (r == KALLSYMS_HIDDEN)
		add(c, "kernel names", CHECK_WEAKER,
		    "hidden: set kernel.kptr_restrict to 1 or less and run with CAP_SYSLOG");
	else
		add(c, "kernel names", CHECK_WEAKER, "/proc/kallsyms: %s", strerror(-r));
	kallsyms__free(ks);
	if (symbolizer_client_locate(path, sizeof(path)) < 0)
		add(c, "symbolizer", CHECK_FAILED,
		    "cprofd-symbolizer is neither beside cprofd nor in %s", CPROFD_LIBEXECDIR);
	else
		check_symbolizer(c, path);
}

static void add_cache(struct checks *c, const char *what, const char *path, int r, const char *lost)
{
	if (r == 0)
		add(c, what, CHECK_OK, "%s", path);
	else
		add(c, what, CHECK_WEAKER, "%s: %s: %s", lost, path,
		    r == -EPERM ? "not ours alone; it needs our user and mode 0700" : strerror(-r));
}

static void check_caches(struct checks *c)
{
	char path[PATH_MAX], program[PATH_MAX];
	struct table_cache *tables = NULL;
	struct names_cache *names = NULL;

	if (symbolizer_client_locate(program, sizeof(program)) < 0)
		return;
	table_cache_locate(path, sizeof(path));
	add_cache(c, "table cache", path, table_cache__new(&tables, path, program),
		  "unwind tables are made anew at each start");
	table_cache__free(tables);
	names_cache_locate(path, sizeof(path));
	add_cache(c, "name cache", path, names_cache__new(&names, path, program),
		  "names are looked up anew at each start");
	names_cache__free(names);
}

/* Prints TEXT as a JSON string; it holds no control characters but may hold quotes. */
static void print_json_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
	putchar('"');
}

static void print_json(const struct checks *c, bool works)
{
	static const char *const words[] = {"ok", "weaker", "failed"};

	printf("{\"version\": \"%s\", \"works\": %s, \"checks\": [", CPROFD_VERSION,
	       works ? "true" : "false");
	for (size_t i = 0; i < c->n; i++) {
		printf("%s\n  {\"name\": ", i ? "," : "");
		print_json_string(c->all[i].name);
		printf(", \"state\": \"%s\", \"text\": ", words[c->all[i].state]);
		print_json_string(c->all[i].text);
		printf("}");
	}
	printf("\n]}\n");
}

static void print_text(const struct checks *c, bool works)
{
	static const char *const words[] = {"ok", "--", "FAIL"};

	for (size_t i = 0; i < c->n; i++)
		printf("%-4s  %-15s %s\n", words[c->all[i].state], c->all[i].name, c->all[i].text);
	printf("%s\n", works ? "this host can sample" : "this host cannot sample");
}

int run_check(const struct options *o)
{
	struct checks c = {0};
	bool works = true;

	check_kernel(&c);
	check_namespace(&c);
	check_sampling(&c);
	check_names(&c);
	check_caches(&c);
	for (size_t i = 0; i < c.n; i++)
		works = works && c.all[i].state != CHECK_FAILED;
	if (o->json)
		print_json(&c, works);
	else
		print_text(&c, works);
	return works ? EXIT_DONE : EXIT_NO_SAMPLING;
}
