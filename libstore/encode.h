/* SPDX-License-Identifier: Apache-2.0 */
/* Batch in, encoded columns out: a pure function over memory, all of it taken by encoder_new. */
#ifndef SPANRING_LIBSTORE_ENCODE_H
#define SPANRING_LIBSTORE_ENCODE_H

#include "child_rows.h"
#include "format.h"

struct encoder;

int encoder_new(struct encoder **ret_encoder);
void encoder_free(struct encoder *encoder);
/* What a large batch left in its memory goes back to the system; the next one takes it again. */
void encoder_rest(struct encoder *encoder);

/* Any batch within the limits of batch.h encodes. The pointers in ret_encoded live until the next call. */
void encode(struct encoder *encoder, const struct batch *batch, struct format_batch *ret_encoded);

/* The rows of the batch encoded last, in stored order; until the next call of either. Its child sums are no business of the encoder. */
void encoder_child_rows(struct encoder *encoder, struct child_rows *ret_rows);

#endif
