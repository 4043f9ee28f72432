/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "libshm/ring_stack.h"
#include "producer.h"

#include <string.h>

/* How far back to look for the record that names the thread, when the agent starts in the middle of a ring. */
#define THREAD_SEARCH_RECORDS 16384u
#define SEARCH_CHUNK_RECORDS 256u
/* The writer may be that far ahead of its head: a slot so close to being written again proves nothing. */
#define SEARCH_MARGIN_RECORDS 256u

static int resume(struct feed *feed, const struct store_cursor *stored) {
	uint64_t tail = feed->reader.tail;
	uint64_t cursor = stored ? stored->position : 0;
	if (stored) {
		feed->books = *stored;
		feed->handed = *stored;
	}
	if (cursor > tail && cursor - tail > feed->reader.capacity) {
		feed->taken = feed->stored = cursor;
		return ERR_DAMAGED; /* the store knows of records that this ring cannot have held */
	}
	if (tail > cursor) {
		/* Taken away by an agent whose store is not this one. */
		feed->books.lost_records += tail - cursor;
		feed->books.reason = ENODATA;
		cursor = tail;
	}
	feed->taken = feed->stored = cursor;
	if (stored && stored->state == STORE_RING_DIED) {
		feed->last = feed->books;
		feed->closed = true;
	}
	return cursor == tail ? 0 : ring_reader_tail_store(&feed->reader, cursor);
}

/* The newest THREAD record before `taken` whose slot the writer has not begun to use again. */
static void find_thread(struct feed *feed) {
	union spanring_record records[SEARCH_CHUNK_RECORDS];
	uint64_t head = feed->look.head;
	uint64_t written = head > feed->taken ? head : feed->taken;
	uint64_t oldest = written + SEARCH_MARGIN_RECORDS > feed->reader.capacity
	                      ? written + SEARCH_MARGIN_RECORDS - feed->reader.capacity
	                      : 0;
	if (feed->taken > THREAD_SEARCH_RECORDS && oldest < feed->taken - THREAD_SEARCH_RECORDS)
		oldest = feed->taken - THREAD_SEARCH_RECORDS;
	for (uint64_t end = feed->taken; end > oldest;) {
		uint32_t count = end - oldest < SEARCH_CHUNK_RECORDS ? (uint32_t)(end - oldest) : SEARCH_CHUNK_RECORDS;
		uint64_t from = end - count;
		if (ring_reader_read(&feed->reader, from, count, records) < 0)
			return;
		for (uint32_t i = count; i > 0; i--) {
			const struct spanring_thread_record *record = &records[i - 1].thread;
			uint64_t lap = (from + i - 1) / feed->reader.capacity;
			if (record->tail.type == SPANRING_RECORD_THREAD && record->tail.lap == spanring_lap_tag(lap)) {
				producer_thread_begins(feed->producer, feed, record);
				return;
			}
		}
		end = from;
	}
}

int feed_open(struct producer *producer, const char *name, uint32_t index, const struct store_cursor *stored,
              struct feed **ret_feed) {
	struct feed *feed = calloc(1, sizeof(*feed));
	if (!feed)
		return -ENOMEM;
	feed->producer = producer;
	struct ring_reader_expect expect = {.ring_index = index, .uid = producer->reader.uid};
	memcpy(expect.instance, producer->instance, sizeof(expect.instance));
	int rc = ring_reader_open(producer->directory_fd, name, &expect, &feed->reader);
	if (rc < 0) {
		free(feed);
		return rc;
	}
	memcpy(feed->books.instance, producer->instance, sizeof(feed->books.instance));
	feed->books.ring_index = index;
	feed->known = stored;
	rc = resume(feed, stored);
	memcpy(feed->books.instance, producer->instance, sizeof(feed->books.instance));
	feed->books.ring_index = index;
	if (rc < 0)
		feed_quarantine(feed, rc);
	else if (feed_look(feed) == 0 && feed->taken > 0) {
		feed->thread.tid = feed->look.tid;
		find_thread(feed);
	}
	*ret_feed = feed;
	return 0;
}

void feed_free(struct feed *feed) {
	if (!feed)
		return;
	ring_reader_close(&feed->reader);
	free(feed);
}

void feed_quarantine(struct feed *feed, int error) {
	if (feed->quarantine)
		return;
	feed->quarantine = error;
	feed->books.reason = (uint32_t)-error;
}

const char *feed_quarantine_word(int error) {
	switch (error) {
	case 0:
		return "none";
	case ERR_DAMAGED:
		return "damaged";
	case ERR_GONE:
	case -ENOENT:
		return "gone";
	case ERR_NEWER:
		return "newer";
	case ERR_FOREIGN:
		return "foreign";
	default:
		return "unreadable";
	}
}

/*
 * An attached context is counted as begun and open, and is neither. Of a living thread the stack is looked at only when the word
 * has moved since, and a number that could not be had is the last one: begun and open may then be off by the same.
 */
static int take_contexts_out(struct feed *feed) {
	struct ring_reader_look *look = &feed->look;
	bool living = feed->producer->phase == PRODUCER_LIVE;
	bool moved = look->begun != feed->contexts_begun || look->open != feed->contexts_open;
	int rc = 0;
	feed->contexts_begun = look->begun;
	feed->contexts_open = look->open;
	if (look->open == 0)
		feed->contexts = 0;
	else if (moved || !living)
		rc = ring_stack_contexts(&feed->reader, living, &feed->contexts);
	if (feed->contexts > look->open)
		feed->contexts = (uint32_t)look->open;
	look->begun -= feed->contexts;
	look->open -= feed->contexts;
	return rc == -EAGAIN ? 0 : rc;
}

int feed_look(struct feed *feed) {
	if (feed->quarantine)
		return feed->quarantine;
	int rc = ring_reader_look(&feed->reader, &feed->look);
	if (rc == 0)
		rc = take_contexts_out(feed);
	if (rc < 0)
		feed_quarantine(feed, rc);
	return rc;
}

uint32_t feed_ready(struct feed *feed) {
	uint64_t head;
	if (feed->quarantine || feed->closed)
		return 0;
	int rc = ring_reader_head(&feed->reader, &head, &feed->look.flush_wanted);
	if (rc < 0) {
		feed_quarantine(feed, rc);
		return 0;
	}
	feed->look.head = head;
	/* head - stored <= capacity was checked, and stored <= taken. */
	return head > feed->taken ? (uint32_t)(head - feed->taken) : 0;
}

bool feed_flush_wanted(const struct feed *feed) {
	uint64_t wanted = feed->look.flush_wanted;
	return !feed->quarantine && wanted > feed->stored && wanted <= feed->taken;
}

static uint64_t spans_seen(const struct feed *feed) {
	return feed->books.stored_spans + feed->books.rejected_spans + feed->books.thinned_spans;
}

bool feed_hides_records(const struct feed *feed) {
	const struct ring_reader_look *look = &feed->look;
	return look->begun - look->open > look->dropped_full + look->dropped_depth + look->sampled_out +
	                                      look->sampled_out_short + spans_seen(feed);
}

uint32_t feed_room_behind(const struct feed *feed) {
	uint64_t used = feed->taken - feed->stored;
	return used < feed->reader.capacity ? (uint32_t)(feed->reader.capacity - used) : 0;
}

static uint64_t spans_found(const struct store_cursor *row) {
	return row->stored_spans + row->rejected_spans + row->dropped_full + row->dropped_depth + row->sampled_out +
	       row->sampled_out_short;
}

/*
 * The last books of a ring whose process is gone. A thread killed between "record written (or counted as left out)" and "word
 * stored" has ended one span more than its word says: the one on top of its stack; or, where none is open, one begun
 * and dropped in the same call; or, if it was at work on one, an async span, which the word counts when it ends. And a SPAN record that was written over is rejected as a record of some kind; that it
 * was a span shows only here.
 */
static void settle(struct store_cursor *row, uint32_t contexts, bool ended_async) {
	uint64_t ended = row->begun - row->open;
	uint64_t found = spans_found(row);
	if (row->lost_records != 0)
		return;
	if (found < ended && ended - found <= row->rejected_other) {
		row->rejected_other -= ended - found;
		row->rejected_spans += ended - found;
		return;
	}
	if (found != ended + 1)
		return;
	if (ended_async || row->open + contexts == SPANRING_DEPTH_MAX || row->open == 0)
		row->begun++;
	else
		row->open--;
}

/* The books of a ring in quarantine are from before it broke: begun is at least what was found of it. */
static void settle_quarantined(struct store_cursor *row) {
	uint64_t found = spans_found(row);
	if (row->begun - row->open < found)
		row->begun = found + row->open;
}

static uint32_t ring_state(const struct feed *feed, bool ended) {
	if (feed->quarantine)
		return STORE_RING_QUARANTINED;
	switch (ring_reader_life(&feed->look)) {
	case RING_READER_RETIRED: /* what is not taken yet is still in the ring */
		return feed->taken < feed->look.head ? STORE_RING_LIVE : STORE_RING_RETIRED;
	default: /* also of a thread that died in a living process: the last word comes when that is gone */
		return ended ? STORE_RING_DIED : STORE_RING_LIVE;
	}
}

void feed_cursor(const struct feed *feed, bool ended, struct store_cursor *ret_cursor) {
	struct store_cursor row = feed->books;
	const struct ring_reader_look *look = &feed->look;
	if (feed->closed) {
		*ret_cursor = feed->last;
		return;
	}
	row.position = feed->taken;
	row.state = ring_state(feed, ended);
	row.begun = look->begun;
	row.open = look->open;
	row.dropped_full = look->dropped_full;
	row.dropped_depth = look->dropped_depth;
	row.dropped_attributes = look->dropped_attributes;
	row.dropped_events = look->dropped_events;
	row.sampled_out = look->sampled_out + row.thinned_spans;
	row.sampled_out_short = look->sampled_out_short;
	if (feed->quarantine)
		settle_quarantined(&row);
	else if (ended)
		settle(&row, feed->contexts, feed->ended_async);
	*ret_cursor = row;
}

void feed_stored(struct feed *feed, uint64_t position) {
	feed->stored = position;
	if (feed->quarantine)
		return;
	int rc = ring_reader_tail_store(&feed->reader, position);
	if (rc < 0)
		feed_quarantine(feed, rc);
}
