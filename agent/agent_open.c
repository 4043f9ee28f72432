/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an agent begins and ends: every part opened in the order in which a failure should be told, closed in the order
 * in which it is needed.
 */
#include "agent.h"

#include "agent/report/status.h"
#include "agent/tail/tail.h"
#include "agent/users/system_rings.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "libshm/system_directory.h"

#include <spanring/version.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define CLOCK_FIRST_BASE_NS (5 * NS_PER_MS) /* between the first two pairs: a rate good to a few parts in a million */

static int refuse_loop(const struct log *log, const char *why) {
	log_error(
	    log,
	    "%s; --io posix does without, or allow it (sysctl kernel.io_uring_disabled=0, the container's seccomp "
	    "profile) and start again",
	    why);
	return EXIT_CODE_FAILED;
}

static int open_bell(struct agent *agent) {
	uint32_t holder = 0;
	int rc = doorbell_open(agent->rings_fd, agent->config->system, agent->loop, &agent->bell, &holder);
	if (rc == 0)
		return EXIT_CODE_OK;
	if (rc == ERR_HELD) {
		log_event(agent->log, LOG_LEVEL_ERROR, "rings_held",
		          LOG_FIELDS(LOG_TEXT("rings", agent->config->rings), LOG_NUMBER("holder_pid", holder)),
		          "ring directory %s: another agent has it, process %u; stop that one or use another directory",
		          agent->config->rings, holder);
		return EXIT_CODE_HELD;
	}
	if (rc == ERR_FOREIGN || rc == ERR_NEWER) {
		log_error(agent->log, "%s/" SPANRING_CONTROL_NAME ": %s; use another directory", agent->config->rings,
		          rc == ERR_NEWER ? "written by another version" : "not a control file");
		return EXIT_CODE_OUTPUT;
	}
	log_error(agent->log,
	          "%s/" SPANRING_CONTROL_NAME ": %s; free some room there or give another directory with --rings DIR",
	          agent->config->rings, strerror(-rc));
	return EXIT_CODE_OUTPUT;
}

static int refuse_store(const struct agent *agent, int rc, int holder, const char *text) {
	if (rc == ERR_HELD) {
		log_event(
		    agent->log, LOG_LEVEL_ERROR, "store_held",
		    LOG_FIELDS(LOG_TEXT("store", agent->config->store), LOG_NUMBER("holder_pid", (uint64_t)holder)),
		    "store %s: another writer has it, process %d; stop that one or use another store",
		    agent->config->store, holder);
		return EXIT_CODE_HELD;
	}
	if (*text)
		log_error(agent->log, "%s", text);
	else
		log_error(agent->log, "store %s: %s; give another with --store DIR", agent->config->store,
		          strerror(-rc));
	return EXIT_CODE_OUTPUT;
}

static int open_store(struct agent *agent, const struct store_writer_cost *cost) {
	struct store_writer_options options = {.durability = agent->config->durability,
	                                       .wall_offset_ns = clock_wall_ns() - clock_monotonic_ns(),
	                                       .agent_version = SPANRING_VERSION_STRING,
	                                       .writer_cost = *cost};
	(void)clock_boot_id(options.boot_id);
	struct store_writer *writer;
	char text[FLUSH_TEXT_BYTES] = "";
	int holder = 0;
	int rc = store_writer_open(agent->config->store, &options, &writer, &holder, text, sizeof(text));
	if (rc < 0)
		return refuse_store(agent, rc, holder, text);
	if (*text)
		log_warning(agent->log, "%s", text);
	const struct store_cursor *cursors;
	size_t count;
	rc = store_writer_cursors(writer, &cursors, &count);
	if (rc == 0)
		rc = roster_keep_resumes(&agent->roster, cursors, count);
	if (rc == 0)
		rc = statistics_keep_resumes(&agent->statistics, writer, &agent->roster);
	if (rc < 0) {
		(void)snprintf(text, sizeof(text), "%s", store_writer_error(writer));
		(void)store_writer_close(writer);
		return refuse_store(agent, rc, 0, text);
	}
	struct merger_options merge = {.budget_percent = agent->config->merge_percent,
	                               .memory_cap_bytes = agent->config->memory_cap_bytes,
	                               .retain = agent->config->retain};
	rc = flush_open(writer, agent->config->store, &agent->config->retain, &merge, &agent->flush);
	return rc < 0 ? refuse_store(agent, rc, 0, "") : EXIT_CODE_OK;
}

static int open_memory(struct agent *agent) {
	int rc = roster_init(&agent->roster);
	if (rc == 0)
		rc = statistics_init(&agent->statistics, agent->log);
	if (rc == 0)
		rc = intake_init(&agent->intake, agent->loop, &agent->roster);
	if (rc == 0)
		rc = flush_job_new(&agent->open_job);
	if (rc == 0)
		rc = flush_job_new(&agent->spare_job);
	if (rc == 0)
		rc = catalog_new(&agent->sink.catalog);
	if (rc == 0 && agent->config->tail_keep) {
		struct tail_rules rules = tail_rules_of(agent->config);
		rc = tail_new(&rules, agent->config->tail_memory_bytes, &agent->sink.tail);
	}
	if (rc < 0) {
		log_error(agent->log, "not enough memory to start");
		return EXIT_CODE_FAILED;
	}
	memory_cap_init(&agent->memory, agent->config->memory_cap_bytes,
	                agent->config->tail_keep ? agent->config->tail_memory_bytes : 0);
	memory_cap_shape(&agent->memory, agent->open_job->batch);
	memory_cap_shape(&agent->memory, agent->spare_job->batch);
	agent->sink.batch = agent->open_job->batch;
	agent->sink.generation = 1;
	agent->sink.clock = &agent->clock;
	agent->carry_all = true;
	return EXIT_CODE_OK;
}

/* The second pair, far enough from the first to give a rate. */
static void start_clock(struct agent *agent, struct clock_model_pair first) {
	struct clock_model_pair second = first;
	uint64_t passed = clock_monotonic_ns() - first.ns;
	if (passed < CLOCK_FIRST_BASE_NS) {
		struct timespec rest = {.tv_nsec = (long)(CLOCK_FIRST_BASE_NS - passed)};
		(void)nanosleep(&rest, NULL);
	}
	(void)clock_model_pair_read(clock_model_counter_kind(), &second);
	clock_model_init(&agent->clock, first, second);
}

static void raise_descriptor_limit(void) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_rings(struct agent *agent) {
	const struct config *config = agent->config;
	if (config->system)
		return system_rings_open(config->rings, agent->log, &agent->rings_fd);
	gid_t group;
	if (config->rings_are_default && spanring__system_directory_look(SYSTEM_DIRECTORY_PATH, &group) == 0)
		log_warning(
		    agent->log,
		    "programs go to the agent of all users at %s unless SPANRING_DIR=%s is in their environment",
		    SYSTEM_DIRECTORY_PATH, config->rings);
	return discovery_open_rings(config->rings, config->rings_are_default, agent->log, &agent->rings_fd);
}

static int open_discovery(struct agent *agent) {
	agent->roster.users.quota = agent->config->quota;
	agent->sink.users = &agent->roster.users;
	int rc = discovery_open(agent->rings_fd, agent->config->system, &agent->roster, agent->log, &agent->discovery);
	agent->discovery.only = &agent->config->only;
	if (rc == 0)
		return EXIT_CODE_OK;
	log_error(agent->log, "inotify cannot be set up: %s", strerror(-rc));
	return EXIT_CODE_FAILED;
}

/* In the order in which a failure should be told: rings, other agents, store. */
static int open_parts(struct agent *agent, const struct store_writer_cost *cost) {
	struct clock_model_pair first = {.ticks = 0, .ns = clock_monotonic_ns()};
	(void)clock_model_pair_read(clock_model_counter_kind(), &first);
	char why[LOOP_WHY_BYTES];
	int rc = fault_guard_install();
	if (rc < 0) {
		log_error(agent->log, "signals cannot be set up: %s", strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	rc = loop_open(agent->config->io, &agent->loop, why);
	if (rc < 0)
		return refuse_loop(agent->log, why);
	int code = EXIT_CODE_OUTPUT;
	if (open_rings(agent) == 0)
		code = open_bell(agent);
	if (code == EXIT_CODE_OK)
		code = metrics_server_open(agent->config->metrics, agent->log, &agent->metrics);
	if (code == EXIT_CODE_OK)
		code = open_memory(agent);
	if (code == EXIT_CODE_OK)
		code = open_discovery(agent);
	if (code == EXIT_CODE_OK)
		code = open_store(agent, cost);
	if (code == EXIT_CODE_OK)
		start_clock(agent, first);
	return code;
}

int agent_open(const struct config *config, const struct log *log, const struct store_writer_cost *cost,
               struct agent **ret_agent) {
	struct agent *agent = calloc(1, sizeof(*agent));
	if (!agent) {
		log_error(log, "not enough memory to start");
		return EXIT_CODE_FAILED;
	}
	agent->config = config;
	agent->log = log;
	store_state_init(&agent->store, config, log);
	agent->rings_fd = FD_NONE;
	agent->status_fd = FD_NONE;
	agent->discovery.inotify_fd = FD_NONE;
	raise_descriptor_limit();
	int code = open_parts(agent, cost);
	if (code != EXIT_CODE_OK) {
		(void)agent_close(agent);
		return code;
	}
	agent->status_fd = status_listen(agent->rings_fd, config->system, log);
	loop_watch(agent->loop, LOOP_BELL, doorbell_fd(agent->bell));
	loop_watch(agent->loop, LOOP_STORE, flush_fd(agent->flush));
	loop_watch(agent->loop, LOOP_INOTIFY, agent->discovery.inotify_fd);
	loop_watch(agent->loop, LOOP_STATUS, agent->status_fd);
	loop_watch(agent->loop, LOOP_METRICS, metrics_server_fd(agent->metrics));
	discovery_rescan(&agent->discovery);
	agent->now_ns = agent->figures.started_ns = clock_monotonic_ns();
	agent->flush_at_ns = agent->now_ns + config->flush_interval_ns;
	agent->clock_at_ns = agent->now_ns + AGENT_CLOCK_RENEW_NS;
	agent->rescan_at_ns = agent->now_ns + DISCOVERY_RESCAN_NS;
	agent->sample_at_ns = UINT64_MAX;
	footprint_open(&agent->footprint);
	*ret_agent = agent;
	return EXIT_CODE_OK;
}

int agent_close(struct agent *agent) {
	if (!agent)
		return EXIT_CODE_OK;
	int code = EXIT_CODE_OK;
	char text[FLUSH_TEXT_BYTES] = "";
	if (flush_close(agent->flush, text, sizeof(text)) < 0) {
		log_error(agent->log, "store %s: %s", agent->config->store, text);
		code = EXIT_CODE_OUTPUT;
	}
	status_close(agent->rings_fd, agent->status_fd);
	loop_close(agent->loop);
	metrics_server_close(agent->metrics);
	doorbell_close(agent->bell);
	discovery_close(&agent->discovery);
	intake_done(&agent->intake);
	flush_job_free(agent->open_job);
	flush_job_free(agent->spare_job);
	if (agent->failed_job && agent->failed_job->catalog != agent->sink.catalog)
		catalog_free(agent->failed_job->catalog);
	flush_job_free(agent->failed_job);
	catalog_free(agent->sink.catalog);
	tail_free(agent->sink.tail);
	roster_done(&agent->roster);
	statistics_done(&agent->statistics);
	if (agent->rings_fd >= 0)
		(void)close(agent->rings_fd);
	free(agent);
	return code;
}
