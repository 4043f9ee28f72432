/* SPDX-License-Identifier: Apache-2.0 */
#include "chunks.h"

#include "bench/measure.h"

#include <assert.h>

void chunks_run(struct chunks *chunks, uint64_t (*loop)(uint64_t rounds), uint64_t rounds) {
	assert(rounds % CHUNK_ROUNDS == 0 && rounds / CHUNK_ROUNDS <= CHUNKS_MAX - chunks->count);
	for (uint64_t done = 0; done < rounds; done += CHUNK_ROUNDS)
		chunks->round_ns[chunks->count++] = (double)loop(CHUNK_ROUNDS) / CHUNK_ROUNDS;
}

double chunks_median_ns(struct chunks *chunks) {
	return measure_median(chunks->round_ns, chunks->count);
}

double chunks_mean_ns(const struct chunks *chunks) {
	double sum = 0;
	for (uint32_t i = 0; i < chunks->count; i++)
		sum += chunks->round_ns[i];
	return chunks->count > 0 ? sum / chunks->count : 0;
}
