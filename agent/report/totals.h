/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters that never go down while the agent lives, by service, although programs come and go: what a program counted is
 * added to `past` when it leaves the roster. What an earlier agent's store already knew is left out, so that nothing is
 * counted twice across a restart.
 *
 * The first TOTALS_SERVICES_MAX names of services that come get a row of their own, for as long as the agent lives; all later
 * ones share one, TOTALS_OTHER: programs that make up names cannot make an answer grow.
 */
#ifndef SPANRING_AGENT_TOTALS_H
#define SPANRING_AGENT_TOTALS_H

#include "tally.h"

#define TOTALS_SERVICES_MAX 31u
#define TOTALS_OTHER "other"
#define TOTALS_NAME_BYTES 512u

struct totals_service {
	char name[TOTALS_NAME_BYTES]; /* valid UTF-8, no controls */
	uint64_t programs_seen;
	struct tally past;
};

struct totals {
	uint32_t service_count; /* with a name of their own */
	struct totals_service services[TOTALS_SERVICES_MAX];
	struct totals_service other;
};

struct producer;
struct roster;

/* Row of a service, made if there is room; TOTALS_SERVICES_MAX: the shared one. */
uint32_t totals_row(struct totals *totals, const char *service);
const struct totals_service *totals_at(const struct totals *totals, uint32_t row);

/* A program comes into the roster; its rings were taken in, so it is seen what of its books is not new; it goes. */
void totals_enter(struct totals *totals, struct producer *producer);
void totals_greet(struct producer *producer);
void totals_leave(struct totals *totals, const struct producer *producer);

/* Past and present of all rows, TOTALS_SERVICES_MAX + 1 of them, as last looked at. Nothing that is of a moment only. */
void totals_sum(const struct totals *totals, const struct roster *roster, struct tally *ret_rows);

#endif
