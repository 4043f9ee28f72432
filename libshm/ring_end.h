/* SPDX-License-Identifier: Apache-2.0 */
/* How a span ends that needs some thought: see also the functions in ring_writer.h that are out of line. */
#ifndef SPANRING_LIBSHM_RING_END_H
#define SPANRING_LIBSHM_RING_END_H

#include "ring_writer.h"
#include <spanring/async_abi.h>

/* What becomes of a span that ends: a record, or a counter that says why there is none. The numbers are those of async_abi.h. */
enum spanring__fate {
	SPANRING__FATE_RECORD = SPANRING_ASYNC_ENDING_RECORD,
	SPANRING__FATE_FULL = SPANRING_ASYNC_ENDING_FULL,
	SPANRING__FATE_SAMPLED = SPANRING_ASYNC_ENDING_SAMPLED,
	SPANRING__FATE_SHORT = SPANRING_ASYNC_ENDING_SHORT
};

/* RECORD: there is room for it. Then let it come true; the stack has been taken. */
enum spanring__fate spanring__ring_fate(struct spanring__thread *self, const struct spanring_open_span *entry,
                                        uint64_t now, uint64_t duration);
void spanring__ring_fulfil(struct spanring__thread *self, enum spanring__fate fate,
                           const struct spanring_open_span *entry, uint64_t tail_word, uint64_t now, uint64_t duration,
                           uint64_t heap_word);

#endif
