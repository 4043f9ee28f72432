/* SPDX-License-Identifier: Apache-2.0 */
/* An input made of others: a fuzzer without coverage, for the minutes of a test of every change. */
#ifndef SPANRING_TESTS_FUZZ_MUTATE_H
#define SPANRING_TESTS_FUZZ_MUTATE_H

#include "support/seed.h"

#include <stddef.h>
#include <stdint.h>

struct mutate_input {
	uint8_t *data;
	size_t size;
};

/* One of the inputs, changed in some places by bits, runs, cuts and pieces of the others. Returns the size, at most `room`. */
size_t mutate(struct seed *seed, const struct mutate_input *inputs, size_t count, uint8_t *to, size_t room);

#endif
