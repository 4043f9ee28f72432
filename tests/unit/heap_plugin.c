/* SPDX-License-Identifier: Apache-2.0 */
/* A library that heap_program.c opens: it allocates as it is loaded, and when asked. */
#include <spanring/export.h>
#include <stdlib.h>

SPANRING_API void *heap_plugin_allocate(size_t bytes);

static void *kept;

__attribute__((constructor)) static void loaded(void) {
	kept = malloc(100);
}

__attribute__((destructor)) static void unloaded(void) {
	free(kept);
}

void *heap_plugin_allocate(size_t bytes) {
	return malloc(bytes);
}
