/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guards: locals that release what they hold when they go out of scope.
 *
 *	cleanup_free char *path = NULL;		freed at the end of the scope
 *	cleanup_close int fd = -1;		closed at the end of the scope
 *	DEFINE_CLEANUP(struct window *, window__free);
 *	_cleanup_(window__freep) struct window *w = NULL;
 *
 * What leaves the function is handed over with steal_ptr() or steal_fd(), which
 * empty the guard. A guard always starts empty (NULL or -1).
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))

/* Defines FNp(), the guard for pointers of TYPE that FN releases. FN takes NULL. */
#define DEFINE_CLEANUP(type, fn)                                                                   \
	static inline void fn##p(type *p)                                                          \
	{                                                                                          \
		if (*p)                                                                            \
			fn(*p);                                                                    \
	}                                                                                          \
	struct cleanup_semicolon_##fn

static inline void cleanup_freep(void *p)
{
	free(*(void **)p);
}

/* Closes FD if there is one, keeps errno, and returns -1 to store in its place. */
static inline int close_fd(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

static inline void cleanup_closep(const int *fd)
{
	close_fd(*fd);
}

static inline void cleanup_fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_closedirp(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define cleanup_free _cleanup_(cleanup_freep)
#define cleanup_close _cleanup_(cleanup_closep)
#define cleanup_fclose _cleanup_(cleanup_fclosep)
#define cleanup_closedir _cleanup_(cleanup_closedirp)

#define steal_ptr(p)                                                                               \
	({                                                                                         \
		typeof(p) *pp_ = &(p);                                                             \
		typeof(p) v_ = *pp_;                                                               \
		*pp_ = NULL;                                                                       \
		v_;                                                                                \
	})

static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#endif
