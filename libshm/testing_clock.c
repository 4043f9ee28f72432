/* SPDX-License-Identifier: Apache-2.0 */
/* Read by every thread, so the words are atomic; a step and its reading are one addition, so no two readings are the same. */
#include "testing_clock.h"
#include <spanring/testing.h>

static uint32_t is_on;
static uint64_t clock_ns;
static uint64_t clock_step_ns;

bool spanring__testing_clock_is_on(void) {
	return __atomic_load_n(&is_on, __ATOMIC_RELAXED) != 0;
}

void spanring__testing_clock_begin(uint64_t step_ns) {
	__atomic_store_n(&clock_ns, SPANRING_TESTING_CLOCK_NS, __ATOMIC_RELAXED);
	__atomic_store_n(&clock_step_ns, step_ns, __ATOMIC_RELAXED);
	__atomic_store_n(&is_on, 1, __ATOMIC_RELAXED);
}

void spanring__testing_clock_stop(void) {
	__atomic_store_n(&is_on, 0, __ATOMIC_RELAXED);
}

uint64_t spanring__testing_clock_take(void) {
	return __atomic_add_fetch(&clock_ns, __atomic_load_n(&clock_step_ns, __ATOMIC_RELAXED), __ATOMIC_RELAXED);
}

uint64_t spanring__testing_clock_peek(void) {
	return __atomic_load_n(&clock_ns, __ATOMIC_RELAXED);
}

void spanring__testing_clock_step_put(uint64_t step_ns) {
	__atomic_store_n(&clock_step_ns, step_ns, __ATOMIC_RELAXED);
}

/* Steps of other threads may come in between: then once more. */
bool spanring__testing_clock_put(uint64_t ns) {
	uint64_t before = spanring__testing_clock_peek();
	do {
		if (ns < before)
			return false;
	} while (!__atomic_compare_exchange_n(&clock_ns, &before, ns, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	spanring__testing_clock_step_put(0);
	return true;
}

bool spanring__testing_clock_add(uint64_t ns) {
	uint64_t before = spanring__testing_clock_peek();
	do {
		if (ns > UINT64_MAX - before)
			return false;
	} while (
	    !__atomic_compare_exchange_n(&clock_ns, &before, before + ns, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	spanring__testing_clock_step_put(0);
	return true;
}
