/* SPDX-License-Identifier: Apache-2.0 */
#include "symbolizer/demangle.h"

#include <ctype.h>
#include <libiberty/demangle.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* Each back reference of D can double the text, and its demangler has no callback to stop it. */
#define D_BACK_REFERENCES_MAX 12

struct output {
	char *text;
	size_t n;
	jmp_buf full;
};

/*
 * libiberty expands a name for as long as the name says, however little of it is wanted; the only
 * way out of it is past it. In callback mode it keeps what it needs on the stack, but for a few
 * bytes of Rust identifiers in punycode, which are lost when a name is over the bound.
 */
static void append(const char *text, size_t n, void *opaque)
{
	struct output *out = opaque;

	if (n >= DEMANGLE_OUT_MAX - out->n)
		longjmp(out->full, 1);
	memcpy(out->text + out->n, text, n);
	out->n += n;
	out->text[out->n] = '\0';
}

static bool demangle_streamed(const char *name, char *text,
			      int (*run)(const char *, int, demangle_callbackref, void *))
{
	struct output out = {.text = text};

	if (setjmp(out.full))
		return false;
	return run(name, DMGL_PARAMS | DMGL_ANSI, append, &out) && out.n > 0;
}

static bool demangle_d(const char *name, char *text)
{
	cleanup_free char *d = NULL;
	size_t n_references = 0;

	for (const char *p = name; *p; p++)
		n_references += *p == 'Q';
	if (n_references > D_BACK_REFERENCES_MAX)
		return false;
	d = dlang_demangle(name, DMGL_PARAMS | DMGL_ANSI);
	if (!d || strlen(d) >= DEMANGLE_OUT_MAX)
		return false;
	memcpy(text, d, strlen(d) + 1);
	return true;
}

bool name_is_mangled(const char *name)
{
	size_t n = strspn(name, "_");

	return (n >= 1 && n <= 3 && name[n] == 'Z') || (n == 1 && name[1] == 'R') ||
	       (n == 1 && name[1] == 'D' && isdigit((unsigned char)name[2]));
}

static bool ends_with(const char *s, size_t n, const char *end)
{
	size_t n_end = strlen(end);

	return n > n_end && !memcmp(s + n - n_end, end, n_end);
}

/* The length of S without one ".WORD.123" (or, where BARE, ".WORD") at the end of its N bytes. */
static size_t cut_suffix(const char *s, size_t n, const char *word, bool bare)
{
	size_t digits = n;

	if (bare && ends_with(s, n, word))
		return n - strlen(word);
	while (digits > 0 && isdigit((unsigned char)s[digits - 1]))
		digits--;
	if (digits == n || digits == 0 || s[digits - 1] != '.' || !ends_with(s, digits - 1, word))
		return n;
	return digits - 1 - strlen(word);
}

size_t linkage_name_length(const char *name, size_t n)
{
	return cut_suffix(name, n, ".llvm", false);
}

static size_t length_without_clones(const char *name)
{
	static const char *const words[] = {".llvm",	 ".isra", ".constprop", ".part",
					    ".lto_priv", ".cold", ".clone",	".localalias",
					    ".ipa_icf",	 NULL};
	size_t n = strlen(name), before;

	do {
		before = n;
		for (size_t i = 0; words[i]; i++)
			n = cut_suffix(name, n, words[i], true);
	} while (n != before);
	return n;
}

static bool demangle_any(const char *name, char *out)
{
	if (!name_is_mangled(name))
		return false;
	/* Rust first: its old names are valid C++ ones, with a hash at the end. */
	if (demangle_streamed(name, out, rust_demangle_callback))
		return true;
	if (name[1] == 'D')
		return demangle_d(name, out);
	/* Extra leading underscores (Mach-O habits) are not part of the scheme. */
	if (name[1] == '_')
		name += strspn(name, "_") - 1;
	return demangle_streamed(name, out, cplus_demangle_v3_callback);
}

bool demangle(const char *name, char out[DEMANGLE_OUT_MAX])
{
	size_t n = length_without_clones(name);
	char plain[DEMANGLE_IN_MAX + 1];

	if (n <= DEMANGLE_IN_MAX) {
		memcpy(plain, name, n);
		plain[n] = '\0';
		if (demangle_any(plain, out))
			return true;
	}
	if (n > DEMANGLE_OUT_MAX - 1)
		n = DEMANGLE_OUT_MAX - 1;
	memcpy(out, name, n);
	out[n] = '\0';
	return false;
}
