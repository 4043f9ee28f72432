/* SPDX-License-Identifier: Apache-2.0 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "events.h"

#include "base/clock.h"
#include "provider.h"

#include <lttng/ust-version.h>

#define SITE 7u
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

uint64_t spanring_bench_lttng_spans_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		lttng_ust_tracepoint(spanring_bench, begin, i, SITE);
		lttng_ust_tracepoint(spanring_bench, end, i, SITE);
	}
	return clock_monotonic_ns() - start_ns;
}

bool spanring_bench_lttng_is_on(void) {
	return lttng_ust_tracepoint_enabled(spanring_bench, begin) && lttng_ust_tracepoint_enabled(spanring_bench, end);
}

const char *spanring_bench_lttng_version(void) {
	return TEXT(LTTNG_UST_MAJOR_VERSION) "." TEXT(LTTNG_UST_MINOR_VERSION) "." TEXT(LTTNG_UST_PATCHLEVEL_VERSION);
}
