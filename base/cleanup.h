/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ownership by scope, for the programs and the internal rooms (libshm, compiled into strangers' programs, uses goto).
 * CLEANUP(fn) runs fn(&variable) when the scope is left; TAKE_* hands the value over and leaves the empty one behind.
 */
#ifndef SPANRING_BASE_CLEANUP_H
#define SPANRING_BASE_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))
#define CLEANUP_FREE CLEANUP(cleanup_free)
#define CLEANUP_FD CLEANUP(cleanup_fd)
#define CLEANUP_FILE CLEANUP(cleanup_file)

#define FD_NONE (-EBADF)

#define TAKE_PTR(pointer)                                                                                              \
	__extension__({                                                                                                \
		__typeof__(pointer) taken_ = (pointer);                                                                \
		(pointer) = NULL;                                                                                      \
		taken_;                                                                                                \
	})

static inline int take_fd(int *fd) {
	int taken = *fd;
	*fd = FD_NONE;
	return taken;
}

static inline void cleanup_free(void *pointer) {
	free(*(void **)pointer);
}

static inline void cleanup_fd(const int *fd) {
	int saved = errno;
	if (*fd >= 0)
		(void)close(*fd);
	errno = saved;
}

static inline void cleanup_file(FILE **file) {
	if (*file)
		(void)fclose(*file);
}

#endif
