/* SPDX-License-Identifier: Apache-2.0 */
#include "async.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "unfinished.h"

#include <string.h>

#define CHUNK_SLOTS 256u

static uint32_t slots_of_group(const struct async_spans *async, uint32_t group) {
	uint32_t first = group * ASYNC_GROUP_SLOTS;
	uint32_t left = async->reader.slot_count > first ? async->reader.slot_count - first : 0;
	return left < ASYNC_GROUP_SLOTS ? left : ASYNC_GROUP_SLOTS;
}

static void quarantine(struct async_spans *async, int error) {
	if (async->quarantine)
		return;
	async->quarantine = error;
	for (uint32_t i = 0; i < async->group_count; i++)
		if (!async->groups[i].closed) {
			async->groups[i].books.state = STORE_RING_QUARANTINED;
			async->groups[i].books.reason = (uint32_t)-error;
		}
}

int async_open(struct producer *producer, const struct roster *roster) {
	if (producer->async || producer->async_refused)
		return 0;
	struct async_spans *async = calloc(1, sizeof(*async));
	if (!async)
		return -ENOMEM;
	int rc = async_reader_open(producer->directory_fd, producer->instance, producer->reader.uid, &async->reader);
	if (rc < 0) {
		free(async);
		return rc == -ENOENT ? 0 : rc;
	}
	for (uint32_t i = 0; i < ASYNC_GROUPS; i++) {
		struct async_group *group = &async->groups[i];
		uint32_t index = STORE_RING_ASYNC + i;
		const struct store_cursor *stored = roster_resume(roster, producer->instance, index);
		if (stored) {
			group->books = group->handed = *stored;
			group->closed = stored->state == STORE_RING_DIED;
			async->group_count = i + 1;
		}
		memcpy(group->books.instance, producer->instance, sizeof(group->books.instance));
		group->books.ring_index = index;
		if (!group->closed)
			group->books.state = STORE_RING_LIVE;
	}
	producer->async = async;
	return 0;
}

void async_free(struct async_spans *async) {
	if (!async)
		return;
	async_reader_close(&async->reader);
	free(async);
}

void async_look(struct producer *producer, uint64_t now_ns) {
	struct async_spans *async = producer->async;
	if (!async || async->quarantine || now_ns < async->look_at_ns)
		return;
	async->look_at_ns = now_ns + ASYNC_LOOK_NS;
	int rc = async_reader_renew(&async->reader);
	uint32_t groups = (async->reader.slot_count + ASYNC_GROUP_SLOTS - 1) / ASYNC_GROUP_SLOTS;
	if (groups > async->group_count)
		async->group_count = groups;
	async->open = 0;
	for (uint32_t i = 0; rc == 0 && i < async->group_count; i++) {
		struct async_group *group = &async->groups[i];
		uint32_t open = 0;
		if (group->closed)
			continue;
		rc = async_reader_count(&async->reader, i * ASYNC_GROUP_SLOTS, slots_of_group(async, i), &open);
		if (rc == 0)
			group->books.begun = group->books.open = open;
		async->open += group->books.open;
	}
	if (rc < 0)
		quarantine(async, rc);
}

/* --- what was cut off while it ended ------------------------------------------------------------------------------ */

static struct feed *find_feed(const struct producer *producer, uint32_t ring_index) {
	for (uint32_t i = 0; i < producer->feed_count; i++)
		if (producer->feeds[i]->books.ring_index == ring_index)
			return producer->feeds[i];
	return NULL;
}

static bool has_record(const struct feed *feed, const struct spanring_async_slot *slot) {
	union spanring_record record;
	if (feed->quarantine)
		return slot->end_count < feed->taken;
	return ring_reader_read(&feed->reader, slot->end_count, 1, &record) == 0 &&
	       ring_reader_valid(&feed->reader, slot->end_count, 1, &record) == 1 &&
	       record.span.tail.type == SPANRING_RECORD_SPAN && record.span.span_id == slot->span.span_id;
}

/* Had this span ended? Then *ret_feed is the ring that has it. */
static bool has_ended(const struct producer *producer, const struct spanring_async_slot *slot, struct feed **ret_feed) {
	struct feed *feed = find_feed(producer, slot->end_ring);
	*ret_feed = feed;
	if (!feed)
		return false;
	switch (slot->state) {
	case SPANRING_ASYNC_ENDING_RECORD:
		return has_record(feed, slot);
	case SPANRING_ASYNC_ENDING_FULL:
		return feed->look.dropped_full >= slot->end_count;
	case SPANRING_ASYNC_ENDING_SAMPLED:
		return feed->look.sampled_out >= slot->end_count;
	case SPANRING_ASYNC_ENDING_SHORT:
		return feed->look.sampled_out_short >= slot->end_count;
	default:
		return false;
	}
}

void async_settle(struct producer *producer) {
	struct async_spans *async = producer->async;
	if (!async || async->quarantine)
		return;
	async->look_at_ns = 0;
	async_look(producer, 0);
	for (uint32_t first = 0; !async->quarantine && first < async->reader.slot_count; first += CHUNK_SLOTS) {
		struct spanring_async_slot slots[CHUNK_SLOTS];
		uint32_t left = async->reader.slot_count - first;
		uint32_t count = left < CHUNK_SLOTS ? left : CHUNK_SLOTS;
		struct feed *feed;
		int rc = async_reader_copy(&async->reader, first, count, slots);
		if (rc < 0)
			quarantine(async, rc);
		for (uint32_t i = 0; rc == 0 && i < count; i++)
			if (slots[i].state != SPANRING_ASYNC_FREE && slots[i].state != SPANRING_ASYNC_OPEN &&
			    has_ended(producer, &slots[i], &feed))
				feed->ended_async = true;
	}
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

struct rows {
	uint32_t count;
	uint32_t open; /* also those that there is no row of */
	struct store_span spans[ASYNC_GROUP_SLOTS];
};

/* Its thread is that which began it; with the ring index of its books. */
static int make_row(struct producer *producer, struct producer_sink *sink, uint32_t ring_index,
                    const struct spanring_async_slot *slot, struct store_span *row) {
	uint32_t id = 0;
	int rc = unfinished_row(producer, sink, &slot->span, row);
	struct store_thread thread = {.ring_index = ring_index, .tid = slot->begin_tid};
	if (rc == 0)
		rc = producer_process_id(producer, sink, &thread.process);
	if (rc == 0)
		rc = catalog_thread(sink->catalog, &thread, &id);
	if (rc == ERR_FULL)
		sink->catalog_full = true;
	row->thread = id;
	return rc == -ENOMEM ? ERR_FULL : rc;
}

static int take_slots(struct producer *producer, struct producer_sink *sink, uint32_t ring_index,
                      const struct spanring_async_slot *slots, uint32_t count, struct rows *rows) {
	struct feed *feed;
	for (uint32_t i = 0; i < count; i++) {
		const struct spanring_async_slot *slot = &slots[i];
		if (slot->state == SPANRING_ASYNC_FREE || has_ended(producer, slot, &feed))
			continue;
		rows->open++;
		if (!async_reader_is_sound(&slot->span))
			continue;
		int rc = make_row(producer, sink, ring_index, slot, &rows->spans[rows->count]);
		if (rc == ERR_FULL)
			return rc;
		rows->count += rc == 0;
	}
	return 0;
}

/* All rows of a group, or none of them. */
static int make_rows(struct producer *producer, struct producer_sink *sink, uint32_t group, struct rows *rows) {
	struct async_spans *async = producer->async;
	uint32_t first = group * ASYNC_GROUP_SLOTS;
	uint32_t end = first + slots_of_group(async, group);
	for (uint32_t at = first; at < end; at += CHUNK_SLOTS) {
		struct spanring_async_slot slots[CHUNK_SLOTS];
		uint32_t count = end - at < CHUNK_SLOTS ? end - at : CHUNK_SLOTS;
		int rc = async_reader_copy(&async->reader, at, count, slots);
		if (rc < 0) {
			quarantine(async, rc);
			return 0;
		}
		rc = take_slots(producer, sink, STORE_RING_ASYNC + group, slots, count, rows);
		if (rc < 0)
			return rc;
	}
	return batch_has_room(sink->batch, rows->count, 0, 0, 0) ? 0 : ERR_FULL;
}

/* Settle the last cursor of a group, add its rows. */
static int close_group(struct producer *producer, struct producer_sink *sink, struct flush_job *job, uint32_t index) {
	struct async_spans *async = producer->async;
	struct async_group *group = &async->groups[index];
	if (group->closed || async->quarantine)
		return 0;
	CLEANUP_FREE struct rows *rows = calloc(1, sizeof(*rows));
	if (!rows)
		return ERR_FULL;
	int rc = make_rows(producer, sink, index, rows);
	if (rc < 0 || async->quarantine)
		return rc;
	for (uint32_t i = 0; i < rows->count; i++)
		batch_add_span(sink->batch, &rows->spans[i]);
	job->unfinished_spans += rows->count;
	group->books.begun = group->books.open = rows->open;
	group->books.state = STORE_RING_DIED;
	group->closed = true;
	return 0;
}

int async_add(struct producer *producer, struct producer_sink *sink, struct flush_job *job, bool ended,
              bool carry_all) {
	struct async_spans *async = producer->async;
	int result = 0;
	for (uint32_t i = 0; async && i < async->group_count; i++) {
		struct async_group *group = &async->groups[i];
		int closed = ended ? close_group(producer, sink, job, i) : 0;
		if (closed < 0)
			result = closed;
		/* Of several rows the store takes the one with the highest position: it counts how often the books changed. */
		if (memcmp(&group->books, &group->handed, sizeof(group->books)) != 0)
			group->books.position = group->handed.position + 1;
		if (!carry_all && closed == 0 && memcmp(&group->books, &group->handed, sizeof(group->books)) == 0)
			continue;
		int rc = flush_job_add_cursor(job, &group->books, NULL);
		if (rc < 0)
			return rc;
	}
	return result;
}

void async_note_sent(struct producer *producer, const struct store_cursor *cursor) {
	uint32_t group = cursor->ring_index - STORE_RING_ASYNC;
	if (producer->async && cursor->ring_index >= STORE_RING_ASYNC && group < ASYNC_GROUPS)
		producer->async->groups[group].handed = *cursor;
}
