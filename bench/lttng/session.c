/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "bench/floors/topology.h"
#include "bench/timed_child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATH_BYTES (TEMPORARY_PATH_BYTES + 32u)
#define START_POLLS_MAX 500u
#define START_POLL_NS 20000000L
#define LINE_BYTES 256u

#define LTTNG(...)                                                                                                     \
	lttng((const char *const[]){"sh", "-c", "exec lttng --quiet --no-sessiond \"$@\" 2>/dev/null", "lttng",        \
	                            __VA_ARGS__, NULL})

static int lttng(const char *const *arguments) {
	struct timed_child child;
	return timed_child_run(arguments, NULL, &child);
}

static _Noreturn void daemon_exec(int core) {
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null >= 0) {
		(void)dup2(null, STDOUT_FILENO);
		(void)dup2(null, STDERR_FILENO);
	}
	/* Asked to end, it ends its consumer too. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (core != TOPOLOGY_NO_CORE)
		(void)topology_pin(core);
	(void)execlp("lttng-sessiond", "lttng-sessiond", "--quiet", "--no-kernel", (char *)NULL);
	_exit(127);
}

static void daemon_stop(pid_t pid) {
	if (pid <= 0)
		return;
	(void)kill(pid, SIGTERM);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		continue;
}

static int daemon_start(int core, pid_t *ret_pid) {
	pid_t pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		daemon_exec(core);
	for (uint32_t i = 0; i < START_POLLS_MAX; i++) {
		struct timespec pause = {.tv_nsec = START_POLL_NS};
		int status;
		if (LTTNG("list") == 0) {
			*ret_pid = pid;
			return 0;
		}
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : -ECHILD;
		(void)nanosleep(&pause, NULL);
	}
	daemon_stop(pid);
	return -ETIMEDOUT;
}

static int record(const char *name, const char *folder) {
	char output[PATH_BYTES + 16];
	(void)snprintf(output, sizeof(output), "--output=%s/trace", folder);
	int rc = LTTNG("create", name, output);
	if (rc == 0)
		rc = LTTNG("enable-channel", "--userspace", "--session", name, "--discard", "--num-subbuf=4",
		           "--subbuf-size=1M", "spans");
	if (rc == 0)
		rc = LTTNG("enable-event", "--userspace", "--session", name, "--channel", "spans", "spanring_bench:*");
	return rc < 0 ? rc : LTTNG("start", name);
}

int session_open(const struct stage *stage, struct session *ret_session) {
	struct session session = {.daemon = 0};
	(void)snprintf(session.name, sizeof(session.name), "spanring-bench-%d", (int)getpid());
	if (LTTNG("--version") < 0)
		return -ENOENT;
	int rc = temporary_make(&session.folders);
	if (rc < 0)
		return rc;
	/* Where daemon, client and program of a user meet; those of root meet in /run. */
	rc = setenv("LTTNG_HOME", session.folders.rings, 1) < 0 ? -errno : 0;
	if (rc == 0 && LTTNG("list") < 0)
		rc = daemon_start(stage->agent_core, &session.daemon);
	if (rc == 0)
		rc = record(session.name, session.folders.store);
	if (rc < 0) {
		if (rc != -ENOENT)
			(void)LTTNG("destroy", session.name);
		daemon_stop(session.daemon);
		temporary_remove(&session.folders);
		return rc;
	}
	*ret_session = session;
	return 0;
}

/* The name is ours: letters, digits and dashes. */
static int read_discarded(const char *name, uint64_t *ret_discarded) {
	char command[LINE_BYTES], line[LINE_BYTES];
	bool is_found = false;
	(void)snprintf(command, sizeof(command), "exec lttng --no-sessiond list %s 2>/dev/null", name);
	FILE *file = popen(command, "re");
	if (!file)
		return -errno;
	*ret_discarded = 0;
	while (fgets(line, sizeof(line), file)) {
		uint64_t events;
		const char *at = strstr(line, "Discarded events:");
		if (!at || sscanf(at, "Discarded events: %" SCNu64, &events) != 1)
			continue;
		*ret_discarded += events;
		is_found = true;
	}
	return pclose(file) == 0 && is_found ? 0 : -EIO;
}

int session_close(struct session *session, uint64_t *ret_discarded) {
	int rc = LTTNG("stop", session->name);
	if (rc == 0)
		rc = read_discarded(session->name, ret_discarded);
	int destroyed = LTTNG("destroy", session->name);
	daemon_stop(session->daemon);
	session->daemon = 0;
	temporary_remove(&session->folders);
	return rc < 0 ? rc : destroyed;
}
