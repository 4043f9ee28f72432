/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trace and span ids of one thread. Span ids count up from a random 64-bit start: cheap, unique in the thread, and as
 * unlikely to meet another thread's as random ones. A trace id has a random high half per thread and a low half from the
 * shortest good generator there is (wyrand: one wide multiplication; splitmix64 costs 3 ns more per root span). Neither is
 * ever 0.
 */
#ifndef SPANRING_LIBSHM_IDS_H
#define SPANRING_LIBSHM_IDS_H

#include <stddef.h>
#include <stdint.h>

struct spanring__ids {
	uint64_t span_id_next;
	uint64_t trace_hi; /* never 0, so no trace id is */
	uint64_t generator;
};

static inline uint64_t ids_mix(uint64_t value) {
	value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
	value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
	return value ^ (value >> 31);
}

static inline uint64_t ids_next_span(struct spanring__ids *ids) {
	return ids->span_id_next++;
}

/* Both halves of a wide product, folded. The instruction by name: gcc 12 saves a register for an __int128 that it does not use. */
#if defined(__x86_64__) && defined(__GNUC__)
#define IDS_FOLDS_PRODUCTS 1
static inline uint64_t ids_fold_product(uint64_t a, uint64_t b) {
	uint64_t high;
	__asm__("mulq %2" : "+a"(a), "=d"(high) : "r"(b) : "cc");
	return high ^ a;
}
#elif defined(__SIZEOF_INT128__)
#define IDS_FOLDS_PRODUCTS 1
static inline uint64_t ids_fold_product(uint64_t a, uint64_t b) {
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)(product >> 64) ^ (uint64_t)product;
}
#endif

static inline uint64_t ids_next_trace_lo(struct spanring__ids *ids) {
#if defined(IDS_FOLDS_PRODUCTS)
	uint64_t state = ids->generator += 0xa0761d6478bd642fu;
	return ids_fold_product(state, state ^ 0xe7037ed1a0b428dbu);
#else
	return ids_mix(ids->generator += 0x9e3779b97f4a7c15u);
#endif
}

/* Random bytes from the kernel; before it has any, a mix of clocks, addresses and the process id. Never blocks. */
void spanring__ids_random(void *ret_bytes, size_t bytes);
void spanring__ids_seed(struct spanring__ids *ids);

#endif
