/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a file that a stranger may have put there. */
#ifndef SPANRING_LIBSHM_SHARED_FILE_H
#define SPANRING_LIBSHM_SHARED_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct shared_file {
	int fd;
	uint64_t bytes;
	uid_t uid; /* owner, as the kernel says */
};

/*
 * Open `name` directly below directory_fd: never through a symbolic link, never waiting (a FIFO, a lease), and only a
 * regular file with one name. access is O_RDONLY or O_RDWR. 0, ERR_FOREIGN (not such a file), or what open said.
 */
int shared_file_open(int directory_fd, const char *name, int access, struct shared_file *ret_file);

/* Read exactly that much: 0, ERR_GONE (the file ends before), or what pread said. */
int shared_file_read(int fd, void *ret_bytes, size_t bytes, uint64_t offset);

#endif
