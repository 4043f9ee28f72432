/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench context: what it costs to ask for the current context, to write and read it as a header, and to attach
 * another one. One span is open all the time, so there is something to ask for; nothing is recorded.
 */
#include "bench/case.h"
#include "bench/floors/floors.h"
#include "bench/loops/bursts.h"
#include "bench/loops/loop.h"
#include <errno.h>
#include <spanring/async.h>
#include <spanring/context.h>

#define ROUNDS (128u * CHUNK_ROUNDS)

static uint64_t current_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++)
		loop_keep(spanring_context_current().span_id);
	return clock_monotonic_ns() - start_ns;
}

static uint64_t inject_ns(uint64_t count) {
	struct spanring_context context = spanring_context_current();
	char text[SPANRING_TRACEPARENT_BYTES];
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		loop_keep(spanring_traceparent_inject(&context, 0, text));
		loop_keep((uintptr_t)text);
	}
	return clock_monotonic_ns() - start_ns;
}

static uint64_t extract_ns(uint64_t count) {
	struct spanring_context context = spanring_context_current();
	struct spanring_remote remote;
	char text[SPANRING_TRACEPARENT_BYTES];
	(void)spanring_traceparent_inject(&context, 0, text);
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		loop_keep(spanring_remote_extract(text, NULL, &remote));
		loop_keep((uintptr_t)&remote);
	}
	return clock_monotonic_ns() - start_ns;
}

static uint64_t log_text_ns(uint64_t count) {
	char text[SPANRING_LOG_TEXT_BYTES];
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		loop_keep(spanring_log_text(text));
		loop_keep((uintptr_t)text);
	}
	return clock_monotonic_ns() - start_ns;
}

static uint64_t attach_ns(uint64_t count) {
	const struct spanring_context context = {.trace_hi = 1, .trace_lo = 2, .span_id = 3};
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++)
		spanring_context_detach(spanring_context_attach(&context));
	return clock_monotonic_ns() - start_ns;
}

struct context_task {
	uint64_t (*loop)(uint64_t rounds);
};

enum {
	CURRENT = FLOORS_FIGURES,
	INJECT = CURRENT + 2,
	EXTRACT = INJECT + 2,
	LOG_TEXT = EXTRACT + 2,
	ATTACH = LOG_TEXT + 2,
	FIGURES = ATTACH + 2
};

#define LINES(figure, key, label)                                                                                      \
	[figure] = {key "_ns", label, "ns", NULL}, [(figure) + 1] = {key "_ratio", "  of the floor", "x", NULL}

static const struct report_line lines[FIGURES] = {
    FLOORS_FIGURE_LINES,
    LINES(CURRENT, "context_current", "spanring_context_current"),
    LINES(INJECT, "traceparent_inject", "traceparent, inject"),
    LINES(EXTRACT, "traceparent_extract", "traceparent, extract"),
    LINES(LOG_TEXT, "log_text", "ids for a log line"),
    LINES(ATTACH, "attach_detach", "attach and detach"),
};

static int measure(const struct stage *stage, const void *task_pointer, double *ret_values) {
	const struct context_task *task = task_pointer;
	const struct bursts bursts = {.loop = task->loop, .rounds = stage_rounds(stage, ROUNDS), .count = 1};
	struct bursts_result result;
	SPANRING_SPAN(span, "bench.context");
	int rc = bursts_run_whole(&bursts, &result);
	if (rc < 0)
		return rc;
	ret_values[0] = result.median_ns;
	return span.span_id != 0 ? 0 : -EIO;
}

static const struct context_task tasks[] = {{current_ns}, {inject_ns}, {extract_ns}, {log_text_ns}, {attach_ns}};

static const struct floors_mode modes[] = {
    {CURRENT, 1, NULL, &tasks[0]},  {INJECT, 1, NULL, &tasks[1]}, {EXTRACT, 1, NULL, &tasks[2]},
    {LOG_TEXT, 1, NULL, &tasks[3]}, {ATTACH, 1, NULL, &tasks[4]},
};

static int run(const struct stage *stage, double *values) {
	return floors_run(stage, measure, modes, sizeof(modes) / sizeof(modes[0]), values);
}

int context_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-context/1",
	    .title = "Contexts: ask, pass on, attach",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}
