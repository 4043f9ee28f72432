/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A traced program for tests that count its heap from outside: it allocates before main, in a span, in a library that it opens,
 * and in a thread. It does not know of libspanring_heap. Prints the bytes that its span must carry.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <spanring/spanring.h>
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_BYTES 10000u

static void *early;

__attribute__((constructor(101))) static void before_main(void) {
	early = malloc(BLOCK_BYTES);
}

static void *work(void *argument) {
	SPANRING_SPAN(span, "thread");
	free(argument);
	return NULL;
}

static void run_thread(void) {
	pthread_t thread;
	if (pthread_create(&thread, NULL, work, malloc(BLOCK_BYTES)) != 0 || pthread_join(thread, NULL) != 0)
		exit(1);
}

int main(int argc, char **argv) {
	void *(*plugin_allocate)(size_t);
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	void *address = library ? dlsym(library, "heap_plugin_allocate") : NULL;
	*(void **)(void *)&plugin_allocate = address;
	if (!plugin_allocate)
		return 2;
	SPANRING_BEGIN(span, "main");
	void *blocks[2] = {malloc(BLOCK_BYTES), plugin_allocate(BLOCK_BYTES)};
	size_t allocated = malloc_usable_size(blocks[0]) + malloc_usable_size(blocks[1]);
	size_t freed = malloc_usable_size(early);
	free(early);
	spanring_end(span);
	run_thread();
	free(blocks[0]);
	free(blocks[1]);
	(void)printf("%zu %zd\n", allocated, (ssize_t)(allocated - freed));
	return 0;
}
