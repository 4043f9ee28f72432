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
int compare_command(int argc, char **argv, const struct log *log);

#endif
