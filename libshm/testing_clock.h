/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of test mode: stands in for CLOCK_MONOTONIC wherever spans read it. */
#ifndef SPANRING_LIBSHM_TESTING_CLOCK_H
#define SPANRING_LIBSHM_TESTING_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Off until a process attaches in test mode; off again if a forked child attaches in earnest. */
bool spanring__testing_clock_is_on(void);

/* Back to its first moment, on. */
void spanring__testing_clock_begin(uint64_t step_ns);
void spanring__testing_clock_stop(void);

/* A reading; a look that is none. */
uint64_t spanring__testing_clock_take(void);
uint64_t spanring__testing_clock_peek(void);

/* False, and nothing changed, if the clock would go back. Both stop the steps. */
bool spanring__testing_clock_put(uint64_t ns);
bool spanring__testing_clock_add(uint64_t ns);
void spanring__testing_clock_step_put(uint64_t step_ns);

#endif
