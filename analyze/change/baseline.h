/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run was like, to hold later runs against: for each name its figures, how sure they are, and the histogram of its durations; and on which machine, of
 * which commit. As a file (baseline/1) it is JSON that git shows well: names in order of their texts, a figure on a line, a line of the histogram for each
 * octave. docs/commands.md says what every key means.
 *
 * A file is not believed: what is read is bounded by the constants below, and whatever is not as baseline_write writes it is refused with line and column.
 */
#ifndef SPANRING_ANALYZE_BASELINE_H
#define SPANRING_ANALYZE_BASELINE_H

#include "analyze/import/byte_source.h"
#include "analyze/kernels/sliced.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define BASELINE_SCHEMA "baseline/1"
#define BASELINE_NAMES_MAX 65536u
#define BASELINE_TEXT_BYTES_MAX 4096u
#define BASELINE_BYTES_MAX (UINT64_C(1) << 30)
#define BASELINE_WHY_BYTES 256u

/* The figures of a name, in all of this room. */
enum change_metric {
	CHANGE_P50,
	CHANGE_P95,
	CHANGE_P99,
	CHANGE_MEAN,
	CHANGE_SELF,
	CHANGE_ERRORS,
	CHANGE_HEAP,
	CHANGE_METRICS
};
extern const char *const change_metric_words[CHANGE_METRICS + 1]; /* "p50" ..., NULL */
extern const char *const change_metric_keys[CHANGE_METRICS];      /* "p50_ns" ... */

/* Texts are never NULL; "" where nothing is known. */
enum baseline_text {
	BASELINE_VERSION, /* of spanring */
	BASELINE_COMMIT,
	BASELINE_BUILD,
	BASELINE_HOST,
	BASELINE_CPU,
	BASELINE_KERNEL,
	BASELINE_TEXTS
};

struct baseline_name {
	char *text;
	uint64_t count;
	double drift; /* of the name or all of the run, in logarithms */
	struct measured figures[CHANGE_METRICS];
	struct grid_weights weights; /* settled */
};

struct baseline {
	char *texts[BASELINE_TEXTS];
	uint64_t cores;
	uint64_t created_wall_ns;
	bool is_sketch;
	struct grid grid;
	struct baseline_name *names; /* in order of text */
	size_t name_count;
};

void baseline_done(struct baseline *baseline);
/* NULL: there is none. */
const struct baseline_name *baseline_find(const struct baseline *baseline, const char *text);

/* The whole document. Errors are those of the stream. */
void baseline_write(const struct baseline *baseline, FILE *out);

/* 0; -ENOMEM; ERR_DAMAGED, ERR_NEWER with one line in ret_why. *ret_baseline is empty then. */
int baseline_read(struct byte_source *source, struct baseline *ret_baseline, char ret_why[BASELINE_WHY_BYTES]);

/* --- files ------------------------------------------------------------------------------------------------------- */

/* Whole or not at all: a temporary file beside it gets its name. A negative errno. */
int baseline_save(const struct baseline *baseline, const char *path);
/* As baseline_read; -ENOENT: there is no such file. */
int baseline_load(const char *path, struct baseline *ret_baseline, char ret_why[BASELINE_WHY_BYTES]);

/* Fills in host, cpu, cores, kernel of this machine. 0 or -ENOMEM. */
int baseline_take_machine(struct baseline *baseline);
/* The commit that is checked out in the working directory, or the one that a CI names in the environment; "" if none. */
void baseline_commit(char ret_commit[64]);
/* NULL: the same machine as far as figures go; else what differs, one of the texts. */
const char *baseline_other_machine(const struct baseline *one, const struct baseline *other);

#endif
