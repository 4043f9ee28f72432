/* SPDX-License-Identifier: Apache-2.0 */
#include "heap_next.h"
#include "heap_early.h"
#include <dlfcn.h>
#include <errno.h>
#include <string.h>

/* This thread is in dlsym: what it allocates now comes from the arena. */
static __thread bool is_looking __attribute__((tls_model("initial-exec")));

static void *find(const char *name, void *missing) {
	void *address = dlsym(RTLD_NEXT, name);
	return address ? address : missing;
}

static void *no_block(void) {
	errno = ENOMEM;
	return NULL;
}

static int no_aligned_block(void **ret_block, size_t alignment, size_t bytes) {
	(void)ret_block;
	(void)alignment;
	(void)bytes;
	return ENOMEM;
}

static size_t no_size(void *block) {
	(void)block;
	return 0;
}

static void keep(void *block) {
	(void)block;
}

/* Two threads may do this at once: both find the same. Each pointer is used alone, so no order is needed. */
#define SET(member, name, missing)                                                                                     \
	do {                                                                                                           \
		void *address = find(name, (void *)(missing));                                                         \
		__atomic_store_n((void **)(void *)&heap_next.member, address, __ATOMIC_RELAXED);                       \
	} while (0)

/* false: this is a call from inside the search. */
static bool look(void) {
	if (is_looking)
		return false;
	int saved_errno = errno;
	is_looking = true;
	SET(usable_size, "malloc_usable_size", no_size);
	SET(free, "free", keep);
	SET(malloc, "malloc", no_block);
	SET(calloc, "calloc", no_block);
	SET(realloc, "realloc", no_block);
	SET(memalign, "memalign", no_block);
	SET(aligned_alloc, "aligned_alloc", no_block);
	SET(posix_memalign, "posix_memalign", no_aligned_block);
	is_looking = false;
	errno = saved_errno;
	return true;
}

static void *first_malloc(size_t bytes) {
	return look() ? heap_next.malloc(bytes) : heap_early_allocate(bytes, 1);
}

static void *first_calloc(size_t count, size_t bytes) {
	size_t total;
	if (look())
		return heap_next.calloc(count, bytes);
	return __builtin_mul_overflow(count, bytes, &total) ? no_block() : heap_early_allocate(total, 1);
}

/* Blocks from the arena do not come here, and while looking there are no others. */
static void *first_realloc(void *block, size_t bytes) {
	if (look())
		return heap_next.realloc(block, bytes);
	return block ? no_block() : heap_early_allocate(bytes, 1);
}

static void first_free(void *block) {
	if (look())
		heap_next.free(block);
}

static void *first_memalign(size_t alignment, size_t bytes) {
	return look() ? heap_next.memalign(alignment, bytes) : heap_early_allocate(bytes, alignment);
}

static void *first_aligned_alloc(size_t alignment, size_t bytes) {
	return look() ? heap_next.aligned_alloc(alignment, bytes) : heap_early_allocate(bytes, alignment);
}

static int first_posix_memalign(void **ret_block, size_t alignment, size_t bytes) {
	if (look())
		return heap_next.posix_memalign(ret_block, alignment, bytes);
	void *block = heap_early_allocate(bytes, alignment);
	if (!block)
		return ENOMEM;
	*ret_block = block;
	return 0;
}

static size_t first_usable_size(void *block) {
	return look() ? heap_next.usable_size(block) : 0;
}

struct heap_next heap_next = {
    .malloc = first_malloc,
    .calloc = first_calloc,
    .realloc = first_realloc,
    .free = first_free,
    .memalign = first_memalign,
    .aligned_alloc = first_aligned_alloc,
    .posix_memalign = first_posix_memalign,
    .usable_size = first_usable_size,
};
