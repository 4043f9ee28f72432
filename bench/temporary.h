/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of a benchmark's own: rings in shared memory, the store on disk; removed whatever happens. */
#ifndef SPANRING_BENCH_TEMPORARY_H
#define SPANRING_BENCH_TEMPORARY_H

#include <stdint.h>

#define TEMPORARY_PATH_BYTES 512u

struct temporary {
	char rings[TEMPORARY_PATH_BYTES];
	char store[TEMPORARY_PATH_BYTES];
};

/* 0 or negative errno; then nothing is left behind. */
int temporary_make(struct temporary *ret_temporary);
void temporary_remove(struct temporary *temporary);

/* Nothing in the store any more. */
void temporary_empty_store(const struct temporary *temporary);

/* Sum of the sizes of the regular files in a folder. 0 or negative errno. */
int temporary_folder_bytes(const char *path, uint64_t *ret_bytes);

#endif
