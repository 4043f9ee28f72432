/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to try a store again that failed. A state machine without clock, files or messages.
 *
 *          failed                   failed `failures_max` times in a row
 *     OK ─────────> FAILING ──────────────────────────────────────────────> OPEN
 *      ^               │ a commit after a pause that doubles,                 │ a probe each BREAKER_PROBE_NS,
 *      │               │ from BREAKER_RETRY_NS_MIN to _MAX                    │ a commit once one succeeds,
 *      └── worked ─────┴──────────────────────────────────────────────────────┘ or when `pause_ns` is over
 *
 * A commit that fails costs what one that works costs, and loads a disk that is in trouble, so an open breaker leaves the store alone and
 * asks for a small probe instead (store_probe.h). The commit after a good probe is the half-open one: it closes the breaker, or the next probe
 * comes after BREAKER_REST_NS. So a store is back within five seconds of working again, however long the pause is, as long as a
 * probe can tell; the pause is for what it cannot.
 */
#ifndef SPANRING_AGENT_BREAKER_H
#define SPANRING_AGENT_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_RETRY_NS_MIN UINT64_C(100000000)
#define BREAKER_RETRY_NS_MAX UINT64_C(2000000000)
#define BREAKER_PROBE_NS UINT64_C(2000000000)
#define BREAKER_REST_NS UINT64_C(4000000000) /* after a probe that succeeded and a commit that did not */

enum breaker_state { BREAKER_OK, BREAKER_FAILING, BREAKER_OPEN };

enum breaker_try {
	BREAKER_WAIT,
	BREAKER_COMMIT,
	BREAKER_PROBE /* and a commit at once if it succeeds */
};

struct breaker {
	uint32_t failures_max;
	uint64_t pause_ns;
	enum breaker_state state;
	uint32_t failures;     /* commits in a row */
	uint64_t failing_ns;   /* when the first of them failed; 0: none did */
	uint64_t retry_ns;     /* the last pause while FAILING */
	uint64_t try_at_ns;    /* FAILING: commit; OPEN: probe */
	uint64_t commit_at_ns; /* OPEN: without a probe */
};

void breaker_init(struct breaker *breaker, uint32_t failures_max, uint64_t pause_ns);

/* Other limits from now on. */
void breaker_configure(struct breaker *breaker, uint32_t failures_max, uint64_t pause_ns, uint64_t now_ns);

/* What is due. Nothing is while the store works: no commit waits to be given again. */
enum breaker_try breaker_due(const struct breaker *breaker, uint64_t now_ns);
/* When something will be; UINT64_MAX while the store works. */
uint64_t breaker_at_ns(const struct breaker *breaker);

/* A commit failed, or (with is_probe) the probe before it, so that it was not tried. True: the state has changed. */
bool breaker_failed(struct breaker *breaker, uint64_t now_ns, bool is_probe);
/* A commit succeeded. True: the state has changed. */
bool breaker_worked(struct breaker *breaker);

#endif
