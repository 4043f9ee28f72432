/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order of durability, in one place.
 *
 *     rows in the open job ─> handover_send: books and cursors of all rings join them
 *          ─> one transaction on the store thread
 *          ─> handover_receive: only now the tails move, and what ended is cleared away
 *
 * A row never goes without the cursor that covers it, a tail never moves before its cursor is committed. So whatever is
 * killed, whenever, a restart from the committed cursors finds every record exactly once. A commit that fails keeps its
 * job: tails stay, rings fill, programs count what they drop, and the job is given again when the breaker says so
 * (breaker.h).
 */
#ifndef SPANRING_AGENT_HANDOVER_H
#define SPANRING_AGENT_HANDOVER_H

#include "agent/agent.h"

/* The store thread could take a job now. */
bool handover_possible(const struct agent *agent);

/* Give the open job away, if there is anything in it, and begin another. */
void handover_send(struct agent *agent);

/* A job is done, or failed. */
void handover_receive(struct agent *agent);

/* Give a failed job again if its time has come, or at once. */
void handover_retry(struct agent *agent, bool at_once);

#endif
