/* SPDX-License-Identifier: Apache-2.0 */
#include "system_directory.h"
#include <errno.h>
#include <fcntl.h>
#include <spanring/ring_abi.h>
#include <unistd.h>

/* Nobody but root, or this very user, can have put it there or take it away. */
static bool is_safe(int fd, const struct stat *status) {
	struct stat above;
	if (status->st_uid == 0 || status->st_uid == geteuid())
		return true;
	return fstatat(fd, "..", &above, 0) == 0 && above.st_uid == 0 && (above.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int spanring__system_directory_look(const char *path, gid_t *ret_group) {
	struct stat status;
	struct stat control;
	int rc = 0;
	int fd = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		rc = -errno;
	else if (!system_directory_is_one(&status))
		rc = -ENOTDIR;
	else if (!is_safe(fd, &status))
		rc = -EPERM;
	else if (fstatat(fd, SPANRING_CONTROL_NAME, &control, AT_SYMLINK_NOFOLLOW) < 0)
		rc = -errno;
	else if (!system_directory_control_is_right(&control, status.st_uid))
		rc = -EPERM;
	(void)close(fd);
	if (rc == 0)
		*ret_group = status.st_gid;
	return rc;
}
