/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of a file, a pipe or memory, one after the other, with the line and column they stand in. Holds one buffer, however long the input. */
#ifndef SPANRING_ANALYZE_BYTE_SOURCE_H
#define SPANRING_ANALYZE_BYTE_SOURCE_H

#include <stddef.h>
#include <stdint.h>

#define BYTE_SOURCE_BYTES (1u << 16)
#define BYTE_SOURCE_END (-1)

struct byte_source {
	int fd;              /* FD_NONE: memory */
	uint8_t *buffer;     /* NULL: memory */
	const uint8_t *next; /* of what was read */
	const uint8_t *end;
	uint64_t line;   /* of the next byte, from 1 */
	uint64_t column; /* bytes from 1; a byte order mark counts */
	uint64_t bytes;  /* taken so far */
	int error;       /* of reading: looks like the end */
};

/* The descriptor stays the caller's. 0 or -ENOMEM. */
int byte_source_open(int fd, struct byte_source *ret_source);
/* A regular file by its name; *ret_fd is the caller's to close behind byte_source_done. 0, ERR_FOREIGN (no regular file) or negative errno. */
int byte_source_open_file(const char *path, struct byte_source *ret_source, int *ret_fd);
void byte_source_memory(const void *bytes, size_t count, struct byte_source *ret_source);
void byte_source_done(struct byte_source *source);

/* As much as one buffer holds, or all there is, without taking it: what the first bytes look like. */
size_t byte_source_look(struct byte_source *source, const uint8_t **ret_bytes);

/* More into an empty buffer; the next byte or BYTE_SOURCE_END. */
int byte_source_refill(struct byte_source *source);

/* The next byte, which stays. */
static inline int byte_source_peek(struct byte_source *source) {
	return source->next < source->end ? *source->next : byte_source_refill(source);
}

/* Take the byte that was peeked at. */
static inline void byte_source_take(struct byte_source *source) {
	uint8_t byte = *source->next++;
	source->bytes++;
	source->column++;
	if (byte == '\n') {
		source->line++;
		source->column = 1;
	}
}

#endif
