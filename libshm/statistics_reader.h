/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's view of one statistics file. Same distrust and same results as ring_reader.h: the header is copied once and
 * checked, block_count is loaded once and checked against the format and against the size that the kernel gives, every block is
 * copied word by word under the fault guard, and only the copy is looked at.
 *
 * A reader lives for one reading: the file may have grown at the next one. It keeps no descriptor, only the mapping, so that
 * statistics cost nothing between two readings.
 */
#ifndef SPANRING_LIBSHM_STATISTICS_READER_H
#define SPANRING_LIBSHM_STATISTICS_READER_H

#include "ring_reader.h"

#include <spanring/statistics_abi.h>
#include <stdint.h>

/* Spans of one block; more cannot be honest, and the sums over all rings of a process stay within 64 bits. */
#define STATISTICS_READER_COUNT_MAX (UINT64_C(1) << 53)

struct statistics_reader {
	const void *file; /* mapped, hostile */
	uint64_t bytes;
	uint32_t block_count;
};

/* The file beside the ring of that index. 0, -ENOENT (the thread has none), ERR_FOREIGN, ERR_NEWER, ERR_DAMAGED, or a system error. */
int statistics_reader_open(int directory_fd, const struct ring_reader_expect *expect,
                           struct statistics_reader *ret_reader);
void statistics_reader_close(struct statistics_reader *reader);

/*
 * Copy block `index`, below block_count, and count its spans: the sum of its bins. A block of a living thread may hold a span in its
 * bins that is not in the other figures yet. 0, ERR_DAMAGED or ERR_GONE.
 */
int statistics_reader_block(const struct statistics_reader *reader, uint32_t index,
                            struct spanring_site_statistics *ret_block, uint64_t *ret_count);

#endif
