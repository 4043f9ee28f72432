/* SPDX-License-Identifier: Apache-2.0 */
/* operator new and delete of a C++ program, for test_heap.c. */
#ifndef SPANRING_TESTS_UNIT_HEAP_NEW_H
#define SPANRING_TESTS_UNIT_HEAP_NEW_H

#include <spanring/export.h>
#include <stddef.h>

SPANRING_EXTERN_C_BEGIN

struct heap_new_sizes {
	size_t bytes; /* of all three, as the allocator reserved them */
};

/* An object, an array and an over-aligned object: made and deleted. */
struct heap_new_sizes heap_new_run(void);

SPANRING_EXTERN_C_END

#endif
