// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Takes the samples. on_sample runs at every tick of a CPU's perf event, in interrupt context, and
 * does one thing: count the tick as idle, filtered or lost, or send one record. Every tick is
 * counted exactly once; every early return has its counter. Nothing wakes user space unless a ring
 * fills up.
 */
#include "bpf/helpers.bpf.h"

#include <linux/bpf_perf_event.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "bpf/cprofd_abi.h"
#include "bpf/kernel_types.bpf.h"
#include "bpf/maps.bpf.h"
#include "bpf/unwind.bpf.h"
char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile struct sampler_knobs knobs = {0};

/* The symbolizers' tgids, left out of FILTER_TREE; the collector stores one when it starts a new
 * one. */
volatile abi_u32 helper_tgids[SAMPLER_HELPERS_MAX] = {0};

/* How often a CPU may wake the collector for processes that are new. */
#define NEWS_INTERVAL_NS 10000000

/* Pages in a row that a copied stack may lack: functions with 16 KiB of locals touch those late. */
#define MISSING_PAGES_MAX 4

/* Ancestors that FILTER_TREE looks at; a process tree deeper than this is taken as foreign. */
#define ANCESTORS_MAX 64

static __always_inline bool in_tree(struct task_struct *task)
{
	abi_u32 tgid = (abi_u32)BPF_CORE_READ(task, tgid);

	if (tgid == knobs.tree_tgid)
		return false;
	for (int i = 0; i < SAMPLER_HELPERS_MAX; i++)
		if (tgid == helper_tgids[i])
			return false;
	for (int i = 0; i < ANCESTORS_MAX; i++) {
		task = BPF_CORE_READ(task, real_parent);
		tgid = (abi_u32)BPF_CORE_READ(task, tgid);
		if (tgid == knobs.tree_tgid)
			return true;
		if (tgid <= 1)
			return false;
	}
	return false;
}

static __always_inline bool wanted(struct task_struct *task, abi_u32 tgid)
{
	if (knobs.filter == FILTER_TARGETS)
		return bpf_map_lookup_elem(&targets, &tgid) != NULL;
	if (knobs.filter == FILTER_TREE)
		return in_tree(task);
	return true;
}

/*
 * The user registers of the interrupted thread: those of the interrupt itself, or those that it
 * left at its entry into the kernel. False for a kernel thread.
 */
static __always_inline bool read_user_regs(const arch_regs *interrupted, arch_regs *ret)
{
	struct task_struct *task = (void *)bpf_get_current_task_btf();
	const void *saved;

	if (ARCH_REGS_USER(interrupted)) {
		__builtin_memcpy(ret, interrupted, sizeof(*ret));
		return true;
	}
	saved = (const void *)bpf_task_pt_regs((void *)task);
	return saved && !bpf_probe_read_kernel(ret, sizeof(*ret), saved) && ARCH_REGS_USER(ret);
}

/* The user part on kernels without bpf_loop (before 5.17): the kernel's own frame-pointer walk. */
static __always_inline void take_user_legacy(void *ctx, struct sample_scratch *s)
{
	abi_u32 n = s->record.n_kernel;
	long bytes;

	/* verifier: a bound on the offset of the part still free (5.10). */
	if (n > KERNEL_FRAMES_MAX)
		return;
	bytes =
	    bpf_get_stack(ctx, &s->words[n], KERNEL_FRAMES_MAX * sizeof(abi_u64), BPF_F_USER_STACK);
	s->record.user_end = STACK_END_UNREADABLE;
	if (bytes > 0)
		s->record.n_user = (abi_u16)(bytes / sizeof(abi_u64));
	if (bytes == KERNEL_FRAMES_MAX * sizeof(abi_u64))
		s->record.user_end = STACK_END_DEPTH;
}

/* Starts a walk at the registers USER. */
static __always_inline void begin_walk(struct unwind_walk *w, const arch_regs *user,
				       const struct sample_record *record)
{
	const struct unwind_space_head *head;

	arch_regs_to_unwind(user, &w->regs);
	w->window.n_bytes = 0;
	w->space = find_space(record->tgid, record->exec_id, record->start_ns);
	head = (const void *)unwind_line(w->space);
	w->generation = head ? head->generation : 0;
	w->all_regs = head ? head->all_regs : 0;
	w->n = record->n_kernel;
	w->max = record->n_kernel + USER_FRAMES_MAX;
	w->n_switches = w->n_scans = w->scan = 0;
	w->n_hits = w->n_misses = 0;
	w->end = STACK_END_NOT;
}

/*
 * Whether a walk that failed is to be done once more in user space, where the mappings are those of
 * its time: a library may have been put in the place of another since the list was written.
 */
static __always_inline bool deserves_second_try(const struct sample_scratch *s)
{
	const struct unwind_space_head *head = (const void *)unwind_line(s->walk.space);

	if (s->walk.end == STACK_END_NO_MAPPING)
		return true;
	return stack_end_is_failure(s->walk.end) && !s->record.flags && head && !head->hopeless;
}

static __always_inline void take_user(struct bpf_perf_event_data *ctx, struct task_struct *task,
				      struct sample_scratch *s, struct cpu_counters *count)
{
	struct walk_context walk = {.walk = &s->walk, .frames = s->words};
	abi_u32 n = s->record.n_kernel, cpu = s->record.cpu;
	arch_regs user;

	s->record.user_end = STACK_END_NO_USER;
	if (BPF_CORE_READ(task, flags) & PF_KTHREAD)
		return;
	s->record.user_end = STACK_END_NO_MM;
	if (!BPF_CORE_READ(task, mm))
		return;
	if (!knobs.own_unwinder) {
		take_user_legacy(ctx, s);
		return;
	}
	s->record.user_end = STACK_END_NO_REGS;
	if (!read_user_regs((const arch_regs *)&ctx->regs, &user) || n >= SAMPLE_FRAMES_MAX)
		return;
	s->words[n] = ARCH_REGS_IP(&user);
	s->record.n_user = 1;
	if (ARCH_REGS_COMPAT(&user)) {
		s->record.user_end = STACK_END_COMPAT;
		return;
	}
	if (ARCH_REGS_NEW_THREAD(&user) && !ARCH_REGS_USER((const arch_regs *)&ctx->regs))
		s->record.flags |= SAMPLE_NEW_THREAD;
	begin_walk(&s->walk, &user, &s->record);
	s->walk.n = n + 1;
	walk.cache = bpf_map_lookup_elem(&unwind_caches, &cpu);
	walk_user(&walk);
	count->cache_hits += s->walk.n_hits;
	count->cache_misses += s->walk.n_misses;
	if (deserves_second_try(s)) {
		arch_regs_to_unwind(&user, &s->walk.regs);
		s->walk.n = n + 1;
		s->walk.end = STACK_END_UNKNOWN;
		s->walk.space = 0; /* whatever it says */
	}
	s->record.n_user = (abi_u16)(s->walk.n - n);
	s->record.user_end = (abi_u8)walk_end_of(s->walk.end, &s->record);
}

/*
 * Copies the user memory from ADDR on to TO, page by page, up to ROOM bytes but at most MAX. A page
 * that is not in memory counts in *RET_MISSING, as one that nobody has written to yet may lie
 * between others; several in a row end the copy, which ends with a page that is there. Returns the
 * number of bytes, a multiple of 8.
 */
static __always_inline abi_u32 copy_stack(char *to, abi_u64 addr, abi_u32 room, abi_u32 max,
					  abi_u32 *ret_missing)
{
	abi_u32 n = 0, n_there = 0, n_missing = 0, missing = 0;

	*ret_missing = 0;
	for (abi_u32 i = 0; i <= max / USER_PAGE && n < room; i++) {
		abi_u32 part = USER_PAGE - ((addr + n) & (USER_PAGE - 1));

		/* verifier: both bounds anew in each turn (6.1). */
		if (n > max - USER_PAGE || part > USER_PAGE)
			break;
		if (bpf_probe_read_user(to + n, part, (void *)(long)(addr + n))) {
			missing |= 1u << i;
			if (++n_missing > MISSING_PAGES_MAX)
				break;
			n += part;
			continue;
		}
		n += part;
		n_there = n;
		n_missing = 0;
		*ret_missing = missing;
	}
	return n_there & ~7u;
}

/* Links of frame pointers that are followed to find another stack. */
#define OTHER_LINKS_MAX 32

/* Where the frame pointers leave the stack at SP; 0 = nowhere. */
static __always_inline abi_u64 other_stack(abi_u64 fp, abi_u64 sp)
{
	for (int i = 0; i < OTHER_LINKS_MAX; i++) {
		if ((fp & 7) || fp < USER_CODE_START || fp >= ARCH_USER_END)
			return 0;
		if (fp - sp >= STACK_COPY_MAX)
			return fp;
		if (bpf_probe_read_user(&fp, sizeof(fp), (void *)(long)fp))
			return 0;
	}
	return 0;
}

/* Adds what user space needs to go on: the registers of the last frame, and the stack from there,
 * ROOM bytes of it at most. */
static __always_inline void take_rest(struct sample_scratch *s, abi_u32 room)
{
	struct unwind_regs *regs = &s->walk.regs;
	abi_u32 n = s->record.n_kernel + s->record.n_user, n_bytes, missing;

	if (n > SAMPLE_FRAMES_MAX)
		return;
	__builtin_memcpy(&s->words[n], regs, sizeof(*regs));
	n += sizeof(*regs) / sizeof(abi_u64);
	n_bytes = copy_stack((char *)&s->words[n], regs->sp - STACK_COPY_BELOW, room,
			     STACK_COPY_MAX, &missing);
	s->record.stack_bytes = n_bytes;
	s->record.stack_missing = missing;
	if (room < STACK_COPY_MAX && n_bytes >= room)
		s->record.flags |= SAMPLE_STACK_CUT;
	s->record.other_start = room ? other_stack(regs->r[ARCH_FP], regs->sp) : 0;
	/* verifier: a bound on where the other part goes (6.1). */
	if (!s->record.other_start || n_bytes > STACK_COPY_MAX)
		return;
	s->record.other_bytes = copy_stack((char *)&s->words[n] + n_bytes, s->record.other_start,
					   OTHER_COPY_MAX, OTHER_COPY_MAX, &missing);
	/* A hole in this part is not worth a word in the record: it is left out then. */
	if (missing)
		s->record.other_bytes = 0;
}

static __always_inline void take_kernel(struct bpf_perf_event_data *ctx, struct sample_scratch *s)
{
	long bytes;

	s->record.n_kernel = 0;
	if (!knobs.kernel_stacks || ARCH_REGS_USER((const arch_regs *)&ctx->regs))
		return;
	bytes = bpf_get_stack(ctx, s->words, KERNEL_FRAMES_MAX * sizeof(abi_u64), 0);
	if (bytes > 0)
		s->record.n_kernel = (abi_u16)(bytes / sizeof(abi_u64));
}

/* How much of a stack may go into a ring of which FILL bytes wait: less when the collector lags. */
static __always_inline abi_u32 stack_room(abi_u64 fill)
{
	if (fill < 2 * (abi_u64)knobs.wake_bytes)
		return STACK_COPY_MAX;
	return fill < 3 * (abi_u64)knobs.wake_bytes ? USER_PAGE : 0;
}

/*
 * Whether this sample is of a process that the walker does not know, or no longer knows rightly:
 * the sooner the collector hears of it, the fewer stacks have to be copied. One that cannot be made
 * known does not wake it all the time.
 */
static __always_inline bool news_of_process(struct sample_scratch *s)
{
	if (s->record.user_end != STACK_END_UNKNOWN || s->walk.space ||
	    s->record.time_ns - s->woken_ns < NEWS_INTERVAL_NS)
		return false;
	s->woken_ns = s->record.time_ns;
	return true;
}

/* Sends the record; wakes the collector only when this record takes the ring over its mark, or
 * tells of a process that is new to the walker. */
static __always_inline bool ship(struct sample_scratch *s, abi_u32 cpu)
{
	abi_u32 shard = cpu & knobs.ring_mask;
	abi_u64 size, fill, flags = BPF_RB_NO_WAKEUP;
	void *ring = bpf_map_lookup_elem(&rings, &shard);

	if (!ring)
		return false;
	fill = bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA);
	size = ((abi_u64)s->record.n_kernel + s->record.n_user) * sizeof(abi_u64);
	if (s->record.user_end == STACK_END_UNKNOWN) {
		take_rest(s, stack_room(fill));
		size += sizeof(s->walk.regs) + s->record.stack_bytes + s->record.other_bytes;
	}
	/* verifier: the size of what is copied must be bounded by the map's value (5.10). */
	if (size > sizeof(s->words))
		return false;
	size += sizeof(s->record);
	if ((fill < knobs.wake_bytes && fill + size >= knobs.wake_bytes) || news_of_process(s))
		flags = BPF_RB_FORCE_WAKEUP;
	return bpf_ringbuf_output(ring, s, size, flags) == 0;
}

SEC("perf_event")
int on_sample(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	abi_u64 ids = bpf_get_current_pid_tgid();
	abi_u32 cpu = bpf_get_smp_processor_id();
	struct cpu_counters *count = bpf_map_lookup_elem(&counters, &cpu);
	struct sample_scratch *s;

	if (!count) /* cannot be: there is an entry for every possible CPU */
		return 0;
	if ((abi_u32)ids == 0) {
		count->idle++;
		return 0;
	}
	if (!wanted(task, ids >> 32)) {
		count->filtered++;
		return 0;
	}
	s = bpf_map_lookup_elem(&scratch, &cpu);
	if (!s) {
		count->lost[LOST_NO_SCRATCH]++;
		return 0;
	}
	s->record.time_ns = bpf_ktime_get_ns();
	s->record.start_ns = BPF_CORE_READ(task, group_leader, start_boottime);
	s->record.tgid = ids >> 32;
	s->record.tid = (abi_u32)ids;
	s->record.cpu = cpu;
	s->record.seq = (abi_u32)count->kept;
	s->record.exec_id = BPF_CORE_READ(task, self_exec_id);
	s->record.flags = BPF_CORE_READ_BITFIELD_PROBED(task, in_execve) ? SAMPLE_IN_EXEC : 0;
	s->record.stack_bytes = s->record.other_bytes = 0;
	s->record.n_user = 0;
	bpf_get_current_comm(s->record.comm, sizeof(s->record.comm));
	take_kernel(ctx, s);
	take_user(ctx, task, s, count);
	if (ship(s, cpu))
		count->kept++;
	else
		count->lost[LOST_RING_FULL]++;
	return 0;
}
