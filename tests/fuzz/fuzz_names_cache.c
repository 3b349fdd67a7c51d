/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of names as it may come back from the disk. What is taken for whole must be readable to
 * the last index and string, and lies in memory of just its size, so that whatever is read beyond
 * is found; and it must be fit for being merged with what is learned since.
 *
 * The first byte tells what the input is: bit 0 changes of a good file, each the place (two bytes)
 * and the new byte; else all of a file. Bit 1 makes the hash right, which otherwise nothing but the
 * right bytes have, and bit 2 the sizes.
 */
#include <assert.h>

#include "tests/unit/made_answer.h"

#include "daemon/collector/names_file.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct file_identity maker = {.dev = 1, .ino = 2, .size = 3};
static const struct names_sources sources = {.file = {.dev = 4, .ino = 5}};

/* A good file of some addresses and the changes, or the input. *RET_N is its size. */
static uint8_t *make(const uint8_t *data, size_t size, bool changes, size_t *ret_n)
{
	struct made_answer a;
	struct names_batch batch;
	void *bytes;
	int r;

	if (!changes) {
		bytes = malloc(size + !size);
		assert(bytes);
		memcpy(bytes, data, size);
		*ret_n = size;
		return bytes;
	}
	a = made_answer(0, 9, "f");
	batch = (struct names_batch){a.offs, a.view};
	r = names_file_make(&sources, &maker, &batch, 1, 1u << 20, &bytes, ret_n);
	assert(r == 0);
	made_answer__fini(&a);
	for (; size >= 3; data += 3, size -= 3)
		((uint8_t *)bytes)[(data[0] | data[1] << 8) % *ret_n] = data[2];
	return bytes;
}

static void mend(void *bytes, size_t n, uint8_t how)
{
	struct names_file_head *head = bytes;

	if (n < sizeof(*head))
		return;
	if (how & 4) {
		head->magic = MAGIC;
		head->version = VERSION;
		head->n_bytes = n;
		head->maker = maker;
		head->sources.file = sources.file;
	}
	if (how & 2) {
		head->hash = 0;
		head->hash = hash_of(bytes, n);
	}
}

/* What the collector would do with it: find addresses, take their names over, and write it anew. */
static void use(struct names_file *f)
{
	struct made_answer more = made_answer(4, 9, "g");
	struct names_batch batches[2] = {{more.offs, more.view}, {f->offs, f->view}};
	struct names_answer answer = {0};
	struct names_file again = {0};
	struct names *names = NULL;
	uint32_t at, chain;
	void *bytes;
	size_t n;
	int r = names__new(&names);

	assert(r == 0 && names_answer__init(&answer, names, &f->view) == 0);
	for (uint32_t i = 0; i < names_file__count(f); i++) {
		bool found = names_file__find(f, f->offs[i], &at);

		assert(found && at == i);
		if (f->view.addrs[i].n_frames)
			assert(names_answer__chain(&answer, i, &chain) == 0);
	}
	names_answer__fini(&answer);
	names__free(names);
	r = names_file_make(f->sources, &maker, batches, 2, 1u << 24, &bytes, &n);
	assert(r == 0);
	r = names_file__init(&again, bytes, n, &sources.file, &maker);
	assert(r == 0 && names_file__count(&again) >= names_file__count(f));
	names_file__fini(&again);
	made_answer__fini(&more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct names_file f = {0};
	uint8_t *bytes;
	size_t n;

	if (size < 1)
		return 0;
	bytes = make(data + 1, size - 1, data[0] & 1, &n);
	mend(bytes, n, data[0]);
	if (names_file__init(&f, bytes, n, &sources.file, &maker) == 0) {
		use(&f);
		names_file__fini(&f);
	}
	return 0;
}
