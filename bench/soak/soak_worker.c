/* SPDX-License-Identifier: Apache-2.0 */
#include "soak_worker.h"

#include "base/clock.h"
#include "base/errs.h"
#include "bench/commands.h"
#include "bench/loops/loop.h"
#include "soak_ledger.h"
#include <spanring/spanring.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS (UINT64_C(10) * NS_PER_MS)
#define LATE_TICKS_MAX 16u /* what is later than that is not made up for */
#define THREAD_EVERY_NS (UINT64_C(250) * NS_PER_MS)
#define THREAD_TREES 4u
#define FORK_EVERY_NS (UINT64_C(4) * NS_PER_S)
#define CHILD_LIFE_NS NS_PER_S
#define ERROR_EVERY 101u
#define EVENT_EVERY 13u

struct worker {
	struct soak_ledger *ledger;
	unsigned kind;
	unsigned rate;
	uint64_t start_ns; /* of the pace */
	uint64_t start_ticks;
	uint64_t trees;
	pid_t child; /* 0: none */
	uint64_t forked_ns;
	uint64_t thread_ns;
	struct spanring_counters told; /* what the ledger knows of our drops */
};

static volatile sig_atomic_t is_told_to_end;

static void on_term(int number) {
	(void)number;
	is_told_to_end = 1;
}

static void enter(const struct worker *worker, uint64_t spans) {
	soak_ledger_add(&worker->ledger->begins_tried, spans);
}

/* The clock of the spans, in ns by what has passed since the start. */
static uint64_t ticks_to_ns(const struct worker *worker, uint64_t ticks) {
	uint64_t passed_ticks = loop_ticks() - worker->start_ticks;
	uint64_t passed_ns = clock_monotonic_ns() - worker->start_ns;
	return passed_ticks ? (uint64_t)((double)ticks * (double)passed_ns / (double)passed_ticks) : 0;
}

/* One that is timed: begin and end, without what is between. */
static void leaf(const struct worker *worker, uint64_t number) {
	enter(worker, 1);
	uint64_t first = loop_ticks();
	SPANRING_BEGIN(span, "soak.leaf");
	uint64_t begun = loop_ticks();
	soak_ledger_add(&worker->ledger->begun, 1);
	SPANRING_SET_U64(span, "soak.number", number);
	soak_ledger_add(&worker->ledger->ends_tried, 1);
	uint64_t ending = loop_ticks();
	spanring_end(span);
	uint64_t last = loop_ticks();
	soak_ledger_add(&worker->ledger->ended, 1);
	uint64_t ns = ticks_to_ns(worker, begun - first + (last - ending));
	soak_ledger_add(&worker->ledger->latency_ns[histogram_bin(ns)], 1);
}

static void step(const struct worker *worker, uint64_t number) {
	enter(worker, 1);
	SPANRING_BEGIN(span, "soak.step");
	soak_ledger_add(&worker->ledger->begun, 1);
	leaf(worker, number);
	if (number % EVENT_EVERY == 0)
		SPANRING_EVENT(span, "soak.event");
	soak_ledger_add(&worker->ledger->ends_tried, 1);
	spanring_end(span);
	soak_ledger_add(&worker->ledger->ended, 1);
}

/* SOAK_SPANS_PER_TREE spans. */
static void tree(const struct worker *worker, uint64_t number) {
	enter(worker, 1);
	SPANRING_BEGIN(span, "soak.request");
	soak_ledger_add(&worker->ledger->begun, 1);
	step(worker, number);
	leaf(worker, number);
	if (number % ERROR_EVERY == 0)
		spanring_set_status(span, SPANRING_STATUS_ERROR, "every hundred and first");
	soak_ledger_add(&worker->ledger->ends_tried, 1);
	spanring_end(span);
	soak_ledger_add(&worker->ledger->ended, 1);
}

static void *thread_main(void *context) {
	const struct worker *worker = context;
	for (uint64_t i = 0; i < THREAD_TREES; i++)
		tree(worker, i);
	return NULL;
}

/* What was dropped since the last time. */
static void tell_drops(struct worker *worker) {
	struct spanring_counters now;
	spanring_counters_read(&now);
	soak_ledger_add(&worker->ledger->dropped_full, now.dropped_full - worker->told.dropped_full);
	soak_ledger_add(&worker->ledger->dropped_depth, now.dropped_depth - worker->told.dropped_depth);
	soak_ledger_add(&worker->ledger->dropped_no_ring, now.dropped_no_ring - worker->told.dropped_no_ring);
	soak_ledger_add(&worker->ledger->dropped_reentry, now.dropped_reentry - worker->told.dropped_reentry);
	worker->told = now;
}

/* All trees that are due by now. */
static void catch_up(struct worker *worker) {
	double passed_s = (double)(clock_monotonic_ns() - worker->start_ns) / 1e9;
	uint64_t due = (uint64_t)(passed_s * worker->rate / SOAK_SPANS_PER_TREE);
	uint64_t most = LATE_TICKS_MAX * (worker->rate * TICK_NS / NS_PER_S / SOAK_SPANS_PER_TREE + 1);
	if (due - worker->trees > most)
		worker->trees = due - most;
	while (worker->trees < due)
		tree(worker, worker->trees++);
	tell_drops(worker);
}

static void pause_tick(void) {
	struct timespec tick = {.tv_nsec = (long)TICK_NS};
	(void)nanosleep(&tick, NULL);
}

static bool is_over(const struct worker *worker) {
	return is_told_to_end || soak_ledger_get(&worker->ledger->stop);
}

static struct worker begin_pace(const struct worker *like) {
	uint64_t now_ns = clock_monotonic_ns();
	return (struct worker){.ledger = like->ledger,
	                       .rate = like->rate,
	                       .start_ns = now_ns,
	                       .start_ticks = loop_ticks(),
	                       .forked_ns = now_ns,
	                       .thread_ns = now_ns};
}

/* A second of the parent's rate; every other one leaves without a goodbye. */
static _Noreturn void child_main(const struct worker *parent) {
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	struct worker worker = begin_pace(parent);
	while (!is_over(&worker) && clock_monotonic_ns() - worker.start_ns < CHILD_LIFE_NS) {
		catch_up(&worker);
		pause_tick();
	}
	if (getpid() % 2)
		_exit(EXIT_CODE_OK);
	exit(EXIT_CODE_OK);
}

/* 0, or -ECHILD if it did not end well. */
static int end_child(struct worker *worker, int options) {
	int status = 0;
	if (worker->child == 0)
		return 0;
	pid_t ended = waitpid(worker->child, &status, options);
	if (ended == 0)
		return 0;
	worker->child = 0;
	return ended > 0 && status == 0 ? 0 : -ECHILD;
}

static int fork_now_and_then(struct worker *worker) {
	int rc = end_child(worker, WNOHANG);
	uint64_t now_ns = clock_monotonic_ns();
	if (rc < 0 || worker->child || now_ns - worker->forked_ns < FORK_EVERY_NS)
		return rc;
	worker->forked_ns = now_ns;
	(void)fflush(NULL);
	worker->child = fork();
	if (worker->child == 0)
		child_main(worker);
	return worker->child < 0 ? -errno : 0;
}

static int thread_now_and_then(struct worker *worker) {
	pthread_t thread;
	uint64_t now_ns = clock_monotonic_ns();
	if (now_ns - worker->thread_ns < THREAD_EVERY_NS)
		return 0;
	worker->thread_ns = now_ns;
	int rc = pthread_create(&thread, NULL, thread_main, worker);
	return rc ? -rc : -pthread_join(thread, NULL);
}

static int work(struct worker *worker) {
	int rc = 0;
	while (rc == 0 && !is_over(worker)) {
		catch_up(worker);
		if (worker->kind == SOAK_KIND_FORKING)
			rc = fork_now_and_then(worker);
		else if (worker->kind == SOAK_KIND_THREADS)
			rc = thread_now_and_then(worker);
		pause_tick();
	}
	if (worker->child) {
		(void)kill(worker->child, SIGTERM);
		(void)end_child(worker, 0);
	}
	return rc;
}

int soak_worker_run(const struct bench_options *options) {
	const char *task = getenv(SOAK_WORKER_VARIABLE);
	struct sigaction action = {.sa_handler = on_term};
	struct worker like = {0};
	int fd = -1;
	if (!task || sscanf(task, "%d %u %u", &fd, &like.kind, &like.rate) != 3) {
		log_error(&options->log, "%s is started by the case soak only", SOAK_WORKER_COMMAND);
		return EXIT_CODE_USAGE;
	}
	(void)sigaction(SIGTERM, &action, NULL);
	like.ledger = mmap(NULL, sizeof(*like.ledger), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (like.ledger == MAP_FAILED)
		return EXIT_CODE_FAILED;
	struct worker worker = begin_pace(&like);
	worker.kind = like.kind;
	int rc = work(&worker);
	tell_drops(&worker);
	return rc < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}
