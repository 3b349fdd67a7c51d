/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/log.h"
#include "daemon/collector/names_cache.h"
#include "daemon/collector/symbolizer_client.h"

int run_check_namespace(char *err)
{
	/* The inode of the initial PID namespace: PROC_PID_INIT_INO of include/linux/proc_ns.h. */
	const ino_t initial = 0xEFFFFFFC;
	struct stat st;

	if (stat("/proc/self/ns/pid", &st) < 0) {
		snprintf(err, OPTIONS_ERROR_SIZE, "/proc is not mounted: %s", strerror(errno));
		return -EPERM;
	}
	if (st.st_ino == initial)
		return 0;
	snprintf(err, OPTIONS_ERROR_SIZE,
		 "running inside a PID namespace, where the kernel's process numbers mean nothing; "
		 "run in the "
		 "host's (docker: --pid=host)");
	return -EPERM;
}

/* Every file that is sampled is held open, so take as many descriptors as we may without asking. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit); /* if not, the old limit serves most hosts */
	}
}

int run_load(struct collector **ret, const struct sampler_options *sampling,
	     const struct finisher_options *finishing)
{
	struct finisher_options f = *finishing;
	char symbolizer[PATH_MAX], names[PATH_MAX], why[OPTIONS_ERROR_SIZE];
	int r = run_check_namespace(why);

	raise_file_limit();
	if (r == 0 && symbolizer_client_locate(symbolizer, sizeof(symbolizer)) < 0) {
		log_error("cprofd-symbolizer is neither beside cprofd nor in %s",
			  CPROFD_LIBEXECDIR);
		return EXIT_FAILED;
	}
	names_cache_locate(names, sizeof(names));
	f.symbolizer = symbolizer;
	f.names = names;
	if (r == 0)
		r = collector__new(ret, sampling, &f, why, sizeof(why));
	if (r == 0)
		return 0;
	log_error("%s", why);
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE ? EXIT_FAILED : EXIT_NO_SAMPLING;
}

int run_refuse_output(const char *err, const struct sampler_options *sampling)
{
	char why[OPTIONS_ERROR_SIZE];
	struct sampler *sampler = NULL;
	int r = sampler__new(&sampler, sampling, why, sizeof(why));

	sampler__free(sampler);
	if (r == -EPERM || r == -EACCES) {
		log_error("%s", why);
		return EXIT_NO_SAMPLING;
	}
	log_error("%s", err);
	return EXIT_USAGE;
}
