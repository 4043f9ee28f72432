/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>

#define PING_PONG_WARM_UP 100u
/* Where both threads seldom run at the same time, a round takes as long as the scheduler likes. */
#define PING_PONG_NS_MAX (NS_PER_S / 2)
#define ROUNDS_PER_LOOK 16u
#define GAME_OVER UINT64_MAX
/* A spinning partner that lost its core gets it back: yield now and then. */
#define SPINS_BEFORE_YIELD 100000u

uint32_t topology_core_count(void) {
	cpu_set_t cores;
	if (sched_getaffinity(0, sizeof(cores), &cores) < 0)
		return 1;
	return (uint32_t)CPU_COUNT(&cores);
}

void topology_pair(int *ret_first, int *ret_last) {
	cpu_set_t cores;
	*ret_first = TOPOLOGY_NO_CORE;
	*ret_last = TOPOLOGY_NO_CORE;
	if (sched_getaffinity(0, sizeof(cores), &cores) < 0)
		return;
	for (int core = 0; core < CPU_SETSIZE; core++) {
		if (!CPU_ISSET((size_t)core, &cores))
			continue;
		if (*ret_first == TOPOLOGY_NO_CORE)
			*ret_first = core;
		else
			*ret_last = core;
	}
}

int topology_pin(int core) {
	cpu_set_t cores;
	if (core < 0)
		return -EINVAL;
	CPU_ZERO(&cores);
	CPU_SET((size_t)core, &cores);
	return sched_setaffinity(0, sizeof(cores), &cores) < 0 ? -errno : 0;
}

struct ball {
	_Alignas(128) uint64_t word;
	_Alignas(128) int core;
	uint32_t rounds;
	double round_ns;
};

static uint64_t wait_past(const uint64_t *word, uint64_t value) {
	uint64_t seen;
	for (uint32_t spins = 1; (seen = __atomic_load_n(word, __ATOMIC_ACQUIRE)) == value; spins++) {
		if (spins % SPINS_BEFORE_YIELD == 0)
			(void)sched_yield();
	}
	return seen;
}

static void *partner(void *argument) {
	struct ball *ball = argument;
	(void)topology_pin(ball->core);
	for (uint64_t word = 0; (word = wait_past(&ball->word, word)) != GAME_OVER;)
		__atomic_store_n(&ball->word, ++word, __ATOMIC_RELEASE);
	return NULL;
}

/* How many rounds there was time for, at least ROUNDS_PER_LOOK. */
static uint32_t play(struct ball *ball, uint32_t rounds) {
	uint64_t start_ns = clock_monotonic_ns();
	uint32_t done = 0;
	while (done < rounds && (done % ROUNDS_PER_LOOK != 0 || clock_monotonic_ns() - start_ns < PING_PONG_NS_MAX)) {
		uint64_t word = ball->word + 1;
		__atomic_store_n(&ball->word, word, __ATOMIC_RELEASE);
		(void)wait_past(&ball->word, word);
		done++;
	}
	return done;
}

static void *server(void *argument) {
	struct ball *ball = argument;
	int first, last;
	topology_pair(&first, &last);
	(void)topology_pin(first);
	(void)play(ball, PING_PONG_WARM_UP);
	uint64_t start_ns = clock_monotonic_ns();
	uint32_t rounds = play(ball, ball->rounds);
	ball->round_ns = (double)(clock_monotonic_ns() - start_ns) / rounds;
	__atomic_store_n(&ball->word, GAME_OVER, __ATOMIC_RELEASE);
	return NULL;
}

static double play_both(struct ball *ball) {
	pthread_t threads[2];
	int first;
	topology_pair(&first, &ball->core);
	if (ball->core == TOPOLOGY_NO_CORE || pthread_create(&threads[0], NULL, partner, ball) != 0)
		return NAN;
	if (pthread_create(&threads[1], NULL, server, ball) != 0)
		(void)server(ball);
	else
		(void)pthread_join(threads[1], NULL);
	(void)pthread_join(threads[0], NULL);
	return ball->round_ns;
}

/* Both ends are threads of their own, so that the caller's affinity stays as it is. */
double topology_ping_pong_ns(uint32_t rounds) {
	/* Not on the stack, where a sanitizer's alignment ends at 64. */
	CLEANUP_FREE struct ball *ball = aligned_alloc(_Alignof(struct ball), sizeof(*ball));
	if (!ball)
		return NAN;
	*ball = (struct ball){.rounds = rounds};
	return play_both(ball);
}
