/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the indexer did, counted in its own variables and independent of the library: the table that it prints must be
 * the one that the analyzer finds in the store. Safe from any thread.
 */
#ifndef INDEXER_TALLY_H
#define INDEXER_TALLY_H

#include <stdint.h>
#include <stdio.h>

/* One per span name of this program, in the order of the alphabet. */
enum tally_span {
	TALLY_COMMIT,
	TALLY_COMPRESS,
	TALLY_FILE,
	TALLY_INDEX,
	TALLY_INSERT,
	TALLY_READ,
	TALLY_TOKENIZE,
	TALLY_WALK,
	TALLY_SPANS
};

struct tally {
	uint64_t begun[TALLY_SPANS];
	uint64_t errors[TALLY_SPANS]; /* spans with status ERROR */
	uint64_t files_indexed;
	uint64_t files_binary;
	uint64_t files_large;
	uint64_t unreadable; /* files and directories */
	uint64_t bytes;
	uint64_t compressed_bytes;
	uint64_t words;
};

static inline void tally_add(uint64_t *counter, uint64_t amount) {
	(void)__atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

/* When all threads are done. */
void tally_print(const struct tally *tally, FILE *file);

#endif
