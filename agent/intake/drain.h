/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From raw records to rows of the open batch. Every record is in private memory by now; it is judged here, field by
 * field:
 *
 *     lap tag wrong, type unknown        rejected: spans as such, everything else as "other"
 *     SPAN                               id, trace, site, kind and status must make sense, else rejected
 *     ATTRIBUTE + its CONTINUATIONs      one group, one row; cut off by the end of the copy, it waits for the rest
 *     EVENT                              name and number must make sense, else rejected
 *     LINK                               must name a span and a trace, else rejected
 *     THREAD                             no row: names the thread of what follows
 *
 * Nothing is skipped without being counted: records taken = rows + rejected + THREADs (a group counts once).
 */
#ifndef SPANRING_AGENT_DRAIN_H
#define SPANRING_AGENT_DRAIN_H

#include "feed.h"
#include "producer.h"

enum drain_end {
	DRAIN_DONE, /* all of them */
	DRAIN_WAIT, /* what is left is the beginning of a group */
	DRAIN_FULL  /* the batch, the catalog or the memory has no room for the next one */
};

/* The longest group: an attribute and all its continuations. A reader that copies at least this much always gets on. */
#define DRAIN_GROUP_RECORDS_MAX                                                                                        \
	(1u + (SPANRING_STRING_VALUE_MAX - SPANRING_ATTRIBUTE_INLINE_BYTES + SPANRING_CONTINUATION_BYTES - 1u) /       \
	          SPANRING_CONTINUATION_BYTES)

/*
 * Take records [feed->taken, feed->taken + count) from their copies. Moves feed->taken and counts in its books. last:
 * nothing will ever follow, so a group that is cut off is rejected instead of waited for.
 */
enum drain_end drain_records(struct feed *feed, struct producer_sink *sink, const union spanring_record *records,
                             uint32_t count, bool last);

#endif
