/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of the kernel, read whole into a caller's buffer. */
#ifndef SPANRING_LIBSHM_PROC_TEXT_H
#define SPANRING_LIBSHM_PROC_TEXT_H

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

/* At most bytes - 1 are read; always terminated. Length, or -1. */
static inline ssize_t proc_text_read(const char *path, char *ret_text, size_t bytes) {
	size_t used = 0;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ret_text[0] = '\0';
	if (fd < 0)
		return -1;
	while (used < bytes - 1) {
		ssize_t n = read(fd, ret_text + used, bytes - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	(void)close(fd);
	ret_text[used] = '\0';
	return (ssize_t)used;
}

#endif
