/* SPDX-License-Identifier: Apache-2.0 */
#include "unfinished.h"

#include "base/errs.h"
#include "libshm/ring_stack.h"

struct rows {
	uint32_t count;
	struct store_span spans[SPANRING_DEPTH_MAX];
};

static uint64_t death_ns(const struct producer *producer) {
	return producer->gone_ns > producer->last_end_ns ? producer->gone_ns : producer->last_end_ns;
}

int unfinished_row(struct producer *producer, struct producer_sink *sink, const struct spanring_open_span *span,
                   struct store_span *row) {
	*row = (struct store_span){.trace_hi = span->trace_hi,
	                           .trace_lo = span->trace_lo,
	                           .span_id = span->span_id,
	                           .parent_id = span->parent_id,
	                           .start_ns = producer_ns(producer, sink, span->start_ticks),
	                           .kind = span->tail.bits & SPANRING_BITS_KIND_MASK,
	                           .status = (uint8_t)(span->tail.bits >> SPANRING_BITS_STATUS_SHIFT) &
	                                     SPANRING_BITS_STATUS_MASK,
	                           .flags = STORE_SPAN_OPEN};
	if (span->tail.bits & SPANRING_BITS_REMOTE_PARENT)
		row->flags |= STORE_SPAN_REMOTE_PARENT;
	uint64_t end_ns = death_ns(producer);
	if (end_ns >= row->start_ns)
		row->duration_ns = end_ns - row->start_ns;
	else
		sink->clamped++;
	int rc = producer_site_id(producer, sink, span->tail.ref, &row->site);
	return rc == -ENOMEM ? ERR_FULL : rc;
}

/* ERR_FULL: not now; any other failure is the entry's own. */
static int make_row(struct feed *feed, struct producer_sink *sink, const struct spanring_open_span *span,
                    struct store_span *row) {
	int rc = unfinished_row(feed->producer, sink, span, row);
	if (rc == 0)
		rc = producer_thread_id(feed->producer, sink, feed, &row->thread);
	return rc == -ENOMEM ? ERR_FULL : rc;
}

/* The rows of one ring, all of them or none; of the `open` outermost entries of its stack. */
static int make_rows(struct feed *feed, struct producer_sink *sink, uint64_t open, struct rows *ret_rows) {
	struct ring_stack stack;
	int rc = ring_stack_read(&feed->reader, false, feed->taken, &stack);
	if (rc < 0) {
		feed_quarantine(feed, rc);
		return 0;
	}
	for (uint32_t i = 0; i < stack.count && stack.places[i] < open; i++) {
		rc = make_row(feed, sink, &stack.spans[i], &ret_rows->spans[ret_rows->count]);
		if (rc == ERR_FULL)
			return rc;
		ret_rows->count += rc == 0;
	}
	return batch_has_room(sink->batch, ret_rows->count, 0, 0, 0) ? 0 : ERR_FULL;
}

int unfinished_close(struct feed *feed, struct producer_sink *sink, uint64_t *rows) {
	struct store_cursor last;
	struct rows made = {.count = 0};
	if (feed->closed)
		return 0;
	feed_cursor(feed, true, &last);
	/* Rows go with a cursor that says DIED, or not at all: a ring that calls itself retired has none. */
	if (last.state == STORE_RING_DIED && !feed->producer->exited && last.open > 0) {
		int rc = make_rows(feed, sink, last.open + feed->contexts, &made);
		if (rc < 0)
			return rc;
		if (feed->quarantine)
			feed_cursor(feed, true, &last);
	}
	for (uint32_t i = 0; i < made.count; i++)
		batch_add_span(sink->batch, &made.spans[i]);
	*rows += made.count;
	feed->last = last;
	feed->closed = true;
	return 0;
}
