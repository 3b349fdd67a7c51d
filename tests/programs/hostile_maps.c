/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hostile_maps [SECONDS [MODE [N]]]: works while its memory changes under whoever looks at it.
 *
 * churn: maps and unmaps executable pages all the time, at N addresses. truncated: the stack
 * pointer lies in a shared file that is truncated and made longer all the time. mappings: N
 * executable mappings. library: loads the library N, which has a function work(), and calls that.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "burn.h"

#define STACK_BYTES (64ul << 10)

static NOINLINE uint64_t inner(uint64_t x)
{
	x = burn(x, 1000);
	HAVE_FRAME();
	return x;
}

static NOINLINE uint64_t outer(uint64_t x)
{
	x = inner(x) + 1;
	HAVE_FRAME();
	return x;
}

static int code_file(void)
{
	int fd = memfd_create("code", 0);

	if (fd < 0 || ftruncate(fd, 4096) < 0)
		exit(1);
	return fd;
}

static void map_code(char *at, int fd)
{
	if (mmap(at, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
		exit(1);
}

static uint64_t churn(uint64_t end, unsigned long n)
{
	char *p = mmap(NULL, 2 * n * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t x = 1, n_done = 0;
	int fd = code_file();

	while (before(end)) {
		for (unsigned i = 0; i < 1000; i++, n_done++) {
			/* Every other page, so that no two become one. */
			char *at = p + n_done % n * 2 * 4096;

			map_code(at, fd);
			munmap(at, 4096);
		}
		x = outer(x);
	}
	printf("%lu\n", (unsigned long)n_done);
	return x;
}

static void *spin_on(void *sp)
{
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "mov %0, %%rbp\n"
			 "1:\n\t"
			 "pause\n\t"
			 "jmp 1b"
			 :
			 : "r"(sp)
			 : "memory");
	__builtin_unreachable();
}

static uint64_t truncate_stack(uint64_t end)
{
	int fd = memfd_create("stack", 0);
	pthread_t thread;
	char *p;

	if (fd < 0 || ftruncate(fd, STACK_BYTES) < 0)
		exit(1);
	p = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memset(p, 0x41, STACK_BYTES);
	pthread_create(&thread, NULL, spin_on, p + STACK_BYTES / 2);
	while (before(end)) {
		if (ftruncate(fd, 0) < 0 || ftruncate(fd, STACK_BYTES) < 0)
			exit(1);
		usleep(100);
	}
	_exit(0);
}

static void map_much(unsigned long n)
{
	char *p = mmap(NULL, 2 * n * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = code_file();

	for (unsigned long i = 0; i < n; i++)
		map_code(p + 2 * i * 4096, fd);
}

static uint64_t (*load(const char *library))(uint64_t)
{
	void *handle = dlopen(library, RTLD_NOW);

	if (!handle) {
		fprintf(stderr, "%s\n", dlerror());
		exit(1);
	}
	return (uint64_t(*)(uint64_t))dlsym(handle, "work");
}

int main(int argc, char **argv)
{
	uint64_t end = end_after(argc > 1 ? argv[1] : NULL, 60), x = 1;
	const char *mode = argc > 2 ? argv[2] : "churn", *n = argc > 3 ? argv[3] : "1";
	uint64_t (*work)(uint64_t) = outer;

	if (!strcmp(mode, "churn")) {
		keep(churn(end, strtoul(n, NULL, 10)));
		return 0;
	}
	if (!strcmp(mode, "truncated"))
		truncate_stack(end);
	if (!strcmp(mode, "mappings"))
		map_much(strtoul(n, NULL, 10));
	else if (!strcmp(mode, "library"))
		work = load(n);
	while (before(end))
		x = work(x);
	keep(x);
	return 0;
}
