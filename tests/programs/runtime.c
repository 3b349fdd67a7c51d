/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime SECONDS map|memfd|none|late|dump: makes code at run time and tells of it as runtimes do.
 *
 *	map	seventy() and thirty(), which share the time so, in /tmp/perf-PID.map
 *	memfd	the same, in code that lies in a file without a name
 *	none	the same, and nobody is told
 *	late	the same as map, but told of at the end
 *	dump	early(), and in the second half of SECONDS, here of CPU, late() at the same address,
 *		with lines, in jit-PID.dump in the working directory
 *
 * What is in /tmp stays there.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "burn.h"

#define CODE_BYTES 64

/*
 * push %rbp; mov %rsp, %rbp; mov $50000, %ecx; 1: dec %ecx; jnz 1b; lea 1(%rdi), %rax; pop %rbp;
 * ret
 */
static const unsigned char function[] = {0x55, 0x48, 0x89, 0xe5, 0xb9, 0x50, 0xc3, 0x00, 0x00, 0xff,
					 0xc9, 0x75, 0xfc, 0x48, 0x8d, 0x47, 0x01, 0x5d, 0xc3};

typedef uint64_t (*code)(uint64_t x);

static NOINLINE uint64_t call_made(code made, uint64_t x)
{
	return made(x) + 1;
}

static code made_at(unsigned char *place)
{
	code made;

	memcpy(place, function, sizeof(function));
	memcpy(&made, &place, sizeof(made));
	return made;
}

static unsigned char *made_page(int in_memfd)
{
	int fd = in_memfd ? memfd_create("made", MFD_CLOEXEC) : -1;
	void *page;

	if (in_memfd && ftruncate(fd, 4096))
		exit(1);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | (in_memfd ? 0 : MAP_ANONYMOUS), fd, 0);
	if (page == MAP_FAILED)
		exit(1);
	return page;
}

static void tell_map(const unsigned char *page)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	f = fopen(path, "we");
	if (!f)
		exit(1);
	fprintf(f, "%lx %x what was here before\n", (long)page, 4096);
	fprintf(f, "%lx %x seventy /src/a b.js:7\n", (long)page, CODE_BYTES);
	fprintf(f, "0x%lx 0x%x thirty\n", (long)page + CODE_BYTES, CODE_BYTES);
	fclose(f);
}

static void run_map(const char *seconds, const char *mode)
{
	unsigned char *page = made_page(!strcmp(mode, "memfd"));
	code seventy = made_at(page), thirty = made_at(page + CODE_BYTES);
	uint64_t x = 1, end;

	if (strcmp(mode, "none") && strcmp(mode, "late"))
		tell_map(page);
	for (end = end_after(seconds, 60); before(end);)
		for (int i = 0; i < 10; i++)
			x = call_made(i < 7 ? seventy : thirty, x);
	if (!strcmp(mode, "late"))
		tell_map(page);
	keep(x);
}

/* Records of jitdump-specification.txt. */
struct header {
	uint32_t magic, version, size, machine, padding, pid;
	uint64_t time_ns, flags;
};

struct debug {
	uint32_t id, size;
	uint64_t time_ns, addr, n_entries, entry_addr;
	uint32_t line, discriminator;
	char file[16];
};

struct load {
	uint32_t id, size;
	uint64_t time_ns;
	uint32_t pid, tid;
	uint64_t vma, addr, n_code, number;
	char name[8];
	unsigned char bytes[CODE_BYTES];
};

static void write_all(int fd, const void *bytes, size_t n)
{
	if (write(fd, bytes, n) != (ssize_t)n)
		exit(1);
}

/* The file, mapped as those who look for it expect. */
static int begin_dump(void)
{
	struct header header = {0x4A695444, 1, sizeof(header), 62, 0, (uint32_t)getpid(), 1, 0};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "jit-%d.dump", (int)getpid());
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		exit(1);
	write_all(fd, &header, sizeof(header));
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED)
		exit(1);
	return fd;
}

static void tell(int fd, const void *place, const char *name, uint32_t line, uint64_t number)
{
	uint64_t now = clock_now_ns(CLOCK_MONOTONIC), addr = (uintptr_t)place;
	struct debug debug = {2, sizeof(debug), now, addr, 1, addr, line, 0, "/src/runtime.js"};
	struct load load = {.size = sizeof(load),
			    .time_ns = now,
			    .vma = addr,
			    .addr = addr,
			    .n_code = CODE_BYTES,
			    .number = number};

	load.pid = load.tid = (uint32_t)getpid();
	snprintf(load.name, sizeof(load.name), "%-7s", name);
	*strchrnul(load.name, ' ') = '\0';
	memcpy(load.bytes, place, CODE_BYTES);
	write_all(fd, &debug, sizeof(debug));
	write_all(fd, &load, sizeof(load));
}

static void run_dump(const char *seconds)
{
	unsigned char *page = made_page(0);
	code made = made_at(page);
	int fd = begin_dump();
	uint64_t x = 1, end = (uint64_t)(atof(seconds) * 1e9);

	tell(fd, page, "early", 7, 1);
	while (clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) < end / 2)
		x = call_made(made, x);
	tell(fd, page, "late", 70, 2);
	while (clock_now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		x = call_made(made, x);
	keep(x);
}

int main(int argc, char **argv)
{
	const char *mode = argc > 2 ? argv[2] : "map";

	if (!strcmp(mode, "dump"))
		run_dump(argv[1]);
	else
		run_map(argc > 1 ? argv[1] : NULL, mode);
	return 0;
}
