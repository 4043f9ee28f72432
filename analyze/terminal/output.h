/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a command writes what -o names: standard output, or a file that appears whole, by one rename, or not at all. What is written before lies
 * beside it under a name of its own.
 */
#ifndef SPANRING_ANALYZE_OUTPUT_H
#define SPANRING_ANALYZE_OUTPUT_H

#include <stdio.h>

struct output {
	FILE *file;
	char *path;      /* NULL: standard output */
	char *temporary; /* what it is called until it is whole */
};

/* path NULL or "-": standard output. 0 or negative errno. */
int output_open(const char *path, struct output *ret_output);
/* All was written: give it its name. 0 or negative errno; then there is no file. Of standard output the caller of main looks after errors. */
int output_commit(struct output *output);
/* Leave nothing behind. Also after output_commit, then without effect. */
void output_discard(struct output *output);

#endif
