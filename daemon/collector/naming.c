/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/naming.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "base/util.h"
#include "daemon/collector/jit_namer.h"
#include "daemon/collector/names_answer.h"
#include "daemon/collector/names_cache.h"
#include "daemon/collector/vdso.h"
#include "daemon/opener/opener.h"

/* What we know of an object that has been asked about. */
struct object_state {
	uint64_t serial;
	struct msg_build_id build_id;
	bool bad; /* a symbolizer cannot read it, or died of it: never asked about again */
};

/* Objects remembered; at the limit all are forgotten and asked about once more. */
#define OBJECT_STATES_MAX 8192

/* One whose file took so long lets all others be asked first. */
#define PATIENCE_NS NSEC_PER_SEC

/* Such users at once; those beyond take their turn by heat like everybody. */
#define SLOW_USERS_MAX 32

/* A frame whose name is not known yet. */
struct miss {
	uint32_t frame;
	uint32_t object; /* place in the window's objects */
	uint64_t off;
	uint64_t heat; /* of its object: samples in frames whose name is not known */
};

struct naming {
	struct symbolizer_client *client;
	struct names *names;
	struct names_cache *cache; /* NULL = none */
	struct object_state *states;
	size_t n_states, cap_states;
	struct hindex state_index;

	struct kernel_namer *kernel;
	struct jit_namer jit;
	int vdso_fd; /* a copy of our own; -1 = not made yet */

	/* Of the window at work. */
	uint32_t *chains, *kernel_range;
	size_t cap_chains, cap_kernel_range;
	struct miss *misses;
	size_t n_misses, cap_misses;
	uint64_t spent_ns[OWNER_MAX];	     /* on their files */
	uint32_t slow_users[SLOW_USERS_MAX]; /* whose files took longer than PATIENCE_NS */
	size_t n_slow_users;
};

DEFINE_CLEANUP(struct naming *, naming__free);

int naming__new(struct naming **ret, const char *symbolizer, const char *cache,
		symbolizer_started_fn started, void *ctx)
{
	_cleanup_(naming__freep) struct naming *n = calloc(1, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	n->vdso_fd = -1;
	r = names__new(&n->names);
	if (r == 0)
		r = kernel_namer__new(&n->kernel, n->names);
	if (r == 0)
		r = symbolizer_client__new(&n->client, symbolizer, started, ctx);
	/* Without a cache everything works, only later; `cprofd check` tells. */
	if (r == 0 && cache && names_cache__new(&n->cache, cache, symbolizer) == -ENOMEM)
		r = -ENOMEM;
	if (r < 0)
		return r;
	*ret = steal_ptr(n);
	return 0;
}

struct naming *naming__free(struct naming *n)
{
	if (!n)
		return NULL;
	symbolizer_client__free(n->client);
	names_cache__free(n->cache);
	kernel_namer__free(n->kernel);
	names__free(n->names);
	hindex__fini(&n->state_index);
	close_fd(n->vdso_fd);
	free(n->states);
	free(n->chains);
	free(n->kernel_range);
	free(n->misses);
	free(n);
	return NULL;
}

int naming__kernel_changed(struct naming *n, const struct sideband_event *event)
{
	return kernel_namer__changed(n->kernel, event);
}

void naming__save(struct naming *n)
{
	if (n->cache)
		names_cache__save(n->cache);
}

/* ---- objects --------------------------------------------------------------------------------- */

static struct object_state *find_state(const struct naming *n, uint64_t serial)
{
	struct hindex_iter it = hindex__find(&n->state_index, hash_mix(serial, 0));
	uint32_t i;

	while (hindex_iter__next(&it, &i))
		if (n->states[i].serial == serial)
			return &n->states[i];
	return NULL;
}

static int get_state(struct naming *n, const struct object *object, struct object_state **ret)
{
	int r;

	*ret = find_state(n, object->serial);
	if (*ret)
		return 0;
	if (n->n_states >= OBJECT_STATES_MAX) {
		hindex__fini(&n->state_index);
		n->n_states = 0;
	}
	r = array_reserve(&n->states, &n->cap_states, n->n_states + 1, sizeof(*n->states));
	if (r == 0)
		r = hindex__add(&n->state_index, hash_mix(object->serial, 0),
				(uint32_t)n->n_states);
	if (r < 0)
		return r;
	*ret = &n->states[n->n_states++];
	**ret = (struct object_state){.serial = object->serial, .build_id = object->id.build_id};
	return 0;
}

struct msg_build_id naming__build_id(const struct naming *n, const struct object *object)
{
	const struct object_state *st = find_state(n, object->serial);

	return st ? st->build_id : object->id.build_id;
}

static bool same_build_id(const struct msg_build_id *a, const struct msg_build_id *b)
{
	return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* Opens the package of split units, "<file>.dwp", where distributions and linkers put it. 0 or
 * -errno. */
static int open_package(const struct object *object, int *ret_fd)
{
	char name[NAME_MAX + 1];
	int n = snprintf(name, sizeof(name), "%s.dwp", base_name(object->id.path));

	if (n >= (int)sizeof(name))
		return 0;
	return MIN(opener_open_debuglink(object->id.path, name, ret_fd), 0);
}

/* Asks what the file NOW behind FD is, unless it is the KEPT one, of which it was TOLD. */
static int identify(struct naming *n, int fd, const struct file_identity *now,
		    const struct file_identity *kept, const struct msg_identity *told,
		    struct msg_identity *ret)
{
	if (!file_identity_is_set(now) || !file_identity_equal(now, kept))
		return symbolizer_client__identify(n->client, fd, ret);
	*ret = *told;
	return SYMBOLIZER_OK;
}

/* Notes in *WHICH, of SOURCES, that FD is one of them. */
static void note_source(struct names_sources *sources, int fd, struct file_identity *which)
{
	if (fd >= 0 && file_identity_of_named(fd, which) < 0)
		sources->file = (struct file_identity){0}; /* then nothing can be kept */
}

/* Finds what belongs to the object's file, its separate debug file and that one's dwz file, and
 * adds it to SOURCES. KEPT is what an earlier run has left. 0, SYMBOLIZER_LATER or -errno. */
static int open_debug(struct naming *n, const struct object *object,
		      const struct names_sources *kept, struct names_sources *sources,
		      int *ret_debug, int *ret_alt)
{
	const struct msg_identity *id = &sources->of_file, *debug_id = &sources->of_debug;
	cleanup_close int debug = -1, alt = -1;
	int r = OPENER_ABSENT;

	sources->of_debug = sources->of_file;
	if (!id->has_dwarf) {
		r = opener_open_build_id(&id->build_id, &debug);
		if (r > 0 && id->debuglink[0])
			r = opener_open_debuglink(object->id.path, id->debuglink, &debug);
		if (r < 0)
			return r;
	}
	note_source(sources, debug, &sources->debug);
	if (debug >= 0) {
		r = identify(n, debug, &sources->debug, &kept->debug, &kept->of_debug,
			     &sources->of_debug);
		/* Without what it knows the object would be named worse, and for ever. */
		if (r < 0 || r == SYMBOLIZER_LATER)
			return r;
		if (r > 0 && debug >= 0) {
			/* No use, and not the object's fault. The next run may have more luck. */
			debug = close_fd(debug);
			sources->file = (struct file_identity){0};
		}
	}
	if (debug_id->alt_build_id.size) {
		r = opener_open_build_id(&debug_id->alt_build_id, &alt);
		if (r > 0)
			r = opener_open_dwz(debug_id->alt_path, &alt);
	}
	if (r < 0)
		return r;
	note_source(sources, alt, &sources->alt);
	*ret_debug = steal_fd(&debug);
	*ret_alt = steal_fd(&alt);
	return 0;
}

/* ---- names from the symbolizer --------------------------------------------------------------- */

static int plain_at(struct naming *n, const struct object *object, uint64_t vaddr,
		    enum name_source source, uint32_t *ret)
{
	const char *base = base_name(object->id.path);
	char name[320];

	snprintf(name, sizeof(name), "%.*s+0x%" PRIx64, (int)MIN(object_path_length(base), 255),
		 base, vaddr);
	return names__plain(n->names, name, source, ret);
}

/* Remembers that the code at OFF of an object is address I of ANSWER. */
static int remember(struct naming *n, const struct object *object, uint64_t off,
		    struct names_answer *answer, uint32_t i)
{
	const struct msg_symbol_addr *addr = &answer->view->addrs[i];
	uint32_t chain;
	int r;

	if (addr->n_frames)
		r = names_answer__chain(answer, i, &chain);
	else
		r = plain_at(n, object, addr->vaddr, names_answer__source(answer, i), &chain);
	return r < 0 ? r : names__remember(n->names, object->serial, off, chain);
}

/* Asks the symbolizer about OFFS of an object. */
static int ask(struct naming *n, const struct object *object, const struct symbolizer_files *files,
	       const struct names_sources *sources, uint32_t n_kept, const uint64_t *offs,
	       uint32_t n_offs, struct named_window *out)
{
	_cleanup_(names_answer__fini) struct names_answer answer = {0};
	_cleanup_(ipc_msg__fini) struct ipc_msg msg = IPC_MSG_INIT;
	struct symbols_view v;
	int r = symbolizer_client__symbolize(n->client, files, offs, n_offs, &msg, &v);

	if (r != SYMBOLIZER_OK)
		return r;
	out->n_asked += n_offs;
	out->n_cut_objects += v.header->cut != 0;
	if (n->cache && file_identity_is_set(&sources->file))
		r = names_cache__add(n->cache, sources, n_kept, offs, &v);
	if (r == 0)
		r = names_answer__init(&answer, n->names, &v);
	for (uint32_t i = 0; i < n_offs && r == 0; i++)
		r = remember(n, object, offs[i], &answer, i);
	return r;
}

/* What earlier runs have left of the file behind FD, if anything, and who it is. */
static int find_kept(struct naming *n, int fd, struct file_identity *ret_file,
		     struct names_file *ret)
{
	int r = -ENOENT;

	if (file_identity_of_named(fd, ret_file) < 0)
		*ret_file = (struct file_identity){0};
	else if (n->cache)
		r = names_cache__find(n->cache, ret_file, ret);
	return r == -ENOMEM ? r : 0;
}

/* Takes the names that are kept for OFFS of an object; *N_OFFS are left. */
static int take_kept(struct naming *n, const struct object *object, const struct names_file *kept,
		     uint64_t *offs, uint32_t *n_offs, struct named_window *out)
{
	_cleanup_(names_answer__fini) struct names_answer answer = {0};
	uint32_t n_left = 0, at;
	int r = names_answer__init(&answer, n->names, &kept->view);

	for (uint32_t i = 0; i < *n_offs && r == 0; i++) {
		if (names_file__find(kept, offs[i], &at))
			r = remember(n, object, offs[i], &answer, at);
		else
			offs[n_left++] = offs[i];
	}
	out->n_kept += *n_offs - n_left;
	out->n_cut_objects += n_left == 0 && kept->view.header->cut;
	*n_offs = n_left;
	return r;
}

/* Names OFFS of an object. Afterwards each has a chain, if only of its number. */
static int symbolize_file(struct naming *n, const struct window_object *wo, int fd, uint64_t *offs,
			  uint32_t n_offs, struct named_window *out)
{
	static const struct names_sources none;
	_cleanup_(names_file__fini) struct names_file kept = {0};
	cleanup_close int debug = -1, alt = -1, split = -1;
	struct names_sources sources = {0};
	struct object_state *st;
	int r = get_state(n, wo->object, &st);

	if (r == 0 && st->bad)
		return SYMBOLIZER_UNUSABLE;
	if (r == 0)
		r = find_kept(n, fd, &sources.file, &kept);
	if (r < 0)
		return r;
	if (!kept.sources)
		kept.sources = &none;
	r = identify(n, fd, &sources.file, &kept.sources->file, &kept.sources->of_file,
		     &sources.of_file);
	if (r == SYMBOLIZER_OK && st->build_id.size &&
	    !same_build_id(&st->build_id, &sources.of_file.build_id)) {
		out->n_absent_objects++; /* the path leads to another file by now */
		return SYMBOLIZER_UNUSABLE;
	}
	if (r == SYMBOLIZER_OK) {
		st->build_id = sources.of_file.build_id;
		r = open_debug(n, wo->object, kept.sources, &sources, &debug, &alt);
	}
	if (r == SYMBOLIZER_OK)
		r = open_package(wo->object, &split);
	note_source(&sources, split, &sources.split);
	/* Names from other files may be worse ones, or wrong by now. */
	if (!names_sources_equal(kept.sources, &sources))
		names_file__fini(&kept);
	if (r == SYMBOLIZER_OK && kept.bytes)
		r = take_kept(n, wo->object, &kept, offs, &n_offs, out);
	if (r == SYMBOLIZER_OK && n_offs)
		r = ask(n, wo->object, &(struct symbolizer_files){fd, debug, alt, split}, &sources,
			names_file__count(&kept), offs, n_offs, out);
	if (r == SYMBOLIZER_LATER) {
		out->n_late_objects++;
	} else if (r > 0) {
		st->bad = true;
		out->n_bad_objects += r == SYMBOLIZER_DIED;
	}
	return r;
}

static int fd_of(struct naming *n, const struct window_object *wo)
{
	if (wo->object->kind != OBJECT_VDSO)
		return wo->fd;
	if (n->vdso_fd < 0)
		n->vdso_fd = vdso_open();
	return n->vdso_fd;
}

/* The hottest objects first, and of each the addresses in order. */
static int by_heat(const void *pa, const void *pb)
{
	const struct miss *a = pa, *b = pb;

	if (a->heat != b->heat)
		return a->heat > b->heat ? -1 : 1;
	if (a->object != b->object)
		return a->object < b->object ? -1 : 1;
	return a->off < b->off ? -1 : a->off > b->off;
}

/* Whose FD is, as the kernel knows; UINT32_MAX where it does not. */
static uint32_t user_of(int fd)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_UID, &st) < 0)
		return UINT32_MAX;
	return st.stx_uid;
}

static bool is_of_slow_user(struct naming *n, const struct window_object *wo)
{
	uint32_t user = n->n_slow_users ? user_of(fd_of(n, wo)) : 0;

	for (size_t i = 0; i < n->n_slow_users; i++)
		if (n->slow_users[i] == user)
			return true;
	return false;
}

/* Asks about the misses [FIRST, LAST) of an object, if there is a file and time. 0 or -ENOMEM. */
static int ask_about(struct naming *n, const struct window_object *wo, size_t first, size_t last,
		     struct named_window *out)
{
	cleanup_free uint64_t *offs = malloc((last - first) * sizeof(*offs));
	uint64_t start = clock_ns(CLOCK_MONOTONIC), took;
	uint32_t n_offs = 0;
	int fd = fd_of(n, wo), r = 0;
	enum owner owner;

	if (!offs)
		return -ENOMEM;
	if (fd < 0) {
		out->n_absent_objects++;
		return 0;
	}
	owner = owner_of(fd);
	for (size_t i = first; i < last && n_offs < SYMBOLIZE_ADDRS_MAX; i++)
		if (n_offs == 0 || offs[n_offs - 1] != n->misses[i].off)
			offs[n_offs++] = n->misses[i].off;
	if (n->spent_ns[owner] >= NAMING_BUDGET_NS)
		out->n_late_objects++;
	else
		r = symbolize_file(n, wo, fd, offs, n_offs, out);
	took = clock_ns(CLOCK_MONOTONIC) - start;
	n->spent_ns[owner] += took;
	if (took > PATIENCE_NS && n->n_slow_users < SLOW_USERS_MAX)
		n->slow_users[n->n_slow_users++] = user_of(fd);
	/* No descriptor or no process to be had: this window's names, not its samples. */
	if (r < 0 && r != -ENOMEM)
		out->n_late_objects++;
	return r == -ENOMEM ? r : 0;
}

/* Names the misses [FIRST, LAST), all of one object, sorted. */
static int name_object(struct naming *n, const struct window *w, size_t first, size_t last,
		       struct named_window *out)
{
	const struct window_object *wo = &w->objects[n->misses[first].object];
	int r = ask_about(n, wo, first, last, out);

	if (r < 0)
		return r;
	for (size_t i = first; i < last; i++) {
		const struct miss *m = &n->misses[i];
		uint32_t chain = names__find(n->names, wo->object->serial, m->off);

		/* Not remembered: a later window may find the file. */
		if (chain == NAMES_NONE) {
			r = plain_at(n, wo->object, m->off, NAME_NONE, &chain);
			if (r < 0)
				return r;
		}
		n->chains[m->frame] = chain;
	}
	return 0;
}

/* Puts the misses into the order in which they are asked about: where time runs out, it has gone
 * to what most samples need. */
static int sort_misses(struct naming *n, const struct window *w)
{
	cleanup_free uint64_t *heat = calloc(w->n_objects, sizeof(*heat));
	cleanup_free uint64_t *samples = NULL;
	int r = heat ? window__frame_samples(w, &samples) : -ENOMEM;

	if (r < 0)
		return r;
	for (size_t i = 0; i < n->n_misses; i++)
		heat[n->misses[i].object] += samples[n->misses[i].frame];
	for (size_t i = 0; i < n->n_misses; i++)
		n->misses[i].heat = heat[n->misses[i].object];
	qsort(n->misses, n->n_misses, sizeof(*n->misses), by_heat);
	return 0;
}

/* Names what has no name yet, object by object; without those of slow users, or with them. */
static int name_objects(struct naming *n, const struct window *w, bool all,
			struct named_window *out)
{
	size_t last;

	for (size_t first = 0; first < n->n_misses; first = last) {
		const struct miss *m = &n->misses[first];
		int r = 0;

		for (last = first + 1; last < n->n_misses && n->misses[last].object == m->object;)
			last++;
		if (n->chains[m->frame] == NAMES_NONE &&
		    (all || !is_of_slow_user(n, &w->objects[m->object])))
			r = name_object(n, w, first, last, out);
		if (r < 0)
			return r;
	}
	return 0;
}

static int name_misses(struct naming *n, const struct window *w, struct named_window *out)
{
	int r = n->n_misses ? sort_misses(n, w) : 0;

	if (r == 0)
		r = name_objects(n, w, false, out);
	return r < 0 ? r : name_objects(n, w, true, out);
}

/* Code that a runtime has made, after all that is in files: deleted ones may be either. */
static int name_jit(struct naming *n, const struct window *w, struct named_window *out)
{
	uint64_t *spent_ns = &n->spent_ns[OWNER_OTHERS], start = clock_ns(CLOCK_MONOTONIC);
	uint64_t left_ns = NAMING_BUDGET_NS - MIN(*spent_ns, NAMING_BUDGET_NS);
	struct jit_namer_counts counts;
	int r =
	    jit_namer__window(&n->jit, n->client, n->names, w, start + left_ns, n->chains, &counts);

	if (r < 0)
		return r;
	*spent_ns += clock_ns(CLOCK_MONOTONIC) - start;
	out->n_late_objects += counts.n_late;
	out->n_bad_objects += counts.n_bad;
	out->n_cut_objects += counts.n_cut;
	return 0;
}

/* ---- everything else ------------------------------------------------------------------------- */

static const char *truncated_name(uint64_t end)
{
	static const char *const names[STACK_END_MAX] = {
	    [STACK_END_UNREADABLE] = "[truncated: stack unreadable]",
	    [STACK_END_BAD_CFA] = "[truncated: bad CFA]",
	    [STACK_END_NO_MAPPING] = "[truncated: no mapping]",
	    [STACK_END_NO_INFO] = "[truncated: no unwind info]",
	    [STACK_END_IMPLAUSIBLE] = "[truncated: implausible caller]",
	    [STACK_END_DEPTH] = "[truncated: depth]",
	    [STACK_END_COMPAT] = "[truncated: 32-bit process]",
	    [STACK_END_NO_REGS] = "[truncated: no user registers]",
	    [STACK_END_CUT] = "[truncated: stack copy ended]",
	};

	return end < STACK_END_MAX && names[end] ? names[end] : "[no stack]";
}

static uint32_t place_of(const struct window *w, const struct object *object)
{
	size_t lo = 0, hi = w->n_objects;

	while (lo + 1 < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (w->objects[mid].object->serial <= object->serial)
			lo = mid;
		else
			hi = mid;
	}
	return (uint32_t)lo;
}

static int name_user_frame(struct naming *n, const struct window *w, uint32_t i)
{
	const struct window_frame *f = &w->frames[i];
	const struct object *object = f->mapping->object;
	uint64_t off = f->addr - f->mapping->start;
	int r;

	if (object->kind == OBJECT_ANONYMOUS)
		return names__plain(n->names, "[anonymous code]", NAME_PSEUDO, &n->chains[i]);
	if (object->kind == OBJECT_FILE)
		off += f->mapping->off;
	n->chains[i] = names__find(n->names, object->serial, off);
	if (n->chains[i] != NAMES_NONE)
		return 0;
	r = array_reserve(&n->misses, &n->cap_misses, n->n_misses + 1, sizeof(*n->misses));
	if (r < 0)
		return r;
	n->misses[n->n_misses++] =
	    (struct miss){.frame = i, .object = place_of(w, object), .off = off};
	return 0;
}

static int name_frame(struct naming *n, const struct window *w, uint32_t i)
{
	const struct window_frame *f = &w->frames[i];

	switch (f->kind) {
	case FRAME_USER:
		return name_user_frame(n, w, i);
	case FRAME_KERNEL:
		return kernel_namer__name(n->kernel, f->addr, &n->chains[i], &n->kernel_range[i]);
	case FRAME_TRUNCATED:
		return names__plain(n->names, truncated_name(f->addr), NAME_PSEUDO, &n->chains[i]);
	case FRAME_OVERFLOW:
		return names__plain(n->names, "[overflow: more stacks than one window holds]",
				    NAME_PSEUDO, &n->chains[i]);
	case FRAME_UNMAPPED:
		break;
	}
	return names__plain(n->names, "[unmapped code]", NAME_PSEUDO, &n->chains[i]);
}

int naming__window(struct naming *n, const struct window *w, struct named_window *ret)
{
	uint32_t restarts = symbolizer_client__restarts(n->client);
	struct named_window out = {0};
	int r = names__trim(n->names);

	n->n_misses = 0;
	memset(n->spent_ns, 0, sizeof(n->spent_ns));
	n->n_slow_users = 0;
	if (r == 0)
		r = array_reserve(&n->chains, &n->cap_chains, w->n_frames, sizeof(*n->chains));
	if (r == 0)
		r = array_reserve(&n->kernel_range, &n->cap_kernel_range, w->n_frames,
				  sizeof(*n->kernel_range));
	if (r == 0)
		r = kernel_namer__begin(n->kernel);
	for (uint32_t i = 0; r == 0 && i < w->n_frames; i++)
		r = name_frame(n, w, i);
	if (r == 0)
		r = name_misses(n, w, &out);
	if (r == 0)
		r = name_jit(n, w, &out);
	if (r < 0)
		return r;
	out.names = n->names;
	out.chains = n->chains;
	out.kernel_range = n->kernel_range;
	out.kernel_ranges = kernel_namer__ranges(n->kernel, &out.n_kernel_ranges);
	out.kernel_hidden = kernel_namer__hidden(n->kernel);
	out.trouble = symbolizer_client__trouble(n->client);
	out.n_restarts = symbolizer_client__restarts(n->client) - restarts;
	for (uint32_t i = 0; i < w->n_frames; i++)
		out.n_frames_by_source[n->names->chains[n->chains[i]].source]++;
	*ret = out;
	return 0;
}

/* The linker's name of the function whose code CHAIN is, which the others are inlined into. */
static const char *outermost(const struct names *names, uint32_t chain)
{
	const struct names_chain *c = &names->chains[chain];
	const struct names_function *f =
	    &names->functions[names->lines[c->first + c->n - 1].function];

	return names__text(names, f->system_name ? f->system_name : f->name);
}

bool naming_is_root(const struct names *names, uint32_t chain, uint32_t callee)
{
	/* The first functions of programs and threads: glibc, musl, ld.so, Go. */
	static const char *const roots[] = {
	    "_start",
	    "__libc_start_main",
	    "__libc_start_main_impl",
	    "__libc_start_call_main",
	    "_dl_start_user",
	    "_dl_start",
	    "_start_c",
	    "libc_start_main_stage2",
	    "clone",
	    "__clone",
	    "clone3",
	    "__clone3",
	    "start_thread",
	    "start",
	    "runtime.goexit",
	    "runtime.goexit.abi0",
	    "runtime.mstart",
	    "runtime.mstart.abi0",
	    "runtime.rt0_go",
	    "runtime.rt0_go.abi0",
	    "_rt0_amd64_linux",
	    "_rt0_arm64_linux",
	};
	const char *name = outermost(names, chain);

	for (size_t i = 0; i < ARRAY_SIZE(roots); i++)
		if (!strcmp(name, roots[i]))
			return true;
	return callee != NAMES_NONE &&
	       (names->chains[chain].source == NAME_NONE ||
		names->chains[chain].source == NAME_FDE) &&
	       !strcmp(outermost(names, callee), "main");
}
