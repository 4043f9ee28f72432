/* SPDX-License-Identifier: Apache-2.0 */
#include "heap_new.h"

#include <malloc.h>

struct alignas(128) wide {
	char bytes[128];
};

/* The compiler may leave out a pair of new and delete that nobody sees. */
static void show(void *object) {
	__asm__ volatile("" : : "r"(object) : "memory");
}

heap_new_sizes heap_new_run() {
	auto *object = new long(1);
	auto *array = new char[300];
	auto *over_aligned = new wide;
	show(object);
	show(array);
	show(over_aligned);
	heap_new_sizes sizes{malloc_usable_size(object) + malloc_usable_size(array) + malloc_usable_size(over_aligned)};
	delete over_aligned;
	delete[] array;
	delete object;
	return sizes;
}
