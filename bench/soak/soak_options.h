/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of spanring-bench soak. */
#ifndef SPANRING_BENCH_SOAK_OPTIONS_H
#define SPANRING_BENCH_SOAK_OPTIONS_H

#include "bench/commands.h"
#include "soak_worker.h"

#include <getopt.h>

enum soak_option {
	SOAK_OPTIONS_DURATION = 256,
	SOAK_OPTIONS_RATE,
	SOAK_OPTIONS_PROGRAMS,
	SOAK_OPTIONS_LIFE,
	SOAK_OPTIONS_INTERVAL,
	SOAK_OPTIONS_CSV,
	SOAK_OPTIONS_END
};

/* Lines of getopt's table. */
#define SOAK_OPTIONS_TABLE                                                                                             \
	{"duration", required_argument, NULL, SOAK_OPTIONS_DURATION},                                                  \
	    {"rate", required_argument, NULL, SOAK_OPTIONS_RATE},                                                      \
	    {"programs", required_argument, NULL, SOAK_OPTIONS_PROGRAMS},                                              \
	    {"life", required_argument, NULL, SOAK_OPTIONS_LIFE},                                                      \
	    {"interval", required_argument, NULL, SOAK_OPTIONS_INTERVAL}, {                                            \
		"csv", required_argument, NULL, SOAK_OPTIONS_CSV                                                       \
	}

#define SOAK_OPTIONS_HELP                                                                                              \
	"      --duration T     soak: 1s to 30d; default 30m, with --quick 10s\n"                                      \
	"      --rate N         soak: spans per second of all programs; default 10000\n"                               \
	"      --programs N     soak: at a time, 2 to 64; default 6\n"                                                 \
	"      --life T..T      soak: how long one runs; default 5s..60s, with --quick 1s..3s\n"                       \
	"      --interval T     soak: between two lines; default 10s, with --quick 500ms\n"                            \
	"      --csv FILE       soak: write the lines there, too\n"

/* 0, or -EINVAL after one line. Not one of ours: -EINVAL, getopt has said it. */
int soak_options_take(int option, const char *value, const struct log *log, struct soak_plan *plan);

/* What was not given. 0, or -EINVAL after one line. */
int soak_options_finish(const struct log *log, bool is_quick, struct soak_plan *plan);

#endif
