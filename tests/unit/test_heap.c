/* SPDX-License-Identifier: Apache-2.0 */
/* libspanring_heap counts to the byte: known calls of every function, linked in. What a call must add is asked of the allocator. */
#include "support/cmocka.h"

#include "heap_new.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <spanring/heap.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE_BYTES ((size_t)sysconf(_SC_PAGESIZE))

static struct spanring_heap_totals start;

static void begin(void) {
	start = *spanring_heap_counters();
}

/* Since begin. Checks of the test library may allocate, so the counters are read first. */
static struct spanring_heap_totals since(void) {
	struct spanring_heap_totals now = *spanring_heap_counters();
	now.allocated_bytes -= start.allocated_bytes;
	now.freed_bytes -= start.freed_bytes;
	now.allocations -= start.allocations;
	now.frees -= start.frees;
	return now;
}

#define assert_counted(allocations_, allocated, frees_, freed)                                                         \
	do {                                                                                                           \
		struct spanring_heap_totals counted = since();                                                         \
		assert_int_equal(counted.allocations, allocations_);                                                   \
		assert_int_equal(counted.allocated_bytes, allocated);                                                  \
		assert_int_equal(counted.frees, frees_);                                                               \
		assert_int_equal(counted.freed_bytes, freed);                                                          \
	} while (0)

static void malloc_and_free(void **state) {
	(void)state;
	begin();
	void *small = malloc(100);
	void *large = malloc(10u << 20);
	size_t bytes = malloc_usable_size(small) + malloc_usable_size(large);
	assert_true(bytes >= (10u << 20) + 100);
	assert_counted(2, bytes, 0, 0);
	free(large);
	free(NULL);
	free(small);
	assert_counted(2, bytes, 2, bytes);
}

static void a_known_sequence(void **state) {
	(void)state;
	enum { BLOCKS = 1000 };
	static void *blocks[BLOCKS];
	size_t bytes = 0;
	begin();
	for (size_t i = 0; i < BLOCKS; i++) {
		blocks[i] = i % 2 ? malloc(i * 7 % 3000) : calloc(i % 13, i % 17);
		bytes += malloc_usable_size(blocks[i]);
	}
	assert_counted(BLOCKS, bytes, 0, 0);
	for (size_t i = 0; i < BLOCKS; i++)
		free(blocks[i]);
	assert_counted(BLOCKS, bytes, BLOCKS, bytes);
}

static void what_fails_is_not_counted(void **state) {
	(void)state;
	volatile size_t huge = SIZE_MAX / 2;
	begin();
	assert_null(malloc(huge));
	assert_null(calloc(huge, 3));
	errno = 0;
	assert_null(reallocarray(NULL, huge, 3));
	assert_int_equal(errno, ENOMEM);
	errno = 0;
	assert_null(pvalloc(SIZE_MAX - 1));
	assert_int_equal(errno, ENOMEM);
	void *block = NULL;
	assert_int_equal(posix_memalign(&block, 3, 16), EINVAL);
	assert_counted(0, 0, 0, 0);
	block = malloc(16);
	size_t bytes = malloc_usable_size(block);
	assert_null(realloc(block, huge));
	assert_counted(1, bytes, 0, 0);
	free(block);
}

static void realloc_is_a_free_and_an_allocation(void **state) {
	(void)state;
	begin();
	char *block = realloc(NULL, 40);
	size_t first = malloc_usable_size(block);
	assert_counted(1, first, 0, 0);
	(void)strcpy(block, "kept");
	block = realloc(block, 100000);
	size_t second = malloc_usable_size(block);
	assert_string_equal(block, "kept");
	assert_counted(2, first + second, 1, first);
	block = reallocarray(block, 10, 20);
	size_t third = malloc_usable_size(block);
	assert_string_equal(block, "kept");
	assert_counted(3, first + second + third, 2, first + second);
	volatile size_t none = 0;
	block = realloc(block, none);
	assert_null(block);
	assert_counted(3, first + second + third, 3, first + second + third);
}

static void the_aligned_family(void **state) {
	(void)state;
	void *blocks[5];
	size_t bytes = 0;
	begin();
	assert_int_equal(posix_memalign(&blocks[0], 256, 1000), 0);
	blocks[1] = aligned_alloc(64, 640);
	blocks[2] = memalign(4096, 10);
	blocks[3] = valloc(10);
	blocks[4] = pvalloc(PAGE_BYTES + 1);
	for (size_t i = 0; i < 5; i++)
		bytes += malloc_usable_size(blocks[i]);
	assert_counted(5, bytes, 0, 0);
	assert_int_equal((uintptr_t)blocks[0] % 256, 0);
	assert_int_equal((uintptr_t)blocks[1] % 64, 0);
	assert_int_equal((uintptr_t)blocks[2] % 4096, 0);
	assert_int_equal((uintptr_t)blocks[3] % PAGE_BYTES, 0);
	assert_int_equal((uintptr_t)blocks[4] % PAGE_BYTES, 0);
	assert_true(malloc_usable_size(blocks[4]) >= 2 * PAGE_BYTES);
	for (size_t i = 0; i < 5; i++)
		free(blocks[i]);
	assert_counted(5, bytes, 5, bytes);
}

static void operator_new(void **state) {
	(void)state;
	begin();
	struct heap_new_sizes sizes = heap_new_run();
	assert_true(sizes.bytes >= 8 + 300 + 128);
	assert_counted(3, sizes.bytes, 3, sizes.bytes);
}

struct worker {
	size_t block_bytes;
	void *given; /* allocated by another thread, freed by this one */
	size_t given_bytes;
	void *kept; /* allocated by this thread, freed by another */
	struct spanring_heap_totals counted;
};

static void *work(void *argument) {
	struct worker *worker = argument;
	struct spanring_heap_totals before = *spanring_heap_counters();
	for (int i = 0; i < 10000; i++)
		free(malloc(worker->block_bytes));
	free(worker->given);
	worker->kept = malloc(worker->block_bytes);
	const struct spanring_heap_totals *now = spanring_heap_counters();
	worker->counted.allocations = now->allocations - before.allocations;
	worker->counted.allocated_bytes = now->allocated_bytes - before.allocated_bytes;
	worker->counted.frees = now->frees - before.frees;
	worker->counted.freed_bytes = now->freed_bytes - before.freed_bytes;
	return NULL;
}

static void each_thread_counts_its_own_calls(void **state) {
	(void)state;
	enum { THREADS = 4 };
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	for (size_t i = 0; i < THREADS; i++) {
		workers[i].block_bytes = 100 * (i + 1);
		workers[i].given = malloc(5000);
		workers[i].given_bytes = malloc_usable_size(workers[i].given);
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	size_t bytes = 0;
	for (size_t i = 0; i < THREADS; i++) {
		size_t one = malloc_usable_size(workers[i].kept);
		assert_int_equal(workers[i].counted.allocations, 10001);
		assert_int_equal(workers[i].counted.frees, 10001);
		assert_int_equal(workers[i].counted.allocated_bytes, 10001 * one);
		assert_int_equal(workers[i].counted.freed_bytes, 10000 * one + workers[i].given_bytes);
		bytes += one;
	}
	begin();
	for (size_t i = 0; i < THREADS; i++)
		free(workers[i].kept);
	assert_counted(0, 0, THREADS, bytes);
}

static void a_child_goes_on_from_its_parent(void **state) {
	(void)state;
	begin();
	void *block = malloc(1000);
	size_t bytes = malloc_usable_size(block);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		free(block);
		struct spanring_heap_totals counted = since();
		_exit(counted.allocations == 1 && counted.allocated_bytes == bytes && counted.frees == 1 &&
		              counted.freed_bytes == bytes
		          ? 0
		          : 1);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_counted(1, bytes, 0, 0);
	free(block);
}

static void errno_is_left_alone(void **state) {
	(void)state;
	errno = EXDEV;
	free(malloc(77));
	assert_int_equal(errno, EXDEV);
	assert_int_equal(malloc_usable_size(NULL), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(malloc_and_free),
	    cmocka_unit_test(a_known_sequence),
	    cmocka_unit_test(what_fails_is_not_counted),
	    cmocka_unit_test(realloc_is_a_free_and_an_allocation),
	    cmocka_unit_test(the_aligned_family),
	    cmocka_unit_test(operator_new),
	    cmocka_unit_test(each_thread_counts_its_own_calls),
	    cmocka_unit_test(a_child_goes_on_from_its_parent),
	    cmocka_unit_test(errno_is_left_alone),
	};
	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
