/* SPDX-License-Identifier: Apache-2.0 */
#include "take_over.h"

#include "agent/report/status.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "holder.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#define WAIT_MS 60000 /* for the last commit and the seal of a large segment */

static int refuse(const struct config *config, const struct log *log, pid_t pid, const char *why) {
	log_error(log, "ring directory %s: the agent there, process %ld, cannot be taken over from: %s", config->rings,
	          (long)pid, why);
	return EXIT_CODE_HELD;
}

static int wait_for_end(const struct config *config, const struct log *log, int signal_fd,
                        const struct holder *holder) {
	uint64_t from_ns = clock_monotonic_ns();
	struct pollfd ready[2] = {{.fd = holder->process_fd, .events = POLLIN}, {.fd = signal_fd, .events = POLLIN}};
	int count = poll(ready, 2, WAIT_MS);
	char time[UNITS_TEXT_BYTES];
	if (count > 0 && ready[0].revents) {
		log_info(log, "process %ld has finished, after %s", (long)holder->peer.pid,
		         units_format_duration((double)(clock_monotonic_ns() - from_ns), time));
		return EXIT_CODE_OK;
	}
	if (count > 0) {
		log_error(log, "stopped while process %ld was still finishing", (long)holder->peer.pid);
		return EXIT_CODE_FAILED;
	}
	return refuse(config, log, holder->peer.pid, count < 0 ? strerror(errno) : "it was asked and goes on");
}

int take_over(const struct config *config, const struct log *log, int signal_fd) {
	struct holder holder = {.process_fd = FD_NONE};
	int rc = holder_find(config->rings, &holder);
	CLEANUP_FD int process_fd = holder.process_fd;
	if (rc == -ENOENT)
		return EXIT_CODE_OK;
	if (rc == -ENXIO)
		return refuse(config, log, holder.peer.pid, "it runs in another pid namespace; stop it there");
	if (rc < 0)
		return refuse(config, log, holder.peer.pid,
		              rc == ERR_FOREIGN  ? STATUS_SOCKET_NAME " is not its socket; remove that"
		              : rc == -ETIMEDOUT ? "it does not answer; end it by hand"
		                                 : strerror(-rc));
	if (syscall(SYS_pidfd_send_signal, process_fd, SIGTERM, NULL, 0) < 0 && errno != ESRCH)
		return refuse(config, log, holder.peer.pid, strerror(errno));
	log_info(log, "process %ld was asked to finish", (long)holder.peer.pid);
	return wait_for_end(config, log, signal_fd, &holder);
}
