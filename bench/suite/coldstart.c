/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench coldstart and warmstart: what a program that lives for one request pays for tracing.
 *
 *     coldstart   a process each time: from before its fork to main (exec and loading), the first span (attach, ring), its end, and from
 *                 there to the end of the process; with tracing and without, in turns
 *     warmstart   the same request again in a process that has attached
 */
#include "base/clock.h"
#include "base/errs.h"
#include "bench/harness/words.h"
#include "bench/loops/loop.h"
#include "bench/loops/operation_loops.h"
#include "bench/worker.h"
#include "measured.h"
#include "suite.h"

#include <errno.h>
#include <spanring/spanring.h>
#include <sys/mman.h>

#define COLD_ITERATIONS 20u
#define WARM_ITERATIONS 100u
#define REQUEST_WORK 50u

static const char help[] =
    "spanring-bench coldstart [--iterations N] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "spanring-bench warmstart [--iterations N] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "\n"
    "coldstart: a process that is started, makes one request in a span and ends, with tracing and without,\n"
    "in turns: exec and loading, first span, request, exit, and all together. Red flag from 500 ms on.\n"
    "warmstart: the request in a process that has made it before. Red flag from 100 ms on.\n";

enum { MAIN_NS, BEGUN_NS, ENDED_NS };

static double now(void) {
	return (double)clock_monotonic_ns();
}

static void request(void) {
	for (uint64_t i = 0; i < REQUEST_WORK; i++)
		loop_keep(operation_work(i));
}

/* Started anew by coldstart. */
int cold_worker_run(const struct bench_options *options) {
	double values[WORKER_VALUES_MAX] = {0};
	(void)options;
	values[MAIN_NS] = now();
	SPANRING_BEGIN(span, "bench.cold");
	values[BEGUN_NS] = now();
	request();
	spanring_end(span);
	values[ENDED_NS] = now();
	worker_answer(0, values);
}

struct start {
	const struct log *log;
	enum result_format format;
	uint64_t iterations;
	const char *agent;
	const char *keep;
};

static const struct worker_setting off[] = {{"SPANRING_DISABLED", "1"}, {NULL, NULL}};

enum { OFF, ON, SIDES };
static const char *const side_words[] = {"off", "on"};

/* Times of one side. */
struct rows {
	struct result_row *load;
	struct result_row *first;
	struct result_row *work;
	struct result_row *exit;
	struct result_row *all;
};

static struct result_row *add(struct result *result, const char *what, int side) {
	char name[RESULT_NAME_BYTES];
	(void)snprintf(name, sizeof(name), "%s, %s", what, side_words[side]);
	return result_row(result, name, "ns", RESULT_LOWER_IS_BETTER);
}

static bool add_rows(struct result *result, struct rows rows[SIDES]) {
	bool all = true;
	for (int side = 0; side < SIDES; side++) {
		rows[side] =
		    (struct rows){add(result, "exec and load", side), add(result, "first span", side),
		                  add(result, "request", side), add(result, "exit", side), add(result, "all", side)};
		all =
		    all && rows[side].load && rows[side].first && rows[side].work && rows[side].exit && rows[side].all;
	}
	return all;
}

static int start_once(const struct stage *stage, int side, struct rows *rows) {
	double values[WORKER_VALUES_MAX];
	double from = now();
	int rc = worker_exec(stage, side == OFF ? off : NULL, "cold-worker", values, NULL);
	double to = now();
	if (rc < 0)
		return rc;
	samples_add(&rows->load->samples, values[MAIN_NS] - from);
	samples_add(&rows->first->samples, values[BEGUN_NS] - values[MAIN_NS]);
	samples_add(&rows->work->samples, values[ENDED_NS] - values[BEGUN_NS]);
	samples_add(&rows->exit->samples, to - values[ENDED_NS]);
	samples_add(&rows->all->samples, to - from);
	return 0;
}

static int cold_body(const struct stage *stage, const void *task, struct result *result) {
	const struct start *start = task;
	struct rows rows[SIDES];
	struct samples_summary summary;
	int rc = add_rows(result, rows) ? 0 : -ENOMEM;
	for (uint64_t i = 0; rc == 0 && i < start->iterations; i++)
		for (int turn = 0; rc == 0 && turn < SIDES; turn++) {
			int side = (turn + (int)(i % SIDES)) % SIDES;
			rc = start_once(stage, side, &rows[side]);
		}
	if (rc < 0)
		return rc;
	samples_summarise(&rows[ON].all->samples, &summary);
	result_gate(result, &(struct result_gate){"cold start, p95", "ns", summary.p95, 100e6, 500e6, false});
	samples_summarise(&rows[ON].first->samples, &summary);
	result_gate(result, &(struct result_gate){"first span, p95", "ns", summary.p95, 5e6, 100e6, false});
	return 0;
}

static int warm_worker(const struct stage *stage, const void *task, double ret_values[WORKER_VALUES_MAX]) {
	struct samples *samples = *(struct samples *const *)task;
	uint64_t count = samples->count;
	(void)stage;
	(void)ret_values;
	samples->count = 0;
	for (uint64_t i = 0; i <= count; i++) {
		double from = now();
		SPANRING_BEGIN(span, "bench.warm");
		request();
		spanring_end(span);
		if (i > 0)
			samples_add(samples, now() - from);
	}
	return 0;
}

static int warm_body(const struct stage *stage, const void *task, struct result *result) {
	const struct start *start = task;
	double values[WORKER_VALUES_MAX];
	struct samples_summary summary;
	struct result_row *row = result_row(result, "request", "ns", RESULT_LOWER_IS_BETTER);
	struct samples *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (!row || shared == MAP_FAILED)
		return -ENOMEM;
	shared->count = (uint32_t)start->iterations; /* how many are wanted */
	int rc = worker_run(stage, NULL, warm_worker, &shared, values);
	row->samples = *shared;
	(void)munmap(shared, sizeof(*shared));
	samples_summarise(&row->samples, &summary);
	result_gate(result, &(struct result_gate){"warm start, p95", "ns", summary.p95, 10e6, 100e6, false});
	return rc;
}

static int command(int argc, char **argv, const struct log *log, uint64_t iterations, measured_body *body) {
	struct start start = {.log = log, .iterations = iterations};
	const struct word table[] = {
	    {"iterations", WORD_NUMBER, &start.iterations, 2, SAMPLES_MAX},
	    {"agent", WORD_TEXT, &start.agent, 0, 0},
	    {"keep", WORD_TEXT, &start.keep, 0, 0},
	    WORDS_OF_FORMAT(&start.format),
	};
	struct words words = {.log = log, .help = help, .table = table, .count = sizeof(table) / sizeof(table[0])};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	const struct bench_options options = {.log = *log, .agent = start.agent, .keep = start.keep};
	return measured_run(argv[0], &options, start.format, body, &start);
}

int coldstart_command(int argc, char **argv, const struct log *log) {
	return command(argc, argv, log, COLD_ITERATIONS, cold_body);
}

int warmstart_command(int argc, char **argv, const struct log *log) {
	return command(argc, argv, log, WARM_ITERATIONS, warm_body);
}
