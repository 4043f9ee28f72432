/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The allocator behind this library. Each pointer starts at a function that looks for the next definition of all of them and
 * then calls it, so the first call, whichever it is and however early it comes, sets everything up, and later ones ask nothing.
 */
#ifndef SPANRING_LIBSHM_HEAP_NEXT_H
#define SPANRING_LIBSHM_HEAP_NEXT_H

#include <stddef.h>

struct heap_next {
	void *(*malloc)(size_t bytes);
	void *(*calloc)(size_t count, size_t bytes);
	void *(*realloc)(void *block, size_t bytes);
	void (*free)(void *block);
	void *(*memalign)(size_t alignment, size_t bytes);
	void *(*aligned_alloc)(size_t alignment, size_t bytes);
	int (*posix_memalign)(void **ret_block, size_t alignment, size_t bytes);
	size_t (*usable_size)(void *block);
};

extern struct heap_next heap_next __attribute__((visibility("hidden")));

#endif
