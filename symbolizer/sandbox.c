/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "symbolizer/seccomp_filter.h"

/* ---- files and limits ------------------------------------------------------------------------ */

static int close_all_but_streams_and(int sock)
{
	if (sock <= STDERR_FILENO)
		return -EINVAL;
	if (sock > STDERR_FILENO + 1 && close_range(STDERR_FILENO + 1, (unsigned)sock - 1, 0) < 0)
		return -errno;
	return close_range((unsigned)sock + 1, ~0u, 0) < 0 ? -errno : 0;
}

/* A standard stream may be a terminal, from which one who has taken over could read what is
 * typed. */
static int close_streams(struct sandbox *ret)
{
	cleanup_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int r = null;

	for (int fd = 0; fd <= STDERR_FILENO && r >= 0; fd++)
		r = dup2(null, fd);
	if (null <= STDERR_FILENO)
		null = -1; /* it is one of the three itself */
	return r < 0 ? -errno : 0;
}

static int set_limits(struct sandbox *ret)
{
	static const struct {
		int which;
		uint64_t max;
	} limits[] = {
	    {RLIMIT_AS, SANDBOX_MEMORY_BYTES_MAX},
	    {RLIMIT_STACK, SANDBOX_STACK_BYTES_MAX},
	    {RLIMIT_FSIZE, SANDBOX_FILE_BYTES_MAX},
	    {RLIMIT_NOFILE, SANDBOX_FDS_MAX},
	    {RLIMIT_NPROC, 0},
	    {RLIMIT_CORE, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct rlimit l;

		if (getrlimit(limits[i].which, &l) < 0)
			return -errno;
		l.rlim_cur = l.rlim_max = MIN(l.rlim_max, limits[i].max);
		if (setrlimit(limits[i].which, &l) < 0)
			return -errno;
	}
	/* A write over the limit then fails instead of killing. */
	return signal(SIGXFSZ, SIG_IGN) == SIG_ERR ? -errno : 0;
}

/* ---- rights ---------------------------------------------------------------------------------- */

/*
 * As root: the root directory becomes one where there is nothing but the numbers of our own
 * descriptors. seccomp must let fstat() through, which is stat() by another name and no affair of
 * Landlock's.
 */
static int leave_the_root(struct sandbox *ret)
{
	if (geteuid() != 0)
		return 0;
	if (chroot("/proc/self/fdinfo") < 0)
		return errno == EPERM ? 0 : -errno; /* without that right stat() finds files */
	return chdir("/") < 0 ? -errno : 0;
}

static int become_nobody(struct sandbox *ret)
{
	/* Fails at the first number that the kernel has no capability for. */
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0;)
		cap++;
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setresgid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) < 0 ||
	    setresuid(SANDBOX_UID, SANDBOX_UID, SANDBOX_UID) < 0)
		return -errno;
	return 0;
}

static int drop_capabilities(struct sandbox *ret)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

	return syscall(__NR_capset, &head, none) < 0 ? -errno : 0;
}

static int settle(struct sandbox *ret)
{
	/* To whom we belong has changed, which takes back that we end with who started us. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

/* ---- Landlock -------------------------------------------------------------------------------- */

/* struct landlock_ruleset_attr, of which the build's headers may know less than the kernel. */
struct ruleset {
	uint64_t fs, net, scoped;
};

/* A set of rules that denies RIGHTS: its descriptor or -errno. */
static int make_ruleset(const struct ruleset *rights)
{
	long fd = syscall(__NR_landlock_create_ruleset, rights, sizeof(*rights), 0);

	return fd < 0 ? -errno : (int)fd;
}

/* Adds to FIELD, a part of RIGHTS, all rights that the kernel takes there: they are numbered
 * without gaps. Whoever asks for one that it does not know is refused. */
static void add_rights(const struct ruleset *rights, uint64_t *field)
{
	for (unsigned bit = 0; bit < 64; bit++) {
		int fd;

		*field |= 1ull << bit;
		fd = make_ruleset(rights);
		close_fd(fd);
		if (fd < 0) {
			*field &= ~(1ull << bit);
			return;
		}
	}
}

/* Denies all that the kernel can deny in this way. */
static int enter_landlock(struct sandbox *ret)
{
	struct ruleset rights = {0};
	cleanup_close int fd = -1;

	add_rights(&rights, &rights.fs);
	if (!rights.fs) /* not built, or not started with it */
		return 0;
	add_rights(&rights, &rights.net);
	add_rights(&rights, &rights.scoped);
	fd = make_ruleset(&rights);
	if (fd < 0 || syscall(__NR_landlock_restrict_self, fd, 0) < 0)
		return -errno;
	ret->has_landlock = true;
	return 0;
}

/* ---- all together ---------------------------------------------------------------------------- */

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN
#endif

#ifdef WITH_ASAN
#define IS_SANDBOXED false
#else
#define IS_SANDBOXED true
#endif

static int enter_seccomp(struct sandbox *ret)
{
	return seccomp_filter_install();
}

int sandbox_enter(int sock, struct sandbox *ret)
{
	static const struct {
		const char *name;
		int (*take)(struct sandbox *ret);
	} steps[] = {
	    {"closing the standard streams", close_streams},
	    {"setting limits", set_limits},
	    {"leaving the file system", leave_the_root},
	    {"becoming nobody", become_nobody},
	    {"dropping capabilities", drop_capabilities},
	    {"giving up new privileges", settle},
	    {"Landlock", enter_landlock},
	    {"seccomp", enter_seccomp},
	};
	int r;

	*ret = (struct sandbox){.is_entered = IS_SANDBOXED, .step = "closing descriptors"};
	r = close_all_but_streams_and(sock);
	for (size_t i = 0; IS_SANDBOXED && r == 0 && i < ARRAY_SIZE(steps); i++) {
		ret->step = steps[i].name;
		r = steps[i].take(ret);
	}
	if (r == 0)
		ret->step = NULL;
	return r;
}
