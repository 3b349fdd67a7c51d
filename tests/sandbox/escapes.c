/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By bare system calls, so that no library refuses first. Each is such that it works, or fails for
 * want of something else than a right, for a process of root's that nothing holds back; what it
 * changes then is gone with the process and its working directory.
 */
#include "tests/sandbox/escapes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/util.h"

/* The result of a system call: 0 or -errno. */
static long did(long r)
{
	return r < 0 ? -errno : 0;
}

#define ESCAPE(name, call)                                                                         \
	static long name(int file)                                                                 \
	{                                                                                          \
		(void)file;                                                                        \
		return did(call);                                                                  \
	}

/* ---- files ----------------------------------------------------------------------------------- */

static long write_somewhere(int fd, uint64_t off)
{
	return fd < 0 ? -errno : did(syscall(SYS_pwrite64, fd, "x", 1, off));
}

ESCAPE(open_to_read, syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY))
ESCAPE(open_to_create, syscall(SYS_openat, AT_FDCWD, "created", O_RDWR | O_CREAT, 0600))
ESCAPE(open_unnamed, syscall(SYS_openat, AT_FDCWD, ".", O_RDWR | O_TMPFILE, 0600))
ESCAPE(open_directory, syscall(SYS_openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY))
ESCAPE(open_path, syscall(SYS_openat, AT_FDCWD, "/", O_PATH))
ESCAPE(open_own_memory, syscall(SYS_openat, AT_FDCWD, "/proc/self/mem", O_RDWR))
ESCAPE(open_by_openat2, syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &(struct open_how){0},
				sizeof(struct open_how)))
ESCAPE(stat_path, syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &(struct stat){0}, 0))
ESCAPE(stat_path_as_fstat,
       syscall(SYS_newfstatat, AT_FDCWD, "/etc/passwd", &(struct stat){0}, AT_EMPTY_PATH))
ESCAPE(stat_by_statx, syscall(SYS_statx, AT_FDCWD, "/etc/passwd", 0, 0, &(struct statx){0}))
ESCAPE(access_path, syscall(SYS_faccessat, AT_FDCWD, "/etc/passwd", R_OK))
ESCAPE(read_link, syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", (char[64]){0}, 64))
ESCAPE(where_am_i, syscall(SYS_getcwd, (char[4096]){0}, 4096))
ESCAPE(change_directory, syscall(SYS_chdir, "/"))
ESCAPE(change_root, syscall(SYS_chroot, "/"))
ESCAPE(make_directory, syscall(SYS_mkdirat, AT_FDCWD, "made", 0700))
ESCAPE(make_node, syscall(SYS_mknodat, AT_FDCWD, "node", S_IFIFO | 0600, 0))
ESCAPE(make_symlink, syscall(SYS_symlinkat, "/etc", AT_FDCWD, "symlink"))
ESCAPE(make_link, syscall(SYS_linkat, AT_FDCWD, "victim", AT_FDCWD, "linked", 0))
ESCAPE(rename_file, syscall(SYS_renameat2, AT_FDCWD, "victim", AT_FDCWD, "renamed", 0))
ESCAPE(change_mode, syscall(SYS_fchmodat, AT_FDCWD, "renamed", 0666))
ESCAPE(change_owner, syscall(SYS_fchownat, AT_FDCWD, "renamed", 1, 1, 0))
ESCAPE(unlink_file, syscall(SYS_unlinkat, AT_FDCWD, "renamed", 0))
ESCAPE(change_mode_of_file, syscall(SYS_fchmod, file, 0755))
ESCAPE(lock_file, syscall(SYS_flock, file, 2))
ESCAPE(watch_files, syscall(SYS_inotify_init1, 0))

/* Even where a descriptor could be written to, nothing of the question's is one. */
static long write_to_file(int file)
{
	return did(syscall(SYS_write, file, "x", 1));
}

static long write_at_file(int file)
{
	return write_somewhere(file, 0);
}

static long map_file_to_write(int file)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);

	return p == MAP_FAILED ? -errno : 0;
}

static long truncate_file(int file)
{
	return did(syscall(SYS_ftruncate, file, 0));
}

/* More than a table or a symbol table: the limit on files is one on those in memory, too. */
static long write_huge_file_in_memory(int file)
{
	static char chunk[1 << 20];
	int fd = (int)syscall(SYS_memfd_create, "huge", 0);
	long r = fd < 0 ? -errno : 0;

	(void)file;
	for (unsigned i = 0; i <= 64 && r == 0; i++)
		r = syscall(SYS_write, fd, chunk, sizeof(chunk)) == sizeof(chunk) ? 0 : -errno;
	close(fd);
	return r;
}

/* ---- sockets --------------------------------------------------------------------------------- */

ESCAPE(socket_inet, syscall(SYS_socket, AF_INET, SOCK_STREAM, 0))
ESCAPE(socket_inet6, syscall(SYS_socket, AF_INET6, SOCK_DGRAM, 0))
ESCAPE(socket_unix, syscall(SYS_socket, AF_UNIX, SOCK_STREAM, 0))
ESCAPE(socket_netlink, syscall(SYS_socket, AF_NETLINK, SOCK_RAW, 0))
ESCAPE(socket_packet, syscall(SYS_socket, AF_PACKET, SOCK_RAW, 0))
ESCAPE(socket_pair, syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, (int[2]){0}))
ESCAPE(make_pipe, syscall(SYS_pipe2, (int[2]){0}, 0))
ESCAPE(who_is_the_peer,
       syscall(SYS_getsockopt, 3, SOL_SOCKET, SO_PEERCRED, (char[64]){0}, &(socklen_t){64}))
ESCAPE(option_of_socket, syscall(SYS_setsockopt, 3, SOL_SOCKET, SO_SNDBUF, &(int){1 << 20}, 4))

/* ---- programs and processes ------------------------------------------------------------------ */

static char *const no_args[] = {"true", NULL};

/* A child that comes to be ends at once. */
static long forked(long pid)
{
	if (pid == 0)
		_exit(0);
	return did(pid);
}

static long execute(int file)
{
	(void)file;
	return did(syscall(SYS_execve, "/bin/true", no_args, NULL));
}

static long execute_file(int file)
{
	return did(syscall(SYS_execveat, file, "", no_args, NULL, AT_EMPTY_PATH));
}

static long execute_memory(int file)
{
	static const char script[] = "#!/bin/true\n";
	int fd = (int)syscall(SYS_memfd_create, "program", 0);

	(void)file;
	if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0)
		return -errno;
	return did(syscall(SYS_execveat, fd, "", no_args, NULL, AT_EMPTY_PATH));
}

static long fork_child(int file)
{
	(void)file;
	return forked(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0));
}

static long fork_by_clone3(int file)
{
	struct clone_args args = {.exit_signal = SIGCHLD};

	(void)file;
	return forked(syscall(SYS_clone3, &args, sizeof(args)));
}

static long fork_into_user_namespace(int file)
{
	(void)file;
	return forked(syscall(SYS_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0));
}

ESCAPE(unshare_user, syscall(SYS_unshare, CLONE_NEWUSER))
ESCAPE(unshare_mounts, syscall(SYS_unshare, CLONE_NEWNS))
ESCAPE(unshare_network, syscall(SYS_unshare, CLONE_NEWNET))
ESCAPE(enter_namespace, syscall(SYS_setns, syscall(SYS_pidfd_open, getppid(), 0), CLONE_NEWUTS))
ESCAPE(signal_parent, syscall(SYS_kill, getppid(), 0))
ESCAPE(signal_everybody, syscall(SYS_kill, -1, 0))
ESCAPE(signal_thread, syscall(SYS_tgkill, getppid(), getppid(), 0))
ESCAPE(open_process, syscall(SYS_pidfd_open, getppid(), 0))
ESCAPE(take_descriptor, syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, getppid(), 0), 0, 0))
ESCAPE(trace_parent, syscall(SYS_ptrace, PTRACE_SEIZE, getppid(), 0, 0))
ESCAPE(trace_me, syscall(SYS_ptrace, PTRACE_TRACEME, 0, 0, 0))
ESCAPE(read_parent, syscall(SYS_process_vm_readv, getppid(),
			    &(struct iovec){.iov_base = &(char){0}, .iov_len = 1}, 1,
			    &(struct iovec){.iov_base = &environ, .iov_len = 1}, 1, 0))
ESCAPE(limit_of_parent, syscall(SYS_prlimit64, getppid(), RLIMIT_CORE, NULL, &(struct rlimit){0}))
ESCAPE(raise_limit, syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &(struct rlimit){256, 4096}, NULL))
ESCAPE(own_priority, syscall(SYS_setpriority, PRIO_PROCESS, 0, -1))
ESCAPE(own_cpus, syscall(SYS_sched_setaffinity, 0, 8, &(uint64_t){1}))
ESCAPE(real_time, syscall(SYS_sched_setscheduler, 0, SCHED_FIFO, &(struct sched_param){1}))
ESCAPE(new_session, syscall(SYS_setsid))

/* ---- rights ---------------------------------------------------------------------------------- */

ESCAPE(become_root, syscall(SYS_setuid, 0))
ESCAPE(become_root_all, syscall(SYS_setresuid, 0, 0, 0))
ESCAPE(become_group_root, syscall(SYS_setresgid, 0, 0, 0))
ESCAPE(files_as_root, syscall(SYS_setfsuid, 0) == 0 ? 0 : (errno = EPERM, -1))
ESCAPE(join_groups, syscall(SYS_setgroups, 1, &(gid_t){0}))
ESCAPE(take_capabilities,
       syscall(SYS_capset, &(struct __user_cap_header_struct){_LINUX_CAPABILITY_VERSION_3, 0},
	       (struct __user_cap_data_struct[2]){{1, 1, 1}}))
ESCAPE(be_dumpable, syscall(SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))
ESCAPE(outlive_parent, syscall(SYS_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0))
ESCAPE(another_filter,
       syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0,
	       &(struct sock_fprog){1, &(struct sock_filter){BPF_RET, 0, 0, SECCOMP_RET_ALLOW}}))

/* ---- the kernel ------------------------------------------------------------------------------ */

ESCAPE(mount_something, syscall(SYS_mount, "none", ".", "tmpfs", 0, NULL))
ESCAPE(unmount_something, syscall(SYS_umount2, ".", MNT_DETACH))
ESCAPE(open_file_system, syscall(SYS_fsopen, "tmpfs", 0))
ESCAPE(copy_mount, syscall(SYS_open_tree, AT_FDCWD, "/", 1 /* OPEN_TREE_CLONE */))
ESCAPE(bpf_map, syscall(SYS_bpf, BPF_MAP_CREATE,
			&(union bpf_attr){.map_type = BPF_MAP_TYPE_ARRAY,
					  .key_size = 4,
					  .value_size = 4,
					  .max_entries = 1},
			sizeof(union bpf_attr)))
ESCAPE(perf_event, syscall(SYS_perf_event_open,
			   &(struct perf_event_attr){.type = PERF_TYPE_SOFTWARE,
						     .size = sizeof(struct perf_event_attr),
						     .config = PERF_COUNT_SW_CPU_CLOCK},
			   0, -1, -1, 0))
ESCAPE(io_uring, syscall(SYS_io_uring_setup, 4, &(struct io_uring_params){0}))
ESCAPE(user_faults, syscall(SYS_userfaultfd, UFFD_USER_MODE_ONLY))
ESCAPE(add_key, syscall(SYS_add_key, "user", "cprofd-test", "x", 1, KEY_SPEC_PROCESS_KEYRING))
ESCAPE(read_keys, syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1))
ESCAPE(load_module, syscall(SYS_finit_module, file, "", 0))
ESCAPE(host_name, syscall(SYS_sethostname, "", -1))
ESCAPE(kernel_log, syscall(SYS_syslog, 10 /* size of the buffer */, NULL, 0))
ESCAPE(set_clock, syscall(SYS_clock_settime, CLOCK_MONOTONIC, &(struct timespec){0}))
ESCAPE(make_timer, syscall(SYS_timer_create, CLOCK_MONOTONIC, NULL, &(int){0}))
ESCAPE(shared_memory, syscall(SYS_shmget, 0, 4096, 0600))
ESCAPE(message_queue, syscall(SYS_mq_open, "cprofd-test", O_RDONLY | O_CREAT, 0600, NULL))
ESCAPE(event_counter, syscall(SYS_eventfd2, 0, 0))
ESCAPE(event_poll, syscall(SYS_epoll_create1, 0))
ESCAPE(personality, syscall(SYS_personality, 0xffffffff))
ESCAPE(control_terminal, syscall(SYS_ioctl, 0, TIOCSTI, "x"))
ESCAPE(control_socket, syscall(SYS_ioctl, 3, FIONREAD, &(int){0}))
ESCAPE(duplicate, syscall(SYS_dup, 0))
ESCAPE(duplicate_by_fcntl, syscall(SYS_fcntl, 0, F_DUPFD, 0))
ESCAPE(signal_owner, syscall(SYS_fcntl, 3, F_SETOWN, getppid()))

/* ---- memory ---------------------------------------------------------------------------------- */

static long mapped(void *p)
{
	return p == MAP_FAILED ? -errno : 0;
}

static long code_in_memory(int file)
{
	(void)file;
	return mapped(mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
}

static long code_of_file(int file)
{
	return mapped(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0));
}

static long memory_into_code(int file)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)file;
	return p == MAP_FAILED ? -errno : did(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static long endless_memory(int file)
{
	(void)file;
	return mapped(mmap(NULL, 4ull << 30, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

static long endless_descriptors(int file)
{
	long r = 0;

	(void)file;
	for (unsigned i = 0; i < 32 && r == 0; i++)
		r = did(syscall(SYS_memfd_create, "more", 0));
	for (int fd = file + 1; fd < file + 40; fd++)
		close(fd);
	return r;
}

#define E(name)                                                                                    \
	{                                                                                          \
#name, name                                                                        \
	}

const struct escape *escapes(size_t *ret_n)
{
	static const struct escape all[] = {
	    E(open_to_read),
	    E(open_to_create),
	    E(open_unnamed),
	    E(open_directory),
	    E(open_path),
	    E(open_own_memory),
	    E(open_by_openat2),
	    E(stat_path),
	    E(stat_path_as_fstat),
	    E(stat_by_statx),
	    E(access_path),
	    E(read_link),
	    E(where_am_i),
	    E(change_directory),
	    E(change_root),
	    E(make_directory),
	    E(make_node),
	    E(make_symlink),
	    E(make_link),
	    E(rename_file),
	    E(change_mode),
	    E(change_owner),
	    E(unlink_file),
	    E(change_mode_of_file),
	    E(lock_file),
	    E(watch_files),
	    E(write_to_file),
	    E(write_at_file),
	    E(map_file_to_write),
	    E(truncate_file),
	    E(write_huge_file_in_memory),
	    E(socket_inet),
	    E(socket_inet6),
	    E(socket_unix),
	    E(socket_netlink),
	    E(socket_packet),
	    E(socket_pair),
	    E(make_pipe),
	    E(who_is_the_peer),
	    E(option_of_socket),
	    E(execute),
	    E(execute_file),
	    E(execute_memory),
	    E(fork_child),
	    E(fork_by_clone3),
	    E(fork_into_user_namespace),
	    E(unshare_user),
	    E(unshare_mounts),
	    E(unshare_network),
	    E(enter_namespace),
	    E(signal_parent),
	    E(signal_everybody),
	    E(signal_thread),
	    E(open_process),
	    E(take_descriptor),
	    E(trace_parent),
	    E(trace_me),
	    E(read_parent),
	    E(limit_of_parent),
	    E(raise_limit),
	    E(own_priority),
	    E(own_cpus),
	    E(real_time),
	    E(new_session),
	    E(become_root),
	    E(become_root_all),
	    E(become_group_root),
	    E(files_as_root),
	    E(join_groups),
	    E(take_capabilities),
	    E(be_dumpable),
	    E(outlive_parent),
	    E(another_filter),
	    E(mount_something),
	    E(unmount_something),
	    E(open_file_system),
	    E(copy_mount),
	    E(bpf_map),
	    E(perf_event),
	    E(io_uring),
	    E(user_faults),
	    E(add_key),
	    E(read_keys),
	    E(load_module),
	    E(host_name),
	    E(kernel_log),
	    E(set_clock),
	    E(make_timer),
	    E(shared_memory),
	    E(message_queue),
	    E(event_counter),
	    E(event_poll),
	    E(personality),
	    E(control_terminal),
	    E(control_socket),
	    E(duplicate),
	    E(duplicate_by_fcntl),
	    E(signal_owner),
	    E(code_in_memory),
	    E(code_of_file),
	    E(memory_into_code),
	    E(endless_memory),
	    E(endless_descriptors),
	};

	*ret_n = ARRAY_SIZE(all);
	return all;
}
