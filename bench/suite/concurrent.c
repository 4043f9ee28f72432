/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench concurrent: threads that do traced work at the same time. Every operation counts: one whose span was not recorded is an
 * error, and the thread goes on, so that there can be more errors than threads.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "bench/floors/topology.h"
#include "bench/harness/words.h"
#include "bench/loops/loop.h"
#include "bench/loops/operation_loops.h"
#include "bench/stage.h"
#include "bench/worker.h"
#include "suite.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <spanring/spanring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define THREADS 10u
#define THREADS_MAX 256u
#define OPERATIONS 1000u
#define OPERATIONS_MAX 10000000u
#define ERRORS_SHOWN_MAX 100u
#define ERROR_RATE_GOOD 0.0
#define ERROR_RATE_RED_FLAG 0.01
#define THROUGHPUT_GOOD 1000.0
#define THROUGHPUT_RED_FLAG 100.0

static const char help[] =
    "spanring-bench concurrent [--threads N] [--ops N] [--show-errors N] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "\n"
    "So many threads (default 10), each so many operations (default 1000) of about a microsecond in a\n"
    "span, an agent storing: latency of an operation, operations per second, errors (spans that were\n"
    "not recorded, each with its reason) and their share. Exit status 1 when 1 % or more are errors, or\n"
    "100 or fewer operations are done in a second.\n";

struct concurrent {
	const struct log *log;
	enum result_format format;
	uint64_t threads;
	uint64_t operations;
	uint64_t shown;
	const char *agent;
	const char *keep;
};

struct error {
	uint64_t thread;
	uint64_t operation;
	uint64_t at_ns; /* since the start */
};

/* In memory that the measuring process shares with us. */
struct figures {
	uint64_t wall_ns;
	uint64_t done;
	uint64_t errors;
	uint64_t dropped;
	uint64_t not_started; /* threads */
	uint32_t error_count;
	struct error first[ERRORS_SHOWN_MAX];
	struct samples latency; /* of each n-th operation, ns */
	pthread_mutex_t lock;
};

struct crew {
	const struct concurrent *concurrent;
	struct figures *figures;
	uint64_t start_ns;
	uint64_t every; /* operation is a sample */
	pthread_barrier_t gate;
};

struct member {
	struct crew *crew;
	uint64_t number;
};

static void note_error(const struct member *member, uint64_t operation, uint64_t now_ns) {
	struct figures *figures = member->crew->figures;
	(void)pthread_mutex_lock(&figures->lock);
	figures->errors++;
	if (figures->error_count < member->crew->concurrent->shown)
		figures->first[figures->error_count++] =
		    (struct error){member->number, operation, now_ns - member->crew->start_ns};
	(void)pthread_mutex_unlock(&figures->lock);
}

static void note_sample(struct figures *figures, uint64_t ns) {
	(void)pthread_mutex_lock(&figures->lock);
	if (figures->latency.count < SAMPLES_MAX)
		samples_add(&figures->latency, (double)ns);
	(void)pthread_mutex_unlock(&figures->lock);
}

static void *work(void *context) {
	const struct member *member = context;
	struct crew *crew = member->crew;
	(void)pthread_barrier_wait(&crew->gate);
	for (uint64_t i = 0; i < crew->concurrent->operations; i++) {
		uint64_t from_ns = clock_monotonic_ns();
		SPANRING_BEGIN(span, "bench.concurrent");
		loop_keep(operation_work(i));
		spanring_end(span);
		uint64_t now_ns = clock_monotonic_ns();
		if (span.span_id == 0)
			note_error(member, i, now_ns);
		if (i % crew->every == 0)
			note_sample(crew->figures, now_ns - from_ns);
	}
	(void)__atomic_fetch_add(&crew->figures->done, crew->concurrent->operations, __ATOMIC_RELAXED);
	return NULL;
}

static uint64_t start_crew(struct crew *crew, struct member *members, pthread_t *threads) {
	uint64_t count = crew->concurrent->threads;
	uint64_t started = 0;
	for (; started < count; started++) {
		members[started] = (struct member){crew, started};
		if (pthread_create(&threads[started], NULL, work, &members[started]) != 0)
			break;
	}
	return started;
}

static int body(const struct stage *stage, const void *task, double ret_values[WORKER_VALUES_MAX]) {
	struct crew crew = *(const struct crew *)task;
	struct figures *figures = crew.figures;
	struct spanring_counters counters;
	uint64_t count = crew.concurrent->threads;
	struct member *members CLEANUP_FREE = calloc(count, sizeof(*members));
	pthread_t *threads CLEANUP_FREE = calloc(count, sizeof(*threads));
	(void)stage;
	(void)ret_values;
	if (!members || !threads || pthread_barrier_init(&crew.gate, NULL, (unsigned)count + 1) != 0)
		return -ENOMEM;
	uint64_t started = start_crew(&crew, members, threads);
	if (started < count)
		return -EAGAIN; /* they wait at a gate that will not open; the process ends */
	crew.start_ns = clock_monotonic_ns();
	(void)pthread_barrier_wait(&crew.gate);
	for (uint64_t i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	figures->wall_ns = clock_monotonic_ns() - crew.start_ns;
	spanring_counters_read(&counters);
	figures->dropped = counters.dropped_full;
	return 0;
}

static void say_errors(const struct concurrent *concurrent, const struct figures *figures) {
	if (figures->dropped > 0)
		log_warning(concurrent->log, "%" PRIu64 " spans found their ring full", figures->dropped);
	for (uint32_t i = 0; i < figures->error_count; i++)
		log_warning(concurrent->log, "thread %" PRIu64 ", operation %" PRIu64 ", after %.3f ms: not recorded",
		            figures->first[i].thread, figures->first[i].operation,
		            (double)figures->first[i].at_ns / 1e6);
}

static int report(const struct concurrent *concurrent, const struct figures *figures, struct result *result) {
	struct result_row *latency = result_row(result, "operation", "ns", RESULT_LOWER_IS_BETTER);
	struct result_row *throughput = result_row(result, "operations", "1/s", RESULT_HIGHER_IS_BETTER);
	int code = EXIT_CODE_FAILED;
	if (latency && throughput) {
		double errors = (double)(figures->errors + figures->dropped);
		double share = figures->done ? errors / (double)figures->done : 1;
		double rate = (double)figures->done * 1e9 / (double)figures->wall_ns;
		latency->samples = figures->latency;
		samples_add(&throughput->samples, rate);
		result_fact(result, "threads", "%" PRIu64, concurrent->threads);
		result_fact(result, "operations", "%" PRIu64, figures->done);
		result_fact(result, "errors", "%.0f", errors);
		result_gate(result, &(struct result_gate){"share of errors", "", share, ERROR_RATE_GOOD,
		                                          ERROR_RATE_RED_FLAG, false});
		result_gate(result, &(struct result_gate){"operations per second", "1/s", rate, THROUGHPUT_GOOD,
		                                          THROUGHPUT_RED_FLAG, true});
		say_errors(concurrent, figures);
		code =
		    result_print(result, concurrent->format, stdout) < 0 ? EXIT_CODE_OUTPUT : result_exit_code(result);
	}
	return code;
}

static int measure_and_report(const struct concurrent *concurrent, const struct stage *stage) {
	double values[WORKER_VALUES_MAX];
	struct figures *figures =
	    mmap(NULL, sizeof(*figures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (figures == MAP_FAILED)
		return EXIT_CODE_FAILED;
	(void)pthread_mutex_init(&figures->lock, NULL);
	const struct crew crew = {.concurrent = concurrent,
	                          .figures = figures,
	                          .every = 1 + concurrent->threads * concurrent->operations / SAMPLES_MAX};
	/* All cores: the threads are to meet each other. */
	struct stage everywhere = *stage;
	everywhere.loop_core = TOPOLOGY_NO_CORE;
	struct result *result = result_new("concurrent");
	int rc = result ? worker_run(&everywhere, NULL, body, &crew, values) : -ENOMEM;
	if (rc < 0)
		log_error(concurrent->log, "concurrent: the run failed: %s", strerror(-rc));
	int code = rc < 0 ? EXIT_CODE_FAILED : report(concurrent, figures, result);
	result_free(result);
	(void)munmap(figures, sizeof(*figures));
	return code;
}

int concurrent_command(int argc, char **argv, const struct log *log) {
	struct concurrent concurrent = {.log = log, .threads = THREADS, .operations = OPERATIONS, .shown = 5};
	const struct word table[] = {
	    {"threads", WORD_NUMBER, &concurrent.threads, 1, THREADS_MAX},
	    {"ops", WORD_NUMBER, &concurrent.operations, 1, OPERATIONS_MAX},
	    {"show-errors", WORD_NUMBER, &concurrent.shown, 0, ERRORS_SHOWN_MAX},
	    {"agent", WORD_TEXT, &concurrent.agent, 0, 0},
	    {"keep", WORD_TEXT, &concurrent.keep, 0, 0},
	    WORDS_OF_FORMAT(&concurrent.format),
	};
	struct words words = {.log = log, .help = help, .table = table, .count = sizeof(table) / sizeof(table[0])};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	struct bench_options options = {.log = *log, .agent = concurrent.agent, .keep = concurrent.keep};
	struct stage stage;
	code = stage_open(&options, true, &stage);
	if (code != EXIT_CODE_OK)
		return code;
	code = measure_and_report(&concurrent, &stage);
	int closed = stage_close(&stage);
	return code == EXIT_CODE_OK ? closed : code;
}
