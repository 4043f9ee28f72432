/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is recorded of what is begun: the sampler, its ratio, the minimum duration, and how people write them. Both ends use
 * it: the program at attach, from its environment, and `spanring-agent ctl`, from its command line.
 *
 * ONE COMPARE. Every sampler is a threshold on 63 bits of the trace id, so the hot path knows no kinds: 2^63 keeps all traces
 * (always_on), 0 none (always_off), ratio * 2^63 that share of them. The bits are the low 64 of the id, shifted right by one,
 * as OpenTelemetry's libraries for Go and Python have it: all processes that see a trace id give the same answer, whoever made
 * it. `sampler` only remembers the name.
 */
#ifndef SPANRING_LIBSHM_SAMPLING_H
#define SPANRING_LIBSHM_SAMPLING_H

#include <spanring/ring_abi.h>
#include <stdbool.h>
#include <stdint.h>

#define SPANRING__SAMPLING_ALL (UINT64_C(1) << 63) /* threshold that keeps every trace */

struct spanring__sampling {
	uint32_t sampler;         /* SPANRING_SAMPLER_* */
	uint32_t flags;           /* SPANRING_CONTROL_* */
	uint64_t threshold;       /* at most 2^63; 2^63 for ALWAYS_ON, 0 for ALWAYS_OFF */
	uint64_t duration_min_ns; /* 0: none */
};

/*
 * What the environment asks for: OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, SPANRING_STATISTICS, SPANRING_DURATION_MIN.
 * What makes no sense counts as absent: parentbased_always_on, a ratio of 1, statistics on, no minimum.
 */
void spanring__sampling_choose(struct spanring__sampling *ret_sampling);

/*
 * Change the sampler, its threshold and whether it is parent-based; nothing else. `argument` is the ratio of the samplers
 * that have one, NULL: 1. False, and nothing changed, if the name is unknown or the ratio no number from 0 to 1.
 */
bool spanring__sampling_set(struct spanring__sampling *sampling, const char *name, const char *argument);

/* The standard name of what is set, never NULL. */
const char *spanring__sampling_name(const struct spanring__sampling *sampling);

/* Does the sampler of this name read an argument? */
bool spanring__sampling_has_ratio(const char *name);

/* "0.01", "1", "1e-3", whatever the locale: a number from 0 to 1, as a threshold. False for anything else. */
bool spanring__sampling_ratio(const char *text, uint64_t *ret_threshold);

/* "5us", "1.5ms", "2s", "0" and the other units of time (ns, us, ms, s, m, min, h, d). False for anything else. */
bool spanring__sampling_duration(const char *text, uint64_t *ret_ns);

/* Is a trace kept whose id ends in these 64 bits? */
static inline bool sampling_keeps(const struct spanring__sampling *sampling, uint64_t trace_lo) {
	return trace_lo >> 1 < sampling->threshold;
}

#endif
