/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RECORD_STORE "spanring.store"
#define RECORD_MEMORY_INTERVAL_NS (100 * NS_PER_MS) /* a command may be over in a second */

const char *config_help(void) {
	return "Collects spans from programs that link libspanring, into a store.\n"
	       "\n"
	       "  spanring-agent record -- ./app          run one command, collect from it\n"
	       "  spanring-agent record --heap -- ./app   and count what each span allocates\n"
	       "  spanring-agent run                      collect from all programs of this user\n"
	       "  spanring-agent status                   ask the running agent how it is\n"
	       "\n"
	       "Commands\n"
	       "  run                    until SIGINT or SIGTERM\n"
	       "  record -- COMMAND ...  until the command and all it started are done\n"
	       "  status                 of the agent at the ring directory\n"
	       "\n"
	       "Options\n"
	       "  --rings DIR            ring directory that programs and agent share\n"
	       "                         (SPANRING_DIR, else /dev/shm/spanring-<uid>;\n"
	       "                         record: one of its own)\n"
	       "  -o, --store DIR        store to write (SPANRING_STORE, else\n"
	       "                         $XDG_STATE_HOME/spanring or ~/.local/state/spanring,\n"
	       "                         as root /var/lib/spanring; record: spanring.store in\n"
	       "                         the current directory, added to if it exists)\n"
	       "  --flush-interval TIME  longest time a span waits for its commit, 1ms to 60s\n"
	       "                         (default 1s)\n"
	       "  --memory-interval TIME how often to sample each program's memory, 10ms to 1h\n"
	       "                         (default 1s, record: 100ms; 0: never)\n"
	       "  --heap                 record: count the heap bytes of each span\n"
	       "                         (preloads libspanring_heap)\n"
	       "  --durability MODE      normal: survives the death of any process (default)\n"
	       "                         full: survives loss of power, too\n"
	       "  --quiet                only warnings and errors\n"
	       "  --json                 status as one JSON document\n"
	       "  -h, --help             this text\n"
	       "  --version              print the version\n"
	       "\n"
	       "Exit codes\n"
	       "  0  done\n"
	       "  1  no agent runs (status), or the agent failed\n"
	       "  2  wrong words on the command line\n"
	       "  3  what was asked for is not there (--heap without its library)\n"
	       "  5  another agent holds the ring directory or the store\n"
	       "  6  ring directory or store cannot be written\n"
	       "  record exits as its command does: 128 + n when killed by signal n, 126 when it\n"
	       "  cannot be run, 127 when it is not found.\n";
}

enum option_id {
	OPTION_RINGS = 256,
	OPTION_FLUSH,
	OPTION_MEMORY,
	OPTION_DURABILITY,
	OPTION_QUIET,
	OPTION_JSON,
	OPTION_HEAP
};

static const struct option options[] = {{"rings", required_argument, NULL, OPTION_RINGS},
                                        {"store", required_argument, NULL, 'o'},
                                        {"flush-interval", required_argument, NULL, OPTION_FLUSH},
                                        {"memory-interval", required_argument, NULL, OPTION_MEMORY},
                                        {"durability", required_argument, NULL, OPTION_DURABILITY},
                                        {"quiet", no_argument, NULL, OPTION_QUIET},
                                        {"json", no_argument, NULL, OPTION_JSON},
                                        {"heap", no_argument, NULL, OPTION_HEAP},
                                        {"help", no_argument, NULL, 'h'},
                                        {NULL, 0, NULL, 0}};

static int set_path(const struct log *log, const char *option, const char *value, char ret_path[PATH_MAX]) {
	size_t bytes = strlen(value);
	if (bytes == 0 || bytes >= PATH_MAX) {
		log_error(log, "%s: %s; give the path of a directory", option, bytes ? "path too long" : "empty path");
		return -EINVAL;
	}
	memcpy(ret_path, value, bytes + 1);
	return 0;
}

static int set_duration(const struct log *log, const char *option, const char *value, uint64_t min_ns, uint64_t max_ns,
                        uint64_t *ret_ns) {
	uint64_t ns;
	if (units_parse_duration(value, &ns) < 0 || ns < min_ns || ns > max_ns) {
		char low[UNITS_TEXT_BYTES];
		char high[UNITS_TEXT_BYTES];
		log_error(log, "%s %s: give a time from %s to %s, such as 500ms", option, value,
		          units_format_duration((double)min_ns, low), units_format_duration((double)max_ns, high));
		return -EINVAL;
	}
	*ret_ns = ns;
	return 0;
}

static int set_durability(const struct log *log, const char *value, enum store_durability *ret_durability) {
	if (strcmp(value, "normal") == 0)
		*ret_durability = STORE_DURABILITY_NORMAL;
	else if (strcmp(value, "full") == 0)
		*ret_durability = STORE_DURABILITY_FULL;
	else {
		log_error(log, "--durability %s: give normal or full", value);
		return -EINVAL;
	}
	return 0;
}

static int set_option(int id, const struct log *log, struct config *config) {
	switch (id) {
	case OPTION_RINGS:
		config->rings_are_default = false;
		return set_path(log, "--rings", optarg, config->rings);
	case 'o':
		return set_path(log, "--store", optarg, config->store);
	case OPTION_FLUSH:
		return set_duration(log, "--flush-interval", optarg, CONFIG_FLUSH_INTERVAL_NS_MIN,
		                    CONFIG_FLUSH_INTERVAL_NS_MAX, &config->flush_interval_ns);
	case OPTION_MEMORY:
		if (strcmp(optarg, "0") == 0) {
			config->memory_interval_ns = 0;
			return 0;
		}
		return set_duration(log, "--memory-interval", optarg, CONFIG_MEMORY_INTERVAL_NS_MIN,
		                    CONFIG_MEMORY_INTERVAL_NS_MAX, &config->memory_interval_ns);
	case OPTION_DURABILITY:
		return set_durability(log, optarg, &config->durability);
	case OPTION_QUIET:
		config->quiet = true;
		return 0;
	case OPTION_JSON:
		config->json = true;
		return 0;
	case OPTION_HEAP:
		config->heap = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int default_rings(const struct log *log, struct config *config) {
	const char *named = getenv("SPANRING_DIR");
	if (named && *named)
		return set_path(log, "SPANRING_DIR", named, config->rings);
	config->rings_are_default = true;
	(void)snprintf(config->rings, sizeof(config->rings), "/dev/shm/spanring-%u", (unsigned)geteuid());
	return 0;
}

static int default_store(enum config_command command, const struct log *log, struct config *config) {
	const char *named = getenv("SPANRING_STORE");
	if (command == CONFIG_RECORD)
		return set_path(log, "--store", RECORD_STORE, config->store);
	if (named && *named)
		return set_path(log, "SPANRING_STORE", named, config->store);
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int length;
	if (geteuid() == 0)
		length = snprintf(config->store, sizeof(config->store), "/var/lib/spanring");
	else if (state && *state == '/')
		length = snprintf(config->store, sizeof(config->store), "%s/spanring", state);
	else if (home && *home == '/')
		length = snprintf(config->store, sizeof(config->store), "%s/.local/state/spanring", home);
	else
		length = -1;
	if (length > 0 && (size_t)length < sizeof(config->store))
		return 0;
	log_error(log, "no home directory to keep the store in; name one with --store DIR");
	return -EINVAL;
}

static int check_words(enum config_command command, int argc, char **argv, const struct log *log,
                       struct config *config) {
	if (config->heap && command != CONFIG_RECORD) {
		log_error(log, "%s: --heap belongs to record; preload libspanring_heap.so into other programs yourself",
		          argv[0]);
		return -EINVAL;
	}
	bool dashes = optind > 1 && strcmp(argv[optind - 1], "--") == 0;
	if (command == CONFIG_RECORD) {
		if (optind < argc) {
			config->command = argv + optind;
			return 0;
		}
		log_error(log, "record: no command; give it after \"--\": spanring-agent record -- COMMAND ...");
		return -EINVAL;
	}
	if (optind < argc || dashes) {
		log_error(log, "%s: unexpected word \"%s\"; see spanring-agent --help", argv[0],
		          optind < argc ? argv[optind] : "--");
		return -EINVAL;
	}
	return 0;
}

int config_parse(enum config_command command, int argc, char **argv, const struct log *log, struct config *ret_config) {
	*ret_config = (struct config){
	    .flush_interval_ns = NS_PER_S,
	    .memory_interval_ns = command == CONFIG_RECORD ? RECORD_MEMORY_INTERVAL_NS : NS_PER_S,
	};
	optind = 0;
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;
		/* "+": the words of the recorded command are not ours. */
		int id = getopt_long(argc, argv, "+:o:h", options, NULL);
		if (id == -1)
			break;
		if (id == 'h')
			return 1;
		if (id == '?' || id == ':') {
			log_error(log, "%s: %s \"%s\"; see spanring-agent --help", argv[0],
			          id == '?' ? "unknown option" : "no value for", argv[at]);
			return -EINVAL;
		}
		int rc = set_option(id, log, ret_config);
		if (rc < 0)
			return rc;
	}
	int rc = check_words(command, argc, argv, log, ret_config);
	if (rc == 0 && !*ret_config->rings && command != CONFIG_RECORD)
		rc = default_rings(log, ret_config);
	if (rc == 0 && !*ret_config->store)
		rc = default_store(command, log, ret_config);
	return rc;
}
