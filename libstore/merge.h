/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Small batches of a sealed segment, put together into full ones: the rows stay, their number of batches and the bytes they take shrink
 * (merge.c). In steps, so that the caller can share out the time, on a thread of its own if it likes. For the holder of the store only.
 */
#ifndef SPANRING_LIBSTORE_MERGE_H
#define SPANRING_LIBSTORE_MERGE_H

#include "writer.h"

struct store_merge;

struct store_merge_options {
	uint64_t free_bytes; /* to be left in the file system beside the second file */
	uint32_t rows;       /* of a merged batch, which is what memory goes by; 0: as many as the format allows */
};

struct store_merge_figures {
	uint64_t batches_before;
	uint64_t batches_after;
	uint64_t bytes_before;
	uint64_t bytes_after;
	uint64_t spans;
};

/*
 * 0 and *ret_merge; NULL there: nothing to gain, it is not sealed, it is gone, or it has something that this build does not know. Or an error:
 * ERR_FULL (not enough room now), ERR_DAMAGED, ..., with a line in ret_text.
 */
int store_merge_open(struct store_writer *writer, const char *path, const struct store_merge_options *options,
                     struct store_merge **ret_merge, char *ret_text, size_t text_bytes);

/* At most one batch, or one table. 1: there is more to do; 0: the merged file stands in the place of the other; or an error, as above. */
int store_merge_step(struct store_merge *merge, char *ret_text, size_t text_bytes);

void store_merge_figures(const struct store_merge *merge, struct store_merge_figures *ret_figures);

/* Before its end: the segment stays as it was. NULL is fine. */
void store_merge_close(struct store_merge *merge);

#endif
