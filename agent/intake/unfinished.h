/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a process that died had begun: the open spans of its rings become rows, flagged STORE_SPAN_OPEN. They are no
 * part of `stored`: the books go on calling them open.
 *
 * EXACTLY ONCE. The rows of a ring join the job that takes its last cursor, the one with state DIED; no other cursor
 * has that state. So a store that knows the ring as DIED has its open spans, too: an agent that finds such a cursor at
 * its start takes the ring for closed, and gives that very cursor again whenever one is asked for.
 *
 * How long a span was open: until the death was found out, which is at most about a second after the death for an
 * agent that was there, and the start of the agent for one that came later; never less than until the end of the last
 * finished span of the process.
 */
#ifndef SPANRING_AGENT_UNFINISHED_H
#define SPANRING_AGENT_UNFINISHED_H

#include "producer.h"

/*
 * The row of a span that was open when its process ended, but for its thread. 0, ERR_FULL (not now), or what is wrong with the
 * entry.
 */
int unfinished_row(struct producer *producer, struct producer_sink *sink, const struct spanring_open_span *span,
                   struct store_span *ret_row);

/*
 * Close a ring from which all is taken, of a process that is gone: settle its last cursor, add the rows. A process that
 * said goodbye has none, nor does a ring in quarantine. Adds the number of rows to *rows. 0 (also when it is closed
 * already), or ERR_FULL: the batch or the catalog has no room, close it with the next job.
 */
int unfinished_close(struct feed *feed, struct producer_sink *sink, uint64_t *rows);

#endif
