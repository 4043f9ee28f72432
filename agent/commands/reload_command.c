/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/settings/reload.h"

#include "agent/report/document.h"
#include "agent/report/status_ask.h"
#include "agent/service/holder.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

#define TEXT_BYTES 1024u
#define LOOK_NS (20 * NS_PER_MS)
#define WAIT_NS_MAX (30 * NS_PER_S) /* a loop that does not turn for so long is not going to */

struct outcome {
	uint64_t done;
	uint64_t refused;
	char text[TEXT_BYTES];
};

static int look(const struct config *config, struct outcome *ret_outcome) {
	CLEANUP_FREE char *text = NULL;
	CLEANUP(document_done) struct document document = {.text = NULL};
	size_t bytes = 0;
	int rc = status_ask(config->rings, STATUS_ASK_NS, &text, &bytes);
	if (rc == 0)
		rc = document_read(text, bytes, &document);
	if (rc < 0)
		return rc;
	ret_outcome->done = document_u64(&document, DOCUMENT_ROOT, "reloads");
	ret_outcome->refused = document_u64(&document, DOCUMENT_ROOT, "reloads_refused");
	(void)document_text(&document, DOCUMENT_ROOT, "reload_text", ret_outcome->text, sizeof(ret_outcome->text));
	return 0;
}

static int wait_for_outcome(const struct config *config, const struct outcome *before, struct outcome *ret_after) {
	uint64_t until_ns = clock_monotonic_ns() + WAIT_NS_MAX;
	while (clock_monotonic_ns() < until_ns) {
		struct timespec pause = {.tv_nsec = (long)LOOK_NS};
		int rc = look(config, ret_after);
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
	struct outcome before = {.done = 0};
	struct outcome after = {.done = 0};
	struct holder holder = {.process_fd = FD_NONE};
	int rc = holder_find(config->rings, &holder);
	CLEANUP_FD int process_fd = holder.process_fd;
	if (rc == 0)
		rc = look(config, &before);
	if (rc == 0 && syscall(SYS_pidfd_send_signal, process_fd, SIGHUP, NULL, 0) < 0)
		rc = -errno;
	if (rc == 0)
		rc = wait_for_outcome(config, &before, &after);
	if (rc < 0)
		return refuse(config, log, rc);
	if (after.refused != before.refused) {
		log_error(log, "nothing changed, the configuration is wrong: %s", after.text);
		return EXIT_CODE_FAILED;
	}
	if (printf("%s\n", after.text) < 0 || fflush(stdout) != 0) {
		log_error(log, "standard output: %s", strerror(errno));
		return EXIT_CODE_OUTPUT;
	}
	return EXIT_CODE_OK;
}
