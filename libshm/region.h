/* SPDX-License-Identifier: Apache-2.0 */
/* Shared files: reserved in full, mapped, and visible under their final name only when complete. */
#ifndef SPANRING_LIBSHM_REGION_H
#define SPANRING_LIBSHM_REGION_H

#include <limits.h>
#include <stdint.h>

/*
 * In place of the descriptor of a directory: what is created there is private memory, under no name (test mode). Never a
 * descriptor: the kernel gives out smaller ones. Closing it does nothing.
 */
#define SPANRING__REGION_PRIVATE INT_MAX

/*
 * Create `name` below directory_fd with all its blocks and map it, touched. The file is empty (zeros). On failure nothing
 * is left behind. 0 or negative errno.
 */
int spanring__region_create(int directory_fd, const char *name, uint64_t bytes, void **ret_address);

/*
 * The same for a file that may grow: mapped up to bytes_max, reserved and touched up to bytes; what lies beyond must not be
 * touched before spanring__region_grow said so.
 */
int spanring__region_create_growing(int directory_fd, const char *name, uint64_t bytes, uint64_t bytes_max,
                                    void **ret_address);

/* Such a file, by now under its final name, is to be that long. 0 or negative errno. */
int spanring__region_grow(int directory_fd, const char *name, uint64_t bytes);

/* Give a complete file its final name; nothing to do for private memory. 0 or negative errno. */
int spanring__region_publish(int directory_fd, const char *name_tmp, const char *name);

/* Anonymous memory, zeroed. If wiped_on_fork, a child sees zeros there again. NULL if there is none. */
void *spanring__region_private(uint64_t bytes, int wiped_on_fork);

#endif
