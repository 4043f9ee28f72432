/* SPDX-License-Identifier: Apache-2.0 */
/* Where a case runs: folders of its own, a real agent on them, and one core for each end. */
#ifndef SPANRING_BENCH_STAGE_H
#define SPANRING_BENCH_STAGE_H

#include "commands.h"
#include "temporary.h"

#include <sys/types.h>

#define STAGE_NO_AGENT ((pid_t)0)

struct stage {
	const struct bench_options *options;
	struct temporary folders;
	pid_t agent;
	int loop_core; /* TOPOLOGY_NO_CORE: there is one core, for both */
	int agent_core;
};

/* An exit code; what failed has been told. */
int stage_open(const struct bench_options *options, bool has_agent, struct stage *ret_stage);

/* The agent drains, seals and ends. An exit code; what failed has been told. */
int stage_close(struct stage *stage);

/* Where the loop and the agent run, for people. */
#define STAGE_PLACEMENT_BYTES 64u
const char *stage_placement(const struct stage *stage, char ret_text[STAGE_PLACEMENT_BYTES]);

/* So many bursts or rounds (of whole chunks); with --quick a few. */
uint32_t stage_bursts(const struct stage *stage, uint32_t bursts);
uint64_t stage_rounds(const struct stage *stage, uint64_t rounds);

/* Stop the agent where it is (SIGSTOP) and let it go on: for what needs its core. Also from a worker. */
void stage_agent_halt(const struct stage *stage);
void stage_agent_resume(const struct stage *stage);

#endif
