/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks stacks of real programs, recorded in tests/bpf/recorded/ by tests/truth/truth -r: the
 * frames must be those that libdwfl gave then.
 *
 * A recording holds the registers; for each address that the walk asks about, the rule that the
 * table of its file had there ("rule PC" and the members of struct unwind_rule), or the kind of
 * code ("code START END KIND"); the words of memory that it reads; and the frames. Everything is
 * in hexadecimal but the rules.
 */
#include "unwind_host.h"

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>

#define WORDS_MAX 65536
#define RULES_MAX 400

struct recording {
	struct unwind_regs regs;
	uint32_t all_regs;
	struct {
		uint64_t start, end;
		uint32_t code;
		struct unwind_rule rule;
	} places[RULES_MAX];
	size_t n_places;
	uint64_t addrs[WORDS_MAX], words[WORDS_MAX]; /* ascending */
	size_t n_words;
	uint64_t frames[USER_FRAMES_MAX];
	size_t n_frames;
	bool root;
};

static bool word_at(const struct recording *rec, uint64_t addr, uint64_t *ret)
{
	size_t lo = 0, hi = rec->n_words;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (rec->addrs[mid] < addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == rec->n_words || rec->addrs[lo] != addr)
		return false;
	*ret = rec->words[lo];
	return true;
}

static bool read_recorded(void *ctx, uint64_t addr, void *dst, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint64_t at = addr + i, word;

		if (!word_at(ctx, at & ~7ull, &word))
			return false;
		((uint8_t *)dst)[i] = (uint8_t)(word >> 8 * (at & 7));
	}
	return true;
}

static void read_place(struct recording *rec, const char *line)
{
	struct unwind_rule r = {0};
	unsigned v[10];
	uint64_t start, end;
	int off, off2;

	assert_in_range(rec->n_places, 0, RULES_MAX - 1);
	if (sscanf(line, "code %" SCNx64 " %" SCNx64 " %u", &start, &end, &v[0]) == 3) {
		rec->places[rec->n_places].code = v[0];
	} else {
		assert_int_equal(sscanf(line,
					"rule %" SCNx64 " %u %u %u %u %d %d %u %u %u %u %u %u",
					&start, &v[0], &v[1], &v[2], &v[3], &off, &off2, &v[4],
					&v[5], &v[6], &v[7], &v[8], &v[9]),
				 13);
		end = start + 1;
		r = (struct unwind_rule){.cfa = (uint8_t)v[0],
					 .cfa_reg = (uint8_t)v[1],
					 .ra = (uint8_t)v[2],
					 .flags = (uint8_t)v[3],
					 .cfa_off = off,
					 .cfa_off2 = (int16_t)off2};
		for (int i = 0; i < UNWIND_N_SAVED; i++)
			r.saved[i] = (uint8_t)v[4 + i];
		rec->places[rec->n_places].code = UNWIND_CODE_TABLE;
	}
	/* Recursion asks about the same address many times. */
	for (size_t i = 0; i < rec->n_places; i++)
		if (rec->places[i].start == start)
			return;
	rec->places[rec->n_places].start = start;
	rec->places[rec->n_places].end = end;
	rec->places[rec->n_places++].rule = r;
}

/* Up to N numbers in hexadecimal; returns how many there were. */
static size_t read_numbers(const char *text, uint64_t *ret, size_t n)
{
	size_t i;
	char *end;

	for (i = 0; i < n; i++) {
		ret[i] = strtoull(text, &end, 16);
		if (end == text)
			break;
		text = end;
	}
	return i;
}

static void read_words(struct recording *rec, const char *text)
{
	uint64_t numbers[5];
	size_t n = read_numbers(text, numbers, 5);

	for (size_t i = 1; i < n; i++) {
		assert_in_range(rec->n_words, 0, WORDS_MAX - 1);
		rec->addrs[rec->n_words] = numbers[0] + 8 * (i - 1);
		rec->words[rec->n_words++] = numbers[i];
	}
}

static void read_recording(const char *path, struct recording *rec)
{
	FILE *f = fopen(path, "re");
	char line[512];

	assert_non_null(f);
	memset(rec, 0, sizeof(*rec));
	rec->regs.valid = 0xffff;
	rec->regs.exact = 1;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, "ip ", 3)) {
			read_numbers(line + 3, &rec->regs.ip, 1);
		} else if (!strncmp(line, "regs ", 5)) {
			assert_int_equal(read_numbers(line + 5, rec->regs.r, 16), 16);
			rec->regs.sp = rec->regs.r[ARCH_SP];
		} else if (!strncmp(line, "all_regs ", 9)) {
			rec->all_regs = line[9] == '1';
		} else if (!strncmp(line, "rule ", 5) || !strncmp(line, "code ", 5)) {
			read_place(rec, line);
		} else if (!strncmp(line, "mem ", 4)) {
			read_words(rec, line + 4);
		} else if (!strncmp(line, "frame ", 6)) {
			assert_in_range(rec->n_frames, 0, USER_FRAMES_MAX - 1);
			read_numbers(line + 6, &rec->frames[rec->n_frames], 1);
			/* We name an interrupted instruction by the address after its first byte;
			 * the one of the trampoline itself is a return address. */
			if (strstr(line, "interrupted"))
				rec->frames[rec->n_frames]++;
			rec->n_frames++;
		} else if (!strncmp(line, "end ", 4)) {
			rec->root = !strncmp(line + 4, "root", 4);
		} else {
			assert_int_equal(line[0], '#');
		}
	}
	fclose(f);
}

/* A mapping for each address, since nothing else of the code is known. */
static void put_places(struct host *h, struct recording *rec)
{
	static const uint64_t zero;
	struct unwind_space_head *head = (void *)&h->lines[SPACE_LINE];
	uint32_t line = TABLE_LINE;
	uint64_t last = 0;

	head->n_mappings = 0;
	for (size_t n = 0; n < rec->n_places; n++) {
		size_t next = SIZE_MAX;

		for (size_t i = 0; i < rec->n_places; i++)
			if (rec->places[i].start > last &&
			    (next == SIZE_MAX || rec->places[i].start < rec->places[next].start))
				next = i;
		last = rec->places[next].start;
		host__mapping(h, &(struct unwind_mapping){.start = last,
							  .end = rec->places[next].end,
							  .code = rec->places[next].code,
							  .table = line});
		line =
		    host__table(h, line, &zero, &rec->places[next].rule, 1, 0, 1, UNWIND_SHIFT_MIN);
	}
}

static void replay(struct host *h, const char *path)
{
	static struct recording rec;
	struct unwind_regs regs;

	read_recording(path, &rec);
	assert_in_range(rec.n_frames, 2, USER_FRAMES_MAX);
	put_places(h, &rec);
	h->memory.read = read_recorded;
	h->memory.ctx = &rec;
	h->walk.all_regs = rec.all_regs;
	h->walk.generation++;
	h->use_cache = true;
	regs = rec.regs;
	/* The second time from the cache. */
	for (int i = 0; i < 2; i++) {
		walk_from(h, &regs);
		if (h->walk.n != rec.n_frames)
			print_message("%s: %u frames, %zu expected\n", path, h->walk.n,
				      rec.n_frames);
		walked_list(h, STACK_END_ROOT, rec.frames, rec.n_frames);
		assert_true(i == 0 || h->walk.n_hits > h->walk.n_misses);
	}
}

static void replays_recordings(void **state)
{
	glob_t files;

	if (glob("tests/bpf/recorded/*.txt", 0, NULL, &files) != 0)
		fail_msg("no recordings here; run from the root of the tree");
	for (size_t i = 0; i < files.gl_pathc; i++)
		replay(*state, files.gl_pathv[i]);
	globfree(&files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    in_host(replays_recordings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
