/* SPDX-License-Identifier: Apache-2.0 */
#include "shared_file.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 32u

/*
 * To open a device or a pipe does something, even if it is closed again: so the name is first only looked up, and then what was found is
 * opened, whatever the name means by now.
 */
int shared_file_open(int directory_fd, const char *name, int access, struct shared_file *ret_file) {
	if (strchr(name, '/'))
		return ERR_FOREIGN;
	CLEANUP_FD int place_fd = openat(directory_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (place_fd < 0)
		return -errno;
	struct stat status;
	if (fstat(place_fd, &status) < 0)
		return -errno;
	/* A second name could make a file of someone else look like one of the ring directory. */
	if (!S_ISREG(status.st_mode) || status.st_nlink != 1)
		return ERR_FOREIGN;
	char path[PATH_BYTES];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", place_fd);
	CLEANUP_FD int fd = open(path, access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (status.st_nlink != 1 || status.st_size < 0)
		return ERR_FOREIGN;
	*ret_file = (struct shared_file){.bytes = (uint64_t)status.st_size, .uid = status.st_uid};
	ret_file->fd = take_fd(&fd);
	return 0;
}

int shared_file_read(int fd, void *ret_bytes, size_t bytes, uint64_t offset) {
	char *at = ret_bytes;
	while (bytes > 0) {
		ssize_t got = pread(fd, at, bytes, (off_t)offset);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return ERR_GONE;
		at += got;
		offset += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}
