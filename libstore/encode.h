/* SPDX-License-Identifier: Apache-2.0 */
/* Batch in, encoded columns out: a pure function over memory, all of it taken by encoder_new. */
#ifndef SPANRING_LIBSTORE_ENCODE_H
#define SPANRING_LIBSTORE_ENCODE_H

#include "format.h"

struct encoder;

int encoder_new(struct encoder **ret_encoder);
void encoder_free(struct encoder *encoder);
/* What a large batch left in its memory goes back to the system; the next one takes it again. */
void encoder_rest(struct encoder *encoder);

/* Any batch within the limits of batch.h encodes. The pointers in ret_encoded live until the next call. */
void encode(struct encoder *encoder, const struct batch *batch, struct format_batch *ret_encoded);

#endif
