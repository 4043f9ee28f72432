/* SPDX-License-Identifier: Apache-2.0 */
/* A byte buffer that grows and is used again: each worker reads, tokenizes and compresses in its own. */
#ifndef INDEXER_BUFFER_H
#define INDEXER_BUFFER_H

#include <stddef.h>

struct buffer {
	char *data;
	size_t bytes;    /* in use */
	size_t capacity; /* allocated */
};

/* Room for capacity bytes in all; what is in use stays. 0 or -ENOMEM. */
int buffer_reserve(struct buffer *buffer, size_t capacity);
void buffer_done(struct buffer *buffer);

#endif
