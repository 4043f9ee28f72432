/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_process.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/floors/topology.h"
#include <spanring/ring_abi.h>

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

#define START_POLLS_MAX 10000u
#define START_POLL_NS 1000000L

int agent_process_path(const char *given, char ret_path[PATH_MAX]) {
	char self[PATH_MAX];
	if (given)
		return snprintf(ret_path, PATH_MAX, "%s", given) < PATH_MAX ? 0 : -ENAMETOOLONG;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	if (length < 0)
		return -errno;
	self[length] = 0;
	return snprintf(ret_path, PATH_MAX, "%s/spanring-agent", dirname(self)) < PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* In the child. Its own output would only disturb ours; what is wrong it says on stderr. */
static _Noreturn void exec_quiet(const char *program, const char *const *arguments) {
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0)
		(void)dup2(null, STDOUT_FILENO);
	(void)unsetenv("SPANRING_DIR");
	/* Nobody else would end it, least of all while it is halted. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)execv(program, (char *const *)(uintptr_t)arguments);
	_exit(127);
}

static _Noreturn void agent_exec(const char *program, const struct agent_process_options *options) {
	const char *arguments[10 + AGENT_PROCESS_MORE_MAX] = {program,        "run",     "--rings",
	                                                      options->rings, "--store", options->store};
	size_t count = 6;
	if (options->flush_interval) {
		arguments[count++] = "--flush-interval";
		arguments[count++] = options->flush_interval;
	}
	arguments[count++] = "--quiet";
	for (uint32_t i = 0; options->more && options->more[i] && i < AGENT_PROCESS_MORE_MAX; i++)
		arguments[count++] = options->more[i];
	if (options->core != TOPOLOGY_NO_CORE)
		(void)topology_pin(options->core);
	exec_quiet(program, arguments);
}

/* The agent writes its number into the control page once it holds the lock. */
static bool agent_holds(const char *rings, pid_t pid) {
	char path[PATH_MAX];
	struct spanring_control control;
	if (snprintf(path, sizeof(path), "%s/%s", rings, SPANRING_CONTROL_NAME) >= (int)sizeof(path))
		return false;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &control, sizeof(control), 0) != (ssize_t)sizeof(control))
		return false;
	return control.magic == SPANRING_CONTROL_MAGIC && control.agent_pid == (uint32_t)pid;
}

int agent_process_start(const struct agent_process_options *options, pid_t *ret_pid) {
	char program[PATH_MAX];
	int rc = agent_process_path(options->program, program);
	if (rc < 0)
		return rc;
	if (access(program, X_OK) < 0)
		return -errno;
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		agent_exec(program, options);
	for (uint32_t i = 0; i < START_POLLS_MAX; i++) {
		struct timespec pause = {.tv_nsec = START_POLL_NS};
		if (agent_holds(options->rings, pid)) {
			*ret_pid = pid;
			return 0;
		}
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return -ECHILD;
		(void)nanosleep(&pause, NULL);
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	return -ETIMEDOUT;
}

static uint64_t timeval_ns(struct timeval time) {
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * NS_PER_US;
}

/* rusage would count the memory of this process before exec too. */
static uint64_t peak_bytes(pid_t pid) {
	char path[64], line[256];
	unsigned long long kib = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	CLEANUP_FILE FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
			break;
	}
	return kib * 1024;
}

int agent_process_stop(pid_t pid, struct agent_process_usage *ret_usage) {
	struct rusage usage;
	int status;
	pid_t ended;
	uint64_t peak = peak_bytes(pid);
	if (kill(pid, SIGTERM) < 0)
		return -errno;
	do
		ended = wait4(pid, &status, 0, &usage);
	while (ended < 0 && errno == EINTR);
	if (ended < 0)
		return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return -ECHILD;
	ret_usage->cpu_ns = timeval_ns(usage.ru_utime) + timeval_ns(usage.ru_stime);
	ret_usage->peak_bytes = peak;
	return 0;
}

int agent_process_ctl(const char *program, const char *rings, pid_t pid, const char *action) {
	char path[PATH_MAX], number[16];
	int status, rc = agent_process_path(program, path);
	if (rc < 0)
		return rc;
	(void)snprintf(number, sizeof(number), "%d", (int)pid);
	const char *arguments[] = {path, "ctl", "--rings", rings, number, action, NULL};
	pid_t child = fork();
	if (child == 0)
		exec_quiet(path, arguments);
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -errno;
	return status == 0 ? 0 : -ECHILD;
}
