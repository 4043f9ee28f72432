/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets that a run must keep by itself: for names that match a glob, a figure has two levels. Up to `good` it is good, above `red` it is a red flag, between them a
 * warning. As a file (JSON, read strictly):
 *
 *     {"schema": "targets/1",
 *      "targets": [{"name": "GET *", "p99": {"good": "10ms", "red": "50ms"}, "errors": {"red": "1%"}}]}
 */
#ifndef SPANRING_ANALYZE_TARGETS_H
#define SPANRING_ANALYZE_TARGETS_H

#include "baseline.h"

#define TARGETS_MAX 1024u

enum target_level { TARGET_GOOD, TARGET_WARNING, TARGET_RED, TARGET_NO_DATA };
extern const char *const target_level_words[]; /* "good" ... */

struct target {
	char *glob;
	unsigned metric;
	double good;
	double red;
};

struct targets {
	struct target *items;
	size_t count;
};

struct target_result {
	size_t target;
	const char *name; /* NULL: no name matches */
	double value;
	enum target_level level;
};

/* 0; -ENOMEM; ERR_DAMAGED, ERR_NEWER with one line in ret_why. */
int targets_read(struct byte_source *source, struct targets *ret_targets, char ret_why[BASELINE_WHY_BYTES]);
int targets_load(const char *path, struct targets *ret_targets, char ret_why[BASELINE_WHY_BYTES]);
void targets_done(struct targets *targets);

/* One for each target and name; given back with free(). 0 or -ENOMEM. */
int targets_judge(const struct targets *targets, const struct baseline *run, struct target_result **ret_results,
                  size_t *ret_count);

#endif
