/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that stays reserved and is given back. */
#ifndef SPANRING_BASE_PAGES_H
#define SPANRING_BASE_PAGES_H

#include <stddef.h>

/*
 * Give the whole pages of [from, bytes) of an array back to the system: what they held is lost, they read as zero, and are there
 * again when they are written to. Private memory only (malloc, anonymous mmap).
 */
void pages_release(void *array, size_t from, size_t bytes);

#endif
