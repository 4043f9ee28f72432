/* SPDX-License-Identifier: Apache-2.0 */
#include "floors.h"

#include "base/cleanup.h"
#include "bench/loops/chunks.h"
#include "bench/loops/loop.h"
#include "bench/loops/span_loops.h"
#include "topology.h"

#include <math.h>

#define FLOOR_ROUNDS (512u * CHUNK_ROUNDS)
#define EMPTY_ROUNDS (4096u * CHUNK_ROUNDS)
#define QUICK_PING_PONG_ROUNDS 100u

enum { EMPTY, TWO_TICKS, TWO_CLOCKS };

struct floors {
	double empty_ns; /* a round of an empty loop */
	double two_ticks_ns;
	double two_clocks_ns;
	double floor_ns; /* two readings of the counter, or of the clock where there is no counter */
};

static double loop_ns(struct chunks *chunks, uint64_t (*loop)(uint64_t), uint64_t rounds) {
	chunks->count = 0;
	chunks_run(chunks, loop, rounds);
	return chunks_median_ns(chunks);
}

static int measure(const struct stage *stage, const void *task, double *ret_values) {
	CLEANUP_FREE struct chunks *chunks = calloc(1, sizeof(*chunks));
	(void)task;
	if (!chunks)
		return -ENOMEM;
	ret_values[EMPTY] = loop_ns(chunks, span_loop_empty_ns, stage_rounds(stage, EMPTY_ROUNDS));
	ret_values[TWO_CLOCKS] = loop_ns(chunks, span_loop_two_clocks_ns, stage_rounds(stage, FLOOR_ROUNDS));
	if (loop_has_ticks())
		ret_values[TWO_TICKS] = loop_ns(chunks, span_loop_two_ticks_ns, stage_rounds(stage, FLOOR_ROUNDS));
	return 0;
}

static int measure_floors(const struct stage *stage, struct floors *ret_floors) {
	double values[WORKER_VALUES_MAX];
	int rc = worker_run(stage, NULL, measure, NULL, values);
	*ret_floors = (struct floors){.empty_ns = values[EMPTY],
	                              .two_ticks_ns = values[TWO_TICKS],
	                              .two_clocks_ns = values[TWO_CLOCKS],
	                              .floor_ns = isnan(values[TWO_TICKS]) ? values[TWO_CLOCKS] : values[TWO_TICKS]};
	return rc;
}

static int run_modes(const struct stage *stage, const struct floors *floors, worker_body *body,
                     const struct floors_mode *modes, size_t mode_count, double *values) {
	int rc = 0;
	for (size_t i = 0; i < mode_count && rc == 0; i++) {
		double measured[WORKER_VALUES_MAX];
		rc = worker_run(stage, modes[i].settings, body, modes[i].task, measured);
		values[modes[i].figure] = measured[0];
		values[modes[i].figure + 1] = measured[0] / floors->floor_ns;
		for (uint32_t other = 1; other < modes[i].value_count; other++)
			values[modes[i].figure + 1 + other] = measured[other];
	}
	return rc;
}

int floors_run(const struct stage *stage, worker_body *body, const struct floors_mode *modes, size_t mode_count,
               double *values) {
	uint32_t ping_pong_rounds = stage->options->is_quick ? QUICK_PING_PONG_ROUNDS : TOPOLOGY_PING_PONG_ROUNDS;
	struct floors floors;
	values[FLOORS_PING_PONG_BEFORE] = topology_ping_pong_ns(ping_pong_rounds);
	int rc = measure_floors(stage, &floors);
	values[FLOORS_EMPTY] = floors.empty_ns;
	values[FLOORS_TWO_TICKS] = floors.two_ticks_ns;
	values[FLOORS_TWO_CLOCKS] = floors.two_clocks_ns;
	if (rc == 0)
		rc = run_modes(stage, &floors, body, modes, mode_count, values);
	values[FLOORS_PING_PONG_AFTER] = topology_ping_pong_ns(ping_pong_rounds);
	return rc;
}
