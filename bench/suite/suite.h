/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of spanring-bench that measure what tracing does to a program, with the harness (bench/harness): warmed, in turns, with intervals.
 * Each reads its own words (argv[0] is its name) and returns an exit code: 0 measured and no red flag, 1 a red flag or a run that failed, 2
 * wrong words.
 */
#ifndef SPANRING_BENCH_SUITE_H
#define SPANRING_BENCH_SUITE_H

#include "base/log.h"

int quick_command(int argc, char **argv, const struct log *log);
int run_command(int argc, char **argv, const struct log *log);
int exec_command(int argc, char **argv, const struct log *log);
int concurrent_command(int argc, char **argv, const struct log *log);
int load_command(int argc, char **argv, const struct log *log);
int coldstart_command(int argc, char **argv, const struct log *log);
int warmstart_command(int argc, char **argv, const struct log *log);
int sampling_command(int argc, char **argv, const struct log *log);
int matrix_command(int argc, char **argv, const struct log *log);
int stages_command(int argc, char **argv, const struct log *log);
int size_command(int argc, char **argv, const struct log *log);
int memory_command(int argc, char **argv, const struct log *log);
int suite_command(int argc, char **argv, const struct log *log);
int compare_command(int argc, char **argv, const struct log *log);
int peers_command(int argc, char **argv, const struct log *log);

/* Started by coldstart only (worker_exec). */
struct bench_options;
int cold_worker_run(const struct bench_options *options);

#endif
