/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/comments.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/util.h"

static const char *const lost_names[LOST_MAX] = {
    [LOST_RING_FULL] = "ring_full",
    [LOST_NO_SCRATCH] = "no_scratch",
};

char *comments_ticks(char *out, size_t size, const struct sampler_ticks *t)
{
	uint64_t lost = t->missed;
	size_t n;

	for (unsigned i = 0; i < LOST_MAX; i++)
		lost += t->lost[i];
	n = (size_t)snprintf(out, size,
			     "expected=%" PRIu64 " kept=%" PRIu64 " idle=%" PRIu64
			     " filtered=%" PRIu64 " lost=%" PRIu64,
			     t->expected, t->kept, t->idle, t->filtered, lost);
	for (unsigned i = 0; i < LOST_MAX && n < size; i++)
		if (t->lost[i])
			n += (size_t)snprintf(out + n, size - n, " lost.%s=%" PRIu64, lost_names[i],
					      t->lost[i]);
	if (t->missed && n < size)
		snprintf(out + n, size - n, " lost.missed=%" PRIu64, t->missed);
	return out;
}

__attribute__((format(printf, 2, 3))) static void add(struct comments *c, const char *fmt, ...)
{
	va_list ap;

	if (c->n == COMMENTS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(c->lines[c->n], sizeof(c->lines[0]), fmt, ap);
	va_end(ap);
	c->pointers[c->n] = c->lines[c->n];
	c->n++;
}

static const char *const end_names[STACK_END_MAX] = {
    [STACK_END_NOT] = "overflow",    [STACK_END_NO_USER] = "no_stack",
    [STACK_END_NO_MM] = "no_stack",  [STACK_END_UNREADABLE] = "unreadable",
    [STACK_END_BAD_CFA] = "bad_cfa", [STACK_END_NO_MAPPING] = "no_mapping",
    [STACK_END_NO_INFO] = "no_info", [STACK_END_IMPLAUSIBLE] = "implausible",
    [STACK_END_DEPTH] = "depth",     [STACK_END_COMPAT] = "32bit",
    [STACK_END_NO_REGS] = "no_regs", [STACK_END_CUT] = "copy_ended",
};

/* "truncated: REASON=N …", the reasons that are not zero. */
static void add_ends(struct comments *c, const uint64_t n_ends[STACK_END_MAX])
{
	char text[480] = "";
	size_t n = 0;

	for (unsigned i = 0; i < STACK_END_MAX && n < sizeof(text); i++)
		if (n_ends[i] && i != STACK_END_ROOT && end_names[i])
			n += (size_t)snprintf(text + n, sizeof(text) - n, " %s=%" PRIu64,
					      end_names[i], n_ends[i]);
	add(c, "truncated:%s", text);
}

/* "names: SOURCE=N …", and the share of the frames that have a function's name. */
static void add_names(struct comments *c, const uint64_t by[NAME_SOURCE_MAX])
{
	uint64_t n_named =
	    by[NAME_GO] + by[NAME_DWARF] + by[NAME_SYMTAB] + by[NAME_KALLSYMS] + by[NAME_JIT];
	uint64_t n = n_named + by[NAME_FDE] + by[NAME_NONE];

	add(c,
	    "names: go=%" PRIu64 " dwarf=%" PRIu64 " symtab=%" PRIu64 " kallsyms=%" PRIu64
	    " jit=%" PRIu64 " fde=%" PRIu64 " none=%" PRIu64
	    " (distinct frames, %.2f%% with a name)",
	    by[NAME_GO], by[NAME_DWARF], by[NAME_SYMTAB], by[NAME_KALLSYMS], by[NAME_JIT],
	    by[NAME_FDE], by[NAME_NONE], n ? 100.0 * (double)n_named / (double)n : 100.0);
}

void comments__init(struct comments *c, const struct window *w, const struct named_window *named,
		    const uint64_t n_ends[STACK_END_MAX], uint32_t frequency_hz, const char *event)
{
	const struct window_unwinding *u = &w->unwinding;
	uint64_t n_rooted = n_ends[STACK_END_ROOT];
	struct utsname uts = {0};
	char ticks[256];

	c->n = 0;
	uname(&uts);
	add(c, "cprofd %s on %s, Linux %s %s", CPROFD_VERSION, uts.nodename, uts.release,
	    uts.machine);
	add(c, "sampling: %s at %" PRIu32 " Hz", event, frequency_hz);
	add(c, "samples: %s", comments_ticks(ticks, sizeof(ticks), &w->ticks));
	add(c, "stacks: rooted=%" PRIu64 " of %" PRIu64 " samples (%.2f%%)", n_rooted, w->n_samples,
	    w->n_samples ? 100.0 * (double)n_rooted / (double)w->n_samples : 100.0);
	if (n_rooted < w->n_samples)
		add_ends(c, n_ends);
	add(c,
	    "unwinding: tables=%" PRIu64 " (%" PRIu64 " KiB) built=%" PRIu64 " failed=%" PRIu64
	    " evicted=%" PRIu64 " refused=%" PRIu64 " cache_hits=%" PRIu64 " cache_misses=%" PRIu64,
	    u->n_tables, u->n_table_bytes >> 10, u->n_built, u->n_failed, u->n_evicted,
	    u->n_refused, u->cache_hits, u->cache_misses);
	add_names(c, named->n_frames_by_source);
	add(c,
	    "symbolizer: asked=%" PRIu64 " kept=%" PRIu64 " (addresses of files, new to this run)",
	    named->n_asked, named->n_kept);
	if (w->ticks.stolen)
		add(c, "stolen: %" PRIu64 " ticks of time that the hypervisor gave to others",
		    w->ticks.stolen);
	if (named->n_absent_objects || named->n_bad_objects || named->n_late_objects ||
	    named->n_cut_objects)
		add(c, "files not named in full: absent=%u unusable=%u late=%u cut=%u",
		    named->n_absent_objects, named->n_bad_objects, named->n_late_objects,
		    named->n_cut_objects);
	if (named->trouble)
		add(c, "symbolizer: %s", named->trouble);
	if (named->kernel_hidden)
		add(c, "kernel names: none, %s", named->kernel_hidden);
	if (w->n_overflow)
		add(c,
		    "overflow: %" PRIu64
		    " samples without their stacks, more than one window holds",
		    w->n_overflow);
}
