/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench heap: what libspanring_heap adds to a pair of malloc and free.
 *
 * Each measurement is this program started anew, since a library can be preloaded only where a program starts, without
 * and with the library in LD_PRELOAD. Both alternate, and ratio and difference are taken within a pair of neighbours.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/sibling.h"
#include "bench/case.h"
#include "bench/loops/chunks.h"
#include "bench/loops/heap_loop.h"
#include "bench/worker.h"
#include <spanring/heap.h>

#include <string.h>

#define PAIRS (1024u * CHUNK_ROUNDS)

#pragma weak spanring_heap_counters

enum { PAIR_NS, COUNTED };

/* Started anew by heap_bench_run. */
int heap_worker_run(const struct bench_options *options) {
	(void)options;
	CLEANUP_FREE struct chunks *chunks = calloc(1, sizeof(*chunks));
	double values[WORKER_VALUES_MAX] = {0};
	if (!chunks)
		worker_answer(-ENOMEM, values);
	chunks_run(chunks, heap_loop_pairs_ns, PAIRS);
	const struct spanring_heap_totals *counters = spanring_heap_counters ? spanring_heap_counters() : NULL;
	values[PAIR_NS] = chunks_median_ns(chunks);
	values[COUNTED] = counters ? (double)counters->allocations : 0;
	worker_answer(0, values);
}

/* library: NULL or its path. Every pair must be counted, or none. */
static int pair_ns(const struct stage *stage, const char *library, double *ret_ns) {
	const struct worker_setting settings[] = {{"LD_PRELOAD", library}, {NULL, NULL}};
	double values[WORKER_VALUES_MAX];
	int rc = worker_exec(stage, settings, "heap-worker", values, NULL);
	if (rc < 0)
		return rc;
	*ret_ns = values[PAIR_NS];
	return (values[COUNTED] >= PAIRS) == (library != NULL) ? 0 : ERR_FOREIGN;
}

enum { PLAIN, WITH_LIBRARY, RATIO, DIFFERENCE, FIGURES };

static const struct report_line lines[FIGURES] = {
    [PLAIN] = {"pair_ns", "pair, not counted", "ns", NULL},
    [WITH_LIBRARY] = {"pair_counted_ns", "pair, counted", "ns", NULL},
    [RATIO] = {"pair_counted_ratio", "  of the one not counted", "x", NULL},
    [DIFFERENCE] = {"pair_difference_ns", "  added by counting", "ns", "5"},
};

static int run(const struct stage *stage, double *values) {
	char library[PATH_MAX];
	int rc = sibling_library(SIBLING_HEAP_LIBRARY, library);
	if (rc == 0)
		rc = pair_ns(stage, NULL, &values[PLAIN]);
	if (rc == 0)
		rc = pair_ns(stage, library, &values[WITH_LIBRARY]);
	values[RATIO] = values[WITH_LIBRARY] / values[PLAIN];
	values[DIFFERENCE] = values[WITH_LIBRARY] - values[PLAIN];
	return rc;
}

int heap_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-heap/1",
	    .title = "One pair of malloc and free of 64 bytes, heap counted or not",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .run = run,
	};
	char library[PATH_MAX];
	int rc = sibling_library(SIBLING_HEAP_LIBRARY, library);
	if (rc < 0) {
		log_error(&options->log, "%s: %s; build the target spanring_heap", SIBLING_HEAP_LIBRARY, strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	return case_run(&bench, options);
}
