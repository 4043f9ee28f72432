/* SPDX-License-Identifier: Apache-2.0 */
#include "heap_early.h"
#include <errno.h>
#include <string.h>

/* Room for the size, and the alignment that every malloc promises. */
#define HEADER_BYTES 16u

uint8_t heap_early_arena[HEAP_EARLY_BYTES] __attribute__((aligned(HEADER_BYTES)));
static size_t arena_used;

/* Where the block begins if the arena is used so far; HEAP_EARLY_BYTES: no room. */
static size_t place(size_t used, size_t bytes, size_t alignment) {
	uintptr_t base = (uintptr_t)heap_early_arena;
	uintptr_t block = (base + used + HEADER_BYTES + alignment - 1) & ~(uintptr_t)(alignment - 1);
	size_t offset = (size_t)(block - base);
	return offset >= HEAP_EARLY_BYTES || bytes > HEAP_EARLY_BYTES - offset ? HEAP_EARLY_BYTES : offset;
}

void *heap_early_allocate(size_t bytes, size_t alignment) {
	size_t used = __atomic_load_n(&arena_used, __ATOMIC_RELAXED);
	size_t offset;
	/* A block without bytes has an address of its own, inside the arena. */
	bytes = bytes ? bytes : 1;
	if (alignment < HEADER_BYTES)
		alignment = HEADER_BYTES;
	do {
		offset = alignment < HEAP_EARLY_BYTES ? place(used, bytes, alignment) : HEAP_EARLY_BYTES;
		if (offset == HEAP_EARLY_BYTES) {
			errno = ENOMEM;
			return NULL;
		}
	} while (!__atomic_compare_exchange_n(&arena_used, &used, offset + bytes, false, __ATOMIC_RELAXED,
	                                      __ATOMIC_RELAXED));
	memcpy(heap_early_arena + offset - HEADER_BYTES, &bytes, sizeof(bytes));
	return heap_early_arena + offset;
}

size_t heap_early_size(const void *block) {
	size_t bytes;
	memcpy(&bytes, (const uint8_t *)block - HEADER_BYTES, sizeof(bytes));
	return bytes;
}
