/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "bench/floors/topology.h"
#include "bench/loops/syscall_count.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define VARIABLE_BYTES 256u

/* What a worker hands over. */
struct answer {
	int rc;
	double values[WORKER_VALUES_MAX];
};

static void no_values(double values[WORKER_VALUES_MAX]) {
	for (uint32_t i = 0; i < WORKER_VALUES_MAX; i++)
		values[i] = NAN;
}

/* unsetenv moves the rest of the list down. */
static void forget(const char *prefix) {
	for (char **entry = environ; entry && *entry;) {
		char name[VARIABLE_BYTES];
		size_t length = strcspn(*entry, "=");
		if (strncmp(*entry, prefix, strlen(prefix)) != 0 || length >= sizeof(name)) {
			entry++;
			continue;
		}
		memcpy(name, *entry, length);
		name[length] = 0;
		(void)unsetenv(name);
	}
}

void worker_prepare(const struct stage *stage, const struct worker_setting *settings) {
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (stage->loop_core != TOPOLOGY_NO_CORE)
		(void)topology_pin(stage->loop_core);
	forget("SPANRING_");
	forget("OTEL_");
	(void)setenv("SPANRING_DIR", stage->folders.rings, 1);
	for (; settings && settings->name; settings++) {
		if (settings->value)
			(void)setenv(settings->name, settings->value, 1);
		else
			(void)unsetenv(settings->name);
	}
}

int worker_run(const struct stage *stage, const struct worker_setting *settings, worker_body *body, const void *task,
               double ret_values[WORKER_VALUES_MAX]) {
	struct answer *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = 0, rc;
	if (shared == MAP_FAILED)
		return -errno;
	no_values(shared->values);
	pid_t pid = fork();
	if (pid == 0) {
		worker_prepare(stage, settings);
		shared->rc = body(stage, task, shared->values);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		rc = -errno;
	else
		rc = status == 0 ? shared->rc : -ECHILD;
	memcpy(ret_values, shared->values, sizeof(shared->values));
	(void)munmap(shared, sizeof(*shared));
	return rc;
}

static _Noreturn void start_anew(const struct stage *stage, const struct worker_setting *settings, const char *command,
                                 bool is_counted, int out) {
	(void)dup2(out, STDOUT_FILENO);
	worker_prepare(stage, settings);
	if (is_counted)
		syscall_count_offer();
	(void)execl("/proc/self/exe", "spanring-bench", command, (char *)NULL);
	_exit(EXIT_CODE_FAILED);
}

int worker_exec(const struct stage *stage, const struct worker_setting *settings, const char *command,
                double ret_values[WORKER_VALUES_MAX], double *ret_system_calls) {
	struct answer answer;
	int ends[2], status = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	CLEANUP_FD int read_fd = ends[0];
	CLEANUP_FD int write_fd = ends[1];
	pid_t pid = fork();
	if (pid == 0)
		start_anew(stage, settings, command, ret_system_calls != NULL, write_fd);
	if (pid < 0)
		return -errno;
	(void)close(take_fd(&write_fd));
	if (ret_system_calls)
		*ret_system_calls = syscall_count_follow(pid, &status);
	else if (waitpid(pid, &status, 0) < 0)
		return -errno;
	/* The answer fits into the pipe, so the worker has not waited for us. */
	if (status != 0 || read(read_fd, &answer, sizeof(answer)) != (ssize_t)sizeof(answer))
		return -ECHILD;
	memcpy(ret_values, answer.values, sizeof(answer.values));
	return answer.rc;
}

/* No exit handlers: a leak checker cannot work in a process that is traced. */
_Noreturn void worker_answer(int rc, const double values[WORKER_VALUES_MAX]) {
	struct answer answer = {.rc = rc};
	memcpy(answer.values, values, sizeof(answer.values));
	ssize_t written = write(STDOUT_FILENO, &answer, sizeof(answer));
	_exit(written == (ssize_t)sizeof(answer) ? EXIT_CODE_OK : EXIT_CODE_FAILED);
}
