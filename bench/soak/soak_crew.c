/* SPDX-License-Identifier: Apache-2.0 */
#include "soak_crew.h"

#include "base/clock.h"
#include "base/errs.h"
#include "bench/worker.h"
#include "soak_worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLED_OF 3u /* one of so many */

/* xorshift64*: the same seed gives the same lives. */
static uint64_t next_random(struct soak_crew *crew) {
	crew->random ^= crew->random >> 12;
	crew->random ^= crew->random << 25;
	crew->random ^= crew->random >> 27;
	return crew->random * UINT64_C(0x2545f4914f6cdd1d);
}

int soak_crew_open(struct soak_crew *crew) {
	crew->random = crew->random ? crew->random : 1;
	crew->ledger_fd = memfd_create("spanring-bench-soak", 0); /* inherited */
	if (crew->ledger_fd < 0)
		return -errno;
	int rc = ftruncate(crew->ledger_fd, sizeof(*crew->ledger)) < 0 ? -errno : 0;
	void *ledger = rc < 0
	                   ? MAP_FAILED
	                   : mmap(NULL, sizeof(*crew->ledger), PROT_READ | PROT_WRITE, MAP_SHARED, crew->ledger_fd, 0);
	if (ledger == MAP_FAILED) {
		rc = rc < 0 ? rc : -errno;
		(void)close(crew->ledger_fd);
		return rc;
	}
	crew->ledger = ledger;
	return 0;
}

void soak_crew_close(struct soak_crew *crew) {
	for (uint32_t i = 0; i < crew->programs; i++) {
		if (crew->members[i].pid <= 0)
			continue;
		(void)kill(crew->members[i].pid, SIGKILL);
		(void)waitpid(crew->members[i].pid, NULL, 0);
	}
	(void)munmap(crew->ledger, sizeof(*crew->ledger));
	(void)close(crew->ledger_fd);
}

static int start(struct soak_crew *crew, uint32_t place, uint64_t now_ns) {
	char task[64];
	enum soak_kind kind = place ? (enum soak_kind)(next_random(crew) % SOAK_KIND_COUNT) : SOAK_KIND_PLAIN;
	uint64_t spread_ns = crew->life_max_ns - crew->life_min_ns + 1;
	struct soak_member member = {.end_ns = now_ns + crew->life_min_ns + next_random(crew) % spread_ns,
	                             .is_killed = next_random(crew) % KILLED_OF == 0};
	const struct worker_setting settings[] = {{SOAK_WORKER_VARIABLE, task}, {NULL, NULL}};
	(void)snprintf(task, sizeof(task), "%d %u %u", crew->ledger_fd, (unsigned)kind, crew->rate);
	if (place == 0)
		member.end_ns = UINT64_MAX;
	(void)fflush(NULL);
	member.pid = fork();
	if (member.pid == 0) {
		worker_prepare(&crew->stage, settings);
		(void)execl("/proc/self/exe", "spanring-bench", SOAK_WORKER_COMMAND, (char *)NULL);
		_exit(EXIT_CODE_FAILED);
	}
	if (member.pid < 0)
		return -errno;
	crew->members[place] = member;
	crew->started++;
	return 0;
}

/* 1: it has gone as it should; 0: it is still there; -ECHILD. */
static int look_after(struct soak_member *member, int options) {
	int status = 0;
	pid_t pid;
	do
		pid = waitpid(member->pid, &status, options);
	while (pid < 0 && errno == EINTR);
	if (pid == 0)
		return 0;
	member->pid = 0;
	/* Told before it could listen, SIGTERM ends it. */
	bool is_fine = member->is_told && (status == 0 || WIFSIGNALED(status)) &&
	               (status == 0 || WTERMSIG(status) == (member->is_killed ? SIGKILL : SIGTERM));
	return pid > 0 && is_fine ? 1 : -ECHILD;
}

int soak_crew_turn(struct soak_crew *crew, uint64_t now_ns) {
	for (uint32_t i = 0; i < crew->programs; i++) {
		struct soak_member *member = &crew->members[i];
		int rc = member->pid ? look_after(member, WNOHANG) : 1;
		if (rc == 1)
			rc = start(crew, i, now_ns);
		if (rc < 0)
			return rc;
		if (member->is_told || now_ns < member->end_ns)
			continue;
		(void)kill(member->pid, member->is_killed ? SIGKILL : SIGTERM);
		member->is_told = true;
		crew->killed += member->is_killed;
	}
	return 0;
}

int soak_crew_dismiss(struct soak_crew *crew) {
	int rc = 0;
	__atomic_store_n(&crew->ledger->stop, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 0; i < crew->programs; i++) {
		struct soak_member *member = &crew->members[i];
		if (!member->pid)
			continue;
		member->is_told = true;
		if (look_after(member, 0) < 0)
			rc = -ECHILD;
	}
	return rc;
}
