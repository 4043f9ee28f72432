/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tracing cost, from one store: what an operation of the writer takes (measured by the agent on this machine, libstore/writer_cost.h) times
 * how often it was done (the books), against what the programs used (the samples); and what the agent took itself.
 *
 * BOUNDS. A span costs what the loop measured where the writer's data is in the cache, and what the cold rounds measured where the program
 * used the caches between its spans. The truth for one program lies between; both are shown, and verdicts are about the higher one. Spans that were
 * not recorded (sampled out, dropped) are cheaper, and count like any other.
 */
#ifndef SPANRING_ANALYZE_OVERHEAD_H
#define SPANRING_ANALYZE_OVERHEAD_H

#include "analyze/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OVERHEAD_CPU_NS_MIN UINT64_C(100000000) /* with less processor time a share of it says nothing */
#define OVERHEAD_REQUEST_SPANS 100u
#define OVERHEAD_AGENTS_MAX 4096u

enum overhead_verdict { OVERHEAD_UNMEASURED, OVERHEAD_GOOD, OVERHEAD_ABOVE, OVERHEAD_RED_FLAG };
extern const char *const overhead_verdict_names[];

enum overhead_unit { OVERHEAD_NS, OVERHEAD_BYTES, OVERHEAD_BYTES_PER_S, OVERHEAD_SHARE };
extern const char *const overhead_unit_names[];

enum overhead_target {
	OVERHEAD_SPAN,
	OVERHEAD_ATTRIBUTE,
	OVERHEAD_EVENT,
	OVERHEAD_REQUEST,
	OVERHEAD_CPU,
	OVERHEAD_RING,
	OVERHEAD_AGENT_RSS,
	OVERHEAD_NETWORK,
	OVERHEAD_LOST,
	OVERHEAD_TARGET_COUNT
};

/* What is wanted of a figure: good below one level, a red flag above the other. */
struct overhead_level {
	const char *key;   /* "span" */
	const char *label; /* for people */
	enum overhead_unit unit;
	double good;
	double red_flag;
};
extern const struct overhead_level overhead_levels[OVERHEAD_TARGET_COUNT];

struct overhead_figure {
	bool has_value;
	double value;
	double high; /* the bound that the verdict is about; value where there is no other */
	enum overhead_verdict verdict;
};

struct overhead_process {
	uint32_t process; /* index */
	uint64_t begun;
	uint64_t attributes;
	uint64_t events;
	uint64_t lost;
	uint64_t rings;
	uint64_t cpu_ns; /* UINT64_MAX: no sample */
	double seconds;  /* from attach to the last sample; 0: not known */
	double cost_ns;
	double cost_high_ns;
};

struct overhead_agent {
	uint32_t pid;
	uint64_t start;
	uint64_t cpu_ns;
	uint64_t rss_peak_bytes;
	uint64_t first_ns; /* of its samples */
	uint64_t last_ns;
	uint64_t first_cpu_ns;
};

struct overhead {
	struct query query;
	struct store_writer_cost cost; /* of the newest segment that has it; rounds 0: none */
	struct overhead_figure figures[OVERHEAD_TARGET_COUNT];
	struct overhead_process *processes; /* those that began spans, by falling cost */
	size_t process_count;
	struct overhead_agent *agents;
	size_t agent_count;
	uint64_t begun;
	uint64_t stored;
	uint64_t lost;
	uint64_t file_bytes;
	uint64_t agent_cpu_ns;
};

/* 0 or a negative errno. */
int overhead_read(struct overhead *overhead);
void overhead_done(struct overhead *overhead);
bool overhead_has_red_flag(const struct overhead *overhead);

/* 0 or -ENOMEM. */
int overhead_print_tables(const struct overhead *overhead);
void overhead_print_json(const struct overhead *overhead);
void overhead_print_csv(const struct overhead *overhead);

#endif
