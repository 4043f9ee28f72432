/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that come while the real allocator is still being looked for. This program holds the heap library and a dlsym of
 * its own in front of the C library's, which allocates whenever it is called, as dlsym may.
 */
#include "support/cmocka.h"

#include "libshm/heap_early.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <spanring/heap.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct {
	void *block;
	void *zeroed;
	void *grown;
	void *aligned[3];
	int searches;
	bool is_sound;
} early;

static void allocate_early(void) {
	early.block = malloc(100);
	early.zeroed = calloc(10, 10);
	early.grown = realloc(malloc(10), 200);
	early.aligned[0] = memalign(512, 1);
	early.aligned[1] = aligned_alloc(64, 64);
	early.is_sound = posix_memalign(&early.aligned[2], 128, 1) == 0;
	volatile size_t huge = SIZE_MAX;
	early.is_sound &= calloc(huge, 2) == NULL && malloc(HEAP_EARLY_BYTES) == NULL;
	free(malloc(1));
}

void *dlsym(void *restrict handle, const char *restrict name) {
	static void *(*real)(void *, const char *);
	if (early.searches++ == 0)
		allocate_early();
	if (!real) {
		void *address = dlvsym(RTLD_NEXT, "dlsym", SPANRING_DLSYM_VERSION);
		memcpy(&real, &address, sizeof(real));
	}
	return real(handle, name);
}

static bool is_zero(const uint8_t *bytes, size_t count) {
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static void early_blocks_are_good_memory(void **state) {
	(void)state;
	void *late = malloc(1);
	assert_true(early.searches > 0 && early.is_sound);
	assert_true(heap_early_owns(early.block) && heap_early_owns(early.grown) && !heap_early_owns(late));
	assert_true(is_zero(early.zeroed, 100));
	assert_int_equal(malloc_usable_size(early.block), 100);
	assert_int_equal(malloc_usable_size(early.grown), 200);
	assert_int_equal((uintptr_t)early.block % 16, 0);
	assert_int_equal((uintptr_t)early.aligned[0] % 512, 0);
	assert_int_equal((uintptr_t)early.aligned[1] % 64, 0);
	assert_int_equal((uintptr_t)early.aligned[2] % 128, 0);
	memset(early.block, 1, 100);
	memset(early.grown, 2, 200);
	assert_true(is_zero(early.zeroed, 100));
	free(late);
}

static void early_blocks_are_freed_and_moved_later(void **state) {
	(void)state;
	struct spanring_heap_totals before = *spanring_heap_counters();
	memcpy(early.grown, "kept", 5);
	char *moved = realloc(early.grown, 5000);
	size_t bytes = malloc_usable_size(moved);
	free(early.block);
	free(early.zeroed);
	struct spanring_heap_totals after = *spanring_heap_counters();
	assert_string_equal(moved, "kept");
	assert_false(heap_early_owns(moved));
	assert_int_equal(after.allocations - before.allocations, 1);
	assert_int_equal(after.allocated_bytes - before.allocated_bytes, bytes);
	assert_int_equal(after.frees - before.frees, 3);
	assert_int_equal(after.freed_bytes - before.freed_bytes, 200 + 100 + 100);
	free(moved);
}

static void the_arena_ends(void **state) {
	(void)state;
	uint8_t *last = NULL;
	for (int i = 0; i < 1000; i++) {
		uint8_t *block = heap_early_allocate(1000, 32);
		if (!block)
			break;
		assert_true(heap_early_owns(block) && heap_early_owns(block + 999));
		assert_true(!last || block >= last + 1000);
		assert_int_equal((uintptr_t)block % 32, 0);
		last = block;
	}
	errno = 0;
	assert_null(heap_early_allocate(1000, 1));
	assert_int_equal(errno, ENOMEM);
	assert_null(heap_early_allocate(1, HEAP_EARLY_BYTES * 2));
	assert_null(heap_early_allocate(SIZE_MAX, 1));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(early_blocks_are_good_memory),
	    cmocka_unit_test(early_blocks_are_freed_and_moved_later),
	    cmocka_unit_test(the_arena_ends),
	};
	return cmocka_run_group_tests_name("heap_early", tests, NULL, NULL);
}
