/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file in shared memory may kill the program in three ways, all closed here before the first store:
 * - ftruncate on tmpfs promises blocks that are not there, and the store that meets the missing one is a SIGBUS:
 *   posix_fallocate reserves every block, or fails;
 * - a file beyond RLIMIT_FSIZE is a SIGXFSZ, whatever call grows it: the limit is compared first;
 * - the first touch of each page is a fault of microseconds in the traced code: MAP_POPULATE takes them here.
 */
#include "region.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* A signal timer may interrupt the reservation again and again; after so many tries the thread goes untraced. */
#define RESERVE_TRIES 64

static int reserve(int fd, uint64_t bytes) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur)
		return -EFBIG;
	for (int i = 0; i < RESERVE_TRIES; i++) {
		int rc = posix_fallocate(fd, 0, (off_t)bytes);
		if (rc != EINTR)
			return -rc;
	}
	return -EINTR;
}

int spanring__region_create(int directory_fd, const char *name, uint64_t bytes, void **ret_address) {
	return spanring__region_create_growing(directory_fd, name, bytes, bytes, ret_address);
}

int spanring__region_create_growing(int directory_fd, const char *name, uint64_t bytes, uint64_t bytes_max,
                                    void **ret_address) {
	int rc;
	void *address;
	if (directory_fd == SPANRING__REGION_PRIVATE) {
		address = spanring__region_private(bytes_max, 0);
		if (!address)
			return -ENOMEM;
		*ret_address = address;
		return 0;
	}
	struct stat status;
	if (fstat(directory_fd, &status) < 0)
		return -errno;
	/* Where the group may make files, below a directory for all users, it is the agent's. */
	mode_t mode = (status.st_mode & S_ISGID) && (status.st_mode & S_IWGRP) ? 0660 : 0600;
	int fd = openat(directory_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0)
		return -errno;
	rc = reserve(fd, bytes);
	if (rc < 0)
		goto fail;
	address =
	    mmap(NULL, bytes_max, PROT_READ | PROT_WRITE, MAP_SHARED | (bytes == bytes_max ? MAP_POPULATE : 0), fd, 0);
	if (address == MAP_FAILED) {
		rc = -errno;
		goto fail;
	}
	(void)close(fd);
	*ret_address = address;
	return 0;
fail:
	(void)unlinkat(directory_fd, name, 0);
	(void)close(fd);
	return rc;
}

int spanring__region_grow(int directory_fd, const char *name, uint64_t bytes) {
	if (directory_fd == SPANRING__REGION_PRIVATE)
		return 0;
	int fd = openat(directory_fd, name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = reserve(fd, bytes);
	(void)close(fd);
	return rc;
}

int spanring__region_publish(int directory_fd, const char *name_tmp, const char *name) {
	if (directory_fd == SPANRING__REGION_PRIVATE)
		return 0;
	return renameat(directory_fd, name_tmp, directory_fd, name) < 0 ? -errno : 0;
}

void *spanring__region_private(uint64_t bytes, int wiped_on_fork) {
	void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (address == MAP_FAILED)
		return NULL;
	if (wiped_on_fork && madvise(address, bytes, MADV_WIPEONFORK) < 0) {
		(void)munmap(address, bytes);
		return NULL;
	}
	return address;
}
