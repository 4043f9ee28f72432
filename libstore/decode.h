/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoded columns in, rows out: a pure function over memory of constant size. Whatever the bytes are, it ends
 * soon, writes only its own memory and either gives rows or says ERR_DAMAGED (or ERR_NEWER for a transform that it
 * does not know).
 */
#ifndef SPANRING_LIBSTORE_DECODE_H
#define SPANRING_LIBSTORE_DECODE_H

#include "format.h"
#include "reader.h"

struct decoder;

int decoder_new(struct decoder **ret_decoder);
void decoder_free(struct decoder *decoder);

/*
 * Which format columns (bit per enum format_column) must be at hand to decode these (STORE_COLUMN_*); it makes a difference whether the batch has
 * FORMAT_COLUMN_SITE_RUNS.
 */
uint32_t decode_needs(uint32_t wanted, bool has_site_runs);

/*
 * Fills all of ret_columns but segment and batch; the pointers live until the next call. Ids are those of the
 * segment, unchecked.
 */
int decode(struct decoder *decoder, const struct format_batch *encoded, uint32_t wanted,
           struct store_columns *ret_columns);

#endif
