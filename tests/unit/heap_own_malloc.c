/* SPDX-License-Identifier: Apache-2.0 */
/* Makes of heap_program.c a program with an allocator of its own: one that gives what the C library has. */
#include <spanring/export.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t bytes);
extern void __libc_free(void *block);

SPANRING_API void *malloc(size_t bytes) {
	return __libc_malloc(bytes);
}

SPANRING_API void free(void *block) {
	__libc_free(block);
}
