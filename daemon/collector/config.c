/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's configuration file; see config.h.
 *
 * inih splits lines into section, key and value. It neither tells its handler the line number nor
 * cares about what it does not understand, so it is fed a line at a time by next_line(), which
 * counts, refuses what inih would silently cut or join (long lines, continuation lines), and checks
 * section names.
 */
#include "daemon/collector/config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "base/util.h"

/* inih's buffer is 200 bytes with the line's end and the NUL. */
_Static_assert(CONFIG_LINE_MAX + 4 <= 200, "a line must fit into inih's buffer");

struct parser {
	struct config config;
	const char *path;
	const char *rest, *end; /* text that is still to be read */
	unsigned line;		/* of the line that is being parsed */
	unsigned seen;		/* a bit per entry of keys[] */
	unsigned error_line;	/* 0 = no error yet */
	char *err;
	size_t err_size;
};

/* ---- errors ------------------------------------------------------------------------------------
 */

/* Notes the error of LINE unless an earlier line has one. */
__attribute__((format(printf, 3, 4))) static void fail(struct parser *p, unsigned line,
						       const char *fmt, ...)
{
	char path[256], text[512];
	va_list ap;

	if (p->error_line && p->error_line <= line)
		return;
	p->error_line = line;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_escape(path, sizeof(path), p->path, strlen(p->path));
	snprintf(p->err, p->err_size, "%s:%u: %s", path, line, text);
}

/* ---- keys --------------------------------------------------------------------------------------
 */

/* Each takes a value into *C. Returns false if it is not allowed. */
static bool set_frequency(struct config *c, const char *value)
{
	uint64_t v;

	if (text_parse_u64(value, 1, 10000, &v) < 0)
		return false;
	c->frequency_hz = (uint32_t)v;
	return true;
}

static bool set_event(struct config *c, const char *value)
{
	bool cycles = !strcmp(value, "cycles");

	if (!cycles && strcmp(value, "cpu-clock"))
		return false;
	c->event = cycles ? SAMPLER_EVENT_CYCLES : SAMPLER_EVENT_CPU_CLOCK;
	return true;
}

static bool set_kernel(struct config *c, const char *value)
{
	bool yes = !strcmp(value, "yes");

	if (!yes && strcmp(value, "no"))
		return false;
	c->kernel = yes;
	return true;
}

static bool set_directory(struct config *c, const char *value)
{
	if (*value != '/' || strlen(value) >= sizeof(c->directory))
		return false;
	strcpy(c->directory, value);
	return true;
}

static bool set_window(struct config *c, const char *value)
{
	uint64_t ns;

	if (text_parse_duration(value, &ns) < 0 || ns < NSEC_PER_SEC || ns > 86400 * NSEC_PER_SEC)
		return false;
	c->window_ns = ns;
	return true;
}

static bool set_min_samples(struct config *c, const char *value)
{
	uint64_t v;

	if (text_parse_u64(value, 0, 1000000, &v) < 0)
		return false;
	c->min_samples = (uint32_t)v;
	return true;
}

static const struct key {
	const char *section, *name;
	bool (*set)(struct config *c, const char *value);
	const char *allowed;
} keys[] = {
    {"sampling", "frequency", set_frequency, "a whole number of Hz from 1 to 10000"},
    {"sampling", "event", set_event, "cpu-clock or cycles"},
    {"sampling", "kernel", set_kernel, "yes or no"},
    {"output", "directory", set_directory, "an absolute path"},
    {"output", "window", set_window, "a duration from 1s to 24h, such as 60s or 10m"},
    {"output", "min_samples", set_min_samples, "a whole number from 0 to 1000000"},
};

/* The keys of SECTION, or the sections where it is NULL, as a list for people. */
static void list_names(char *out, size_t size, const char *section)
{
	const char *last = "";
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(keys) && n < size; i++) {
		const char *name = section ? keys[i].name : keys[i].section;

		if ((section && strcmp(keys[i].section, section)) || !strcmp(name, last))
			continue;
		n += (size_t)snprintf(out + n, size - n, section ? "%s%s" : "%s[%s]", n ? ", " : "",
				      name);
		last = name;
	}
}

static bool is_section(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(keys[i].section, name))
			return true;
	return false;
}

/* inih's handler: one key. Returns 1 for success, as inih wants; errors are in the parser. */
static int take_key(void *user, const char *section, const char *name, const char *value)
{
	struct parser *p = user;
	char shown_name[256], shown_value[512], shown_section[256], allowed[256];

	text_escape(shown_name, sizeof(shown_name), name, strlen(name));
	text_escape(shown_value, sizeof(shown_value), value, strlen(value));
	text_escape(shown_section, sizeof(shown_section), section, strlen(section));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].section, section) || strcmp(keys[i].name, name))
			continue;
		if (p->seen & 1u << i)
			fail(p, p->line, "%s is given twice; keep one of the lines", name);
		else if (!keys[i].set(&p->config, value))
			fail(p, p->line, "%s = \"%s\": allowed is %s", name, shown_value,
			     keys[i].allowed);
		p->seen |= 1u << i;
		return 1;
	}
	list_names(allowed, sizeof(allowed), *section ? section : NULL);
	if (!*section)
		fail(p, p->line, "\"%s\" stands before any section; begin with one of %s",
		     shown_name, allowed);
	else
		fail(p, p->line, "unknown key \"%s\" in [%s]; known are %s", shown_name,
		     shown_section, allowed);
	return 1;
}

/* ---- lines -------------------------------------------------------------------------------------
 */

/* Checks a line that opens a section; inih itself finds what is wrong with its form. */
static void check_section(struct parser *p, const char *line)
{
	const char *end = strchr(line, ']');
	char name[CONFIG_LINE_MAX + 1], shown[512], allowed[256];
	size_t n = end ? (size_t)(end - line - 1) : 0;

	if (!end)
		return;
	memcpy(name, line + 1, n);
	name[n] = '\0';
	if (is_section(name))
		return;
	text_escape(shown, sizeof(shown), name, n);
	list_names(allowed, sizeof(allowed), NULL);
	fail(p, p->line, "unknown section [%s]; known are %s", shown, allowed);
}

/* inih's reader: copies the next line, without what it is indented by, to OUT. */
static char *next_line(char *out, int size, void *stream)
{
	struct parser *p = stream;
	const char *end, *s = p->rest;
	size_t n;

	if (s == p->end)
		return NULL;
	p->line++;
	end = memchr(s, '\n', (size_t)(p->end - s));
	p->rest = end ? end + 1 : p->end;
	if (!end)
		end = p->end;
	while (s < end && isspace((unsigned char)*s)) /* all that inih takes for blank */
		s++;
	n = (size_t)(end - s);
	if (n > CONFIG_LINE_MAX || (int)n >= size) {
		fail(p, p->line, "the line is longer than %d bytes; shorten it", CONFIG_LINE_MAX);
		n = 0;
	}
	if (memchr(s, '\0', n)) {
		fail(p, p->line, "the line holds a NUL byte; this is no text file");
		n = 0;
	}
	memcpy(out, s, n);
	out[n] = '\0';
	if (*out == '[')
		check_section(p, out);
	return out;
}

int config__parse(struct config *ret, const char *path, const char *text, size_t n, char *err,
		  size_t size)
{
	static const char bom[] = "\xef\xbb\xbf"; /* some editors' mark of UTF-8 */
	struct parser p = {
	    .config = CONFIG_DEFAULTS,
	    .path = path,
	    .rest = text,
	    .end = text + n,
	    .err = err,
	    .err_size = size,
	};
	int r;

	if (n >= sizeof(bom) - 1 && !memcmp(text, bom, sizeof(bom) - 1))
		p.rest += sizeof(bom) - 1;
	r = ini_parse_stream(next_line, &p, take_key, &p);
	if (r > 0)
		fail(&p, (unsigned)r, "expected \"[section]\" or \"key = value\"");
	if (p.error_line)
		return -EINVAL;
	if (r < 0)
		return -ENOMEM;
	*ret = p.config;
	return 0;
}

int config__load(struct config *ret, const char *path, char *err, size_t size)
{
	cleanup_free char *text = NULL;
	char shown[256];
	size_t n;
	int r = read_text_file(AT_FDCWD, path, CONFIG_FILE_MAX, &text, &n);

	if (r == 0)
		return config__parse(ret, path, text, n, err, size);
	text_escape(shown, sizeof(shown), path, strlen(path));
	if (r == -EFBIG)
		snprintf(err, size, "%s: longer than %u bytes; this is no configuration file",
			 shown, CONFIG_FILE_MAX);
	else
		snprintf(err, size, "%s: cannot be read: %s", shown, strerror(-r));
	return r;
}
