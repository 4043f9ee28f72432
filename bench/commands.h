/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of spanring-bench, and the options that they share. */
#ifndef SPANRING_BENCH_COMMANDS_H
#define SPANRING_BENCH_COMMANDS_H

#include "base/log.h"
#include "bench/harness/result.h"

#include <stdbool.h>
#include <stdint.h>

/* Of the case soak. */
struct soak_plan {
	uint64_t duration_ns;
	uint64_t interval_ns; /* between two looks */
	uint64_t rate;        /* spans per second, all programs together */
	uint64_t programs;    /* at a time */
	uint64_t life_min_ns; /* of one program */
	uint64_t life_max_ns;
	const char *csv; /* NULL: none */
};

struct bench_options {
	struct log log;
	uint32_t runs;
	uint64_t spans; /* ingest: of one run */
	uint64_t seed;
	const char *agent; /* path of the agent's program; NULL: beside this program */
	const char *
	    keep; /* ingest, soak: keep the store of the last run there; query: make it there, or ask the one that is; NULL: remove it */
	const char *duckdb; /* query: its library; NULL: libduckdb.so or the command-line tool, where there is one */
	struct soak_plan soak;
	enum result_format format;
	bool is_quick; /* few rounds: to see that it works */
};

/* Each returns an exit code (base/errs.h). */
int span_bench_run(const struct bench_options *options);
int ingest_bench_run(const struct bench_options *options);
int heap_bench_run(const struct bench_options *options);
int off_bench_run(const struct bench_options *options);
int quiet_bench_run(const struct bench_options *options);
int codec_bench_run(const struct bench_options *options);
int query_bench_run(const struct bench_options *options);
int ring_bench_run(const struct bench_options *options);
int sampled_bench_run(const struct bench_options *options);
int attr_bench_run(const struct bench_options *options);
int async_bench_run(const struct bench_options *options);
int context_bench_run(const struct bench_options *options);
int idle_bench_run(const struct bench_options *options);
int rate_bench_run(const struct bench_options *options);
int wake_bench_run(const struct bench_options *options);
int init_bench_run(const struct bench_options *options);
int threads_bench_run(const struct bench_options *options);
int soak_bench_run(const struct bench_options *options);

/* Started by the cases only (worker_exec). */
int heap_worker_run(const struct bench_options *options);
int init_worker_run(const struct bench_options *options);
int count_worker_run(const struct bench_options *options);
int soak_worker_run(const struct bench_options *options);

#endif
