/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/truth/space.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "symbolizer/unwind_file.h"

/* Only what is used becomes memory. */
#define LINES_MAX (1u << 26)
#define FILES_MAX 4096

struct file {
	dev_t dev;
	ino_t ino;
	struct timespec mtime;
	uint32_t code, table;
};

struct spaces {
	struct unwind_line *lines;
	uint32_t n_lines;
	uint32_t generation;
	struct file files[FILES_MAX];
	uint32_t n_files;
	uint32_t vdso_table; /* of the vDSO, which all processes share; 0 = not yet made */
};

int spaces__new(struct spaces **ret)
{
	struct spaces *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->lines = mmap(NULL, (size_t)LINES_MAX * sizeof(*s->lines), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->lines == MAP_FAILED) {
		free(s);
		return -errno;
	}
	s->n_lines = 1;
	*ret = s;
	return 0;
}

const struct unwind_line *spaces__lines(const struct spaces *s, uint32_t *ret_n)
{
	*ret_n = s->n_lines;
	return s->lines;
}

/* Makes the table of the file at FD. Sets its code and line. */
static void build(struct spaces *s, int fd, uint32_t *ret_code, uint32_t *ret_table)
{
	struct msg_unwind_table head;
	int table_fd, r;

	*ret_code = UNWIND_CODE_NONE;
	*ret_table = 0;
	r = unwind_file_build(fd, &table_fd, &head);
	if (r < 0)
		return;
	if (head.n_lines < LINES_MAX - s->n_lines) {
		size_t size = head.n_lines * sizeof(*s->lines), done = 0;

		while (done < size) {
			ssize_t n = pread(table_fd, (char *)&s->lines[s->n_lines] + done,
					  size - done, (off_t)done);
			if (n <= 0)
				break;
			done += (size_t)n;
		}
		*ret_code = UNWIND_CODE_TABLE;
		*ret_table = s->n_lines;
		s->n_lines += head.n_lines;
	}
	close(table_fd);
}

static void find_file(struct spaces *s, int fd, struct area *a)
{
	struct stat st;
	struct file *f;

	a->code = UNWIND_CODE_NONE;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	for (f = s->files; f < s->files + s->n_files; f++) {
		if (f->dev == st.st_dev && f->ino == st.st_ino &&
		    !memcmp(&f->mtime, &st.st_mtim, sizeof(f->mtime))) {
			a->code = f->code;
			a->table = f->table;
			return;
		}
	}
	if (s->n_files == FILES_MAX)
		return;
	*f = (struct file){.dev = st.st_dev, .ino = st.st_ino, .mtime = st.st_mtim};
	build(s, fd, &f->code, &f->table);
	s->n_files++;
	a->code = f->code;
	a->table = f->table;
}

/* The vDSO is in no file but in every process. */
static void find_vdso(struct spaces *s, pid_t pid, struct area *a)
{
	size_t n = a->end - a->start;
	void *bytes = malloc(n);
	struct iovec to = {bytes, n}, from = {(void *)(uintptr_t)a->start, n};
	int fd = memfd_create("vdso", MFD_CLOEXEC);

	a->code = UNWIND_CODE_NONE;
	if (bytes && fd >= 0 && s->vdso_table == 0 &&
	    process_vm_readv(pid, &to, 1, &from, 1, 0) == (ssize_t)n &&
	    write(fd, bytes, n) == (ssize_t)n)
		build(s, fd, &a->code, &s->vdso_table);
	if (s->vdso_table)
		a->code = UNWIND_CODE_TABLE;
	a->table = s->vdso_table;
	close(fd);
	free(bytes);
}

static void find_code(struct spaces *s, pid_t pid, const char *path, struct area *a)
{
	char link[64];
	int fd;

	if (!strcmp(path, "[vdso]")) {
		find_vdso(s, pid, a);
	} else if (path[0] != '/') {
		a->code = path[0] == '[' && strcmp(path, "[heap]") && strcmp(path, "[stack]")
			      ? UNWIND_CODE_NONE
			      : UNWIND_CODE_FRAME;
	} else {
		snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid,
			 a->start, a->end);
		fd = open(link, O_RDONLY | O_CLOEXEC);
		a->code = UNWIND_CODE_NONE;
		if (fd < 0)
			return;
		find_file(s, fd, a);
		close(fd);
	}
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3; /* FNV-1a */
	return hash;
}

/* Calls FN for each executable mapping; returns the hash of their lines. */
static int each_area(pid_t pid, uint64_t *ret_hash,
		     int (*fn)(void *ctx, struct area *a, const char *path), void *ctx)
{
	char name[32], line[4352];
	uint64_t hash = 0xcbf29ce484222325;
	int r = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	f = fopen(name, "re");
	if (!f)
		return -errno;
	while (r == 0 && fgets(line, sizeof(line), f)) {
		struct area a = {0};
		char perms[8], *path;
		const char *base;
		int at = 0;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s %" SCNx64 " %*s %*s %n", &a.start,
			   &a.end, perms, &a.off, &at) < 4 ||
		    perms[2] != 'x')
			continue;
		hash = hash_text(hash, line);
		path = line + at;
		path[strcspn(path, "\n")] = '\0';
		base = path[0] == '/' ? strrchr(path, '/') + 1 : path[0] ? path : "[anon]";
		snprintf(a.name, sizeof(a.name), "%.63s", base);
		if (fn)
			r = fn(ctx, &a, path);
	}
	fclose(f);
	*ret_hash = hash;
	return r;
}

struct adding {
	struct spaces *s;
	struct space *space;
	pid_t pid;
};

static int add_area(void *ctx, struct area *a, const char *path)
{
	struct adding *adding = ctx;
	struct space *space = adding->space;
	struct area *grown = reallocarray(space->areas, space->n_areas + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	space->areas = grown;
	find_code(adding->s, adding->pid, path, a);
	space->areas[space->n_areas++] = *a;
	return 0;
}

/* Writes the list of mappings as the walker reads it. */
static int publish(struct spaces *s, struct space *space)
{
	uint32_t n = space->n_areas < UNWIND_MAPPINGS_MAX ? space->n_areas : UNWIND_MAPPINGS_MAX;
	uint32_t n_lines = 1 + (n + 1) / UNWIND_MAPPINGS_PER_LINE;
	struct unwind_space_head *head = (void *)&s->lines[s->n_lines];
	struct unwind_mapping *m = (void *)&s->lines[s->n_lines + 1];

	if (n_lines > LINES_MAX - s->n_lines)
		return -ENOSPC;
	*head = (struct unwind_space_head){
	    .generation = ++s->generation, .n_mappings = n, .n_lines = n_lines};
	for (uint32_t i = 0; i < n; i++) {
		const struct area *a = &space->areas[i];

		m[i] = (struct unwind_mapping){a->start, a->end, a->off, a->code, a->table};
		if (a->code == UNWIND_CODE_TABLE)
			head->all_regs |=
			    ((const struct unwind_table_head *)&s->lines[a->table])->all_regs;
	}
	space->line = s->n_lines;
	s->n_lines += n_lines;
	return 0;
}

int spaces__update(struct spaces *s, pid_t pid, struct space *space)
{
	struct adding adding = {.s = s, .space = space, .pid = pid};
	uint64_t hash;
	int r = each_area(pid, &hash, NULL, NULL);

	if (r < 0 || (space->line && hash == space->hash))
		return r;
	space->n_areas = 0;
	r = each_area(pid, &space->hash, add_area, &adding);
	return r < 0 ? r : publish(s, space);
}

const struct area *space__find(const struct space *space, uint64_t addr)
{
	for (uint32_t i = 0; i < space->n_areas; i++)
		if (space->areas[i].start <= addr && addr < space->areas[i].end)
			return &space->areas[i];
	return NULL;
}
