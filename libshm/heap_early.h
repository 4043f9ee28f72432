/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for the calls of malloc that come while the real malloc is still being looked for: dlsym itself may allocate. A static
 * arena, handed out once and never taken back. Each block is preceded by its size.
 */
#ifndef SPANRING_LIBSHM_HEAP_EARLY_H
#define SPANRING_LIBSHM_HEAP_EARLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_EARLY_BYTES (64u << 10)

extern uint8_t heap_early_arena[HEAP_EARLY_BYTES] __attribute__((visibility("hidden")));

static inline bool heap_early_owns(const void *block) {
	return (uintptr_t)block - (uintptr_t)heap_early_arena < HEAP_EARLY_BYTES;
}

/* Zeroed; NULL with ENOMEM when the arena is used up. alignment: a power of two. */
void *heap_early_allocate(size_t bytes, size_t alignment) __attribute__((visibility("hidden")));

size_t heap_early_size(const void *block) __attribute__((visibility("hidden")));

#endif
