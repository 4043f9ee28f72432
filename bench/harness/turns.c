/* SPDX-License-Identifier: Apache-2.0 */
#include "turns.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#define ROUNDS_MAX (UINT64_C(1) << 32)

static int run_once(const struct turns *turns, const struct turns_loop *loop, uint64_t rounds, uint64_t *ret_ns) {
	*ret_ns = loop->run(loop->context, rounds);
	if (turns->between)
		turns->between(turns->context);
	return *ret_ns == UINT64_MAX ? -ECANCELED : 0;
}

/* The quicker of the two has to last. */
static int choose_rounds(const struct turns *turns, const struct turns_loop *first, const struct turns_loop *second,
                         uint64_t *ret_rounds) {
	uint64_t most = turns->rounds_max ? turns->rounds_max : ROUNDS_MAX;
	for (uint64_t rounds = 1;; rounds *= 2) {
		uint64_t ns[2] = {0, UINT64_MAX - 1};
		*ret_rounds = rounds < most ? rounds : most;
		int rc = run_once(turns, first, *ret_rounds, &ns[0]);
		if (rc == 0 && second)
			rc = run_once(turns, second, *ret_rounds, &ns[1]);
		if (rc < 0 || *ret_rounds == most || (ns[0] >= TURNS_SAMPLE_NS && ns[1] >= TURNS_SAMPLE_NS))
			return rc;
	}
}

int turns_run(const struct turns *turns, const struct turns_loop *first, const struct turns_loop *second,
              struct samples *ret_first, struct samples *ret_second, uint64_t *ret_rounds) {
	const struct turns_loop *loops[2] = {first, second};
	struct samples *samples[2] = {ret_first, ret_second};
	uint32_t count = second ? 2 : 1;
	int rc = choose_rounds(turns, first, second, ret_rounds);
	ret_first->count = 0;
	if (second)
		ret_second->count = 0;
	for (uint32_t i = 0; rc == 0 && i < turns->warmup + turns->iterations; i++) {
		for (uint32_t turn = 0; rc == 0 && turn < count; turn++) {
			uint32_t which = (turn + i) % count;
			uint64_t ns = 0;
			rc = run_once(turns, loops[which], *ret_rounds, &ns);
			if (rc == 0 && i >= turns->warmup)
				samples_add(samples[which], (double)ns / (double)*ret_rounds);
		}
	}
	return rc;
}
