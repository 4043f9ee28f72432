/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merges the small batches of sealed segments (libstore/merge.h), on a thread of its own that runs only when nobody else wants the core, and
 * no more than a share of one: after each step it pauses so long that its CPU time stays within the budget. No commit and no drain waits for it.
 */
#ifndef SPANRING_AGENT_MERGER_H
#define SPANRING_AGENT_MERGER_H

#include "base/json.h"
#include "base/log.h"
#include "libstore/writer.h"
#include "retention.h"

#include <stdbool.h>
#include <stdint.h>

#define MERGER_BUDGET_ALL 100u

struct merger_options {
	uint64_t
	    budget_percent; /* of one core; 0: never; MERGER_BUDGET_ALL: without a pause, and what is left at the end */
	uint64_t memory_cap_bytes;
	struct retention_limits retain; /* the room that it leaves */
};

struct merger_figures {
	uint64_t segments; /* merged */
	uint64_t batches_before;
	uint64_t batches_after;
	uint64_t bytes_saved;
	uint64_t failures;
	uint64_t cpu_ns;
	uint64_t paused_ns; /* that it was to pause for its budget */
};

struct merger;

/* Starts the thread. The directory must stay valid. *ret_merger is NULL without a budget. 0 or negative errno. */
int merger_open(struct store_writer *writer, const char *directory, const struct merger_options *options,
                struct merger **ret_merger);

/* From here on NULL is fine. */

void merger_set_limits(struct merger *merger, const struct retention_limits *retain);

/* Segments below this sequence are done with; 0: nothing new. */
void merger_allow(struct merger *merger, uint64_t below_sequence);

void merger_figures(struct merger *merger, struct merger_figures *ret_figures);
/* The same for the status. */
void merger_write(struct merger *merger, struct json *json);

/* What there is to say since the last time, one line at the most. */
void merger_tell(struct merger *merger, const struct log *log);

/* Merge what is left of what is allowed, for some seconds at the most. */
void merger_finish(struct merger *merger);

/* A merge under way is given up; its segment stays as it was. */
void merger_close(struct merger *merger);

/* How long to pause after so much work. */
uint64_t merger_pause_ns(uint64_t cpu_ns, uint64_t budget_percent);

#endif
