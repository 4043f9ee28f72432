/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent was asked for, of each value where it comes from:
 *
 *     default < preset < configuration file < environment < flag
 *
 * Everything is read and checked before anything else is touched, also what a higher source overrules: a mistyped name or value
 * anywhere stops the start with one line. What there is to set, and within which bounds, stands in options.c and nowhere else.
 */
#ifndef SPANRING_AGENT_CONFIG_H
#define SPANRING_AGENT_CONFIG_H

#include "agent/commands/view.h"
#include "agent/commit/retention.h"
#include "agent/loop/loop.h"
#include "agent/report/metrics_address.h"
#include "agent/service/sandbox.h"
#include "agent/users/users.h"
#include "base/log.h"
#include "libstore/writer.h"
#include "options.h"
#include "preset.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_FILE_DEFAULT "/etc/spanring/agent.conf"

enum config_command {
	CONFIG_RUN,
	CONFIG_RECORD,
	CONFIG_STATUS,
	CONFIG_TOP,
	CONFIG_PS,
	CONFIG_CTL,
	CONFIG_CONFIG,
	CONFIG_RELOAD,
	CONFIG_ATTACH
};

#define CONFIG_ONLY_MAX 8u
#define CONFIG_INSTANCE_BYTES 33u /* 32 hexadecimal digits */

/* Instances that are collected; none named: all. */
struct config_only {
	char instances[CONFIG_ONLY_MAX][CONFIG_INSTANCE_BYTES];
	uint32_t count;
};

struct config {
	char rings[PATH_MAX]; /* record: empty if none was named */
	char store[PATH_MAX];
	char file[PATH_MAX];    /* the configuration file that was read; empty: none */
	bool rings_are_default; /* made if missing; a directory that was named must exist, or its parent */
	enum preset_id preset;
	uint64_t memory_cap_bytes;
	uint64_t batch_spans;
	uint64_t flush_interval_ns;
	uint64_t max_wait_ns;
	uint64_t breaker_failures; /* in a row, before the store is left alone */
	uint64_t breaker_pause_ns;
	uint64_t stall_after_ns;
	uint64_t memory_interval_ns; /* 0: no samples */
	uint64_t statistics_interval_ns;
	struct retention_limits retain;
	uint64_t merge_percent; /* of one core */
	uint64_t segment_spans;
	enum store_durability durability;
	enum loop_io io;
	char ratio[OPTIONS_RATIO_BYTES];
	enum sandbox_mode sandbox;
	enum log_format log_format;
	enum log_level log_level;
	char metrics[METRICS_ADDRESS_BYTES];
	char tail_ratio[OPTIONS_RATIO_BYTES];
	char tail_slow[OPTIONS_RATIO_BYTES];
	uint64_t tail_rare;
	uint64_t tail_first;
	uint64_t tail_wait_ns;
	uint64_t tail_memory_bytes;
	bool tail_keep;
	bool system; /* for all users */
	struct users_quota quota;
	bool quiet;
	bool json;
	bool each_ring;           /* status, top */
	uint64_t top_interval_ns; /* these: top */
	uint64_t top_limit;
	enum view_sort top_sort;
	bool top_once;
	bool take_over;         /* run: from the agent that runs there */
	bool heap;              /* record: preload the library that counts the heap */
	char preload[PATH_MAX]; /* record: LD_PRELOAD of the command; empty: as ours */
	char **command;         /* record: what follows "--" */
	char **words;           /* ctl: what is no option */
	int given_count;        /* of the command line, all of it, to be read again */
	char **given;
	enum config_command asked_for; /* config: the command whose values are wanted */
	uint32_t word_count;
	uint64_t attach_ns;
	struct config_only only; /* attach */
	struct options_origin origins[OPTIONS_COUNT];
};

/*
 * Read options (argv[0] is the command's word), environment and file for one command. 0; -EINVAL after one line was logged; 1 when
 * help was asked for. Paths not named anywhere get the defaults that the help tells.
 */
int config_parse(enum config_command command, int argc, char **argv, const struct log *log, struct config *ret_config);

/* What the configuration says about the log. */
void config_log(const struct config *config, struct log *log);

/* Do programs that chose no sampler get one? */
static inline bool config_has_ratio(const struct config *config) {
	return config->ratio[0] != OPTIONS_RATIO_OWN[0];
}

#endif
