/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"

/* The length of the UTF-8 character at S (N bytes left) that may be printed, or 0. */
static size_t printable_utf8(const unsigned char *s, size_t n)
{
	static const uint32_t min_of[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80 ? 1 : s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
	uint32_t c;

	if (len == 1)
		return s[0] >= 0x20 && s[0] != 0x7f;
	if (len == 0 || len > n || s[0] > 0xf4)
		return 0;
	c = s[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < min_of[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff) || c < 0xa0)
		return 0;
	return len;
}

/* How many of the N bytes at S are printable ASCII, up to the first that is not. */
static size_t plain_ascii(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && s[i] >= ' ' && s[i] < 0x7f)
		i++;
	return i;
}

size_t text_escape(char *out, size_t size, const char *s, size_t n)
{
	size_t len = 0;

	for (size_t i = 0; i < n && s[i];) {
		size_t c = plain_ascii(s + i, MIN(n - i, size - 1 - len));

		/* Nearly all text is, and needs one copy. */
		if (!c)
			c = printable_utf8((const unsigned char *)s + i, n - i);
		if (len + (c ? c : 4) >= size)
			break;
		if (c) {
			memcpy(out + len, s + i, c);
			len += c;
			i += c;
		} else {
			len += (size_t)sprintf(out + len, "\\x%02x", (unsigned char)s[i++]);
		}
	}
	out[len] = '\0';
	return len;
}

int text_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	unsigned long long v;
	char *end;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno == ERANGE || v < min || v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

int text_parse_duration(const char *s, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		double ns;
	} units[] = {{"", 1e9},	  {"ms", 1e6},	 {"s", 1e9},
		     {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	size_t n = strspn(s, "0123456789.");
	char *end;
	double v;

	if (n == 0 || *s == '.' || n > 20)
		return -EINVAL;
	v = strtod(s, &end);
	if (end != s + n)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].unit))
			continue;
		v *= units[i].ns;
		if (v >= 9e18)
			return -ERANGE;
		*ret_ns = (uint64_t)llround(v);
		return 0;
	}
	return -EINVAL;
}

size_t text_file_name(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; s[n] && n + 1 < size; n++) {
		char c = s[n];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-';

		out[n] = plain ? c : '_';
	}
	if (n == 0)
		out[n++] = '_';
	out[n] = '\0';
	return n;
}
