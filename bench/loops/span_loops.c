/* SPDX-License-Identifier: Apache-2.0 */
#include "span_loops.h"

#include "loop.h"

#include <spanring/spanring.h>

uint64_t span_loop_empty_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++)
		loop_keep(i);
	return clock_monotonic_ns() - start_ns;
}

uint64_t span_loop_two_clocks_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		loop_keep(clock_monotonic_ns());
		loop_keep(clock_monotonic_ns());
	}
	return clock_monotonic_ns() - start_ns;
}

uint64_t span_loop_two_ticks_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		loop_keep(loop_ticks());
		loop_keep(loop_ticks());
	}
	return clock_monotonic_ns() - start_ns;
}

uint64_t span_loop_spans_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		SPANRING_BEGIN(span, "bench.span");
		spanring_end(span);
	}
	return clock_monotonic_ns() - start_ns;
}
