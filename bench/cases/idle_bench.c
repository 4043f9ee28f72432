/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench idle: what the agent costs while nothing happens. Ten processes with a hundred threads each have begun and ended one
 * span, and wait. A thousand rings are open, every one has been stored, and the agent has had time to find that nothing
 * comes. From then on its processor time and its wake-ups are counted for some seconds, and its resident memory is read.
 *
 * Once as it is by default, when it samples the memory of each process every second, and once without that.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "bench/agent_process.h"
#include "bench/case.h"
#include "bench/floors/topology.h"
#include "bench/loops/bursts.h"
#include "bench/proc_figures.h"
#include "bench/worker.h"
#include <spanring/spanring.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#define PROCESSES 10u
#define THREADS 100u
#define QUICK_PROCESSES 2u
#define QUICK_THREADS 10u
#define RING_BYTES "65536"
#define STACK_BYTES ((size_t)128 << 10)
#define SETTLE_NS (UINT64_C(2500) * NS_PER_MS) /* after the last record the agent looks more often for a second */
#define WINDOW_NS (UINT64_C(3) * NS_PER_S)
#define SAMPLED_SETTLE_NS (UINT64_C(11) * NS_PER_S) /* and after ten it reads what the spans left in the statistics */
#define SAMPLED_WINDOW_NS (UINT64_C(12) * NS_PER_S) /* each program, all of them quiet, is sampled once in that time */
#define QUICK_NS (UINT64_C(200) * NS_PER_MS)
#define SAMPLES_VARIABLE "SPANRING_AGENT_MEMORY_INTERVAL"

struct crowd {
	pid_t agent;
	uint32_t processes;
	uint32_t threads;
	uint64_t settle_ns;
	uint64_t window_ns;
};

static void rest(uint64_t time_ns) {
	struct timespec left = {.tv_sec = (time_t)(time_ns / NS_PER_S), .tv_nsec = (long)(time_ns % NS_PER_S)};
	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void one_span(void) {
	SPANRING_BEGIN(span, "bench.idle");
	spanring_end(span);
}

static void *member_main(void *barrier) {
	one_span();
	(void)spanring_flush(0);
	(void)pthread_barrier_wait(barrier);
	for (;;)
		(void)pause();
	return NULL;
}

/* Its first thread waits for the store, for all: so many that wait would disturb the agent. Ends by the death of its parent. */
static _Noreturn void process_main(uint32_t threads, int ready_fd) {
	pthread_barrier_t barrier;
	pthread_attr_t attributes;
	pthread_t thread;
	bool fine = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && pthread_barrier_init(&barrier, NULL, threads) == 0 &&
	            pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, STACK_BYTES) == 0;
	for (uint32_t i = 1; i < threads && fine; i++)
		fine = pthread_create(&thread, &attributes, member_main, &barrier) == 0;
	if (fine) {
		(void)pthread_barrier_wait(&barrier);
		one_span();
		fine = spanring_flush(BURSTS_FLUSH_PATIENCE_NS) == 0;
	}
	if (!fine || write(ready_fd, "", 1) != 1)
		_exit(EXIT_CODE_FAILED);
	for (;;)
		(void)pause();
}

/* 0 when all of them have said that all is stored. */
static int gather(const struct crowd *crowd, pid_t *pids, int ready_read, int ready_write) {
	for (uint32_t i = 0; i < crowd->processes; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			process_main(crowd->threads, ready_write);
		if (pids[i] < 0)
			return -errno;
	}
	(void)close(ready_write);
	for (uint32_t i = 0; i < crowd->processes; i++) {
		char byte;
		if (read(ready_read, &byte, 1) != 1)
			return -ECHILD;
	}
	return 0;
}

static int measure(const struct stage *stage, const void *task, double *ret_values) {
	const struct crowd *crowd = task;
	pid_t pids[PROCESSES] = {0};
	int ends[2];
	(void)stage;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	int rc = gather(crowd, pids, ends[0], ends[1]);
	(void)close(ends[0]);
	if (rc == 0) {
		rest(crowd->settle_ns);
		struct proc_figures before = proc_figures(crowd->agent);
		rest(crowd->window_ns);
		struct proc_figures after = proc_figures(crowd->agent);
		double seconds = (double)(after.time_ns - before.time_ns) / 1e9;
		ret_values[0] = proc_figures_cpu_percent(&before, &after);
		ret_values[1] = (double)(after.switches - before.switches) / seconds;
		ret_values[2] = (double)after.resident_bytes / 1048576.0;
	}
	for (uint32_t i = 0; i < crowd->processes; i++) {
		if (pids[i] <= 0)
			continue;
		(void)kill(pids[i], SIGKILL);
		(void)waitpid(pids[i], NULL, 0);
	}
	return rc;
}

static const struct worker_setting settings[] = {{"SPANRING_RING_BYTES", RING_BYTES}, {NULL, NULL}};

static int measure_mode(const struct stage *stage, bool samples, double *ret_values) {
	bool is_quick = stage->options->is_quick;
	struct crowd crowd = {.processes = is_quick ? QUICK_PROCESSES : PROCESSES,
	                      .threads = is_quick ? QUICK_THREADS : THREADS,
	                      .settle_ns = is_quick  ? QUICK_NS
	                                   : samples ? SAMPLED_SETTLE_NS
	                                             : SETTLE_NS,
	                      .window_ns = is_quick  ? QUICK_NS
	                                   : samples ? SAMPLED_WINDOW_NS
	                                             : WINDOW_NS};
	struct agent_process_options agent = {.program = stage->options->agent,
	                                      .rings = stage->folders.rings,
	                                      .store = stage->folders.store,
	                                      .core = stage->loop_core == TOPOLOGY_NO_CORE ? TOPOLOGY_NO_CORE
	                                                                                   : stage->agent_core};
	struct agent_process_usage usage;
	double values[WORKER_VALUES_MAX];
	if (!samples)
		(void)setenv(SAMPLES_VARIABLE, "0", 1);
	int rc = agent_process_start(&agent, &crowd.agent);
	(void)unsetenv(SAMPLES_VARIABLE);
	if (rc < 0)
		return rc;
	rc = worker_run(stage, settings, measure, &crowd, values);
	int stopped = agent_process_stop(crowd.agent, &usage);
	memcpy(ret_values, values, 3 * sizeof(*values));
	return rc < 0 ? rc : stopped;
}

enum { SAMPLED, SAMPLED_WAKES, SAMPLED_RSS, BARE, BARE_WAKES, BARE_RSS, FIGURES };

static const struct report_line lines[FIGURES] = {
    [SAMPLED] = {"idle_cpu_percent", "agent, of one core", "%", "0.2"},
    [SAMPLED_WAKES] = {"idle_wakes_per_s", "  its threads woken", "/s", NULL},
    [SAMPLED_RSS] = {"idle_resident_mib", "  resident", "MiB", "16"},
    [BARE] = {"idle_bare_cpu_percent", "agent without memory samples, of one core", "%", "0.2"},
    [BARE_WAKES] = {"idle_bare_wakes_per_s", "  its threads woken", "/s", NULL},
    [BARE_RSS] = {"idle_bare_resident_mib", "  resident", "MiB", "16"},
};

static int run(const struct stage *stage, double *values) {
	int rc = measure_mode(stage, true, &values[SAMPLED]);
	return rc < 0 ? rc : measure_mode(stage, false, &values[BARE]);
}

int idle_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-idle/1",
	    .title = "The agent while 1,000 rings of 10 processes are open and nothing happens",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .run = run,
	};
	return case_run(&bench, options);
}
