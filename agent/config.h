/* SPDX-License-Identifier: Apache-2.0 */
/* What the command line and the environment ask for. Every limit of an option is checked here and nowhere else. */
#ifndef SPANRING_AGENT_CONFIG_H
#define SPANRING_AGENT_CONFIG_H

#include "base/log.h"
#include "libstore/writer.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define CONFIG_FLUSH_INTERVAL_NS_MIN UINT64_C(1000000)
#define CONFIG_FLUSH_INTERVAL_NS_MAX UINT64_C(60000000000)
#define CONFIG_MEMORY_INTERVAL_NS_MIN UINT64_C(10000000)
#define CONFIG_MEMORY_INTERVAL_NS_MAX UINT64_C(3600000000000)

struct config {
	char rings[PATH_MAX]; /* record: empty if none was named */
	char store[PATH_MAX];
	bool rings_are_default; /* made if missing; a directory that was named must exist, or its parent */
	uint64_t flush_interval_ns;
	uint64_t memory_interval_ns; /* 0: no samples */
	enum store_durability durability;
	bool quiet;
	bool json;
	bool heap;              /* record: preload the library that counts the heap */
	char preload[PATH_MAX]; /* record: LD_PRELOAD of the command; empty: as ours */
	char **command;         /* record: what follows "--" */
};

enum config_command { CONFIG_RUN, CONFIG_RECORD, CONFIG_STATUS };

/*
 * Read the options of one command (argv[0] is the command's word). 0; -EINVAL after one line was logged; 1 when help
 * was asked for. Paths not named come from SPANRING_DIR and SPANRING_STORE, then from the defaults in config_help.
 */
int config_parse(enum config_command command, int argc, char **argv, const struct log *log, struct config *ret_config);

const char *config_help(void);

#endif
