/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEXER_OPTIONS_H
#define INDEXER_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define OPTIONS_THREADS_MAX 256u

struct options {
	const char *root;     /* directory to index; NULL when searching */
	const char *database; /* file to write, or to search in; NULL: in memory */
	const char *search;   /* words to look for; NULL when indexing */
	uint32_t threads;
	uint64_t max_bytes; /* files above this size are left out */
	bool quiet;
};

/* Exit code to end with at once (0 after --help, 2 after a message about usage), or -1: go on with *ret_options. */
int options_parse(int argc, char **argv, struct options *ret_options);

#endif
