/* SPDX-License-Identifier: Apache-2.0 */
#include "topology.h"

#include "base/clock.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#define PING_PONG_ROUNDS 100000u
#define PING_PONG_WARM_UP 1000u
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
};

static void wait_for(const uint64_t *word, uint64_t value) {
	for (uint32_t spins = 1; __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; spins++) {
		if (spins % SPINS_BEFORE_YIELD == 0)
			(void)sched_yield();
	}
}

static void *partner(void *argument) {
	struct ball *ball = argument;
	(void)topology_pin(ball->core);
	for (uint64_t i = 0; i < PING_PONG_WARM_UP + PING_PONG_ROUNDS; i++) {
		wait_for(&ball->word, 2 * i + 1);
		__atomic_store_n(&ball->word, 2 * i + 2, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void *server(void *argument) {
	struct ball *ball = argument;
	int first, last;
	uint64_t start_ns = 0;
	topology_pair(&first, &last);
	(void)topology_pin(first);
	for (uint64_t i = 0; i < PING_PONG_WARM_UP + PING_PONG_ROUNDS; i++) {
		if (i == PING_PONG_WARM_UP)
			start_ns = clock_monotonic_ns();
		__atomic_store_n(&ball->word, 2 * i + 1, __ATOMIC_RELEASE);
		wait_for(&ball->word, 2 * i + 2);
	}
	ball->word = clock_monotonic_ns() - start_ns;
	return NULL;
}

/* Both ends are threads of their own, so that the caller's affinity stays as it is. */
double topology_ping_pong_ns(void) {
	struct ball ball = {0};
	pthread_t threads[2];
	int first;
	topology_pair(&first, &ball.core);
	if (ball.core == TOPOLOGY_NO_CORE || pthread_create(&threads[0], NULL, partner, &ball) != 0)
		return NAN;
	if (pthread_create(&threads[1], NULL, server, &ball) != 0)
		(void)server(&ball);
	else
		(void)pthread_join(threads[1], NULL);
	(void)pthread_join(threads[0], NULL);
	return (double)ball.word / PING_PONG_ROUNDS;
}
