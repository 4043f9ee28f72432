/* SPDX-License-Identifier: Apache-2.0 */
#include "store_probe.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BLOCK_BYTES (64u << 10)

/* All of it, or why not. */
static int fill(int fd) {
	static const char zeros[BLOCK_BYTES];
	for (off_t at = 0; at < (off_t)STORE_PROBE_BYTES;) {
		ssize_t written = pwrite(fd, zeros, sizeof(zeros), at);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		at += written;
	}
	return fdatasync(fd) < 0 ? -errno : 0;
}

int store_probe(const char *directory, char *ret_text, size_t text_bytes) {
	CLEANUP_FREE char *path = NULL;
	if (asprintf(&path, "%s/" STORE_PROBE_NAME, directory) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	int rc = fd < 0 ? -errno : fill(fd);
	if (fd >= 0 && unlink(path) < 0 && rc == 0)
		rc = -errno;
	if (rc < 0)
		(void)snprintf(ret_text, text_bytes, "%.300s: a probe cannot be written: %s", path, strerror(-rc));
	return rc == -EDQUOT || rc == -EFBIG ? ERR_FULL : rc;
}
