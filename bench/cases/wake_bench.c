/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench wake: from the bell to an empty ring. The agent sleeps; a program fills a half of a small ring (512 records of
 * 64 KiB), and the head that comes to the other half rings the bell. The control page shows from outside when the agent is
 * awake (`asleep` is 0), and when it has taken all there is, handed it to the store thread and sleeps again (1).
 *
 * The clock starts just before the call that publishes the crossing head. So the writer's own part, the futex call, is in the
 * figures. A round in which the agent was already awake, because of a timer, does not count, nor one in which this loop lost its
 * core and did not see the change. On one core alone nothing can be seen, and all figures are missing. The floor is a bare
 * wake of another process on the agent's core, in the same run (futex_floor.h).
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/agent_process.h"
#include "bench/case.h"
#include "bench/floors/futex_floor.h"
#include "bench/floors/topology.h"
#include "bench/loops/bursts.h"
#include "bench/loops/span_loops.h"
#include "bench/worker.h"
#include <spanring/ring_abi.h>
#include <spanring/spanring.h>

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define RING_BYTES "65536"
#define HALF (65536u / SPANRING_RECORD_BYTES / 2u)
#define FIRST_SPANS                                                                                                    \
	3u /* with the record that names the thread the head is then a little behind the middle of the ring, or its end */
#define EVENTS 400u
#define QUICK_EVENTS 40u
#define BETWEEN_NS 2000000L
#define PATIENCE_NS (UINT64_C(5) * NS_PER_S)
#define UNSEEN_NS (UINT64_C(20) * NS_PER_MS)

static int page_map(const char *rings, const struct spanring_control **ret_page) {
	char path[TEMPORARY_PATH_BYTES + sizeof(SPANRING_CONTROL_NAME) + 1];
	(void)snprintf(path, sizeof(path), "%s/%s", rings, SPANRING_CONTROL_NAME);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	void *page = mmap(NULL, sizeof(**ret_page), PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*ret_page = page;
	return 0;
}

static bool is_asleep(const struct spanring_control *page) {
	return __atomic_load_n(&page->asleep, __ATOMIC_ACQUIRE) != 0;
}

/* Spins: the time of seeing it is the figure. 0 or -ETIMEDOUT. */
static int wait_until(const struct spanring_control *page, bool asleep, uint64_t since_ns, uint64_t patience_ns,
                      uint64_t *ret_after_ns) {
	for (;;) {
		bool reached = is_asleep(page) == asleep;
		*ret_after_ns = clock_monotonic_ns() - since_ns;
		if (reached)
			return 0;
		if (*ret_after_ns > patience_ns)
			return -ETIMEDOUT;
	}
}

/*
 * One half: a span and its publication, so that none falls due on the way; then all but the last group of records, which the
 * call below publishes. Returns 1 if it counts, 0 if not, or negative errno.
 */
static int ring_once(const struct spanring_control *page, double *ret_woken_us, double *ret_drained_us) {
	uint64_t woken_ns, drained_ns;
	uint64_t now_ns = clock_monotonic_ns();
	int rc = wait_until(page, true, now_ns, PATIENCE_NS, &woken_ns);
	if (rc < 0)
		return rc;
	(void)span_loop_spans_ns(1);
	(void)spanring_flush(0);
	(void)span_loop_spans_ns(HALF - 1);
	bool counts = is_asleep(page);
	uint64_t start_ns = clock_monotonic_ns();
	(void)spanring_flush(0);
	if (!counts)
		return 0;
	if (wait_until(page, false, start_ns, UNSEEN_NS, &woken_ns) < 0)
		return 0;
	rc = wait_until(page, true, start_ns, PATIENCE_NS, &drained_ns);
	if (rc < 0)
		return rc;
	*ret_woken_us = (double)woken_ns / 1e3;
	*ret_drained_us = (double)drained_ns / 1e3;
	return 1;
}

static int measure(const struct stage *stage, const void *task, double *ret_values) {
	const struct spanring_control *page = NULL;
	double woken_us[EVENTS], drained_us[EVENTS];
	uint32_t count = 0;
	(void)task;
	int rc = page_map(stage->folders.rings, &page);
	if (rc < 0)
		return rc;
	uint32_t events = stage->options->is_quick ? QUICK_EVENTS : EVENTS;
	double floor_us = futex_floor_us(stage->agent_core, events);
	(void)span_loop_spans_ns(FIRST_SPANS);
	rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	for (uint32_t i = 0; i < events && rc >= 0; i++) {
		struct timespec pause = {.tv_nsec = BETWEEN_NS};
		/* Taken is not stored: two halves are all that the ring holds. */
		rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
		if (rc < 0)
			break;
		/* A disk that is slow today must not leave a round without room. */
		rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
		if (rc < 0)
			break;
		(void)nanosleep(&pause, NULL);
		rc = ring_once(page, &woken_us[count], &drained_us[count]);
		if (rc > 0)
			count++;
	}
	if (rc < 0)
		return rc;
	if (count > 0) {
		ret_values[0] = measure_median(woken_us, count);
		ret_values[1] = measure_median(drained_us, count);
		ret_values[2] = ret_values[1] - floor_us;
		ret_values[3] = drained_us[(uint64_t)(count - 1) * 99 / 100]; /* sorted now */
		ret_values[4] = floor_us;
	}
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	return counters.dropped_full > 0 ? -EOVERFLOW : 0;
}

static const struct worker_setting settings[] = {{"SPANRING_RING_BYTES", RING_BYTES}, {NULL, NULL}};

enum { PING_PONG, WOKEN, DRAINED, ABOVE, SLOWEST, FLOOR, MEASURED_END, PEAK = MEASURED_END, FIGURES };

static const struct report_line lines[FIGURES] = {
    [PING_PONG] = {"ping_pong_ns", "core-to-core ping-pong", "ns", NULL},
    [FLOOR] = {"futex_wake_us", "floor: a bare futex wake of another process", "us", NULL},
    [WOKEN] = {"bell_to_awake_us", "bell rung to agent awake", "us", NULL},
    [DRAINED] = {"bell_to_drained_us", "bell rung to 512 records taken", "us", "50"},
    [ABOVE] = {"bell_to_drained_above_floor_us", "  above the floor", "us", NULL},
    [SLOWEST] = {"bell_to_drained_p99_us", "  the slowest but 1 %", "us", NULL},
    [PEAK] = {"agent_peak_mib", "agent, most resident memory", "MiB", NULL},
};

static int run(const struct stage *stage, double *values) {
	struct agent_process_options options = {.program = stage->options->agent,
	                                        .rings = stage->folders.rings,
	                                        .store = stage->folders.store,
	                                        .core = stage->agent_core};
	struct agent_process_usage usage;
	double measured[WORKER_VALUES_MAX];
	pid_t agent;
	if (stage->loop_core == TOPOLOGY_NO_CORE)
		return 0;
	values[PING_PONG] = topology_ping_pong_ns(TOPOLOGY_PING_PONG_ROUNDS);
	int rc = agent_process_start(&options, &agent);
	if (rc < 0)
		return rc;
	rc = worker_run(stage, settings, measure, NULL, measured);
	int stopped = agent_process_stop(agent, &usage);
	memcpy(&values[WOKEN], measured, (MEASURED_END - WOKEN) * sizeof(*values));
	values[PEAK] = stopped == 0 ? (double)usage.peak_bytes / 1048576.0 : NAN;
	return rc < 0 ? rc : stopped;
}

int wake_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-wake/1",
	    .title = "From the bell to an empty ring",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .run = run,
	};
	return case_run(&bench, options);
}
