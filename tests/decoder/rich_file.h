/* SPDX-License-Identifier: Apache-2.0 */
/* A small sealed segment that has rows in every table, as bytes. */
#ifndef SPANRING_TESTS_DECODER_RICH_FILE_H
#define SPANRING_TESTS_DECODER_RICH_FILE_H

#include "support/scratch.h"

#include <stddef.h>
#include <stdint.h>

struct rich_file {
	struct scratch scratch;
	char path[SCRATCH_PATH_BYTES + 64]; /* of a copy that a test may change */
	uint8_t *bytes;                     /* of the sound one */
	size_t count;
	int fd; /* the copy, for reading and writing */
};

/* Always the same; fails the test if it cannot be made. spans: of each batch at most. */
void rich_file_make(struct rich_file *file, uint32_t spans);
void rich_file_remove(struct rich_file *file);

#endif
