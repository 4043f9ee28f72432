/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the programs of a soak write down in memory of their own, beside the library and without it: so the books of the store can be
 * held against somebody else's.
 *
 * A program counts each begin before and after the call, and each end likewise. One that is killed may stand between the two. So whatever
 * happens, what truly began is between `begun` and `begins_tried`, and what truly ended between `ended` and `ends_tried`; if nobody was
 * killed in a call, they are the same. The memory is a file without a name that every program inherits.
 */
#ifndef SPANRING_BENCH_SOAK_LEDGER_H
#define SPANRING_BENCH_SOAK_LEDGER_H

#include "analyze/kernels/histogram.h"

#include <stdint.h>

/* Each is only added to, except stop. */
struct soak_ledger {
	uint64_t stop; /* not 0: come to an end */
	uint64_t begins_tried;
	uint64_t begun;
	uint64_t ends_tried;
	uint64_t ended;
	uint64_t dropped_full; /* as the library of a program that still lives counts them */
	uint64_t dropped_depth;
	uint64_t dropped_no_ring;
	uint64_t dropped_reentry;
	uint64_t latency_ns[HISTOGRAM_BINS]; /* begin and end of one span, by bin of analyze/kernels/histogram.h */
};

static inline void soak_ledger_add(uint64_t *counter, uint64_t more) {
	(void)__atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

static inline uint64_t soak_ledger_get(const uint64_t *counter) {
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

#endif
