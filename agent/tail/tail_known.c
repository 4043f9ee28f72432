/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_known.h"

#include "base/checked.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define STATE_MASK UINT64_C(3)

__extension__ typedef unsigned __int128 tail_known_u128;

static enum tail_state state_of(const struct tail_known_entry *entry) {
	return (enum tail_state)(entry->since_ns & STATE_MASK);
}

static struct tail_known_entry *set_of(const struct tail_known *known, uint64_t trace_lo) {
	tail_known_u128 product = (tail_known_u128)(trace_lo ^ known->seed[0]) * (known->seed[1] | 1);
	uint64_t hash = (uint64_t)product ^ (uint64_t)(product >> 64);
	return known->entries + (hash & known->mask) * TAIL_KNOWN_WAYS;
}

int tail_known_init(struct tail_known *known, size_t bytes) {
	size_t sets = 1;
	while (sets * 2 * TAIL_KNOWN_WAYS * sizeof(*known->entries) <= bytes)
		sets *= 2;
	*known = (struct tail_known){.mask = sets - 1};
	known->entries = calloc(sets * TAIL_KNOWN_WAYS, sizeof(*known->entries));
	if (!known->entries)
		return -ENOMEM;
	if (getrandom(known->seed, sizeof(known->seed), 0) != (ssize_t)sizeof(known->seed)) {
		known->seed[0] = UINT64_C(0x9e3779b97f4a7c15) ^ (uint64_t)(uintptr_t)known->entries;
		known->seed[1] = UINT64_C(0xbf58476d1ce4e5b9);
	}
	return 0;
}

void tail_known_done(struct tail_known *known) {
	free(known->entries);
	known->entries = NULL;
}

enum tail_state tail_known_find(const struct tail_known *known, uint64_t trace_lo, uint64_t *ret_since_ns) {
	const struct tail_known_entry *set = set_of(known, trace_lo);
	for (uint32_t i = 0; i < TAIL_KNOWN_WAYS; i++) {
		if (set[i].trace_lo != trace_lo || state_of(&set[i]) == TAIL_UNKNOWN)
			continue;
		*ret_since_ns = set[i].since_ns & ~STATE_MASK;
		return state_of(&set[i]);
	}
	return TAIL_UNKNOWN;
}

/* Is the place of `a` easier to give away than that of `b`? */
static bool is_needed_less(const struct tail_known_entry *a, const struct tail_known_entry *b) {
	return state_of(a) != state_of(b) ? state_of(a) < state_of(b) : a->since_ns < b->since_ns;
}

bool tail_known_put(struct tail_known *known, uint64_t trace_lo, enum tail_state state, uint64_t now_ns,
                    uint64_t wait_ns) {
	struct tail_known_entry *set = set_of(known, trace_lo);
	struct tail_known_entry *place = NULL;
	for (uint32_t i = 0; i < TAIL_KNOWN_WAYS; i++) {
		enum tail_state has = state_of(&set[i]);
		if (has != TAIL_UNKNOWN && set[i].trace_lo == trace_lo) {
			if (has != TAIL_WAITING || state != TAIL_WAITING)
				set[i].since_ns = (now_ns & ~STATE_MASK) | state;
			return true;
		}
		if (has == TAIL_WAITING && now_ns < saturating_add(set[i].since_ns, wait_ns))
			continue;
		if (!place || is_needed_less(&set[i], place))
			place = &set[i];
	}
	if (!place)
		return false;
	*place = (struct tail_known_entry){.trace_lo = trace_lo, .since_ns = (now_ns & ~STATE_MASK) | state};
	return true;
}
