/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench span: what one span costs the program.
 *
 * The loop runs in a child process of its own per measurement, bound to the last core; the agent is a real one, bound
 * to the first core, with rings and store of its own. Floor and spans are interleaved, so that a machine that changes
 * its mind changes it for both.
 *
 *     drained    64 MiB ring, bursts that fit it, the agent drains beside the loop: nothing dropped
 *     burst      default ring, bursts of half of it, the ring empty before each
 *     overload   default ring, no pause: more than any agent takes; what does not fit is dropped and counted
 *     off        SPANRING_DISABLED=1
 *
 * Between bursts the loop waits for the agent, outside of the timing. Times are those of the median chunk (chunks.h),
 * but for overload, where chunks that drop and chunks that do not are different things: there it is the mean.
 */
#include "agent_process.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "chunks.h"
#include "commands.h"
#include "report.h"
#include "span_loops.h"
#include "temporary.h"
#include "topology.h"
#include <spanring/ring_abi.h>
#include <spanring/spanring.h>

#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define FLOOR_ROUNDS (512u * CHUNK_ROUNDS)
#define OFF_ROUNDS (4096u * CHUNK_ROUNDS)
#define OVERLOAD_SPANS (512u * CHUNK_ROUNDS)
#define LARGE_RING_BYTES "67108864" /* SPANRING_RING_BYTES_MAX */
#define DRAINED_BURST (SPANRING_RING_BYTES_MAX / SPANRING_RECORD_BYTES * 3u / 4u)
#define DRAINED_BURSTS 2u
#define PACED_BURST (SPANRING_RING_BYTES_DEFAULT / SPANRING_RECORD_BYTES / 2u)
#define PACED_BURSTS 50u
#define FLUSH_PATIENCE_NS UINT64_C(10000000000)
#define AGENT_FLUSH_INTERVAL "10ms"

struct span_mode {
	const char *ring_bytes; /* NULL: default */
	uint64_t burst_spans;
	uint32_t bursts;
	bool off;
};

static const struct span_mode mode_drained = {LARGE_RING_BYTES, DRAINED_BURST, DRAINED_BURSTS, false};
static const struct span_mode mode_burst = {NULL, PACED_BURST, PACED_BURSTS, false};
static const struct span_mode mode_overload = {NULL, OVERLOAD_SPANS, 1, false};
static const struct span_mode mode_off = {NULL, OFF_ROUNDS, 1, true};
static const struct span_mode mode_floors = {NULL, 0, 0, true};

/* Written by the child, read by the parent after the child's end. */
struct span_result {
	double span_ns; /* of the median chunk */
	double mean_ns;
	double empty_ns; /* these three of mode_floors only */
	double two_clocks_ns;
	double two_ticks_ns;
	uint64_t spans;
	uint64_t dropped;
	int rc;
};

static void worker_environment(const struct span_mode *mode, const char *rings) {
	(void)setenv("SPANRING_DIR", rings, 1);
	if (mode->ring_bytes)
		(void)setenv("SPANRING_RING_BYTES", mode->ring_bytes, 1);
	else
		(void)unsetenv("SPANRING_RING_BYTES");
	if (mode->off)
		(void)setenv("SPANRING_DISABLED", "1", 1);
	else
		(void)unsetenv("SPANRING_DISABLED");
	(void)unsetenv("OTEL_SDK_DISABLED");
}

static double loop_ns(struct chunks *chunks, uint64_t (*loop)(uint64_t), uint64_t rounds) {
	chunks->count = 0;
	chunks_run(chunks, loop, rounds);
	return chunks_median_ns(chunks);
}

/* The floor: two readings of the clock that the library uses, in this run, on the core of the loop. */
static int worker_floors(struct span_result *result) {
	CLEANUP_FREE struct chunks *chunks = calloc(1, sizeof(*chunks));
	if (!chunks)
		return -ENOMEM;
	result->empty_ns = loop_ns(chunks, span_loop_empty_ns, OFF_ROUNDS);
	result->two_clocks_ns = loop_ns(chunks, span_loop_two_clocks_ns, FLOOR_ROUNDS);
	result->two_ticks_ns = span_loop_has_ticks() ? loop_ns(chunks, span_loop_two_ticks_ns, FLOOR_ROUNDS) : NAN;
	return 0;
}

/* In the child. The first burst is not counted: it attaches, and fills caches and pages. */
static int worker_measure(const struct span_mode *mode, struct span_result *result) {
	CLEANUP_FREE struct chunks *chunks = calloc(1, sizeof(*chunks));
	struct spanring_counters before, after;
	int rc = 0;
	if (!chunks)
		return -ENOMEM;
	(void)span_loop_spans_ns(mode->bursts > 1 ? mode->burst_spans : PACED_BURST);
	spanring_counters_read(&before);
	for (uint32_t i = 0; i < mode->bursts && rc == 0; i++) {
		if (!mode->off)
			rc = spanring_flush(FLUSH_PATIENCE_NS);
		chunks_run(chunks, span_loop_spans_ns, mode->burst_spans);
	}
	spanring_counters_read(&after);
	result->spans = mode->burst_spans * mode->bursts;
	result->span_ns = chunks_median_ns(chunks);
	result->mean_ns = chunks_mean_ns(chunks);
	result->dropped = after.dropped_full + after.dropped_no_ring - before.dropped_full - before.dropped_no_ring;
	if (!mode->off && after.ended - before.ended != result->spans)
		return -EIO;
	if (!mode->off && rc == 0)
		rc = spanring_flush(FLUSH_PATIENCE_NS);
	spanring_shutdown();
	return rc;
}

static int worker_run(const struct span_mode *mode, const char *rings, int core, struct span_result *ret_result) {
	struct span_result *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0, rc = 0;
	if (shared == MAP_FAILED)
		return -errno;
	pid_t pid = fork();
	if (pid == 0) {
		if (core != TOPOLOGY_NO_CORE)
			(void)topology_pin(core);
		worker_environment(mode, rings);
		shared->rc = mode == &mode_floors ? worker_floors(shared) : worker_measure(mode, shared);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		rc = -errno;
	else if (status != 0)
		rc = -ECHILD;
	else
		rc = shared->rc;
	*ret_result = *shared;
	(void)munmap(shared, sizeof(*shared));
	return rc;
}

struct span_figures {
	struct measure ping_pong_before;
	struct measure ping_pong_after;
	struct measure empty;
	struct measure two_clocks;
	struct measure two_ticks;
	struct measure drained;
	struct measure drained_mean;
	struct measure drained_ratio;
	struct measure drained_dropped;
	struct measure burst;
	struct measure burst_mean;
	struct measure burst_ratio;
	struct measure burst_dropped;
	struct measure overload;
	struct measure overload_share;
	struct measure off;
};

static int run_once(const char *rings, int core, struct span_figures *figures) {
	struct span_result floors, drained, burst, overload, off;
	measure_add(&figures->ping_pong_before, topology_ping_pong_ns());
	int rc = worker_run(&mode_floors, rings, core, &floors);
	if (rc == 0)
		rc = worker_run(&mode_drained, rings, core, &drained);
	if (rc == 0)
		rc = worker_run(&mode_burst, rings, core, &burst);
	if (rc == 0)
		rc = worker_run(&mode_off, rings, core, &off);
	if (rc == 0)
		rc = worker_run(&mode_overload, rings, core, &overload);
	if (rc < 0)
		return rc;
	double floor = floors.two_clocks_ns;
	if (!isnan(floors.two_ticks_ns)) {
		floor = floors.two_ticks_ns;
		measure_add(&figures->two_ticks, floors.two_ticks_ns);
	}
	measure_add(&figures->empty, floors.empty_ns);
	measure_add(&figures->two_clocks, floors.two_clocks_ns);
	measure_add(&figures->drained, drained.span_ns);
	measure_add(&figures->drained_mean, drained.mean_ns);
	measure_add(&figures->drained_ratio, drained.span_ns / floor);
	measure_add(&figures->drained_dropped, (double)drained.dropped);
	measure_add(&figures->burst, burst.span_ns);
	measure_add(&figures->burst_mean, burst.mean_ns);
	measure_add(&figures->burst_ratio, burst.span_ns / floor);
	measure_add(&figures->burst_dropped, (double)burst.dropped);
	measure_add(&figures->overload, overload.mean_ns);
	measure_add(&figures->overload_share, 100.0 * (double)overload.dropped / (double)overload.spans);
	measure_add(&figures->off, off.span_ns);
	measure_add(&figures->ping_pong_after, topology_ping_pong_ns());
	return 0;
}

static int print(const struct bench_options *options, const struct span_figures *figures, int agent_core, int core) {
	struct report report = report_begin(options->as_json, "bench-span/1",
	                                    "One span: begin and end, nothing in it, the agent draining");
	char where[64];
	if (core == TOPOLOGY_NO_CORE)
		(void)snprintf(where, sizeof(where), "loop and agent share the only core");
	else
		(void)snprintf(where, sizeof(where), "loop on core %d, agent on core %d", core, agent_core);
	report_fact(&report, "placement", "placement", where);
	report_figures_begin(&report);
	report_figure(&report, "ping_pong_before_ns", "core-to-core ping-pong, before", "ns",
	              &figures->ping_pong_before);
	report_figure(&report, "ping_pong_after_ns", "core-to-core ping-pong, after", "ns", &figures->ping_pong_after);
	report_figure(&report, "empty_loop_ns", "empty loop", "ns", &figures->empty);
	report_figure(&report, "two_ticks_ns", "floor: two readings of the counter", "ns", &figures->two_ticks);
	report_figure(&report, "two_clocks_ns", "two clock_gettime", "ns", &figures->two_clocks);
	report_figure(&report, "span_drained_ns", "span, drained beside (64 MiB ring)", "ns", &figures->drained);
	report_figure(&report, "span_drained_ratio", "  of the floor", "x", &figures->drained_ratio);
	report_figure(&report, "span_drained_mean_ns", "  mean, all that happened on the core included", "ns",
	              &figures->drained_mean);
	report_figure(&report, "span_drained_dropped", "  dropped", "spans", &figures->drained_dropped);
	report_figure(&report, "span_burst_ns", "span, bursts of half a ring (1 MiB ring)", "ns", &figures->burst);
	report_figure(&report, "span_burst_ratio", "  of the floor", "x", &figures->burst_ratio);
	report_figure(&report, "span_burst_mean_ns", "  mean, all that happened on the core included", "ns",
	              &figures->burst_mean);
	report_figure(&report, "span_burst_dropped", "  dropped", "spans", &figures->burst_dropped);
	report_figure(&report, "span_overload_ns", "span, without a pause (1 MiB ring), mean", "ns",
	              &figures->overload);
	report_figure(&report, "span_overload_dropped_percent", "  dropped, counted", "%", &figures->overload_share);
	report_figure(&report, "span_off_ns", "span compiled in, off (with its loop)", "ns", &figures->off);
	return report_end(&report, "Compare only runs with a like ping-pong; see docs/measuring.md.");
}

static int measure_all(const struct bench_options *options, struct temporary *temporary) {
	CLEANUP_FREE struct span_figures *figures = calloc(1, sizeof(*figures));
	struct agent_process_options agent = {.program = options->agent,
	                                      .rings = temporary->rings,
	                                      .store = temporary->store,
	                                      .flush_interval = AGENT_FLUSH_INTERVAL};
	struct agent_process_usage usage;
	int core;
	pid_t pid;
	if (!figures)
		return -ENOMEM;
	topology_pair(&agent.core, &core);
	if (core == TOPOLOGY_NO_CORE)
		agent.core = TOPOLOGY_NO_CORE;
	int rc = agent_process_start(&agent, &pid);
	if (rc < 0) {
		log_error(&options->log,
		          "the agent cannot be started (%s): build spanring-agent, or name it with --agent",
		          strerror(-rc));
		return rc;
	}
	for (uint32_t i = 0; i < options->runs && rc == 0; i++)
		rc = run_once(temporary->rings, core, figures);
	if (rc < 0)
		log_error(&options->log, "a measurement failed: %s", strerror(-rc));
	int stopped = agent_process_stop(pid, &usage);
	if (stopped < 0)
		log_error(&options->log, "the agent did not end well: %s", strerror(-stopped));
	return rc == 0 && stopped == 0 ? print(options, figures, agent.core, core) : -EIO;
}

int span_bench_run(const struct bench_options *options) {
	struct temporary temporary;
	int rc = temporary_make(&temporary);
	if (rc < 0) {
		log_error(&options->log, "no temporary folder in /dev/shm and TMPDIR: %s", strerror(-rc));
		return EXIT_CODE_OUTPUT;
	}
	rc = measure_all(options, &temporary);
	temporary_remove(&temporary);
	return rc < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}
