/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MAX_BYTES_DEFAULT (UINT64_C(16) << 20)
#define MAX_BYTES_LIMIT (UINT64_C(512) << 20) /* SQLite's longest text is 10^9 bytes */

static const char usage_text[] =
    "usage: indexer [-o INDEX.db] [--threads N] [--max-bytes N] [--quiet] DIR\n"
    "       indexer --search WORDS INDEX.db\n"
    "\n"
    "Compresses every file below DIR and indexes the words of the text files; --search prints the paths of the files\n"
    "that contain all WORDS, best match first.\n"
    "\n"
    "  -o, --output FILE   write the index there (replaces an older index, nothing else); default: kept in memory\n"
    "      --threads N     worker threads, 1 to 256; default: one per core\n"
    "      --max-bytes N   leave larger files out, 1 to 536870912; default: 16777216\n"
    "      --quiet         print no summary\n"
    "      --search WORDS  look words up in an index\n"
    "  -h, --help          this text\n"
    "\n"
    "Exit status: 0 done (unreadable files are named on stderr and counted); 1 DIR or INDEX.db cannot be opened or\n"
    "written; 2 wrong usage.\n";

static int usage(const char *what, const char *value) {
	(void)fprintf(stderr, "indexer: %s%s; see indexer --help\n", what, value);
	return 2;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret_number) {
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != 0 || text[0] < '0' || text[0] > '9' || number < 1 || number > max)
		return false;
	*ret_number = number;
	return true;
}

static uint32_t cores(void) {
	long count = sysconf(_SC_NPROCESSORS_ONLN);
	if (count < 1)
		return 1;
	return count > (long)OPTIONS_THREADS_MAX ? OPTIONS_THREADS_MAX : (uint32_t)count;
}

static int options_arguments(int argc, char **argv, struct options *options) {
	if (argc - optind != 1)
		return usage(argc == optind ? "nothing given to work on" : "more than one argument", "");
	if (options->search) {
		if (options->database)
			return usage("--search and --output exclude each other", "");
		options->database = argv[optind];
	} else {
		options->root = argv[optind];
	}
	return -1;
}

int options_parse(int argc, char **argv, struct options *ret_options) {
	enum { OPTION_THREADS = 256, OPTION_MAX_BYTES, OPTION_QUIET, OPTION_SEARCH };
	static const struct option table[] = {
	    {"output", required_argument, NULL, 'o'},
	    {"threads", required_argument, NULL, OPTION_THREADS},
	    {"quiet", no_argument, NULL, OPTION_QUIET},
	    {"max-bytes", required_argument, NULL, OPTION_MAX_BYTES},
	    {"help", no_argument, NULL, 'h'},
	    {"search", required_argument, NULL, OPTION_SEARCH},
	    {NULL, 0, NULL, 0},
	};
	struct options options = {.threads = cores(), .max_bytes = MAX_BYTES_DEFAULT};
	uint64_t threads = 0;
	int option;

	while ((option = getopt_long(argc, argv, "o:h", table, NULL)) != -1) {
		switch (option) {
		case 'o':
			options.database = optarg;
			break;
		case OPTION_THREADS:
			if (!parse_number(optarg, OPTIONS_THREADS_MAX, &threads))
				return usage("--threads takes 1 to 256, not ", optarg);
			options.threads = (uint32_t)threads;
			break;
		case OPTION_MAX_BYTES:
			if (!parse_number(optarg, MAX_BYTES_LIMIT, &options.max_bytes))
				return usage("--max-bytes takes 1 to 536870912, not ", optarg);
			break;
		case OPTION_QUIET:
			options.quiet = true;
			break;
		case OPTION_SEARCH:
			options.search = optarg;
			break;
		case 'h':
			(void)fputs(usage_text, stdout);
			return 0;
		default:
			return 2;
		}
	}
	int rc = options_arguments(argc, argv, &options);
	if (rc < 0)
		*ret_options = options;
	return rc;
}
