/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/ksymbols.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

struct entry {
	uint64_t start, end;
	char *name;
};

struct ksymbols {
	pthread_mutex_t lock;
	struct entry entries[KSYMBOLS_MAX]; /* in the order in which they were told of */
	size_t n;
};

int ksymbols__new(struct ksymbols **ret)
{
	struct ksymbols *ks = calloc(1, sizeof(*ks));

	if (!ks)
		return -ENOMEM;
	pthread_mutex_init(&ks->lock, NULL);
	*ret = ks;
	return 0;
}

struct ksymbols *ksymbols__free(struct ksymbols *ks)
{
	if (!ks)
		return NULL;
	for (size_t i = 0; i < ks->n; i++)
		free(ks->entries[i].name);
	pthread_mutex_destroy(&ks->lock);
	free(ks);
	return NULL;
}

/* Forgets what overlaps [START, END), and where there is no room the oldest. */
static void make_room(struct ksymbols *ks, uint64_t start, uint64_t end)
{
	size_t n = 0;

	for (size_t i = 0; i < ks->n; i++) {
		struct entry *e = &ks->entries[i];

		if (e->start < end && start < e->end)
			free(e->name);
		else
			ks->entries[n++] = *e;
	}
	if (n == KSYMBOLS_MAX) {
		free(ks->entries[0].name);
		memmove(ks->entries, ks->entries + 1, --n * sizeof(*ks->entries));
	}
	ks->n = n;
}

int ksymbols__add(struct ksymbols *ks, uint64_t start, uint64_t len, const char *name)
{
	struct entry e = {.start = start, .end = start + MIN(len, UINT64_MAX - start)};

	e.name = strndup(name, KSYMBOL_NAME_MAX - 1);
	if (!e.name)
		return -ENOMEM;
	pthread_mutex_lock(&ks->lock);
	make_room(ks, e.start, e.end);
	ks->entries[ks->n++] = e;
	pthread_mutex_unlock(&ks->lock);
	return 0;
}

bool ksymbols__find(struct ksymbols *ks, uint64_t addr, struct ksymbol *ret)
{
	bool found = false;

	pthread_mutex_lock(&ks->lock);
	for (size_t i = 0; i < ks->n && !found; i++) {
		const struct entry *e = &ks->entries[i];

		if (addr < e->start || addr >= e->end)
			continue;
		found = true;
		ret->start = e->start;
		ret->end = e->end;
		snprintf(ret->name, sizeof(ret->name), "%s", e->name);
	}
	pthread_mutex_unlock(&ks->lock);
	return found;
}
