/* SPDX-License-Identifier: Apache-2.0 */
/* All instances and rings that the agent knows, with their limits. */
#ifndef SPANRING_AGENT_ROSTER_H
#define SPANRING_AGENT_ROSTER_H

#include "agent/report/totals.h"
#include "agent/users/users.h"
#include "producer.h"

#include <stddef.h>

/* Each ring costs a descriptor and a mapped page, each instance two descriptors and a table of ids. */
#define ROSTER_RINGS_MAX 16384u
#define ROSTER_PRODUCERS_MAX 8192u

struct roster {
	struct users users;
	struct producer **producers;
	uint32_t producer_count;
	struct feed **feeds; /* of all producers */
	uint32_t feed_count;
	bool has_new;                 /* an instance was added; taken back by whoever greets it */
	struct store_cursor *resumes; /* cursors of the store for instances that were there at the start, sorted */
	size_t resume_count;
	uint64_t rings_over_limit; /* not taken in because of the limits above */
	uint64_t producers_over_limit;
	uint64_t refused; /* names in the ring directory that are no instance or ring */
	struct totals totals;
};

int roster_init(struct roster *roster);
void roster_done(struct roster *roster);

struct producer *roster_find(const struct roster *roster, const char *name);
struct producer *roster_find_watch(const struct roster *roster, int watch);

/* ERR_LIMIT when full. The roster owns what was added. */
int roster_add_producer(struct roster *roster, struct producer *producer);
int roster_add_feed(struct roster *roster, struct producer *producer, struct feed *feed);
void roster_remove_producer(struct roster *roster, struct producer *producer);

/* Keep the cursors of instances whose directory is there now, below that of a known user. 0 or -ENOMEM. */
int roster_keep_resumes(struct roster *roster, const struct store_cursor *cursors, size_t count);
const struct store_cursor *roster_resume(const struct roster *roster, const uint8_t *instance, uint32_t ring_index);

#endif
