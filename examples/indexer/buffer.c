/* SPDX-License-Identifier: Apache-2.0 */
#include "buffer.h"

#include <errno.h>
#include <stdlib.h>

int buffer_reserve(struct buffer *buffer, size_t capacity) {
	if (capacity <= buffer->capacity)
		return 0;
	size_t grown = buffer->capacity < 4096 ? 4096 : buffer->capacity;
	while (grown < capacity) {
		if (__builtin_mul_overflow(grown, (size_t)2, &grown))
			return -ENOMEM;
	}
	char *data = realloc(buffer->data, grown);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->capacity = grown;
	return 0;
}

void buffer_done(struct buffer *buffer) {
	free(buffer->data);
	*buffer = (struct buffer){0};
}
