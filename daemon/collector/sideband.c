/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/sideband.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"
#include "daemon/collector/perf_error.h"

/* A new process writes about 4 KiB of records; 256 KiB a CPU are 60 of them between two drains. */
#define RING_BYTES (256u << 10)

/* perf_event_header.size is 16 bits, so no record is longer. */
#define RECORD_MAX 65536

struct ring {
	int fd;
	struct perf_event_mmap_page
	    *control; /* NULL = not mapped; the bytes follow one page later */
	const char *bytes;
};

struct sideband {
	struct ring *rings;
	size_t n_rings;
	int epoll_fd;
	size_t page;
	char *record; /* RECORD_MAX bytes: a record that wraps is put together here */
};

DEFINE_CLEANUP(struct sideband *, sideband__free);

/* sample_id_all with TID and TIME: what stands at the end of every record (perf_event.h, struct
 * sample_id). */
struct sample_id {
	uint32_t pid, tid;
	uint64_t time_ns;
};

static int open_event(unsigned cpu)
{
	struct perf_event_attr attr = {
	    .size = sizeof(attr),
	    .type = PERF_TYPE_SOFTWARE,
	    .config = PERF_COUNT_SW_DUMMY,
	    .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
	    .sample_id_all = 1,
	    .use_clockid = 1,
	    .clockid = CLOCK_MONOTONIC,
	    .mmap = 1,
	    .mmap2 = 1,
	    .comm = 1,
	    .comm_exec = 1,
	    .task = 1,
	    .ksymbol = 1,
	    .build_id = 1,
	    .watermark = 1,
	    .wakeup_watermark = RING_BYTES / 4,
	    .disabled = 1,
	};
	long fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0 && errno == EINVAL) {
		attr.build_id = 0; /* 5.12, 88a16a130933 */
		fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
	}
	return fd < 0 ? -errno : (int)fd;
}

static int ring__open(struct ring *ring, unsigned cpu, size_t page)
{
	void *p;
	int fd = open_event(cpu);

	if (fd < 0)
		return fd;
	ring->fd = fd;
	p = mmap(NULL, page + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	ring->control = p;
	ring->bytes = (const char *)p + page;
	return ioctl(fd, PERF_EVENT_IOC_ENABLE, 0) < 0 ? -errno : 0;
}

static int open_rings(struct sideband *sb, const unsigned *cpus)
{
	for (size_t i = 0; i < sb->n_rings; i++) {
		struct epoll_event ev = {.events = EPOLLIN};
		int r = ring__open(&sb->rings[i], cpus[i], sb->page);

		if (r < 0)
			return r;
		if (epoll_ctl(sb->epoll_fd, EPOLL_CTL_ADD, sb->rings[i].fd, &ev) < 0)
			return -errno;
	}
	return 0;
}

int sideband__new(struct sideband **ret, const unsigned *cpus, size_t n_cpus, char *why,
		  size_t why_size)
{
	_cleanup_(sideband__freep) struct sideband *sb = calloc(1, sizeof(*sb));
	int r;

	if (!sb)
		return -ENOMEM;
	sb->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	sb->page = (size_t)sysconf(_SC_PAGESIZE);
	sb->record = malloc(RECORD_MAX);
	sb->rings = calloc(n_cpus, sizeof(*sb->rings));
	if (sb->epoll_fd < 0 || !sb->record || !sb->rings)
		return -ENOMEM;
	for (size_t i = 0; i < n_cpus; i++)
		sb->rings[i].fd = -1;
	sb->n_rings = n_cpus;
	r = open_rings(sb, cpus);
	if (r < 0) {
		perf_error_explain(why, why_size, "opening the process events", r, false);
		return r;
	}
	*ret = steal_ptr(sb);
	return 0;
}

struct sideband *sideband__free(struct sideband *sb)
{
	if (!sb)
		return NULL;
	for (size_t i = 0; sb->rings && i < sb->n_rings; i++) {
		if (sb->rings[i].control)
			munmap(sb->rings[i].control, sb->page + RING_BYTES);
		close_fd(sb->rings[i].fd);
	}
	close_fd(sb->epoll_fd);
	free(sb->rings);
	free(sb->record);
	free(sb);
	return NULL;
}

int sideband__fd(const struct sideband *sb)
{
	return sb->epoll_fd;
}

/* PERF_RECORD_MMAP2 of perf_event.h, up to the file name. */
struct mmap2_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t addr, len, pgoff;
	union {
		struct {
			uint32_t maj, min;
			uint64_t ino, ino_generation;
		};
		struct {
			uint8_t build_id_size;
			uint8_t reserved[3];
			uint8_t build_id[20];
		};
	};
	uint32_t prot, flags;
	char filename[];
};

/* PERF_RECORD_FORK and PERF_RECORD_EXIT. */
struct task_record {
	struct perf_event_header header;
	uint32_t pid, ppid;
	uint32_t tid, ptid;
	uint64_t time;
};

struct comm_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	char comm[];
};

struct ksymbol_record {
	struct perf_event_header header;
	uint64_t addr;
	uint32_t len;
	uint16_t type, flags;
	char name[];
};

struct lost_record {
	struct perf_event_header header;
	uint64_t id, lost;
};

/* Both return false for a record that says nothing to us. */
static bool decode_mmap(const struct mmap2_record *r, struct sideband_event *ev)
{
	if (!(r->prot & PROT_EXEC) ||
	    (r->header.misc & PERF_RECORD_MISC_CPUMODE_MASK) == PERF_RECORD_MISC_KERNEL)
		return false;
	ev->type = SIDEBAND_MMAP;
	ev->tgid = r->pid;
	ev->tid = r->tid;
	ev->start = r->addr;
	ev->len = r->len;
	ev->off = r->pgoff;
	ev->object.path = r->filename;
	ev->object.is_shared = r->flags & MAP_SHARED;
	if (r->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID) {
		ev->object.build_id.size = MIN(r->build_id_size, sizeof(r->build_id));
		memcpy(ev->object.build_id.bytes, r->build_id, ev->object.build_id.size);
	} else {
		ev->object.dev = makedev(r->maj, r->min);
		ev->object.ino = r->ino;
		ev->object.ino_gen = r->ino_generation;
	}
	return true;
}

static bool decode_comm(const struct comm_record *r, struct sideband_event *ev)
{
	ev->type = r->header.misc & PERF_RECORD_MISC_COMM_EXEC ? SIDEBAND_EXEC : SIDEBAND_COMM;
	ev->tgid = r->pid;
	ev->tid = r->tid;
	strncpy(ev->comm, r->comm, COMM_SIZE - 1);
	return true;
}

static bool decode_task(const struct task_record *r, struct sideband_event *ev)
{
	ev->type = r->header.type == PERF_RECORD_FORK ? SIDEBAND_FORK : SIDEBAND_EXIT;
	ev->tgid = r->pid;
	ev->tid = r->tid;
	ev->parent_tgid = r->ppid;
	return true;
}

static bool decode_ksymbol(const struct ksymbol_record *r, struct sideband_event *ev)
{
	ev->type = SIDEBAND_KSYMBOL;
	ev->start = r->addr;
	ev->len = r->len;
	if (r->type == PERF_RECORD_KSYMBOL_TYPE_BPF)
		ev->bpf_program = r->name;
	return true;
}

static bool decode(const struct perf_event_header *h, struct sideband_event *ev)
{
	const struct sample_id *id = (const void *)((const char *)h + h->size - sizeof(*id));

	*ev = (struct sideband_event){.time_ns = id->time_ns};
	switch (h->type) {
	case PERF_RECORD_MMAP2:
		return decode_mmap((const void *)h, ev);
	case PERF_RECORD_COMM:
		return decode_comm((const void *)h, ev);
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		return decode_task((const void *)h, ev);
	case PERF_RECORD_KSYMBOL:
		return decode_ksymbol((const void *)h, ev);
	case PERF_RECORD_LOST:
		ev->type = SIDEBAND_LOST;
		ev->n_lost = ((const struct lost_record *)(const void *)h)->lost;
		return true;
	default:
		return false;
	}
}

/* Whether a record is as long as its type says, and its text ends within it. */
static bool well_formed(const struct perf_event_header *h)
{
	size_t fixed = sizeof(*h), size = h->size;
	bool text = false;

	switch (h->type) {
	case PERF_RECORD_MMAP2:
		fixed = sizeof(struct mmap2_record);
		text = true;
		break;
	case PERF_RECORD_COMM:
		fixed = sizeof(struct comm_record);
		text = true;
		break;
	case PERF_RECORD_FORK:
	case PERF_RECORD_EXIT:
		fixed = sizeof(struct task_record);
		break;
	case PERF_RECORD_KSYMBOL:
		fixed = sizeof(struct ksymbol_record);
		text = true;
		break;
	case PERF_RECORD_LOST:
		fixed = sizeof(struct lost_record);
		break;
	}
	if (size % 8 || size < fixed + text + sizeof(struct sample_id))
		return false;
	size -= fixed + sizeof(struct sample_id);
	return !text || memchr((const char *)h + fixed, 0, size);
}

/* The record at POS of the ring, in one piece: itself, or copied where it wraps around the end. */
static const struct perf_event_header *record_at(const struct sideband *sb, const struct ring *ring,
						 uint64_t pos)
{
	size_t off = pos % RING_BYTES, size, first;
	const struct perf_event_header *h = (const void *)(ring->bytes + off);

	/* Records are multiples of 8 bytes, so the header itself never wraps. */
	size = h->size;
	if (off + size <= RING_BYTES)
		return h;
	first = RING_BYTES - off;
	memcpy(sb->record, ring->bytes + off, first);
	memcpy(sb->record + first, ring->bytes, size - first);
	return (const void *)sb->record;
}

static int ring__drain(const struct sideband *sb, struct ring *ring, sideband_event_fn fn,
		       void *ctx)
{
	/* perf_event.h: data_head is read with acquire, data_tail written with release
	 * semantics. */
	uint64_t head = __atomic_load_n(&ring->control->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->control->data_tail;
	int r = 0;

	while (tail < head && r >= 0) {
		const struct perf_event_header *h = record_at(sb, ring, tail);
		struct sideband_event ev;

		if (h->size > head - tail || !well_formed(h))
			return -EBADMSG;
		if (decode(h, &ev))
			r = fn(ctx, &ev);
		tail += h->size;
	}
	__atomic_store_n(&ring->control->data_tail, tail, __ATOMIC_RELEASE);
	return r;
}

int sideband__drain(struct sideband *sb, sideband_event_fn fn, void *ctx)
{
	for (size_t i = 0; i < sb->n_rings; i++) {
		int r = ring__drain(sb, &sb->rings[i], fn, ctx);

		if (r < 0)
			return r;
	}
	return 0;
}
