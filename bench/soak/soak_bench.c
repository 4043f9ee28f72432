/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench soak: does anything grow, does anything get lost, while programs come and go? Real programs write through the library at a
 * stated rate, each for a random part of a minute; some are killed, some fork, some start threads. A real agent drains them into
 * small segments, of which only the newest are kept. One program stays from the beginning to the end.
 *
 * At the end the slopes of memory and descriptors must be flat (analyze/kernels/trend.h), no directory may be left behind, and the books of the store must
 * balance and agree with what the programs themselves wrote down (soak_ledger.h). Else the exit code is 1.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "bench/agent_process.h"
#include "bench/answer.h"
#include "bench/commands.h"
#include "bench/floors/topology.h"
#include "bench/temporary.h"
#include "soak_crew.h"
#include "soak_report.h"

#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define TURN_NS (20 * (long)NS_PER_MS)
#define DRAIN_PATIENCE_NS (UINT64_C(30) * NS_PER_S)
#define SETTLE_SHARE 0.25 /* of the run: not looked at for trends */
#define TREND_SECONDS_MIN 60.0
#define LOOKS_MAX 100000u

static const char *const agent_options[] = {"--retain-bytes", "24MiB", "--segment-spans", "262144", NULL};

struct soak {
	const struct bench_options *options;
	struct temporary folders;
	const char *store;
	struct agent_process_options agent_options;
	pid_t agent;
	struct soak_crew crew;
	struct soak_observer observer;
	struct soak_look *looks;
	size_t look_count;
	FILE *csv;
	struct soak_result result;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number) {
	(void)number;
	is_interrupted = 1;
}

static void pause_turn(void) {
	struct timespec pause = {.tv_nsec = TURN_NS};
	(void)nanosleep(&pause, NULL);
}

static int take_look(struct soak *soak) {
	struct soak_look *look = &soak->looks[soak->look_count];
	soak->observer.writer = soak->crew.members[0].pid;
	int rc = soak_look_take(&soak->observer, look);
	if (rc < 0) {
		log_error(&soak->options->log, "the agent does not answer: %s", strerror(-rc));
		return rc;
	}
	soak->look_count++;
	if (soak->options->format != RESULT_JSON)
		soak_report_look(look);
	if (soak->csv)
		soak_report_csv_look(soak->csv, look);
	return 0;
}

/* The whole time, turn by turn. */
static int run_crew(struct soak *soak) {
	const struct soak_plan *plan = &soak->options->soak;
	uint64_t start_ns = soak->observer.start_ns;
	uint64_t look_ns = start_ns + plan->interval_ns;
	int rc = 0;
	for (uint64_t now_ns = start_ns; rc == 0 && now_ns < start_ns + plan->duration_ns;
	     now_ns = clock_monotonic_ns()) {
		rc = soak_crew_turn(&soak->crew, now_ns);
		if (rc < 0)
			log_error(&soak->options->log, "a program ended by itself, or could not be started: %s",
			          strerror(-rc));
		if (rc == 0 && now_ns >= look_ns && soak->look_count < LOOKS_MAX) {
			rc = take_look(soak);
			look_ns += plan->interval_ns;
		}
		if (rc == 0 && is_interrupted)
			rc = -EINTR;
		if (rc == 0)
			pause_turn();
	}
	int dismissed = soak_crew_dismiss(&soak->crew);
	return rc < 0 ? rc : dismissed;
}

/* Until the agent has stored all and removed what the programs left. */
static void await_empty(struct soak *soak) {
	uint64_t end_ns = clock_monotonic_ns() + DRAIN_PATIENCE_NS;
	while (clock_monotonic_ns() < end_ns && soak_look_directories(soak->folders.rings) > 0)
		pause_turn();
	soak->result.directories_left = soak_look_directories(soak->folders.rings);
}

static int audit(struct soak *soak) {
	struct soak_books *books = &soak->result.books;
	const struct soak_ledger *ledger = soak->crew.ledger;
	char folder[PATH_MAX], program[PATH_MAX + sizeof("/spanring-analyze")];
	char *text CLEANUP_FREE = NULL;
	(void)snprintf(folder, sizeof(folder), "%s", soak->observer.program);
	(void)snprintf(program, sizeof(program), "%s/spanring-analyze", dirname(folder));
	const char *arguments[] = {program, "audit", soak->store, "--json", NULL};
	int rc = answer_ask(arguments, &text);
	if (rc < 0 || rc > EXIT_CODE_FAILED) {
		log_error(&soak->options->log, "%s audit: %s", program,
		          rc < 0 ? strerror(-rc) : "the store cannot be read");
		return -EIO;
	}
	*books = (struct soak_books){
	    .begun = answer_number(text, "begun"),
	    .begun_low = soak_ledger_get(&ledger->begun),
	    .begun_high = soak_ledger_get(&ledger->begins_tried),
	    .ended = answer_number(text, "ended"),
	    .ended_low = soak_ledger_get(&ledger->ended),
	    .ended_high = soak_ledger_get(&ledger->ends_tried),
	    .open = answer_number(text, "open"),
	    .unfinished = answer_number(text, "unfinished"),
	    .stored = answer_number(text, "stored"),
	    .evicted = answer_number(text, "evicted"),
	    .dropped = answer_number(text, "full") + answer_number(text, "depth") + answer_number(text, "no_ring") +
	               answer_number(text, "reentry"),
	    .lost =
	        answer_number(text, "contract") + answer_number(text, "skipped") + answer_number(text, "quarantined"),
	    .audit_balances = rc == 0,
	};
	books->is_whole = books->audit_balances && books->begun >= books->begun_low &&
	                  books->begun <= books->begun_high && books->ended >= books->ended_low &&
	                  books->ended <= books->ended_high && books->lost == 0;
	return 0;
}

static int fit_trends(struct soak *soak) {
	double from = SETTLE_SHARE * (double)soak->options->soak.duration_ns / 1e9;
	struct regression_point *points CLEANUP_FREE = calloc(soak->look_count + 1, sizeof(*points));
	if (!points)
		return -ENOMEM;
	for (uint32_t which = 0; which < SOAK_WATCHED_COUNT; which++) {
		size_t count = 0;
		for (size_t i = 0; i < soak->look_count; i++) {
			const double *values = soak->looks[i].values;
			if (values[SOAK_SECONDS] >= from)
				points[count++] = (struct regression_point){values[SOAK_SECONDS],
				                                            values[soak_watched_figures[which]]};
		}
		if (count > 0 && points[count - 1].x - points[0].x < TREND_SECONDS_MIN)
			count = 0;
		soak->result.trends[which] = trend_of(points, count, soak_watched_tolerances[which]);
	}
	return 0;
}

static void judge(struct soak *soak) {
	static const double shares[3] = {0.5, 0.99, 0.999};
	struct soak_result *result = &soak->result;
	for (uint32_t i = 0; i < 3; i++)
		result->latency_ns[i] = soak_look_percentile(soak->crew.ledger->latency_ns, NULL, shares[i]);
	result->programs_started = soak->crew.started;
	result->programs_killed = soak->crew.killed;
	result->seconds = (double)(clock_monotonic_ns() - soak->observer.start_ns) / 1e9;
	result->is_fine = result->books.is_whole && result->directories_left == 0;
	for (uint32_t i = 0; i < SOAK_WATCHED_COUNT; i++)
		result->is_fine &= result->trends[i].verdict != TREND_GROWING;
}

/* With the agent running: the crew, its end, the end of the agent, and the questions. */
static int run_all(struct soak *soak) {
	struct agent_process_usage usage;
	soak->observer.agent = soak->agent;
	soak->observer.ledger = soak->crew.ledger;
	soak->observer.start_ns = soak->observer.before_ns = clock_monotonic_ns();
	if (soak->options->format != RESULT_JSON)
		soak_report_head(soak->options, soak->options->seed);
	if (soak->csv)
		soak_report_csv_head(soak->csv);
	int rc = run_crew(soak);
	if (rc == 0)
		await_empty(soak);
	int stopped = agent_process_stop(soak->agent, &usage);
	if (stopped < 0)
		log_error(&soak->options->log, "the agent did not end well: %s", strerror(-stopped));
	if (rc == 0)
		rc = stopped;
	if (rc == 0)
		rc = audit(soak);
	if (rc == 0)
		rc = fit_trends(soak);
	if (rc < 0)
		return rc;
	judge(soak);
	return soak_report_result(soak->options, soak->looks, soak->look_count, &soak->result);
}

static int prepare(struct soak *soak) {
	const struct soak_plan *plan = &soak->options->soak;
	soak->store = soak->options->keep ? soak->options->keep : soak->folders.store;
	soak->result.seed = soak->options->seed;
	soak->looks = calloc(LOOKS_MAX, sizeof(soak->looks[0]));
	if (!soak->looks)
		return -ENOMEM;
	soak->agent_options = (struct agent_process_options){.program = soak->options->agent,
	                                                     .rings = soak->folders.rings,
	                                                     .store = soak->store,
	                                                     .more = agent_options,
	                                                     .core = TOPOLOGY_NO_CORE};
	soak->crew = (struct soak_crew){.programs = (uint32_t)plan->programs,
	                                .rate = (uint32_t)(plan->rate / plan->programs),
	                                .life_min_ns = plan->life_min_ns,
	                                .life_max_ns = plan->life_max_ns,
	                                .random = soak->options->seed};
	soak->crew.stage = (struct stage){.options = soak->options,
	                                  .folders = soak->folders,
	                                  .loop_core = TOPOLOGY_NO_CORE,
	                                  .agent_core = TOPOLOGY_NO_CORE};
	soak->observer.rings = soak->folders.rings;
	soak->observer.store = soak->store;
	return agent_process_path(soak->options->agent, soak->observer.program);
}

static int start_and_run(struct soak *soak) {
	int rc = prepare(soak);
	if (rc < 0)
		return rc;
	rc = agent_process_start(&soak->agent_options, &soak->agent);
	if (rc < 0) {
		log_error(&soak->options->log,
		          "the agent cannot be started (%s): build spanring-agent, or name it with --agent",
		          strerror(-rc));
		return rc;
	}
	rc = soak_crew_open(&soak->crew);
	if (rc < 0)
		return rc;
	rc = run_all(soak);
	soak_crew_close(&soak->crew);
	return rc;
}

static FILE *open_csv(const struct bench_options *options) {
	FILE *file = fopen(options->soak.csv, "we");
	if (!file)
		log_error(&options->log, "%s: %s: give a file that can be written", options->soak.csv, strerror(errno));
	return file;
}

int soak_bench_run(const struct bench_options *options) {
	static struct soak soak;
	struct sigaction action = {.sa_handler = on_signal};
	soak = (struct soak){.options = options};
	if (options->soak.csv && !(soak.csv = open_csv(options)))
		return EXIT_CODE_OUTPUT;
	int rc = temporary_make(&soak.folders);
	if (rc < 0) {
		log_error(&options->log, "no temporary folder in /dev/shm and TMPDIR: %s", strerror(-rc));
		return EXIT_CODE_OUTPUT;
	}
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	rc = start_and_run(&soak);
	temporary_remove(&soak.folders);
	free(soak.looks);
	if (soak.csv)
		(void)fclose(soak.csv);
	if (rc < 0)
		log_error(&options->log, "the soak did not come to its end: %s", strerror(-rc));
	return rc == 0 && soak.result.is_fine ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}
