/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was decided about traces, for those of their spans that come later, and since when others are waited for.
 *
 * A table of fixed size: a trace has TAIL_KNOWN_WAYS places, and takes the one that is needed least, that of an ordinary trace before that of a
 * kept one, the oldest of them first. A place of a trace that is waited for is not given away before its time is up, so
 * nobody can make the agent wait for ever by filling the table; a trace that finds no place is not waited for. The hash is seeded: programs choose
 * the ids.
 */
#ifndef SPANRING_AGENT_TAIL_KNOWN_H
#define SPANRING_AGENT_TAIL_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAIL_KNOWN_WAYS 8u

enum tail_state {
	TAIL_UNKNOWN,
	TAIL_WAITING,  /* undecided */
	TAIL_ORDINARY, /* decided: kept if its hash says so */
	TAIL_KEPT      /* decided: kept */
};

struct tail_known_entry {
	uint64_t trace_lo;
	uint64_t since_ns; /* state in the two low bits */
};

struct tail_known {
	struct tail_known_entry *entries;
	uint64_t mask; /* of sets */
	uint64_t seed[2];
};

/* At most so many bytes, at least one set. 0 or -ENOMEM. */
int tail_known_init(struct tail_known *known, size_t bytes);
void tail_known_done(struct tail_known *known);

/* Since when it is in its state goes to *ret_since_ns. */
enum tail_state tail_known_find(const struct tail_known *known, uint64_t trace_lo, uint64_t *ret_since_ns);

/*
 * Remember, as of now; one that waits already keeps its time. False: no place. Places of traces waiting for longer than wait_ns are free.
 */
bool tail_known_put(struct tail_known *known, uint64_t trace_lo, enum tail_state state, uint64_t now_ns,
                    uint64_t wait_ns);

#endif
