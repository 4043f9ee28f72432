/* SPDX-License-Identifier: Apache-2.0 */
#include "paired.h"

#include "bench/harness/turns.h"
#include "bench/loops/bursts.h"

#include <errno.h>
#include <spanring/spanring.h>
#include <sys/mman.h>

struct task {
	const struct paired *paired;
	struct paired_figures *figures; /* shared with the process of its own */
};

static uint64_t run_before(void *context, uint64_t rounds) {
	return ((const struct paired *)context)->before(rounds);
}

static uint64_t run_after(void *context, uint64_t rounds) {
	return ((const struct paired *)context)->after(rounds);
}

static void wait_until_stored(void *context) {
	if (((const struct paired *)context)->records)
		(void)spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
}

static int body(const struct stage *stage, const void *task_pointer, double ret_values[WORKER_VALUES_MAX]) {
	const struct task *task = task_pointer;
	struct paired paired = *task->paired;
	struct paired_figures *figures = task->figures;
	struct spanring_counters counters;
	(void)stage;
	(void)ret_values;
	const struct turns turns = {.iterations = paired.iterations,
	                            .warmup = paired.warmup,
	                            .rounds_max = paired.rounds_max,
	                            .between = wait_until_stored,
	                            .context = &paired};
	const struct turns_loop before = {run_before, &paired};
	const struct turns_loop after = {run_after, &paired};
	int rc = turns_run(&turns, &before, &after, &figures->before, &figures->after, &figures->rounds);
	spanring_counters_read(&counters);
	figures->dropped = counters.dropped_full + counters.dropped_depth + counters.dropped_no_ring +
	                   counters.dropped_attributes + counters.dropped_events + counters.dropped_links +
	                   counters.dropped_contexts;
	return rc;
}

int paired_run(const struct stage *stage, const struct paired *paired, struct paired_figures *ret_figures) {
	double values[WORKER_VALUES_MAX];
	struct task task = {
	    paired, mmap(NULL, sizeof(*task.figures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
	if (task.figures == MAP_FAILED)
		return -errno;
	int rc = worker_run(stage, paired->settings, body, &task, values);
	*ret_figures = *task.figures;
	(void)munmap(task.figures, sizeof(*task.figures));
	return rc;
}
