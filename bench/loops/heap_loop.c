/* SPDX-License-Identifier: Apache-2.0 */
#include "heap_loop.h"

#include "base/clock.h"

#include <stdlib.h>

#define BLOCK_BYTES 64u

uint64_t heap_loop_pairs_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		void *block = malloc(BLOCK_BYTES);
		/* The compiler must not leave out a block that nobody uses. */
		__asm__ volatile("" : "+r"(block) : : "memory");
		free(block);
	}
	return clock_monotonic_ns() - start_ns;
}
