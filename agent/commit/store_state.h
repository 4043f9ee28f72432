/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the store is, as the loop thread sees it, and what is said of it: one line each time the state changes, none for a try that
 * changes nothing.
 *
 *     ok        commits succeed
 *     failing   they do not, and are tried again soon
 *     open      they failed too often: left alone but for probes (breaker.h)
 *     stalled   a commit or probe is under way for longer than stall-after: the file system hangs
 *
 * Records are never given up for it. They stay in the rings of their programs, which count what finds no room there (dropped_full); two
 * jobs in memory are all that waits here.
 */
#ifndef SPANRING_AGENT_STORE_STATE_H
#define SPANRING_AGENT_STORE_STATE_H

#include "agent/settings/config.h"
#include "base/json.h"
#include "base/log.h"
#include "breaker.h"
#include "flush.h"

#include <stdbool.h>
#include <stdint.h>

struct store_state {
	const struct config *config;
	const struct log *log;
	struct breaker breaker;
	bool is_stalled;
	int error;                   /* of the last try; 0: the store works */
	char text[FLUSH_TEXT_BYTES]; /* the same, in words */
	uint64_t probes_failed;      /* these since the agent began */
	uint64_t times_open;
	uint64_t times_stalled;
};

/* "ok", "failing", "open" or "stalled", as of the last look. */
const char *store_state_name(const struct store_state *state);

void store_state_init(struct store_state *state, const struct config *config, const struct log *log);

/* The result of a try. */
void store_state_failed(struct store_state *state, uint64_t now_ns, const struct flush_result *result);
void store_state_worked(struct store_state *state, uint64_t now_ns);

/* Look whether the store thread hangs. */
void store_state_look(struct store_state *state, uint64_t now_ns, const struct flush *flush);
/* When to look; UINT64_MAX: nothing is under way, or it is known to hang. */
uint64_t store_state_look_at_ns(const struct store_state *state, const struct flush *flush);

/* All words for a state, in the order of this file's head; ends in NULL. */
extern const char *const store_state_words[];
const char *store_state_word(const struct store_state *state, uint64_t now_ns, const struct flush *flush);
/* For how long it has not been ok; 0: it is. */
uint64_t store_state_trouble_ns(const struct store_state *state, uint64_t now_ns, const struct flush *flush);

/* For the status. */
void store_state_write(const struct store_state *state, uint64_t now_ns, const struct flush *flush, struct json *json);

#endif
