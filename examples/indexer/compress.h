/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEXER_COMPRESS_H
#define INDEXER_COMPRESS_H

#include "buffer.h"

struct compressor;

/* One per worker. 0 or -ENOMEM. */
int compressor_new(struct compressor **ret_compressor);
void compressor_free(struct compressor *compressor);

/* zstd of content, as *ret_bytes bytes that stay in the compressor until the next call. 0, -ENOMEM or -EINVAL. */
int compressor_run(struct compressor *compressor, const struct buffer *content, size_t *ret_bytes);

#endif
