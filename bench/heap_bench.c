/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench heap: what libspanring_heap adds to a pair of malloc and free.
 *
 * Each measurement is a process of its own, bound to one core, since a library can be preloaded only where a program
 * starts: this program again, with the hidden command heap-worker, without and with the library in LD_PRELOAD. Both
 * alternate, and ratio and difference are taken within a pair of neighbours.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/sibling.h"
#include "chunks.h"
#include "commands.h"
#include "heap_loop.h"
#include "report.h"
#include "topology.h"
#include <spanring/heap.h>

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS (1024u * CHUNK_ROUNDS)

#pragma weak spanring_heap_counters

/* What the worker says: its figure, and the calls that were counted. */
struct worker_result {
	double pair_ns;
	uint64_t counted;
};

int heap_worker_run(const struct bench_options *options) {
	(void)options;
	CLEANUP_FREE struct chunks *chunks = calloc(1, sizeof(*chunks));
	if (!chunks)
		return EXIT_CODE_FAILED;
	chunks_run(chunks, heap_loop_pairs_ns, PAIRS);
	const struct spanring_heap_totals *counters = spanring_heap_counters ? spanring_heap_counters() : NULL;
	struct worker_result result = {chunks_median_ns(chunks), counters ? counters->allocations : 0};
	return write(STDOUT_FILENO, &result, sizeof(result)) == (ssize_t)sizeof(result) ? EXIT_CODE_OK
	                                                                                : EXIT_CODE_FAILED;
}

static _Noreturn void worker_exec(const char *library, int core, int out) {
	(void)dup2(out, STDOUT_FILENO);
	if (core != TOPOLOGY_NO_CORE)
		(void)topology_pin(core);
	if (library)
		(void)setenv("LD_PRELOAD", library, 1);
	else
		(void)unsetenv("LD_PRELOAD");
	(void)execl("/proc/self/exe", "spanring-bench", "heap-worker", (char *)NULL);
	_exit(EXIT_CODE_FAILED);
}

static int worker_start(const char *library, int core, struct worker_result *ret_result) {
	int pipe_fds[2], status;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return -errno;
	CLEANUP_FD int read_fd = pipe_fds[0];
	CLEANUP_FD int write_fd = pipe_fds[1];
	pid_t pid = fork();
	if (pid == 0)
		worker_exec(library, core, write_fd);
	(void)close(take_fd(&write_fd));
	if (pid < 0)
		return -EAGAIN;
	ssize_t got = read(read_fd, ret_result, sizeof(*ret_result));
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (status != 0 || got != (ssize_t)sizeof(*ret_result))
		return -ECHILD;
	bool is_counted = ret_result->counted >= PAIRS;
	return is_counted == (library != NULL) ? 0 : ERR_FOREIGN;
}

struct heap_figures {
	struct measure plain;
	struct measure counted;
	struct measure ratio;
	struct measure difference;
};

static int run_once(const char *library, int core, struct heap_figures *figures) {
	struct worker_result plain, counted;
	int rc = worker_start(NULL, core, &plain);
	if (rc == 0)
		rc = worker_start(library, core, &counted);
	if (rc < 0)
		return rc;
	measure_add(&figures->plain, plain.pair_ns);
	measure_add(&figures->counted, counted.pair_ns);
	measure_add(&figures->ratio, counted.pair_ns / plain.pair_ns);
	measure_add(&figures->difference, counted.pair_ns - plain.pair_ns);
	return 0;
}

static int print(const struct bench_options *options, const struct heap_figures *figures) {
	struct report report = report_begin(options->as_json, "bench-heap/1",
	                                    "One pair of malloc and free of 64 bytes, heap counted or not");
	report_figures_begin(&report);
	report_figure(&report, "pair_ns", "pair, not counted", "ns", &figures->plain);
	report_figure(&report, "pair_counted_ns", "pair, counted", "ns", &figures->counted);
	report_figure(&report, "pair_counted_ratio", "  of the one not counted", "x", &figures->ratio);
	report_figure(&report, "pair_difference_ns", "  added by counting", "ns", &figures->difference);
	return report_end(&report, NULL);
}

int heap_bench_run(const struct bench_options *options) {
	CLEANUP_FREE struct heap_figures *figures = calloc(1, sizeof(*figures));
	char library[PATH_MAX];
	int first, core;
	int rc = figures ? sibling_library(SIBLING_HEAP_LIBRARY, library) : -ENOMEM;
	if (rc < 0) {
		log_error(&options->log, "%s: %s; build the target spanring_heap", SIBLING_HEAP_LIBRARY, strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	topology_pair(&first, &core);
	/* The first of each kind warms up what lies on disk. */
	struct worker_result unused;
	rc = worker_start(library, core, &unused);
	for (uint32_t i = 0; i < options->runs && rc == 0; i++)
		rc = run_once(library, core, figures);
	if (rc < 0) {
		log_error(&options->log, "a measurement failed: %s",
		          rc == ERR_FOREIGN ? "the allocator of this program cannot be counted" : strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	return print(options, figures) < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}
