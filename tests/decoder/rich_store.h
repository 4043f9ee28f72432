/* SPDX-License-Identifier: Apache-2.0 */
/* Random stores in which every table of the format has rows and every column of them a value. */
#ifndef SPANRING_TESTS_DECODER_RICH_STORE_H
#define SPANRING_TESTS_DECODER_RICH_STORE_H

#include "support/seed.h"

#include "libstore/writer.h"

/* Names of any bytes, sites with scopes, processes with resources, threads. */
struct catalog *rich_store_catalog(struct seed *seed);

/* A batch of any shape with up to spans_max spans, and in the same transaction something for each other table. */
void rich_store_commit(struct store_writer *writer, struct catalog *catalog, struct seed *seed, uint64_t number,
                       uint32_t spans_max);

#endif
