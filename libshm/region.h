/* SPDX-License-Identifier: Apache-2.0 */
/* Shared files: reserved in full, mapped, and visible under their final name only when complete. */
#ifndef SPANRING_LIBSHM_REGION_H
#define SPANRING_LIBSHM_REGION_H

#include <stdint.h>

/*
 * Create `name` below directory_fd with all its blocks and map it, touched. The file is empty (zeros). On failure nothing
 * is left behind. 0 or negative errno.
 */
int spanring__region_create(int directory_fd, const char *name, uint64_t bytes, void **ret_address);

/* Anonymous memory, zeroed. If wiped_on_fork, a child sees zeros there again. NULL if there is none. */
void *spanring__region_private(uint64_t bytes, int wiped_on_fork);

#endif
