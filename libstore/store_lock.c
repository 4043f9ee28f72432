/* SPDX-License-Identifier: Apache-2.0 */
#include "store_lock.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "lock"

int store_lock_directory(const char *directory, char *text, size_t text_bytes) {
	struct stat status;
	if (mkdir(directory, 0700) < 0 && errno != EEXIST) {
		int error = -errno;
		(void)snprintf(text, text_bytes, "%.300s: cannot be made: %s; name another place for the store",
		               directory, strerror(-error));
		return error;
	}
	if (stat(directory, &status) < 0 || !S_ISDIR(status.st_mode)) {
		(void)snprintf(text, text_bytes, "%.300s: not a directory: give another place for the store",
		               directory);
		return -ENOTDIR;
	}
	return 0;
}

static int holder_of(int fd) {
	char digits[16] = "";
	if (pread(fd, digits, sizeof(digits) - 1, 0) <= 0)
		return 0;
	return (int)strtol(digits, NULL, 10);
}

int store_lock_take(const char *directory, int *ret_fd, int *ret_holder_pid, char *text, size_t text_bytes) {
	char *path CLEANUP_FREE = NULL;
	if (asprintf(&path, "%s/" LOCK_NAME, directory) < 0)
		return -ENOMEM;
	int fd CLEANUP_FD = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	if (fd < 0) {
		int error = -errno;
		(void)snprintf(text, text_bytes, "%.300s: %s: the store must be writable", path, strerror(-error));
		return error;
	}
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		*ret_holder_pid = holder_of(fd);
		(void)snprintf(text, text_bytes, "%.300s: another agent writes this store (pid %d)", directory,
		               *ret_holder_pid);
		return errno == EAGAIN || errno == EACCES ? ERR_HELD : -errno;
	}
	char digits[16];
	int length = snprintf(digits, sizeof(digits), "%d\n", (int)getpid());
	if (ftruncate(fd, 0) < 0 || pwrite(fd, digits, (size_t)length, 0) != length) {
		(void)snprintf(text, text_bytes,
		               "%.300s: cannot be written: %s; free some room there or name another store", path,
		               strerror(errno));
		return errno ? -errno : -EIO;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}
