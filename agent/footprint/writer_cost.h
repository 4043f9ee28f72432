/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a span costs a program on this machine, measured once by the agent before it does anything else.
 *
 * The writer library runs here as it does in a program, on a ring of its own below /dev/shm, in a child process: nothing of it stays in the agent,
 * and whatever goes wrong there ends in "not measured". Traced programs are not asked, so none of them is slowed down
 * (docs/decisions/0025).
 *
 *     warm    a ring is written once around, so that its pages are there; then WRITER_COST_ROUNDS rounds of WRITER_COST_SPANS spans in a loop.
 *             Between rounds the ring is emptied, so nothing is dropped.
 *     cold    one span, timed by itself less what the timing takes, after WRITER_COST_COLD_BYTES of other memory were written. That puts the
 *             writer's data out of the near caches, and is what a program pays that does much between its spans.
 */
#ifndef SPANRING_AGENT_WRITER_COST_H
#define SPANRING_AGENT_WRITER_COST_H

#include "libstore/writer_cost.h"

#define WRITER_COST_ROUNDS 64u
#define WRITER_COST_SPANS 256u
#define WRITER_COST_VALUES 64u /* attributes and events of one span */
#define WRITER_COST_COLD_BYTES (2u << 20)
#define WRITER_COST_TIMEOUT_MS 2000

/* A round of 0 where it cannot be had. About 10 ms; call while the process has one thread. */
void writer_cost_measure(struct store_writer_cost *ret_cost);

#endif
