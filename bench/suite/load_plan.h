/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a load run does, and what it found.
 *
 * OPEN LOOP (the rule): request k is meant to start k / rate seconds after the start, whatever became of the ones before; users take them in
 * turns. Its latency counts from that moment, so a stall shows in all requests that it delayed, not only in the one that met it.
 * CLOSED LOOP (--think-time): a user begins the next request when the last one has ended and the time to think is over; latency counts from there.
 *
 * RAMP-UP: user i joins after i / users of it; the open rate grows with them.
 */
#ifndef SPANRING_BENCH_LOAD_PLAN_H
#define SPANRING_BENCH_LOAD_PLAN_H

#include "bench/harness/samples.h"

#include <pthread.h>
#include <spanring/spanring.h>
#include <stdbool.h>
#include <stdint.h>

#define LOAD_MIX_MAX 16u
#define LOAD_NAME_BYTES 40u
#define LOAD_USERS_MAX 512u
#define LOAD_ERRORS_SHOWN 10u

/* One kind of request. */
struct load_request {
	char name[LOAD_NAME_BYTES];
	uint64_t weight;
	uint64_t work_ns; /* what it computes for so long */
	struct spanring_site site;
};

struct load_plan {
	uint64_t users;
	uint64_t duration_ns;
	uint64_t ramp_up_ns;
	uint64_t rate; /* requests per second, all users together */
	bool closed;
	uint64_t think_ns;
	struct load_request mix[LOAD_MIX_MAX];
	uint32_t mix_count;
	uint64_t weight; /* of all */
};

struct load_error {
	uint64_t user;
	uint64_t at_ns; /* since the start */
	uint32_t request;
};

/* In memory that the measuring process shares with who watches it. */
struct load_figures {
	pthread_mutex_t lock;
	uint64_t started_ns;
	uint64_t ended_ns;
	uint64_t done;
	uint64_t errors;
	uint64_t late; /* open loop: began more than a millisecond after they were meant to */
	uint64_t dropped;
	uint64_t by_request[LOAD_MIX_MAX];
	uint32_t error_count;
	struct load_error first[LOAD_ERRORS_SHOWN];
	uint64_t seen;          /* latencies; each has the same chance to be among the samples */
	struct samples latency; /* ns */
	double recent[1024];    /* the last ones, for the progress line */
	uint32_t recent_count;
};

/* "read:3:200us,write:1": names, weights, work (100 us unless told). 0 or -EINVAL. */
int load_plan_mix(const char *text, struct load_plan *plan);

#endif
