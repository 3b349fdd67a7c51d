/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/seccomp_filter.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#else
#error "which numbers do system calls have here?"
#endif

/* Both processors are little-endian: the lower half of an argument comes first. */
#define ARG(n) ((uint32_t)(offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t)))
#define ARG_NONE 0

/* Argument ARG, as far as MASK goes, is VALUE. Of these the kernel itself looks at 32 bits. */
struct allowed {
	uint32_t nr;
	uint32_t arg; /* ARG(n), or ARG_NONE = with any arguments */
	uint32_t mask, value;
};

#define ANY(name)                                                                                  \
	{                                                                                          \
		.nr = __NR_##name                                                                  \
	}
#define WITH(name, n, m, v)                                                                        \
	{                                                                                          \
		.nr = __NR_##name, .arg = ARG(n), .mask = (m), .value = (v)                        \
	}

static const struct allowed allowed[] = {
    /* Questions and answers. */
    ANY(recvmsg),
    ANY(sendmsg),
#ifdef __NR_poll
    ANY(poll),
#endif
    ANY(ppoll),
    ANY(restart_syscall), /* a poll() that was stopped and continued */

    /* The files of a question: they are read, and looked at, through their descriptors. */
    ANY(pread64),
    ANY(fstat),
    WITH(newfstatat, 3, ~0u, AT_EMPTY_PATH), /* glibc's fstat(); no path is left to lead anywhere */
    WITH(fcntl, 1, ~0u, F_GETFD),
    WITH(fcntl, 1, ~0u, F_GETFL),
    ANY(close),

    /* Memory, which never becomes code. */
    WITH(mmap, 2, PROT_EXEC, 0),
    ANY(munmap),
    ANY(mremap),
    ANY(brk),
    ANY(madvise),

    /* Files in memory: what leaves the process, and what is inflated. */
    ANY(memfd_create),
    ANY(write),
    WITH(fcntl, 1, ~0u, F_ADD_SEALS),

    ANY(getrandom),	/* keys of hash tables */
    ANY(clock_gettime), /* where the vDSO has no clock */
    ANY(exit),
    ANY(exit_group),
};

struct program {
	struct sock_filter code[8 + 6 * ARRAY_SIZE(allowed)];
	unsigned short n;
};

static void emit(struct program *p, struct sock_filter insn)
{
	assert(p->n < ARRAY_SIZE(p->code));
	p->code[p->n++] = insn;
}

static void load(struct program *p, uint32_t off)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, off));
}

static void answer(struct program *p, uint32_t action)
{
	emit(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/* Goes on where the value at hand is VALUE, else over the next N instructions. */
static void unless_equal_skip(struct program *p, uint32_t value, uint8_t n)
{
	emit(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, n));
}

static void allow(struct program *p, const struct allowed *a)
{
	if (a->arg == ARG_NONE) {
		unless_equal_skip(p, a->nr, 1);
		answer(p, SECCOMP_RET_ALLOW);
		return;
	}
	unless_equal_skip(p, a->nr, 5);
	load(p, a->arg);
	emit(p, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, a->mask));
	unless_equal_skip(p, a->value, 1);
	answer(p, SECCOMP_RET_ALLOW);
	load(p, offsetof(struct seccomp_data, nr));
}

int seccomp_filter_install(void)
{
	struct program p = {.n = 0};
	struct sock_fprog prog;

	load(&p, offsetof(struct seccomp_data, arch));
	unless_equal_skip(&p, ARCH, 1);
	emit(&p, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1));
	answer(&p, SECCOMP_RET_KILL_PROCESS);
	load(&p, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++)
		allow(&p, &allowed[i]);
	answer(&p, SECCOMP_RET_ERRNO | EPERM);
	prog = (struct sock_fprog){.len = p.n, .filter = p.code};
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return -errno;
	return 0;
}
