/* SPDX-License-Identifier: Apache-2.0 */
#include "pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void pages_release(void *array, size_t from, size_t bytes) {
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t begin = ((uintptr_t)array + from + page - 1) & ~(page - 1);
	uintptr_t end = ((uintptr_t)array + bytes) & ~(page - 1);
	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}
