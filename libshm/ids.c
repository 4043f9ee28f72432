/* SPDX-License-Identifier: Apache-2.0 */
#include "ids.h"
#include "ticks.h"
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

void spanring__ids_random(void *ret_bytes, size_t bytes) {
	if (getrandom(ret_bytes, bytes, GRND_NONBLOCK) == (ssize_t)bytes)
		return;
	uint64_t state = ticks_clock_ns(CLOCK_MONOTONIC) ^ ids_mix(ticks_clock_ns(CLOCK_REALTIME)) ^
	                 ids_mix((uint64_t)getpid() << 32 | (uint64_t)gettid()) ^
	                 ids_mix((uint64_t)(uintptr_t)ret_bytes);
	uint8_t *out = ret_bytes;
	for (size_t done = 0; done < bytes; done += sizeof(state)) {
		size_t part = bytes - done < sizeof(state) ? bytes - done : sizeof(state);
		uint64_t word = ids_mix(state += 0x9e3779b97f4a7c15u);
		memcpy(out + done, &word, part);
	}
}

void spanring__ids_seed(struct spanring__ids *ids) {
	spanring__ids_random(ids, sizeof(*ids));
	/* Neither 0 nor near the end: 2^62 spans may follow. */
	ids->span_id_next = (ids->span_id_next >> 1) | 1;
	if (ids->trace_hi == 0)
		ids->trace_hi = 1;
}
