/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle.h"

#include "agent.h"

#include "agent/footprint/writer_cost.h"
#include "agent/service/service.h"
#include "agent/service/take_over.h"
#include "agent/settings/reload.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/units.h"

#include <signal.h>
#include <spanring/version.h>
#include <string.h>
#include <sys/signalfd.h>

/*
 * SIGIO: the look for writers of a process file (process_reader_mapped) raises it. SIGXFSZ: a size limit is an error,
 * not a death.
 */
static const int ignored[] = {SIGPIPE, SIGIO, SIGXFSZ};
#define IGNORED_COUNT (sizeof(ignored) / sizeof(ignored[0]))

/* SIGHUP reloads or, where nothing does, is ignored. */
static void our_signals(bool reloads, sigset_t *ret_set) {
	(void)sigemptyset(ret_set);
	(void)sigaddset(ret_set, SIGINT);
	(void)sigaddset(ret_set, SIGTERM);
	if (reloads)
		(void)sigaddset(ret_set, SIGHUP);
}

static int open_signals(bool reloads, int *ret_fd) {
	sigset_t ours;
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	struct sigaction usual = {.sa_handler = SIG_DFL};
	our_signals(reloads, &ours);
	if (sigprocmask(SIG_BLOCK, &ours, NULL) < 0)
		return -errno;
	for (size_t i = 0; i < IGNORED_COUNT; i++)
		(void)sigaction(ignored[i], &ignore, NULL);
	/* nohup left it ignored, and what is ignored never arrives. */
	(void)sigaction(SIGHUP, reloads ? &usual : &ignore, NULL);
	int fd = signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

void lifecycle_signals_restore(void) {
	sigset_t ours;
	struct sigaction usual = {.sa_handler = SIG_DFL};
	for (size_t i = 0; i < IGNORED_COUNT; i++)
		(void)sigaction(ignored[i], &usual, NULL);
	(void)sigaction(SIGHUP, &usual, NULL);
	our_signals(true, &ours);
	(void)sigprocmask(SIG_UNBLOCK, &ours, NULL);
}

int lifecycle_signals_take(int fd, bool *ret_from_terminal) {
	struct signalfd_siginfo info;
	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	*ret_from_terminal = info.ssi_code == SI_KERNEL;
	return (int)info.ssi_signo;
}

static void say_started(const struct agent *agent) {
	log_event(agent->log, LOG_LEVEL_INFO, "started",
	          LOG_FIELDS(LOG_TEXT("version", SPANRING_VERSION_STRING), LOG_TEXT("rings", agent->config->rings),
	                     LOG_TEXT("store", agent->config->store),
	                     LOG_TEXT("io", loop_io_names[loop_in_use(agent->loop)]),
	                     LOG_TEXT("sandbox", sandbox_in_use(&agent->sandbox))),
	          "version %s, pid %ld, rings %s, store %s, io %s (%s), sandbox %s (%s)", SPANRING_VERSION_STRING,
	          (long)getpid(), agent->config->rings, agent->config->store, loop_io_names[loop_in_use(agent->loop)],
	          loop_why(agent->loop), sandbox_in_use(&agent->sandbox), agent->sandbox.why);
}

static int refuse_sandbox(const struct log *log, const struct sandbox *sandbox) {
	log_error(log, "%s; --sandbox auto takes what there is, off does without", sandbox->why);
	return EXIT_CODE_FAILED;
}

int lifecycle_start(const struct config *config, const struct log *log, bool is_service, int *ret_signal_fd,
                    struct agent **ret_agent) {
	CLEANUP_FD int signal_fd = FD_NONE;
	struct store_writer_cost cost;
	writer_cost_measure(&cost);
	int rc = open_signals(is_service, &signal_fd);
	if (rc < 0) {
		log_error(log, "signals cannot be set up: %s", strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	struct agent *agent;
	struct sandbox sandbox = {.why = "the recorded command must be started"};
	int code = config->take_over ? take_over(config, log, signal_fd) : EXIT_CODE_OK;
	if (code == EXIT_CODE_OK && is_service && sandbox_enter(config, &sandbox) < 0)
		code = refuse_sandbox(log, &sandbox);
	if (code == EXIT_CODE_OK)
		code = agent_open(config, log, &cost, &agent);
	if (code != EXIT_CODE_OK)
		return code;
	if (is_service && sandbox_seal(config, &sandbox) < 0) {
		(void)agent_close(agent);
		return refuse_sandbox(log, &sandbox);
	}
	agent->sandbox = sandbox;
	loop_watch(agent->loop, LOOP_SIGNAL, signal_fd);
	say_started(agent);
	*ret_signal_fd = take_fd(&signal_fd);
	*ret_agent = agent;
	return EXIT_CODE_OK;
}

static int run_until_stopped(struct agent *agent, struct config *config, struct log *log, struct service *service,
                             int signal_fd) {
	for (;;) {
		uint32_t ready;
		bool from_terminal;
		if (agent_step(agent, service_at_ns(service), &ready) < 0)
			return EXIT_CODE_FAILED;
		service_turn(service, agent);
		int number = ready & (1u << LOOP_SIGNAL) ? lifecycle_signals_take(signal_fd, &from_terminal) : 0;
		if (number == SIGHUP) {
			service_reloading(service);
			reload_agent(agent, config, log);
			service_ready(service, agent);
		} else if (number > 0) {
			service_stopping(service);
			return agent_drain(agent);
		}
	}
}

int lifecycle_run(struct config *config, const struct log *given_log) {
	CLEANUP_FD int signal_fd = FD_NONE;
	CLEANUP(service_close) struct service service;
	struct log log = *given_log; /* a reload changes it */
	struct agent *agent;
	service_open(&service, &log);
	int code = lifecycle_start(config, &log, true, &signal_fd, &agent);
	if (code != EXIT_CODE_OK)
		return code;
	service_ready(&service, agent);
	code = run_until_stopped(agent, config, &log, &service, signal_fd);
	uint64_t spans = agent->figures.spans;
	int closed = agent_close(agent);
	if (code == EXIT_CODE_OK)
		code = closed;
	char count[UNITS_TEXT_BYTES];
	if (code == EXIT_CODE_OK)
		log_event(&log, LOG_LEVEL_INFO, "stopped", LOG_FIELDS(LOG_NUMBER("spans", spans)),
		          "stopped, %s spans stored", units_format_count(spans, count));
	return code;
}
