/* SPDX-License-Identifier: Apache-2.0 */
#include "stage.h"

#include "agent_process.h"
#include "base/errs.h"
#include "bench/floors/topology.h"
#include "bench/loops/chunks.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define AGENT_FLUSH_INTERVAL "10ms"
#define QUICK_ROUNDS (2u * CHUNK_ROUNDS)
#define QUICK_BURSTS 2u

static int start_agent(struct stage *stage) {
	const struct bench_options *options = stage->options;
	struct agent_process_options agent = {.program = options->agent,
	                                      .rings = stage->folders.rings,
	                                      .store = options->keep ? options->keep : stage->folders.store,
	                                      .flush_interval = AGENT_FLUSH_INTERVAL,
	                                      .core = stage->loop_core == TOPOLOGY_NO_CORE ? TOPOLOGY_NO_CORE
	                                                                                   : stage->agent_core};
	int rc = agent_process_start(&agent, &stage->agent);
	if (rc < 0)
		log_error(&options->log,
		          "the agent cannot be started (%s): build spanring-agent, or name it with --agent",
		          strerror(-rc));
	return rc;
}

int stage_open(const struct bench_options *options, bool has_agent, struct stage *ret_stage) {
	struct stage stage = {.options = options, .agent = STAGE_NO_AGENT};
	int rc = temporary_make(&stage.folders);
	if (rc < 0) {
		log_error(&options->log, "no temporary folder in /dev/shm and TMPDIR: %s", strerror(-rc));
		return EXIT_CODE_OUTPUT;
	}
	topology_pair(&stage.agent_core, &stage.loop_core);
	if (has_agent)
		rc = start_agent(&stage);
	if (rc < 0) {
		temporary_remove(&stage.folders);
		return EXIT_CODE_FAILED;
	}
	*ret_stage = stage;
	return EXIT_CODE_OK;
}

int stage_close(struct stage *stage) {
	struct agent_process_usage usage;
	int rc = 0;
	if (stage->agent != STAGE_NO_AGENT) {
		/* A worker that failed may have left it halted. */
		stage_agent_resume(stage);
		rc = agent_process_stop(stage->agent, &usage);
	}
	if (rc < 0)
		log_error(&stage->options->log, "the agent did not end well: %s", strerror(-rc));
	temporary_remove(&stage->folders);
	return rc < 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

const char *stage_placement(const struct stage *stage, char ret_text[STAGE_PLACEMENT_BYTES]) {
	if (stage->loop_core == TOPOLOGY_NO_CORE)
		(void)snprintf(ret_text, STAGE_PLACEMENT_BYTES, "all on the only core");
	else if (stage->agent == STAGE_NO_AGENT)
		(void)snprintf(ret_text, STAGE_PLACEMENT_BYTES, "loop on core %d", stage->loop_core);
	else
		(void)snprintf(ret_text, STAGE_PLACEMENT_BYTES, "loop on core %d, agent on core %d", stage->loop_core,
		               stage->agent_core);
	return ret_text;
}

uint32_t stage_bursts(const struct stage *stage, uint32_t bursts) {
	return stage->options->is_quick && bursts > QUICK_BURSTS ? QUICK_BURSTS : bursts;
}

uint64_t stage_rounds(const struct stage *stage, uint64_t rounds) {
	return stage->options->is_quick && rounds > QUICK_ROUNDS ? QUICK_ROUNDS : rounds;
}

void stage_agent_halt(const struct stage *stage) {
	if (stage->agent != STAGE_NO_AGENT)
		(void)kill(stage->agent, SIGSTOP);
}

void stage_agent_resume(const struct stage *stage) {
	if (stage->agent != STAGE_NO_AGENT)
		(void)kill(stage->agent, SIGCONT);
}
