/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of a store, and that one process at a time writes it. */
#ifndef SPANRING_LIBSTORE_STORE_LOCK_H
#define SPANRING_LIBSTORE_STORE_LOCK_H

#include <stddef.h>

/* Made if it is missing. 0 or negative errno, and one line in text. */
int store_lock_directory(const char *directory, char *text, size_t text_bytes);

/*
 * The lock belongs to the open file: it ends with this process, however that ends. The pid in it is for messages only. 0; ERR_HELD and the
 * holder's pid (0: unknown); or negative errno; then one line is in text.
 */
int store_lock_take(const char *directory, int *ret_fd, int *ret_holder_pid, char *text, size_t text_bytes);

#endif
