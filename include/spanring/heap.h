/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libspanring_heap: counts what each thread takes from the heap and gives back.
 *
 *     LD_PRELOAD=libspanring_heap.so program        or        cc ... -lspanring_heap
 *     spanring-agent record --heap -- program       does the first
 *
 * The library stands between the program and its allocator: malloc, calloc, realloc, reallocarray, free, posix_memalign,
 * aligned_alloc, memalign, valloc and pvalloc are counted and passed on to the next definition, the C library's or that of
 * another preloaded allocator. operator new and delete come through malloc and free. Where libspanring is in the same
 * program, each span then carries what its thread allocated inside it, and the net of it (SPANRING_BITS_HEAP in record.h).
 *
 * WHAT A BYTE IS. The size that the allocator reserved (malloc_usable_size), not the size asked for: what is freed is then what
 * was allocated, to the byte. realloc counts as the free of the old block and the allocation of the new one, also where
 * the block stays in its place.
 *
 * WHOSE IT IS. Counters belong to the thread that makes the call. A block that one thread allocates and another frees is
 * allocated in the first and freed in the second, so the net of a thread may be negative, and only the sum over all threads is
 * what the program holds. They never go back; a thread starts at zero; the child of a fork goes on from those of the thread that
 * forked.
 *
 * WHERE IT DOES NOT COUNT. A program that has an allocator of its own linked in, a statically linked one, and memory that does
 * not come from malloc (mmap, stacks). spanring_heap_counters then says NULL, and spans carry no heap bytes.
 *
 * The library takes no lock, opens nothing, allocates nothing and leaves errno as the allocator set it.
 */
#ifndef SPANRING_HEAP_H
#define SPANRING_HEAP_H

#include <spanring/export.h>
#include <stdint.h>

SPANRING_EXTERN_C_BEGIN

struct spanring_heap_totals {
	uint64_t allocated_bytes;
	uint64_t freed_bytes;
	uint64_t allocations; /* calls that returned a block */
	uint64_t frees;       /* blocks given back */
};

/*
 * The counters of the calling thread, which go on counting; valid until the thread ends. NULL: the program's calls of malloc do
 * not come through this library.
 */
SPANRING_API const struct spanring_heap_totals *spanring_heap_counters(void);

SPANRING_EXTERN_C_END

#endif
