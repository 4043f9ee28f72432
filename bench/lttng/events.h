/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two events of a span in LTTng-UST: 12 bytes of payload each, which is what tells one span from another. Read by LTTng's headers several
 * times, hence the odd guard.
 */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER spanring_bench

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "bench/lttng/events.h"

#if !defined(SPANRING_BENCH_LTTNG_EVENTS_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define SPANRING_BENCH_LTTNG_EVENTS_H

#include <lttng/tracepoint.h>
#include <stdint.h>

LTTNG_UST_TRACEPOINT_EVENT_CLASS(spanring_bench, mark, LTTNG_UST_TP_ARGS(uint64_t, span, uint32_t, site),
                                 LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint64_t, span, span)
                                                         lttng_ust_field_integer(uint32_t, site, site)))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(spanring_bench, mark, spanring_bench, begin,
                                    LTTNG_UST_TP_ARGS(uint64_t, span, uint32_t, site))
LTTNG_UST_TRACEPOINT_EVENT_INSTANCE(spanring_bench, mark, spanring_bench, end,
                                    LTTNG_UST_TP_ARGS(uint64_t, span, uint32_t, site))

#endif

#include <lttng/tracepoint-event.h>
