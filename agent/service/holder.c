/* SPDX-License-Identifier: Apache-2.0 */
#include "holder.h"

#include "agent/report/status.h"
#include "agent/report/status_ask.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

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
	int rc = status_connect(rings, STATUS_ASK_NS, &fd);
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

int holder_find(const char *rings, struct holder *ret_holder) {
	CLEANUP_FD int first_fd = FD_NONE;
	CLEANUP_FD int second_fd = FD_NONE;
	struct ucred again;
	char byte;
	int rc = find_peer(rings, &first_fd, &ret_holder->peer);
	if (rc < 0)
		return rc;
	if (ret_holder->peer.pid == 0)
		return -ENXIO; /* in a pid namespace that we do not see */
	ret_holder->process_fd = (int)syscall(SYS_pidfd_open, ret_holder->peer.pid, 0);
	if (ret_holder->process_fd < 0)
		return errno == ESRCH ? -ENOENT : -errno;
	rc = find_peer(rings, &second_fd, &again);
	if (rc < 0)
		return rc;
	if (again.pid != ret_holder->peer.pid)
		return -EAGAIN;
	ssize_t got = read(second_fd, &byte, 1);
	if (got == 1)
		return 0;
	return got == 0 ? -ENOENT : errno == EAGAIN ? -ETIMEDOUT : -errno;
}
