/* SPDX-License-Identifier: Apache-2.0 */
#include "record.h"

#include "latency_table.h"

#include "agent/agent.h"
#include "agent/lifecycle.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/sibling.h"
#include "base/units.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define LEFT_BEHIND_NS NS_PER_S         /* how long a process that outlives the command is waited for */
#define ENDING_STEP_NS (20 * NS_PER_MS) /* between looks for it */
#define SEGMENT_PREFIX "segment-"
#define LOCK_NAME "lock"
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127
#define REMOVE_DESCRIPTORS 16

struct child {
	pid_t pid;
	int pid_fd;
	int status; /* as waitpid gives it, once `ended` */
	bool ended;
};

static void close_directory(DIR **directory) {
	if (*directory)
		(void)closedir(*directory);
}

/* Nothing there, an empty directory or a store. Anything else would be a mistake in the command line. */
static int check_store(const struct config *config, const struct log *log) {
	CLEANUP(close_directory) DIR *directory = opendir(config->store);
	if (!directory && errno == ENOENT)
		return EXIT_CODE_OK;
	bool foreign = !directory;
	const struct dirent *entry;
	while (!foreign && (entry = readdir(directory))) {
		const char *name = entry->d_name;
		if (strncmp(name, SEGMENT_PREFIX, sizeof(SEGMENT_PREFIX) - 1) == 0)
			return EXIT_CODE_OK;
		foreign = strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, LOCK_NAME) != 0;
	}
	if (!foreign)
		return EXIT_CODE_OK;
	log_error(log, "%s: exists and is not a store; name another with -o", config->store);
	return EXIT_CODE_OUTPUT;
}

static int make_rings(struct config *config, const struct log *log) {
	const char *temporary = getenv("TMPDIR");
	const char *places[] = {"/dev/shm", temporary && *temporary ? temporary : "/tmp"};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int length = snprintf(config->rings, sizeof(config->rings), "%s/spanring-record-XXXXXX", places[i]);
		if (length > 0 && (size_t)length < sizeof(config->rings) && mkdtemp(config->rings))
			return EXIT_CODE_OK;
	}
	log_error(log, "no ring directory can be made in %s or %s: %s; name one with --rings DIR", places[0], places[1],
	          strerror(errno));
	return EXIT_CODE_OUTPUT;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *at) {
	(void)status;
	(void)kind;
	(void)at;
	(void)remove(path);
	return 0;
}

#define PRELOAD "LD_PRELOAD"

/* The library that counts the heap, then what was there. The loader splits at spaces and colons and knows no quotes. */
static int find_preload(struct config *config, const struct log *log) {
	char library[PATH_MAX];
	const char *others = getenv(PRELOAD);
	if (!config->heap)
		return EXIT_CODE_OK;
	int rc = sibling_library(SIBLING_HEAP_LIBRARY, library);
	if (rc < 0) {
		log_error(log, "--heap: %s: %s; install it there, or record without --heap", library, strerror(-rc));
		return EXIT_CODE_INPUT;
	}
	if (strpbrk(library, " :")) {
		log_error(log, "--heap: %s: a path with a space or a colon cannot be preloaded; install it elsewhere",
		          library);
		return EXIT_CODE_INPUT;
	}
	int bytes = snprintf(config->preload, sizeof(config->preload), "%s:%s", library, others ? others : "");
	if (bytes < 0 || (size_t)bytes >= sizeof(config->preload)) {
		log_error(log, "--heap: " PRELOAD " is too long to take one library more; shorten it");
		return EXIT_CODE_INPUT;
	}
	return EXIT_CODE_OK;
}

/* For the command alone: what this program starts later is not counted. */
static int set_preload(const struct config *config) {
	return *config->preload ? setenv(PRELOAD, config->preload, 1) : 0;
}

static void restore_preload(const struct config *config) {
	const char *colon = strchr(config->preload, ':');
	if (colon && colon[1])
		(void)setenv(PRELOAD, colon + 1, 1);
	else if (colon)
		(void)unsetenv(PRELOAD);
}

/* Up to its last moment the child may do only what is safe after fork in a program with threads. */
static void start_in_child(char **command, int error_fd) {
	lifecycle_signals_restore();
	(void)execvp(command[0], command);
	int error = errno;
	ssize_t written = write(error_fd, &error, sizeof(error));
	(void)written;
	_exit(EXIT_NOT_FOUND);
}

/* From its first trace on, unless it was told something else; the agent would come a moment later. */
static int set_ratio(const struct config *config) {
	const char *chosen = getenv("OTEL_TRACES_SAMPLER");
	if (!config_has_ratio(config) || (chosen && *chosen))
		return 0;
	return setenv("OTEL_TRACES_SAMPLER", PRESET_RATIO_SAMPLER, 1) < 0 ||
	               setenv("OTEL_TRACES_SAMPLER_ARG", config->ratio, 1) < 0
	           ? -1
	           : 0;
}

/* 0, or the errno of what failed. */
static int start_command(const struct config *config, struct child *child) {
	int pipe_fds[2];
	if (setenv("SPANRING_DIR", config->rings, 1) < 0 || set_ratio(config) < 0 || set_preload(config) < 0 ||
	    pipe2(pipe_fds, O_CLOEXEC) < 0)
		return errno;
	CLEANUP_FD int read_fd = pipe_fds[0];
	CLEANUP_FD int write_fd = pipe_fds[1];
	child->pid = fork();
	if (child->pid == 0)
		start_in_child(config->command, write_fd);
	int error = child->pid < 0 ? errno : 0;
	restore_preload(config);
	if (error)
		return error;
	(void)close(take_fd(&write_fd));
	ssize_t got;
	do
		got = read(read_fd, &error, sizeof(error));
	while (got < 0 && errno == EINTR);
	if (got == 0) {
		child->pid_fd = (int)syscall(SYS_pidfd_open, child->pid, 0);
		error = child->pid_fd < 0 ? errno : 0;
		if (error)
			(void)kill(child->pid, SIGKILL);
	}
	if (error) {
		(void)waitpid(child->pid, NULL, 0);
		child->ended = true;
	}
	return error;
}

static void take_child(struct agent *agent, struct child *child) {
	if (waitpid(child->pid, &child->status, WNOHANG) != child->pid)
		return;
	child->ended = agent->command.ended = true;
	agent->command.status = child->status;
	loop_watch(agent->loop, LOOP_CHILD, FD_NONE);
}

static int collect(struct agent *agent, struct child *child, int signal_fd) {
	uint64_t until_ns = UINT64_MAX;
	for (;;) {
		uint32_t ready = 0;
		uint64_t step_ns = child->ended ? clock_monotonic_ns() + ENDING_STEP_NS : UINT64_MAX;
		if (agent_step(agent, step_ns, &ready) < 0)
			return EXIT_CODE_FAILED;
		bool from_terminal = false;
		int signal_number = ready & (1u << LOOP_SIGNAL) ? lifecycle_signals_take(signal_fd, &from_terminal) : 0;
		/* What the terminal sends, the command has got already. */
		if (signal_number > 0 && !child->ended && !from_terminal)
			(void)kill(child->pid, signal_number);
		if (!child->ended && (ready & (1u << LOOP_CHILD))) {
			take_child(agent, child);
			if (child->ended) {
				until_ns = clock_monotonic_ns() + LEFT_BEHIND_NS;
				discovery_rescan(&agent->discovery);
			}
		}
		agent->discovery.hint_closed = child->ended;
		bool none_left = child->ended && agent->roster.producer_count == 0;
		if (none_left || clock_monotonic_ns() >= until_ns)
			return EXIT_CODE_OK;
	}
}

static uint32_t count_living(const struct agent *agent) {
	uint32_t living = 0;
	for (uint32_t i = 0; i < agent->roster.producer_count; i++)
		living += agent->roster.producers[i]->phase == PRODUCER_LIVE;
	return living;
}

static int collect_and_close(struct agent *agent, struct child *child, int signal_fd) {
	int code = collect(agent, child, signal_fd);
	uint32_t living = count_living(agent);
	if (living > 0)
		log_warning(agent->log,
		            "%u traced process%s of the command still run%s; what comes from now on is not recorded",
		            living, living == 1 ? "" : "es", living == 1 ? "s" : "");
	if (code == EXIT_CODE_OK)
		code = agent_drain(agent);
	uint64_t spans = agent->figures.spans;
	bool none_traced = agent->figures.producers_ended == 0 && living == 0;
	const struct config *config = agent->config;
	const struct log *log = agent->log;
	int closed = agent_close(agent);
	if (code == EXIT_CODE_OK)
		code = closed;
	char count[UNITS_TEXT_BYTES];
	if (code == EXIT_CODE_OK && none_traced)
		log_warning(log, "nothing recorded: no program of the command began a span through libspanring");
	if (code == EXIT_CODE_OK)
		log_info(log, "%s spans stored in %s", units_format_count(spans, count), config->store);
	return code;
}

static int exit_status(const struct child *child) {
	return WIFSIGNALED(child->status) ? 128 + WTERMSIG(child->status) : WEXITSTATUS(child->status);
}

static int refuse_command(const struct config *config, const struct log *log, int error) {
	const char *remedy = error == ENOENT   ? "; is it misspelt, or not in PATH?"
	                     : error == EACCES ? "; is it a program, and executable for you?"
	                                       : "";
	log_error(log, "%s: %s%s", config->command[0], strerror(error), remedy);
	return error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

/* As execvp will look for it: 0, or the errno of the best that was found. Told before anything is made. */
static int find_command(const char *name) {
	char path[PATH_MAX];
	int error = ENOENT;
	const char *places = getenv("PATH");
	if (strchr(name, '/'))
		return access(name, X_OK) < 0 ? errno : 0;
	if (!places)
		return 0; /* the C library has a list of its own then */
	for (const char *at = places; error && at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL) {
		int bytes = (int)strcspn(at, ":");
		int length = snprintf(path, sizeof(path), "%.*s%s%s", bytes, at, bytes ? "/" : "", name);
		if (length < 0 || (size_t)length >= sizeof(path))
			continue;
		if (access(path, X_OK) == 0)
			error = 0;
		else if (errno == EACCES)
			error = EACCES;
	}
	return error;
}

static int record_with_rings(const struct config *config, const struct log *log, bool *ret_kept) {
	CLEANUP_FD int signal_fd = FD_NONE;
	CLEANUP_FD int pid_fd = FD_NONE;
	struct agent *agent;
	int code = lifecycle_start(config, log, false, &signal_fd, &agent);
	if (code != EXIT_CODE_OK)
		return code;
	struct child child = {.pid_fd = FD_NONE};
	int error = start_command(config, &child);
	if (error) {
		(void)agent_close(agent);
		return refuse_command(config, log, error);
	}
	pid_fd = child.pid_fd;
	agent->command =
	    (struct ending_command){.pid = (uint32_t)child.pid, .start_time = sampler_start_time(child.pid)};
	loop_watch(agent->loop, LOOP_CHILD, pid_fd);
	code = collect_and_close(agent, &child, signal_fd);
	*ret_kept = code != EXIT_CODE_OK;
	if (code == EXIT_CODE_OK)
		latency_table_show(config->store, NULL, log);
	else
		log_error(log, "not all is stored; rings are kept: spanring-agent run --rings %s --store %s",
		          config->rings, config->store);
	if (!child.ended)
		return code;
	return exit_status(&child);
}

int record_command(struct config *config, const struct log *log) {
	bool own = !*config->rings;
	bool kept = false;
	int error = find_command(config->command[0]);
	if (error)
		return refuse_command(config, log, error);
	int code = check_store(config, log);
	if (code == EXIT_CODE_OK)
		code = find_preload(config, log);
	if (code == EXIT_CODE_OK && own)
		code = make_rings(config, log);
	if (code != EXIT_CODE_OK)
		return code;
	code = record_with_rings(config, log, &kept);
	if (own && !kept)
		(void)nftw(config->rings, remove_one, REMOVE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	return code;
}
