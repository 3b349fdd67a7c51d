/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"
#include "daemon/collector/comments.h"

/* Processes that a summary of many files names. */
#define PROCESSES_SHOWN 5

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void print_files(const struct report *r)
{
	for (size_t i = 0; i < r->n_files && i < PROCESSES_SHOWN; i++) {
		const struct report_file *f = &r->files[i];
		char comm[64], pid[16] = "many";

		text_escape(comm, sizeof(comm), f->comm, COMM_SIZE);
		if (f->tgid)
			snprintf(pid, sizeof(pid), "%" PRIu32, f->tgid);
		fprintf(stderr, "  %6.2f%%  %-15s %7s  %s\n", percent(f->n_samples, r->n_samples),
			comm, pid, f->path);
	}
	if (r->n_files > PROCESSES_SHOWN)
		fprintf(stderr, "  … and %zu more files\n", r->n_files - PROCESSES_SHOWN);
}

void summary_print(const struct report *r, bool folded, bool to_stdout)
{
	char ticks[256];

	fprintf(stderr, "cprofd: %" PRIu64 " samples in %.1f s, %.2f CPU seconds\n", r->n_samples,
		(double)r->duration_ns / 1e9, (double)(r->n_samples * r->period_ns) / 1e9);
	fprintf(stderr, "  ticks    %s\n", comments_ticks(ticks, sizeof(ticks), &r->ticks));
	fprintf(stderr, "  rooted   %.2f%% of the stacks reach their first function\n",
		r->n_samples ? percent(r->n_ends[STACK_END_ROOT], r->n_samples) : 100.0);
	if (r->trouble[0])
		fprintf(stderr, "  files    no names: the symbolizer: %s\n", r->trouble);
	if (r->kernel_hidden)
		fprintf(stderr, "  kernel   no names: %s\n", r->kernel_hidden);
	if (r->n_functions)
		fprintf(stderr, "hottest functions:\n");
	for (size_t i = 0; i < r->n_functions; i++)
		fprintf(stderr, "  %6.2f%%  %s\n", percent(r->functions[i].n_samples, r->n_samples),
			r->functions[i].name);
	if (to_stdout || !r->n_files)
		return;
	if (r->n_files > 1) {
		fprintf(stderr, "hottest processes:\n");
		print_files(r);
	} else {
		fprintf(stderr, "file: %s\n", r->files[0].path);
	}
	if (!folded)
		fprintf(stderr, "look further: go tool pprof -http=: %s\n", r->files[0].path);
}
