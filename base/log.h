/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages for people, on stderr, one line each, prefixed with the program's name.
 *
 * Only program code logs, once, where an error is decided; library code returns. Bytes that come
 * from other processes (names, paths) must pass text_escape() before they get here.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level {
	LOG_ERROR, /* the program, or what the user asked for, cannot go on */
	LOG_WARN,  /* goes on, but with less than was asked */
	LOG_INFO,  /* what a user wants to see once */
	LOG_DEBUG, /* for the developer; off by default */
};

/* Sets the least urgent level that is printed and the prefix of each line (borrowed). */
void log_setup(const char *program, enum log_level level);

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *fmt, ...);

#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

#endif
