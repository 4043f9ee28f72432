/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "holder.h"
#include "status.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define LOOK_NS (20 * NS_PER_MS)
#define WAIT_NS_MAX (30 * NS_PER_S) /* a loop that does not turn for so long is not going to */

struct outcome {
	uint64_t done;
	uint64_t refused;
};

static int look(const struct config *config, char *text, struct outcome *ret_outcome) {
	int rc = status_ask(config->rings, text, STATUS_ANSWER_BYTES_MAX);
	if (rc == 0)
		*ret_outcome = (struct outcome){.done = status_find_number(text, "reloads"),
		                                .refused = status_find_number(text, "reloads_refused")};
	return rc;
}

static int wait_for_outcome(const struct config *config, char *text, const struct outcome *before,
                            struct outcome *ret_after) {
	uint64_t until_ns = clock_monotonic_ns() + WAIT_NS_MAX;
	while (clock_monotonic_ns() < until_ns) {
		struct timespec pause = {.tv_nsec = (long)LOOK_NS};
		int rc = look(config, text, ret_after);
		if (rc < 0)
			return rc;
		if (ret_after->done != before->done || ret_after->refused != before->refused)
			return 0;
		(void)nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

static int refuse(const struct config *config, const struct log *log, int rc) {
	if (rc == -ENOENT || rc == -ECONNREFUSED)
		log_error(log, "no agent runs on %s; start one with: spanring-agent run --rings %s", config->rings,
		          config->rings);
	else if (rc == -ENXIO)
		log_error(log, "the agent of %s runs in another pid namespace: send it SIGHUP there", config->rings);
	else
		log_error(log, "agent of %s: %s", config->rings, strerror(-rc));
	return EXIT_CODE_FAILED;
}

int reload_command(const struct config *config, const struct log *log) {
	CLEANUP_FREE char *text = malloc(STATUS_ANSWER_BYTES_MAX);
	struct outcome before = {.done = 0};
	struct outcome after = {.done = 0};
	char value[STATUS_VALUE_BYTES];
	struct holder holder = {.process_fd = FD_NONE};
	int rc = text ? holder_find(config->rings, &holder) : -ENOMEM;
	CLEANUP_FD int process_fd = holder.process_fd;
	if (rc == 0)
		rc = look(config, text, &before);
	if (rc == 0 && syscall(SYS_pidfd_send_signal, process_fd, SIGHUP, NULL, 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = wait_for_outcome(config, text, &before, &after);
	if (rc < 0)
		return refuse(config, log, rc);
	(void)status_find(text, "reload_text", value);
	if (after.refused != before.refused) {
		log_error(log, "nothing changed, the configuration is wrong: %s", value);
		return EXIT_CODE_FAILED;
	}
	if (printf("%s\n", value) < 0 || fflush(stdout) != 0) {
		log_error(log, "standard output: %s", strerror(errno));
		return EXIT_CODE_OUTPUT;
	}
	return EXIT_CODE_OK;
}
