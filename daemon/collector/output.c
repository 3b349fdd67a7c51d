/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/util.h"

static bool names_directory(const char *path)
{
	size_t n = strlen(path);
	struct stat st;

	return (n && path[n - 1] == '/') || (stat(path, &st) == 0 && S_ISDIR(st.st_mode));
}

static int refuse_long_name(char *err)
{
	snprintf(err, OPTIONS_ERROR_SIZE, "--output: the name is too long");
	return -ENAMETOOLONG;
}

static int use_directory(struct output *out, const char *path, char *err)
{
	struct stat st;
	int r;

	if (strlen(path) >= sizeof(out->path))
		return refuse_long_name(err);
	out->made = stat(path, &st) < 0;
	snprintf(out->path, sizeof(out->path), "%s", path);
	for (size_t n = strlen(out->path); n > 1 && out->path[n - 1] == '/'; n--)
		out->path[n - 1] = '\0';
	out->kind = FINISHER_RUN_DIR;
	r = store_check_dir(out->path, &out->dirfd);
	if (r < 0)
		snprintf(err, OPTIONS_ERROR_SIZE,
			 "--output %.300s: cannot write files there: %s; name another directory",
			 path, strerror(-r));
	return r;
}

static int use_file(struct output *out, const char *path, char *err)
{
	int r;

	if (strlen(path) >= sizeof(out->path))
		return refuse_long_name(err);
	snprintf(out->path, sizeof(out->path), "%s", path);
	out->kind = FINISHER_FILE;
	r = store_check_file(path);
	if (r == -ELOOP)
		snprintf(
		    err, OPTIONS_ERROR_SIZE,
		    "--output %.300s: a symbolic link; name the file itself, or - for standard "
		    "output",
		    path);
	else if (r < 0)
		snprintf(err, OPTIONS_ERROR_SIZE,
			 "--output %.300s: cannot be written: %s; name a file in an existing "
			 "directory",
			 path, strerror(-r));
	return r;
}

static int use_stdout(struct output *out, const struct options *o, char *err)
{
	out->kind = FINISHER_STDOUT;
	snprintf(out->path, sizeof(out->path), "-");
	if (o->format == STORE_PPROF && isatty(STDOUT_FILENO)) {
		snprintf(err, OPTIONS_ERROR_SIZE,
			 "-o -: a profile is binary and standard output is a terminal; redirect "
			 "it, or use "
			 "--format folded");
		return -EINVAL;
	}
	return 0;
}

/* A directory that no earlier run has used, named after the time. */
static void default_directory(char *path, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(path, size, "cprofd-%Y-%m-%dT%H%M%SZ", &tm);
}

int output__choose(struct output *ret, const struct options *o, const char *comm, uint32_t tgid,
		   char *err)
{
	struct store_name name = {.comm = comm, .tgid = tgid, .format = o->format};
	bool one_process = o->mode == MODE_PIDS && o->n_pids == 1;
	char path[PATH_MAX], file[STORE_PATH_MAX];

	store_run_path(file, &name);
	if (o->output && !strcmp(o->output, "-"))
		return use_stdout(ret, o, err);
	if (!o->output && o->mode == MODE_ALL) {
		default_directory(path, sizeof(path));
		return use_directory(ret, path, err);
	}
	if (!o->output)
		return o->n_pids > 1 ? use_directory(ret, ".", err) : use_file(ret, file, err);
	if (one_process && names_directory(o->output)) {
		int r = use_directory(ret, o->output, err);

		if (r < 0)
			return r;
		ret->dirfd = close_fd(ret->dirfd);
		if (snprintf(path, sizeof(path), "%s/%s", ret->path, file) >= (int)sizeof(path))
			return refuse_long_name(err);
		return use_file(ret, path, err);
	}
	if (names_directory(o->output) || o->mode == MODE_ALL)
		return use_directory(ret, o->output, err);
	if (o->n_pids > 1) {
		snprintf(err, OPTIONS_ERROR_SIZE,
			 "--output %.300s: several processes make several files; name a directory "
			 "(it exists, or the name ends in /)",
			 o->output);
		return -EINVAL;
	}
	return use_file(ret, o->output, err);
}

void output__fini(struct output *o)
{
	o->dirfd = close_fd(o->dirfd);
}

void output__discard(struct output *o)
{
	if (!o->made)
		return;
	if (o->kind == FINISHER_FILE)
		*strrchr(o->path, '/') = '\0';
	rmdir(o->path); /* stays if somebody put something in */
}
