/* SPDX-License-Identifier: Apache-2.0 */
/* The one file of the collector that may include the BPF walker. */
#include "daemon/collector/unwinder.h"

#include "bpf/unwind.bpf.h"

#include "daemon/collector/sampler.h"
#include "daemon/collector/unwind_tables.h"

static int walk_find_code(struct unwind_walk *w, abi_u64 addr, struct walk_code *ret)
{
	const struct mapping *m = mapset__find(native_walk->maps, addr);

	(void)w;
	ret->code = UNWIND_CODE_UNKNOWN;
	native_walk->missing = NULL;
	if (!m)
		return 0;
	ret->code = unwind_code_of(m->object, &ret->table);
	ret->off = m->off + (addr - m->start);
	if (ret->code == UNWIND_CODE_UNKNOWN)
		native_walk->missing = m;
	return 1;
}

/* What the end of the walk means, as there is nobody left who knows more. */
static uint8_t final_end(const struct unwind_walk *w, const struct native_walk *native)
{
	if (w->end == STACK_END_UNKNOWN)
		return STACK_END_NO_MAPPING;
	if (w->end == STACK_END_UNREADABLE && native->beyond)
		return STACK_END_CUT;
	return (uint8_t)w->end;
}

const struct mapping *unwinder_finish(const struct unwind_memory *memory, const struct mapset *maps,
				      const struct sample_record *s, struct walked_sample *ret)
{
	uint32_t n = (uint32_t)s->n_kernel + s->n_user;
	const struct unwind_regs *regs = (const void *)(sample_frames(s) + n);
	const char *stack = (const char *)(regs + 1);
	struct native_walk native = {
	    .lines = unwind_memory__lines(memory),
	    .n_lines = unwind_memory__n_lines(memory),
	    .maps = maps,
	    .stacks = {{.start = regs->sp - STACK_COPY_BELOW,
			.bytes = stack,
			.n_bytes = s->stack_bytes,
			.missing = s->stack_missing,
			.cut = s->flags & SAMPLE_STACK_CUT ||
			       stack_copy_full(s->stack_bytes, STACK_COPY_MAX)},
		       {.start = s->other_start,
			.bytes = stack + s->stack_bytes,
			.n_bytes = s->other_bytes,
			.cut = stack_copy_full(s->other_bytes, OTHER_COPY_MAX)}},
	};
	struct unwind_walk walk = {
	    .regs = *regs,
	    .all_regs = 1,
	    .n = n,
	    .max = s->n_kernel + USER_FRAMES_MAX,
	};
	struct walk_context context = {.walk = &walk, .frames = ret->frames};

	ret->record = *s;
	ret->record.stack_bytes = ret->record.other_bytes = 0;
	memcpy(ret->frames, sample_frames(s), n * sizeof(*ret->frames));
	native_walk = &native;
	walk_user(&context);
	native_walk = NULL;
	if (walk.end == STACK_END_UNKNOWN && native.missing) {
		ret->record.user_end = STACK_END_NO_INFO;
		return native.missing;
	}
	ret->record.n_user = (uint16_t)(walk.n - s->n_kernel);
	/* What is in no mapping is no caller, only what a wrong or an empty stack held. */
	if (walk.end == STACK_END_UNKNOWN && ret->record.n_user > 1)
		ret->record.n_user--;
	ret->record.user_end = (uint8_t)walk_end_of(final_end(&walk, &native), &ret->record);
	return NULL;
}
