/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that other people wrote, and numbers that users type.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The longest text that text_escape() lets through, in bytes of output without the NUL. */
#define TEXT_MAX 4095

/*
 * The one escaper of everything that leaves us: copies the N bytes at S to OUT (SIZE bytes, at
 * least 5, always NUL-terminated) as valid UTF-8 without control characters. Bytes that are not
 * UTF-8 (RFC 3629: no surrogates, no overlong forms), C0 and C1 controls and DEL become \xNN. Cut
 * at a character's edge where OUT is full. Stops at a NUL. Returns the length of OUT.
 */
size_t text_escape(char *out, size_t size, const char *s, size_t n);

/* Parses a whole decimal number in [MIN, MAX]. Returns 0, -EINVAL (not a number) or -ERANGE. */
int text_parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret);

/* Parses "60s", "10m", "24h", "7d" or "500ms" to nanoseconds; a number without a unit is refused
 * unless it is in seconds ("30"). Fractions ("1.5s") are taken. Returns 0, -EINVAL or -ERANGE. */
int text_parse_duration(const char *s, uint64_t *ret_ns);

/* Copies a process name to OUT, replacing all bytes but [A-Za-z0-9_-] by '_'; an empty name becomes
 * "_". For names of files. Returns the length. */
size_t text_file_name(char *out, size_t size, const char *s);

#endif
