/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index: a SQLite file with a table of files and an FTS5 table of their words. Built beside its final name and
 * renamed when it is complete, so that a failed run leaves an older index as it was.
 */
#ifndef INDEXER_FULLTEXT_H
#define INDEXER_FULLTEXT_H

#include "buffer.h"

#include <stdint.h>
#include <stdio.h>

#define FULLTEXT_FILES_PER_COMMIT 256u

struct fulltext;

struct fulltext_file {
	const char *path;
	uint64_t bytes;
	uint64_t compressed_bytes;
	uint64_t word_count;
	const struct buffer *words; /* NULL: none (binary) */
};

/* path NULL: in memory. Functions return 0 or a negative errno; then fulltext_error says what SQLite said. */
int fulltext_create(const char *path, struct fulltext **ret_fulltext);

/* Begins a transaction if none is open. *ret_pending: files in the open transaction. One thread at a time. */
int fulltext_insert(struct fulltext *fulltext, const struct fulltext_file *file, uint32_t *ret_pending);
int fulltext_commit(struct fulltext *fulltext);

/* Give the finished index its final name. */
int fulltext_publish(struct fulltext *fulltext);

/* Closes; an index that was not published is removed. NULL is fine. */
void fulltext_free(struct fulltext *fulltext);

/* Paths of the files that hold all words, one per line, best first. */
int fulltext_search(const char *path, const char *words, FILE *file);

/* Text of a failure: of this index, or of the code alone where SQLite had no part. */
const char *fulltext_error(const struct fulltext *fulltext, int rc);

#endif
