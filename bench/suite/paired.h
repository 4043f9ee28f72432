/* SPDX-License-Identifier: Apache-2.0 */
/* Two loops in turns inside of a traced process of their own, an agent draining. */
#ifndef SPANRING_BENCH_PAIRED_H
#define SPANRING_BENCH_PAIRED_H

#include "bench/harness/result.h"
#include "bench/worker.h"

struct paired {
	uint64_t (*before)(uint64_t rounds);
	uint64_t (*after)(uint64_t rounds);
	uint64_t rounds_max; /* of a sample, so that a ring holds it; 0: no matter */
	uint32_t iterations;
	uint32_t warmup;
	const struct worker_setting *settings;
	bool records; /* the second one: between samples the loop waits, untimed, until the agent has stored all */
};

struct paired_figures {
	struct samples before; /* ns of a round */
	struct samples after;
	uint64_t rounds;  /* of a sample */
	uint64_t dropped; /* what found no room, of whatever kind */
};

/* 0 or negative errno. */
int paired_run(const struct stage *stage, const struct paired *paired, struct paired_figures *ret_figures);

#endif
