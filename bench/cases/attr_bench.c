/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench attr: what one attribute, event or link of an open span costs. A chunk is one span with a chunk's
 * number of them, so begin and end are a 4,096th of the figure; the limits of a span are raised for that. Bursts fit a
 * ring of 4 MiB, and the agent drains it between and beside them.
 */
#include "bench/case.h"
#include "bench/floors/floors.h"
#include "bench/loops/bursts.h"
#include "bench/loops/loop.h"
#include <errno.h>
#include <spanring/spanring.h>

#define RING_BYTES "4194304"
#define RING_RECORDS (4194304u / SPANRING_RECORD_BYTES)
#define RECORDS_MAX 2u /* of one round */
#define BURST (6u * CHUNK_ROUNDS)
#define BURSTS 16u
#define ARRAY_COUNT 4u

_Static_assert(BURST *RECORDS_MAX + BURST / CHUNK_ROUNDS <= RING_RECORDS, "a burst fits the ring");

static struct spanring_key key = SPANRING_KEY_INIT("bench.value");
static const char text_16[] = "sixteen bytes ok";
static const char text_64[] = "sixty-four bytes are a long value: two records instead of one...";
_Static_assert(sizeof(text_16) == 16 + 1 && sizeof(text_64) == 64 + 1, "as their names say");

static uint64_t number_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.attributes");
	for (uint64_t i = 0; i < count; i++)
		spanring_set_u64(span, &key, i);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

static uint64_t bool_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.attributes");
	for (uint64_t i = 0; i < count; i++)
		spanring_set_bool(span, &key, i % 2 != 0);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

static uint64_t string_16_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.attributes");
	for (uint64_t i = 0; i < count; i++)
		spanring_set_string(span, &key, text_16);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

static uint64_t string_64_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.attributes");
	for (uint64_t i = 0; i < count; i++)
		spanring_set_string(span, &key, text_64);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

/* A round is one attribute, not one array. */
static uint64_t array_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.attributes");
	for (uint64_t i = 0; i < count; i += ARRAY_COUNT) {
		const struct spanring_attribute attributes[ARRAY_COUNT] = {
		    spanring_attribute_u64(&key, i), spanring_attribute_i64(&key, 1), spanring_attribute_f64(&key, 0.5),
		    spanring_attribute_bool(&key, true)};
		spanring_set_attributes(span, attributes, ARRAY_COUNT);
	}
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

static uint64_t event_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.attributes");
	for (uint64_t i = 0; i < count; i++)
		spanring_event(span, &key);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

static uint64_t link_ns(uint64_t count) {
	struct spanring_context linked = {.trace_hi = 1, .trace_lo = 2, .span_id = 3};
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.attributes");
	for (uint64_t i = 0; i < count; i++)
		spanring_link(span, &linked);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

struct attr_task {
	uint64_t (*loop)(uint64_t rounds);
};

enum {
	NUMBER = FLOORS_FIGURES,
	BOOLEAN = NUMBER + 2,
	STRING_16 = BOOLEAN + 2,
	STRING_64 = STRING_16 + 2,
	ARRAY = STRING_64 + 2,
	EVENT = ARRAY + 2,
	LINK = EVENT + 2,
	FIGURES = LINK + 2
};

#define LINES(figure, key_, label, bar)                                                                                \
	[figure] = {key_ "_ns", label, "ns", bar}, [(figure) + 1] = {key_ "_ratio", "  of the floor", "x", NULL}

static const struct report_line lines[FIGURES] = {
    FLOORS_FIGURE_LINES,
    LINES(NUMBER, "attribute_u64", "number", "8"),
    LINES(BOOLEAN, "attribute_bool", "bool", NULL),
    LINES(STRING_16, "attribute_string_16", "string of 16 bytes", NULL),
    LINES(STRING_64, "attribute_string_64", "string of 64 bytes (two records)", NULL),
    LINES(ARRAY, "attribute_in_array", "one of an array of four", NULL),
    LINES(EVENT, "event", "event", NULL),
    LINES(LINK, "link", "link", NULL),
};

static const struct worker_setting settings[] = {
    {"SPANRING_RING_BYTES", RING_BYTES},
    {"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "65535"},
    {"OTEL_SPAN_EVENT_COUNT_LIMIT", "65535"},
    {"OTEL_SPAN_LINK_COUNT_LIMIT", "65535"},
    {NULL, NULL},
};

static int measure(const struct stage *stage, const void *task_pointer, double *ret_values) {
	const struct attr_task *task = task_pointer;
	const struct bursts bursts = {
	    .loop = task->loop, .rounds = stage_rounds(stage, BURST), .count = stage_bursts(stage, BURSTS)};
	struct bursts_result result;
	int rc = bursts_run_whole(&bursts, &result);
	if (rc < 0)
		return rc;
	ret_values[0] = result.median_ns;
	return result.ended == result.rounds / CHUNK_ROUNDS ? 0 : -EIO;
}

static const struct attr_task tasks[] = {{number_ns}, {bool_ns},  {string_16_ns}, {string_64_ns},
                                         {array_ns},  {event_ns}, {link_ns}};

static const struct floors_mode modes[] = {
    {NUMBER, 1, settings, &tasks[0]},    {BOOLEAN, 1, settings, &tasks[1]}, {STRING_16, 1, settings, &tasks[2]},
    {STRING_64, 1, settings, &tasks[3]}, {ARRAY, 1, settings, &tasks[4]},   {EVENT, 1, settings, &tasks[5]},
    {LINK, 1, settings, &tasks[6]},
};

static int run(const struct stage *stage, double *values) {
	return floors_run(stage, measure, modes, sizeof(modes) / sizeof(modes[0]), values);
}

int attr_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-attr/1",
	    .title = "One attribute, event or link of an open span, the agent draining",
	    .note = "Compare only runs with a like ping-pong; see docs/measuring.md.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}
