/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that the metrics tell, at one moment. */
#ifndef SPANRING_AGENT_METRICS_FIGURES_H
#define SPANRING_AGENT_METRICS_FIGURES_H

#include "totals.h"

#include <stdint.h>

#define METRICS_QUARANTINE_WORDS 5u

struct agent;

/* A moment; times in nanoseconds, sizes in bytes. */
struct metrics_figures {
	const struct agent *agent;
	uint64_t now_ns;
	struct tally now;     /* of the programs that are there */
	struct tally counted; /* since the agent began */
	struct tally services[TOTALS_SERVICES_MAX + 1];
	uint64_t service_programs[TOTALS_SERVICES_MAX + 1];
	uint64_t service_open[TOTALS_SERVICES_MAX + 1];
	uint64_t quarantined[METRICS_QUARANTINE_WORDS]; /* rings, by metrics_quarantine_words */
	uint64_t programs;
	uint64_t ring_bytes;
	uint64_t ended;
	uint64_t waiting_bytes;
	uint64_t lag_ns;
	uint64_t store_trouble_ns;
	uint64_t memory_bytes;
	uint64_t memory_over;
	uint64_t cpu_ns;
	uint64_t rss_bytes;
	uint64_t threads;
	uint64_t descriptors;
	uint64_t descriptors_max;
	uint64_t start_wall_ns;
	uint64_t retention_failing;
	double bytes_per_span;
};

extern const char *const metrics_quarantine_words[METRICS_QUARANTINE_WORDS];

/* Looks at every ring's header; no record is read. ret_figures is large: the caller's heap. */
void metrics_figures_take(struct agent *agent, struct metrics_figures *ret_figures);

#endif
