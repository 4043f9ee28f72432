/* SPDX-License-Identifier: Apache-2.0 */
#include "attach.h"

#include "agent/agent.h"
#include "agent/lifecycle.h"
#include "agent/report/document.h"
#include "agent/report/status_ask.h"
#include "agent/service/holder.h"
#include "agent/settings/options.h"
#include "attach_words.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "ctl_target.h"
#include "latency_table.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#define STORED_WAIT_MAX_NS (3 * NS_PER_S) /* for another agent's next commit */

struct attach {
	struct config *config;
	const struct log *log;
	struct ps_list list;
	struct attach_words words[CONFIG_ONLY_MAX];
	uint32_t count; /* of instances: one process may hold two copies of the library */
	char since[UNITS_TEXT_BYTES];
};

static int choose(struct attach *attach) {
	const struct config *config = attach->config;
	if (config->word_count != 1) {
		log_error(attach->log, config->word_count == 0
		                           ? "attach: which program? Give its pid: spanring-agent attach 1234; see "
		                             "spanring-agent ps"
		                           : "attach: one program at a time; see spanring-agent --help");
		return EXIT_CODE_USAGE;
	}
	if (strcmp(config->words[0], "all") == 0) {
		log_error(attach->log, "attach: one program at a time; spanring-agent run collects from all");
		return EXIT_CODE_USAGE;
	}
	int code = ps_list_read(config, attach->log, &attach->list);
	CLEANUP_FREE bool *chosen = calloc(attach->list.count + 1, sizeof(*chosen));
	if (code == 0 && !chosen)
		code = EXIT_CODE_FAILED;
	if (code == 0)
		code = ctl_target_choose(&attach->list, config->words[0], config->rings, attach->log, chosen);
	for (uint32_t i = 0; code == 0 && i < attach->list.count && attach->count < CONFIG_ONLY_MAX; i++)
		if (chosen[i])
			attach->words[attach->count++].row = &attach->list.rows[i];
	return code;
}

static void restore(struct attach *attach) {
	for (uint32_t i = 0; i < attach->count; i++)
		attach_words_restore(&attach->words[i], attach->log);
}

/* An exit code; on failure nothing is changed. */
static int record_all(struct attach *attach) {
	const char *ratio = config_has_ratio(attach->config) ? attach->config->ratio : NULL;
	(void)units_format_wall(clock_wall_ns(), attach->since);
	for (uint32_t i = 0; i < attach->count; i++) {
		const struct ps_row *row = attach->words[i].row;
		int rc = attach_words_set(row, ratio, &attach->words[i]);
		if (rc == 0)
			continue;
		log_error(attach->log, "pid %" PRIu32 " (%s): %s", row->pid, row->instance, ps_refusal_text(rc));
		restore(attach);
		return EXIT_CODE_FAILED;
	}
	return EXIT_CODE_OK;
}

static int collect(const struct attach *attach, struct agent *agent, int signal_fd) {
	uint64_t until_ns = clock_monotonic_ns() + attach->config->attach_ns;
	while (clock_monotonic_ns() < until_ns) {
		uint32_t ready = 0;
		bool from_terminal;
		if (agent_step(agent, until_ns, &ready) < 0)
			return EXIT_CODE_FAILED;
		if ((ready & (1u << LOOP_SIGNAL)) && lifecycle_signals_take(signal_fd, &from_terminal) > 0)
			break;
		if (agent->roster.producer_count == 0)
			break; /* it ended, and all of it is stored */
	}
	return EXIT_CODE_OK;
}

/* With an agent of our own, for this program alone. */
static int attach_alone(struct attach *attach) {
	CLEANUP_FD int signal_fd = FD_NONE;
	struct config *config = attach->config;
	struct agent *agent;
	char count[UNITS_TEXT_BYTES];
	for (uint32_t i = 0; i < attach->count; i++)
		(void)snprintf(config->only.instances[config->only.count++], CONFIG_INSTANCE_BYTES, "%s",
		               attach->words[i].row->instance);
	int code = lifecycle_start(config, attach->log, false, &signal_fd, &agent);
	if (code != EXIT_CODE_OK)
		return code;
	code = record_all(attach);
	if (code == EXIT_CODE_OK)
		code = collect(attach, agent, signal_fd);
	restore(attach);
	if (code == EXIT_CODE_OK)
		code = agent_drain(agent);
	uint64_t spans = agent->figures.spans;
	int closed = agent_close(agent);
	if (code == EXIT_CODE_OK)
		code = closed;
	if (code != EXIT_CODE_OK)
		return code;
	log_info(attach->log, "%s spans stored in %s; from %s on:", units_format_count(spans, count), config->store,
	         attach->since);
	latency_table_show(config->store, attach->since, attach->log);
	return code;
}

/* The time, or a signal. */
static int wait_for_end(uint64_t duration_ns) {
	sigset_t ours;
	(void)sigemptyset(&ours);
	(void)sigaddset(&ours, SIGINT);
	(void)sigaddset(&ours, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &ours, NULL) < 0)
		return -errno;
	CLEANUP_FD int fd = signalfd(-1, &ours, SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	uint64_t until_ns = clock_monotonic_ns() + duration_ns;
	for (uint64_t now = clock_monotonic_ns(); now < until_ns; now = clock_monotonic_ns()) {
		struct pollfd one = {fd, POLLIN, 0};
		struct timespec left = {.tv_sec = (time_t)((until_ns - now) / NS_PER_S),
		                        .tv_nsec = (long)((until_ns - now) % NS_PER_S)};
		if (ppoll(&one, 1, &left, NULL) > 0)
			return 0;
	}
	return 0;
}

/* Where the other agent stores, and how soon what is recorded now is there. */
static void ask_holder(const char *rings, char ret_store[PATH_MAX], uint64_t *ret_wait_ns) {
	CLEANUP_FREE char *text = NULL;
	struct document document;
	size_t bytes = 0;
	ret_store[0] = '\0';
	*ret_wait_ns = STORED_WAIT_MAX_NS;
	if (status_ask(rings, STATUS_ASK_NS, &text, &bytes) < 0 || document_read(text, bytes, &document) < 0)
		return;
	(void)document_text(&document, DOCUMENT_ROOT, "store", ret_store, PATH_MAX);
	uint64_t wait_ns = document_u64(&document, DOCUMENT_ROOT, "flush_interval_ns") + NS_PER_S / 2;
	if (wait_ns < *ret_wait_ns)
		*ret_wait_ns = wait_ns;
	document_done(&document);
}

/* Through the agent that serves the ring directory. */
static int attach_beside(struct attach *attach, const struct holder *holder) {
	const struct config *config = attach->config;
	char store[PATH_MAX];
	uint64_t wait_ns;
	if (config->origins[OPTIONS_STORE].source == OPTIONS_FROM_FLAG) {
		log_error(
		    attach->log,
		    "ring directory %s: an agent, process %d, stores what its programs record; leave out --store to "
		    "record into its store",
		    config->rings, (int)holder->peer.pid);
		return EXIT_CODE_HELD;
	}
	ask_holder(config->rings, store, &wait_ns);
	int code = record_all(attach);
	if (code != EXIT_CODE_OK)
		return code;
	int rc = wait_for_end(config->attach_ns);
	restore(attach);
	if (rc == 0)
		rc = wait_for_end(wait_ns);
	if (rc < 0) {
		log_error(attach->log, "attach: %s", strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	log_info(attach->log, "stored by the agent, process %d, in %s; from %s on:", (int)holder->peer.pid, store,
	         attach->since);
	latency_table_show(store, attach->since, attach->log);
	return EXIT_CODE_OK;
}

int attach_command(struct config *config, const struct log *log) {
	struct attach attach = {.config = config, .log = log};
	struct holder holder = {.process_fd = FD_NONE};
	int code = choose(&attach);
	if (code == 0) {
		bool held = holder_find(config->rings, &holder) == 0;
		code = held ? attach_beside(&attach, &holder) : attach_alone(&attach);
	}
	if (holder.process_fd >= 0)
		(void)close(holder.process_fd);
	ps_list_close(&attach.list);
	return code;
}
