/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/collector/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "base/util.h"

const char options_help[] =
    "Usage:\n"
    "  cprofd --pid N [--pid N …] [--seconds S] [-o FILE|DIR]   profile processes\n"
    "  cprofd --all [--seconds S] [-o DIR]                      profile the whole host\n"
    "  cprofd [-o FILE|DIR/] -- CMD [ARG …]                     run and profile a command\n"
    "  cprofd [--config FILE]                                   the daemon, in the foreground\n"
    "  cprofd check [--json]                                    can this host sample?\n"
    "\n"
    "Options:\n"
    "  -p, --pid N            process to profile; may be given several times\n"
    "  -a, --all              every process\n"
    "  -s, --seconds S        how long; otherwise until Ctrl-C or the end of the processes\n"
    "  -F, --frequency HZ     samples per second and CPU (default 99; daemon: its config, 19)\n"
    "  -o, --output PATH      file, or directory (it exists, or the name ends in /);\n"
    "                         - is standard output. Default: COMM.PID.cpu.pb.gz here;\n"
    "                         with --all a new directory\n"
    "      --format FORMAT    pprof (default) or folded\n"
    "      --event EVENT      cpu-clock (default) or cycles\n"
    "      --no-kernel        leave out the kernel's part of the stacks\n"
    "  -q, --quiet            no progress and no summary\n"
    "      --config FILE      configuration of the daemon (default /etc/cprofd/cprofd.conf)\n"
    "      --json             check: as JSON\n"
    "  -h, --help  -V, --version\n"
    "\n"
    "Exit status: 0 done; 1 failed; 2 wrong usage; 3 the process does not exist or ended\n"
    "before one sample; 77 this host cannot sample; with -- CMD that of CMD.\n";

enum long_option {
	OPT_FORMAT = 256,
	OPT_EVENT,
	OPT_NO_KERNEL,
	OPT_CONFIG,
	OPT_JSON,
};

__attribute__((format(printf, 2, 3))) static int refuse(char *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, OPTIONS_ERROR_SIZE, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int parse_pid(struct options *o, const char *arg, char *err)
{
	uint64_t pid;

	if (text_parse_u64(arg, 1, 4194304, &pid) < 0)
		return refuse(err, "--pid %s: not a process id (a number from 1 to 4194304)", arg);
	for (size_t i = 0; i < o->n_pids; i++)
		if (o->pids[i] == pid)
			return 0;
	if (o->n_pids == TARGETS_MAX)
		return refuse(err, "--pid: more than %d processes; use --all", TARGETS_MAX);
	o->pids[o->n_pids++] = (uint32_t)pid;
	return 0;
}

static int parse_seconds(struct options *o, const char *arg, char *err)
{
	if (text_parse_duration(arg, &o->duration_ns) < 0)
		return refuse(err, "--seconds %s: not a time (for example 30, 1.5 or 10m)", arg);
	if (o->duration_ns < 10 * NSEC_PER_MSEC || o->duration_ns > 7 * 86400 * NSEC_PER_SEC)
		return refuse(err, "--seconds %s: must be from 0.01 seconds to 7 days", arg);
	return 0;
}

static int parse_choice(const char *option, const char *arg, const char *first, const char *second,
			bool *ret_second, char *err)
{
	*ret_second = !strcmp(arg, second);
	if (*ret_second || !strcmp(arg, first))
		return 0;
	return refuse(err, "%s %s: must be %s or %s", option, arg, first, second);
}

static int parse_frequency(struct options *o, const char *arg, char *err)
{
	uint64_t hz;

	if (text_parse_u64(arg, 1, OPTIONS_MAX_HZ, &hz) < 0)
		return refuse(err, "--frequency %s: must be from 1 to %d Hz", arg, OPTIONS_MAX_HZ);
	o->frequency_hz = (uint32_t)hz;
	return 0;
}

/* One option. *ALL and *HELP collect the modes that options ask for. */
static int parse_option(struct options *o, int opt, bool *all, char *err)
{
	bool second;
	int r;

	switch (opt) {
	case 'p':
		return parse_pid(o, optarg, err);
	case 'a':
		*all = true;
		return 0;
	case 's':
		return parse_seconds(o, optarg, err);
	case 'F':
		return parse_frequency(o, optarg, err);
	case 'o':
		o->output = optarg;
		return *optarg ? 0 : refuse(err, "--output: the name is empty");
	case 'q':
		o->quiet = true;
		return 0;
	case OPT_FORMAT:
		r = parse_choice("--format", optarg, "pprof", "folded", &second, err);
		o->format = second ? STORE_FOLDED : STORE_PPROF;
		return r;
	case OPT_EVENT:
		r = parse_choice("--event", optarg, "cpu-clock", "cycles", &second, err);
		o->event = second ? SAMPLER_EVENT_CYCLES : SAMPLER_EVENT_CPU_CLOCK;
		o->event_given = true;
		return r;
	case OPT_NO_KERNEL:
		o->kernel_stacks = false;
		return 0;
	case OPT_CONFIG:
		o->config = optarg;
		return 0;
	case OPT_JSON:
		o->json = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static const char short_options[] = "+:p:as:F:o:qhV";

/* What getopt_long() answered with ':' or '?'. WORD is the last one it is done with: in a group
 * such as -xq that is not the one it looks at. */
static int refuse_option(int opt, const char *word, char *err)
{
	if (opt == ':')
		return refuse(err, "%s: a value is missing, see cprofd --help", word);
	if (optopt == 0)
		return refuse(err, "%s: no such option, see cprofd --help", word);
	if (optopt < 256 && (!isalpha(optopt) || !strchr(short_options, optopt)))
		return refuse(err, "-%c: no such option, see cprofd --help", optopt);
	return refuse(err, "%s: takes no value, see cprofd --help", word);
}

/* What the options ask for together. */
static int choose_mode(struct options *o, bool all, int argc, char **argv, bool dashes, char *err)
{
	bool command = optind < argc && dashes;
	bool check = optind < argc && !dashes && !strcmp(argv[optind], "check");
	int n_modes = (o->n_pids > 0) + all + (command || dashes) + check;

	if (dashes && !command)
		return refuse(err, "--: the command is missing (cprofd -- CMD ARG …)");
	if (optind < argc && !command && !check)
		return refuse(err,
			      "%s: not understood; a command comes after --, see cprofd --help",
			      argv[optind]);
	if (check && optind + 1 < argc)
		return refuse(err, "%s: not understood after check", argv[optind + 1]);
	if (n_modes > 1)
		return refuse(
		    err, "only one of --pid, --all, -- CMD and check can be asked for at once");
	if (o->json && !check)
		return refuse(err, "--json: only for cprofd check");
	if (check) {
		o->mode = MODE_CHECK;
	} else if (command) {
		o->mode = MODE_COMMAND;
		o->command = argv + optind;
	} else if (all) {
		o->mode = MODE_ALL;
	} else if (o->n_pids) {
		o->mode = MODE_PIDS;
	} else {
		o->mode = MODE_DAEMON;
	}
	return 0;
}

/* Options that do not go with the mode. */
static int check_combination(const struct options *o, char *err)
{
	bool oneshot = o->mode == MODE_PIDS || o->mode == MODE_ALL || o->mode == MODE_COMMAND;
	bool to_stdout = o->output && !strcmp(o->output, "-");

	if (!oneshot && (o->duration_ns || o->output || o->format != STORE_PPROF))
		return refuse(err,
			      "--seconds, --output and --format need --pid N, --all or -- CMD");
	if (o->mode != MODE_DAEMON && o->config)
		return refuse(err, "--config is for the daemon only");
	if (o->mode == MODE_DAEMON && (o->frequency_hz || o->event_given || !o->kernel_stacks))
		return refuse(err,
			      "--frequency, --event and --no-kernel need --pid N, --all or -- CMD; "
			      "the daemon takes them from its configuration");
	if (o->mode == MODE_COMMAND && o->duration_ns)
		return refuse(err,
			      "--seconds does not go with -- CMD, which is profiled until it ends");
	if (to_stdout && o->mode == MODE_COMMAND)
		return refuse(err, "-o -: the command writes to standard output too; name a file");
	if (to_stdout && (o->mode == MODE_ALL || o->n_pids > 1))
		return refuse(err,
			      "-o -: several files cannot go to standard output; name a directory");
	return 0;
}

int options_parse(struct options *ret, int argc, char **argv, char *err)
{
	static const struct option longs[] = {
	    {"pid", required_argument, NULL, 'p'},
	    {"all", no_argument, NULL, 'a'},
	    {"seconds", required_argument, NULL, 's'},
	    {"frequency", required_argument, NULL, 'F'},
	    {"output", required_argument, NULL, 'o'},
	    {"format", required_argument, NULL, OPT_FORMAT},
	    {"event", required_argument, NULL, OPT_EVENT},
	    {"no-kernel", no_argument, NULL, OPT_NO_KERNEL},
	    {"quiet", no_argument, NULL, 'q'},
	    {"config", required_argument, NULL, OPT_CONFIG},
	    {"json", no_argument, NULL, OPT_JSON},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, 'V'},
	    {NULL, 0, NULL, 0},
	};
	struct options o = {.kernel_stacks = true};
	bool all = false, dashes = false;
	const char *value = NULL;
	int opt, r;

	optind = 0; /* makes getopt start afresh, for tests that parse more than once */
	opterr = 0;
	while ((opt = getopt_long(argc, argv, short_options, longs, NULL)) != -1) {
		if (opt == 'h' || opt == 'V') {
			*ret = (struct options){.mode = opt == 'h' ? MODE_HELP : MODE_VERSION};
			return 0;
		}
		if (opt == ':' || opt == '?')
			return refuse_option(opt, argv[optind - 1], err);
		value = optarg;
		r = parse_option(&o, opt, &all, err);
		if (r < 0)
			return r;
	}
	/* Unless it is what an option was given: -o --. */
	dashes = optind > 1 && !strcmp(argv[optind - 1], "--") && argv[optind - 1] != value;
	/* `check` comes first and may be followed by its options. */
	if (optind < argc && !dashes && !strcmp(argv[optind], "check") && optind + 1 < argc &&
	    !strcmp(argv[optind + 1], "--json")) {
		o.json = true;
		argv[optind + 1] = argv[optind];
		optind++;
	}
	r = choose_mode(&o, all, argc, argv, dashes, err);
	if (r == 0)
		r = check_combination(&o, err);
	if (r < 0)
		return r;
	*ret = o;
	return 0;
}
