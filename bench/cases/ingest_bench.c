/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench ingest: what the agent makes of a busy system, from rings to a sealed store.
 *
 * Four processes with four threads each feed a generated workload (workload.h) through rings of the default size,
 * waiting where a ring is full. The agent is a real one; its CPU time is all it used from start to exit, opening and
 * sealing included. Copy-out is what its other threads use between the first record and the last: everything but the thread that
 * compresses and commits. A run counts only if every span was stored: the feeders wait for the tail of each ring, which moves
 * after the commit.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "bench/agent_process.h"
#include "bench/commands.h"
#include "bench/feed/ring_feeder.h"
#include "bench/floors/topology.h"
#include "bench/proc_figures.h"
#include "bench/report.h"
#include "bench/temporary.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/wait.h>

struct ingest_figures {
	struct measure spans_per_core;
	struct measure cpu_ns;
	struct measure copy_ns;
	struct measure wall_rate;
	struct measure span_bytes;
	struct measure agent_peak;
	struct measure ping_pong;
};

static void feeder_main(const char *rings, const struct workload *workload, unsigned process, uint64_t base_ns,
                        int start_fd) {
	int rc = ring_feeder_run(rings, workload, process, base_ns, start_fd);
	if (rc < 0)
		(void)fprintf(stderr, "spanring-bench: feeder %u: %s\n", process, strerror(-rc));
	_exit(rc < 0 ? 1 : 0);
}

/* Start all feeders, let them go at once, wait for them. 0, negative errno, or -ECHILD if one failed. */
static int feed(const char *rings, const struct workload *workload, uint64_t *ret_start_ns) {
	CLEANUP_FD int start_read = FD_NONE;
	CLEANUP_FD int start_write = FD_NONE;
	int ends[2], rc = 0;
	pid_t pids[WORKLOAD_PROCESSES];
	unsigned started = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	start_read = ends[0];
	start_write = ends[1];
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t base_ns = now_ns > workload->duration_ns ? now_ns - workload->duration_ns : 1;
	for (; started < WORKLOAD_PROCESSES; started++) {
		pids[started] = fork();
		if (pids[started] < 0) {
			rc = -errno;
			break;
		}
		if (pids[started] == 0) {
			(void)close(start_write);
			feeder_main(rings, workload, started, base_ns, start_read);
		}
	}
	*ret_start_ns = clock_monotonic_ns();
	(void)close(take_fd(&start_write));
	for (unsigned i = 0; i < started; i++) {
		int status;
		if (waitpid(pids[i], &status, 0) < 0 || status != 0)
			rc = -ECHILD;
	}
	return rc;
}

static int run_once(const struct bench_options *options, const struct workload *workload, const char *store,
                    struct ingest_figures *figures) {
	struct temporary temporary;
	struct agent_process_usage usage;
	struct proc_figures before = {0}, after = {0};
	uint64_t start_ns = 0, bytes = 0;
	pid_t pid;
	int rc = temporary_make(&temporary);
	if (rc < 0)
		return rc;
	const char *target = store ? store : temporary.store;
	struct agent_process_options agent = {
	    .program = options->agent, .rings = temporary.rings, .store = target, .core = TOPOLOGY_NO_CORE};
	double ping_pong = topology_ping_pong_ns(TOPOLOGY_PING_PONG_ROUNDS);
	rc = agent_process_start(&agent, &pid);
	if (rc == 0) {
		before = proc_figures(pid);
		rc = feed(temporary.rings, workload, &start_ns);
		after = proc_figures(pid);
		int stopped = agent_process_stop(pid, &usage);
		rc = rc < 0 ? rc : stopped;
	}
	uint64_t end_ns = clock_monotonic_ns();
	if (rc == 0)
		rc = temporary_folder_bytes(target, &bytes);
	temporary_remove(&temporary);
	if (rc < 0)
		return rc;
	double spans = (double)workload->span_count;
	measure_add(&figures->spans_per_core, spans * 1e9 / (double)usage.cpu_ns / 1e6);
	measure_add(&figures->cpu_ns, (double)usage.cpu_ns / spans);
	if (after.store_cpu_ns > 0)
		measure_add(&figures->copy_ns,
		            (double)(after.cpu_ns - before.cpu_ns - (after.store_cpu_ns - before.store_cpu_ns)) /
		                spans);
	measure_add(&figures->wall_rate, spans * 1e9 / (double)(end_ns - start_ns) / 1e6);
	measure_add(&figures->span_bytes, (double)bytes / spans);
	measure_add(&figures->agent_peak, (double)usage.peak_bytes / 1048576.0);
	measure_add(&figures->ping_pong, ping_pong);
	return 0;
}

static const struct report_line lines[] = {
    {"ping_pong_ns", "core-to-core ping-pong", "ns", NULL},
    {"million_spans_per_core_second", "spans per second of agent CPU", "M/s", "5"},
    {"cpu_per_span_ns", "agent CPU per span", "ns", NULL},
    {"copy_out_ns", "  of that before compression: copy, judge, put into rows", "ns", "10"},
    {"million_spans_per_second", "spans per second of wall time, sealing included", "M/s", NULL},
    {"store_bytes_per_span", "store, everything included, per span", "bytes", NULL},
    {"agent_peak_mib", "agent, most resident memory", "MiB", "64"},
};

static int print(const struct bench_options *options, const struct workload *workload,
                 const struct ingest_figures *figures) {
	struct report report = report_begin(options->format, "bench-ingest/1",
	                                    "Rings to a sealed store: 4 processes x 4 threads, generated workload");
	char text[UNITS_TEXT_BYTES];
	report_fact(&report, "spans", "spans", units_format_count(workload->span_count, text));
	(void)snprintf(text, sizeof(text), "%" PRIu64, options->seed);
	report_fact(&report, "seed", "seed", text);
	report_fact(&report, "dropped", "dropped", "0");
	report_figures_begin(&report);
	report_figure(&report, &lines[0], &figures->ping_pong);
	report_figure(&report, &lines[1], &figures->spans_per_core);
	report_figure(&report, &lines[2], &figures->cpu_ns);
	report_figure(&report, &lines[3], &figures->copy_ns);
	report_figure(&report, &lines[4], &figures->wall_rate);
	report_figure(&report, &lines[5], &figures->span_bytes);
	report_figure(&report, &lines[6], &figures->agent_peak);
	return report_end(&report, NULL);
}

int ingest_bench_run(const struct bench_options *options) {
	CLEANUP_FREE struct ingest_figures *figures = calloc(1, sizeof(*figures));
	struct workload workload = {0};
	int rc = figures ? workload_generate(options->spans, WORKLOAD_RATE, options->seed, &workload) : -ENOMEM;
	for (uint32_t i = 0; i < options->runs && rc == 0; i++)
		rc = run_once(options, &workload, i + 1 == options->runs ? options->keep : NULL, figures);
	if (rc == 0)
		rc = print(options, &workload, figures);
	else
		log_error(&options->log, "a run failed (%s): is spanring-agent built, or named with --agent?",
		          strerror(-rc));
	workload_done(&workload);
	return rc < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}
