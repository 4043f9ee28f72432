/* SPDX-License-Identifier: Apache-2.0 */
/* The figures of groups: their order, and the three ways to print them. */
#ifndef SPANRING_ANALYZE_LATENCY_GROUPS_PRINT_H
#define SPANRING_ANALYZE_LATENCY_GROUPS_PRINT_H

#include "analyze/kernels/quantile.h"
#include "analyze/query.h"
#include "group.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct latency_group_line {
	uint32_t group; /* GROUPS_MAX: all for which there was no room */
	uint64_t count;
	uint64_t errors;
	uint64_t total_ns;
	double mean_ns;
	double stddev_ns;
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t quantiles[QUANTILE_COUNT];
};

struct latency_groups {
	struct query query;
	struct grouping grouping;
	struct latency_group_line *lines; /* by group while reading, then dense and sorted */
	size_t line_count;
	size_t sort_key;
	uint64_t open;
	bool estimated;
};

/* NULL: by time if there is one, else by total. False: no such key. */
bool latency_groups_sort_key(const char *word, struct latency_groups *groups);
/* 0 or -ENOMEM. */
int latency_groups_sort(struct latency_groups *groups);
/* As the options want it. 0 or a negative errno. */
int latency_groups_print(const struct latency_groups *groups);

#endif
