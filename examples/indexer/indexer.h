/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run: the main thread walks the tree and feeds paths to workers; each worker reads, compresses, tokenizes and
 * inserts.
 *
 *     index                      main thread, root of the trace
 *     |-- walk                   main thread, one per directory
 *     |-- file                   a worker, one per file; its parent is given as a context from the main thread
 *     |   |-- read, compress, tokenize, insert
 *     |   `-- commit             by the worker whose insert fills the transaction
 *     `-- commit                 main thread, the rest
 *
 * Every span counts itself in the tally beside its begin, and its error where its status is set.
 */
#ifndef INDEXER_INDEXER_H
#define INDEXER_INDEXER_H

#include "buffer.h"
#include "compress.h"
#include "fulltext.h"
#include "options.h"
#include "tally.h"
#include "work_queue.h"

#include <spanring/spanring.h>

struct indexer {
	const struct options *options;
	int root_fd;
	struct fulltext *fulltext;
	pthread_mutex_t fulltext_lock;
	struct work_queue queue;
	struct tally tally;
	struct spanring_context root; /* of the span "index"; all zero when the program is not traced */
	int failure;                  /* first negative errno of the index, under fulltext_lock */
	uint32_t stop;                /* atomic: the index failed, do no more work */
};

/* What a worker owns. */
struct worker {
	struct indexer *indexer;
	struct compressor *compressor;
	struct buffer content;
	struct buffer words;
	pthread_t thread;
};

static inline bool indexer_stopped(struct indexer *indexer) {
	return __atomic_load_n(&indexer->stop, __ATOMIC_RELAXED) != 0;
}

static inline void indexer_span_failed(struct indexer *indexer, enum tally_span which, struct spanring_span span,
                                       const char *text) {
	tally_add(&indexer->tally.errors[which], 1);
	spanring_set_status(span, SPANRING_STATUS_ERROR, text);
}

/* Push every regular file below the root; follows no symbolic link, skips special files. 0 or -ENOMEM. */
int walk_tree(struct indexer *indexer);

/* All that is done to one file. path is relative to the root. */
void index_file(struct worker *worker, const char *path);

/* Commit the open transaction; needs fulltext_lock, and the failure is kept in the indexer. */
void index_commit(struct indexer *indexer);

#endif
