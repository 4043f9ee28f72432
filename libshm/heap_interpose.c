/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The symbols that take the place of the allocator's. Each does three things: pass the call on, ask the allocator for the size of the
 * block, add to the counters of this thread. Nothing here may call malloc by name, nor anything in the C library that does:
 * it would come back here and count twice. So reallocarray, valloc and pvalloc are put together from others.
 *
 *     program ─► malloc (here) ─► heap_next.malloc ─► the C library's, or another preloaded allocator's
 *                     │
 *                     └─► counters (thread-local) ◄── spanring_heap_counters ◄── libspanring, once per thread
 *
 * A block of the early arena (heap_early.h) is recognised by its address and counted like any other; its memory is not used again.
 *
 * THREAD-LOCAL in the initial-exec model: an access is one instruction, and none of them can allocate.
 */
#include "heap_early.h"
#include "heap_next.h"
#include <errno.h>
#include <spanring/heap.h>
#include <string.h>
#include <unistd.h>

#define likely(condition) __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

SPANRING_API void *malloc(size_t bytes);
SPANRING_API void *calloc(size_t count, size_t bytes);
SPANRING_API void *realloc(void *block, size_t bytes);
SPANRING_API void *reallocarray(void *block, size_t count, size_t bytes);
SPANRING_API void free(void *block);
SPANRING_API int posix_memalign(void **ret_block, size_t alignment, size_t bytes);
SPANRING_API void *aligned_alloc(size_t alignment, size_t bytes);
SPANRING_API void *memalign(size_t alignment, size_t bytes);
SPANRING_API void *valloc(size_t bytes);
SPANRING_API void *pvalloc(size_t bytes);
SPANRING_API size_t malloc_usable_size(void *block);

static __thread struct spanring_heap_totals counters __attribute__((tls_model("initial-exec")));

static inline size_t size_of(void *block) {
	return unlikely(heap_early_owns(block)) ? heap_early_size(block) : heap_next.usable_size(block);
}

static inline void count_allocation(size_t bytes) {
	counters.allocated_bytes += bytes;
	counters.allocations++;
}

static inline void count_free(size_t bytes) {
	counters.freed_bytes += bytes;
	counters.frees++;
}

static inline void *counted(void *block) {
	if (likely(block))
		count_allocation(size_of(block));
	return block;
}

void *malloc(size_t bytes) {
	return counted(heap_next.malloc(bytes));
}

void *calloc(size_t count, size_t bytes) {
	return counted(heap_next.calloc(count, bytes));
}

void free(void *block) {
	if (unlikely(!block))
		return;
	count_free(size_of(block));
	if (likely(!heap_early_owns(block)))
		heap_next.free(block);
}

static void *realloc_early(void *block, size_t bytes) {
	void *moved = heap_next.malloc(bytes);
	if (!moved)
		return NULL;
	size_t kept = heap_early_size(block);
	memcpy(moved, block, kept < bytes ? kept : bytes);
	count_free(kept);
	return counted(moved);
}

/* NULL for no bytes: the block was freed, as the C library does. NULL otherwise: it is still there. */
void *realloc(void *block, size_t bytes) {
	if (unlikely(heap_early_owns(block)))
		return realloc_early(block, bytes);
	size_t before = block ? heap_next.usable_size(block) : 0;
	void *moved = heap_next.realloc(block, bytes);
	if (block && (moved || bytes == 0))
		count_free(before);
	return counted(moved);
}

void *reallocarray(void *block, size_t count, size_t bytes) {
	size_t total;
	if (__builtin_mul_overflow(count, bytes, &total)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(block, total);
}

int posix_memalign(void **ret_block, size_t alignment, size_t bytes) {
	int rc = heap_next.posix_memalign(ret_block, alignment, bytes);
	if (rc == 0)
		(void)counted(*ret_block);
	return rc;
}

void *aligned_alloc(size_t alignment, size_t bytes) {
	return counted(heap_next.aligned_alloc(alignment, bytes));
}

void *memalign(size_t alignment, size_t bytes) {
	return counted(heap_next.memalign(alignment, bytes));
}

static size_t page_bytes(void) {
	return (size_t)sysconf(_SC_PAGESIZE);
}

void *valloc(size_t bytes) {
	return counted(heap_next.memalign(page_bytes(), bytes));
}

void *pvalloc(size_t bytes) {
	size_t page = page_bytes(), whole;
	if (__builtin_add_overflow(bytes, page - 1, &whole)) {
		errno = ENOMEM;
		return NULL;
	}
	return counted(heap_next.memalign(page, whole & ~(page - 1)));
}

size_t malloc_usable_size(void *block) {
	return block ? size_of(block) : 0;
}

/* Does a call of malloc by name end up here? Tried once, and not counted. */
static bool is_in_between(void) {
	static uint8_t answer; /* 0: not tried */
	uint8_t known = __atomic_load_n(&answer, __ATOMIC_RELAXED);
	if (known == 0) {
		struct spanring_heap_totals before = counters;
		void *(*volatile allocate)(size_t) = malloc;
		void (*volatile release)(void *) = free;
		release(allocate(1));
		known = counters.allocations != before.allocations && counters.frees != before.frees ? 1 : 2;
		counters = before;
		__atomic_store_n(&answer, known, __ATOMIC_RELAXED);
	}
	return known == 1;
}

const struct spanring_heap_totals *spanring_heap_counters(void) {
	return is_in_between() ? &counters : NULL;
}
