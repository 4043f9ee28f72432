/* SPDX-License-Identifier: Apache-2.0 */
/* Which traces may be in a batch: 10 bits per trace, 7 hashes, about 1 in 120 wrong answers, all of them "maybe". */
#ifndef SPANRING_LIBSTORE_BLOOM_H
#define SPANRING_LIBSTORE_BLOOM_H

#include "format.h"

#include <stdbool.h>

/* Size for so many traces: a multiple of 8, at least 8. */
uint32_t bloom_bytes(uint32_t traces);
void bloom_add(uint8_t *filter, uint32_t bytes, uint64_t trace_lo);
/* bytes is a multiple of 8 and not 0. */
bool bloom_may_hold(const uint8_t *filter, uint32_t bytes, uint64_t trace_lo);

#endif
