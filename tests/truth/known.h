/* SPDX-License-Identifier: Apache-2.0 */
/* The classes of differences that somebody has looked into. */
#ifndef TRUTH_KNOWN_H
#define TRUTH_KNOWN_H

struct known {
	const char *pattern; /* of fnmatch(3), for the text of the class */
	/*
	 * "theirs": the other unwinder is wrong or gives up. "neither": no unwinder can know.
	 * "open": we are weaker; that counts as unexplained.
	 */
	const char *verdict;
	const char *why;
};

/* The first that fits TEXT, or NULL. */
const struct known *known_find(const char *text);

#endif
