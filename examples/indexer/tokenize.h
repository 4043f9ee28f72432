/* SPDX-License-Identifier: Apache-2.0 */
#ifndef INDEXER_TOKENIZE_H
#define INDEXER_TOKENIZE_H

#include "buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* A zero byte among the first 8 KiB: not text. */
bool tokenize_is_binary(const struct buffer *content);

/*
 * The words of content (runs of letters, digits and non-ASCII bytes, 2 to 64 bytes long) in lower case, one blank
 * between two. 0 or -ENOMEM; ret_words->data is terminated.
 */
int tokenize(const struct buffer *content, struct buffer *ret_words, uint64_t *ret_word_count);

#endif
