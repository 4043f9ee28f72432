/* SPDX-License-Identifier: Apache-2.0 */
/* What every command is made of. A command is one file: its help text, its question to the store, its two ways to print the answer. */
#ifndef SPANRING_ANALYZE_COMMAND_H
#define SPANRING_ANALYZE_COMMAND_H

#include "analyze/options/options.h"
#include "analyze/terminal/terminal.h"

#include "base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct context {
	const struct options *options;
	struct terminal terminal;
	struct log log;
};

struct command {
	const char *name;
	const char *summary; /* one line of the overview */
	const char *help;    /* examples first */
	struct options_wanted takes;
	int (*run)(const struct context *context); /* an exit code */
};

extern const struct command command_audit;
extern const struct command command_completion;
extern const struct command command_doctor;
extern const struct command command_baseline;
extern const struct command command_check;
extern const struct command command_compare;
extern const struct command command_export;
extern const struct command command_import;
extern const struct command command_errors;
extern const struct command command_flame;
extern const struct command command_histogram;
extern const struct command command_info;
extern const struct command command_latency;
extern const struct command command_man;
extern const struct command command_memory;
extern const struct command command_overhead;
extern const struct command command_noisy;
extern const struct command command_report;
extern const struct command command_rings;
extern const struct command command_slowest;
extern const struct command command_sql;
extern const struct command command_top;
extern const struct command command_timeline;
extern const struct command command_trace;
extern const struct command command_tree;
extern const struct command command_unfinished;
extern const struct command command_verify;
extern const struct command command_watch;
extern const struct command command_why;

/* Write a library failure in one line; returns the exit code that fits it. */
int command_failed(const struct context *context, int error, const char *doing);

#endif
