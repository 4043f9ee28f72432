/* SPDX-License-Identifier: Apache-2.0 */
#include "take_over.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "status.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define WAIT_MS 60000 /* for the last commit and the seal of a large segment */

struct holder {
	struct ucred peer;
	int process_fd;
};

static int refuse(const struct config *config, const struct log *log, pid_t pid, const char *why) {
	log_error(log, "ring directory %s: the agent there, process %ld, cannot be taken over from: %s", config->rings,
	          (long)pid, why);
	return EXIT_CODE_HELD;
}

/* A socket whose owner is the peer: a link leads to the socket of somebody who was never here. */
static int check_place(const char *rings, uid_t uid) {
	struct stat status;
	CLEANUP_FD int directory_fd = open(rings, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0 || fstatat(directory_fd, STATUS_SOCKET_NAME, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return S_ISSOCK(status.st_mode) && status.st_uid == uid ? 0 : ERR_FOREIGN;
}

/* Who listens there. -ENOENT: nobody. */
static int find_peer(const char *rings, int *ret_fd, struct ucred *ret_peer) {
	CLEANUP_FD int fd = FD_NONE;
	socklen_t bytes = sizeof(*ret_peer);
	int rc = status_connect(rings, &fd);
	if (rc < 0)
		return rc == -ECONNREFUSED ? -ENOENT : rc;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, ret_peer, &bytes) < 0)
		return -errno;
	rc = check_place(rings, ret_peer->uid);
	if (rc < 0)
		return rc;
	*ret_fd = take_fd(&fd);
	return 0;
}

/*
 * The descriptor names one process for good. An answer that came after it was opened, from a peer of the same number, says
 * that it is the agent and not a process that was given its number.
 */
static int find_holder(const char *rings, struct holder *holder) {
	CLEANUP_FD int first_fd = FD_NONE;
	CLEANUP_FD int second_fd = FD_NONE;
	struct ucred again;
	char byte;
	int rc = find_peer(rings, &first_fd, &holder->peer);
	if (rc < 0)
		return rc;
	if (holder->peer.pid == 0)
		return -ENXIO; /* in a pid namespace that we do not see */
	holder->process_fd = (int)syscall(SYS_pidfd_open, holder->peer.pid, 0);
	if (holder->process_fd < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	rc = find_peer(rings, &second_fd, &again);
	if (rc < 0)
		return rc;
	if (again.pid != holder->peer.pid)
		return -EAGAIN;
	ssize_t got = read(second_fd, &byte, 1);
	if (got == 1)
		return 0;
	return got == 0 ? -ENOENT : errno == EAGAIN ? -ETIMEDOUT : -errno;
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
	int rc = find_holder(config->rings, &holder);
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
