/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stores of two runs of one program, with what is different planted, for the tests of compare, why, baseline and check. Each request is a trace:
 *
 *     GET /cart    own time, then one after the other, without a pause:
 *       auth
 *       db.query
 *       render
 *
 * Durations are lognormal. A request has the attributes shard ("a", "b", "c"), region ("eu", "us", which changes nothing) and user (all different).
 */
#ifndef SPANRING_TESTS_RUN_STORE_H
#define SPANRING_TESTS_RUN_STORE_H

#include <stdbool.h>
#include <stdint.h>

enum run_name { RUN_CART, RUN_AUTH, RUN_DB, RUN_RENDER, RUN_NAMES };
extern const char *const run_names[RUN_NAMES];

#define RUN_REQUESTS_MAX 20000u
#define RUN_GAP_NS UINT64_C(10000000) /* from request to request */

struct run_plan {
	uint64_t seed;
	uint32_t requests;         /* 0: 2500, which are 10,000 spans */
	double factors[RUN_NAMES]; /* of durations, of RUN_CART of its own time; 0: 1 */
	double shard_factor;       /* of the own time of requests to shard c; 0: 1 */
	double shard_share;        /* of requests to shard c; 0: 0.2 */
	double errors;             /* share of db.query that fail */
	bool rollups;              /* statistics of all, in steps of time */
	const char *extra;         /* one span of this name more */
};

struct run_truth {
	uint32_t requests;
	uint64_t durations[RUN_NAMES][RUN_REQUESTS_MAX]; /* sorted */
	uint64_t totals[RUN_NAMES];
	uint32_t errors;
};

/* Fails the test if it cannot be made. truth may be NULL. */
void run_store_make(const char *directory, const struct run_plan *plan, struct run_truth *ret_truth);

#endif
