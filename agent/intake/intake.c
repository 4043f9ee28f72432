/* SPDX-License-Identifier: Apache-2.0 */
#include "intake.h"

#include "agent/tail/tail.h"
#include "base/errs.h"
#include "drain.h"

#include <stdlib.h>

/* A set of reads: at most two stretches for each ring. */
#define PLAN_FEEDS_MAX (LOOP_READS_MAX / 2)
/* A quiet living ring hides less than one publication and one group. */
#define BEHIND_RECORDS (SPANRING_PUBLISH_RECORDS + DRAIN_GROUP_RECORDS_MAX)

struct plan {
	struct feed *feeds[PLAN_FEEDS_MAX];
	uint32_t counts[PLAN_FEEDS_MAX];
	int results[PLAN_FEEDS_MAX];
	uint32_t count;
	uint32_t records; /* of all */
};

int intake_init(struct intake *intake, struct loop *loop, struct roster *roster) {
	*intake = (struct intake){.loop = loop, .roster = roster, .room_records = INTAKE_BUFFER_RECORDS};
	intake->records = malloc((size_t)INTAKE_BUFFER_RECORDS * SPANRING_RECORD_BYTES);
	return intake->records ? 0 : -ENOMEM;
}

void intake_done(struct intake *intake) {
	free(intake->records);
	intake->records = NULL;
}

/* Where a turn stands: so many users were visited, and so many rings of the next one. */
struct visit {
	uint32_t users;
	uint32_t feeds;
};

/* The user whose turn it is and what may be taken of it, which is room for a group at least; NULL: all had theirs. */
static struct user *whose_turn(struct intake *intake, struct visit *visit, uint64_t *ret_allowance) {
	struct users *users = &intake->roster->users;
	for (; visit->users < users->count; visit->users++, visit->feeds = 0) {
		struct user *user = users->items[(users->next + visit->users) % users->count];
		if (visit->feeds >= user->feed_count)
			continue;
		*ret_allowance = users_allowance(users, user);
		if (*ret_allowance >= DRAIN_GROUP_RECORDS_MAX)
			return user;
		users_hold_back(users, user);
		intake->cut = intake->cut || !user->over_rate; /* its next turn may come at once */
	}
	return NULL;
}

/* The next rings with something to take, until plan, buffer or turn is full. */
static void make_plan(struct intake *intake, struct plan *plan, struct visit *visit) {
	struct user *user;
	uint64_t allowance;
	plan->count = 0;
	plan->records = 0;
	while (plan->count < PLAN_FEEDS_MAX && intake->room_records - plan->records >= DRAIN_GROUP_RECORDS_MAX &&
	       (user = whose_turn(intake, visit, &allowance))) {
		user->next = user->next + 1 < user->feed_count ? user->next + 1 : 0;
		visit->feeds++;
		struct feed *feed = user->feeds[user->next];
		uint32_t ready = feed_ready(feed);
		uint32_t room = intake->room_records - plan->records;
		uint32_t count = ready < room ? ready : room;
		if (ready == 0)
			continue;
		intake->cut = intake->cut || ready > room;
		if (count > allowance) {
			count = (uint32_t)allowance;
			visit->feeds--; /* so that the end of its allowance is noticed */
		}
		plan->feeds[plan->count] = feed;
		plan->counts[plan->count] = count;
		plan->records += plan->counts[plan->count++];
		users_take(user, count);
	}
}

static void read_small(struct intake *intake, struct plan *plan) {
	union spanring_record *to = intake->records;
	for (uint32_t i = 0; i < plan->count; i++) {
		plan->results[i] =
		    ring_reader_read(&plan->feeds[i]->reader, plan->feeds[i]->taken, plan->counts[i], to);
		to += plan->counts[i];
	}
}

/* Two reads of one ring count as one: the worse of their results. */
static void read_bulk(struct intake *intake, struct plan *plan) {
	struct loop_read reads[LOOP_READS_MAX];
	uint32_t owners[LOOP_READS_MAX];
	uint32_t count = 0;
	union spanring_record *to = intake->records;
	for (uint32_t i = 0; i < plan->count; i++) {
		struct feed *feed = plan->feeds[i];
		struct ring_reader_extent extents[2];
		uint32_t parts = ring_reader_extents(&feed->reader, feed->taken, plan->counts[i], extents);
		plan->results[i] = 0;
		for (uint32_t part = 0; part < parts; part++) {
			owners[count] = i;
			reads[count++] = (struct loop_read){.fd = feed->reader.fd,
			                                    .offset = extents[part].offset,
			                                    .to = to,
			                                    .bytes = extents[part].records * SPANRING_RECORD_BYTES};
			to += extents[part].records;
		}
	}
	int rc = loop_read(intake->loop, reads, count);
	intake->bulk_reads += count;
	for (uint32_t i = 0; i < count; i++) {
		int result = rc < 0 ? rc : reads[i].result;
		if (result == (int)reads[i].bytes)
			continue;
		/* A file that ends early was cut; anything the kernel would not do now, pread may. */
		plan->results[owners[i]] = result >= 0 ? ERR_GONE : -EAGAIN;
	}
}

/* Failed only in the way it was asked for: ask in the other. */
static void read_again(struct intake *intake, struct plan *plan) {
	union spanring_record *to = intake->records;
	for (uint32_t i = 0; i < plan->count; to += plan->counts[i++])
		if (plan->results[i] == -EAGAIN)
			plan->results[i] =
			    ring_reader_read(&plan->feeds[i]->reader, plan->feeds[i]->taken, plan->counts[i], to);
}

static enum drain_end drain_some(struct feed *feed, struct producer_sink *sink, const union spanring_record *records,
                                 uint32_t count, bool last) {
	return sink->tail ? tail_take(sink->tail, feed, sink, records, count, last)
	                  : drain_records(feed, sink, records, count, last);
}

/* INTAKE_IDLE: every ring only waits for the rest of a group. */
static enum intake_end drain_plan(struct intake *intake, struct plan *plan, struct producer_sink *sink) {
	const union spanring_record *records = intake->records;
	enum intake_end end = INTAKE_IDLE;
	for (uint32_t i = 0; i < plan->count; records += plan->counts[i++]) {
		struct feed *feed = plan->feeds[i];
		if (plan->results[i] < 0) {
			feed_quarantine(feed, plan->results[i]);
			continue;
		}
		uint64_t before = feed->taken;
		if (end != INTAKE_FULL) {
			intake->records_read += plan->counts[i];
			enum drain_end one = drain_some(feed, sink, records, plan->counts[i], false);
			if (one == DRAIN_FULL)
				end = INTAKE_FULL;
			else if (feed->taken != before)
				end = INTAKE_MORE;
		}
		users_give_back(feed->producer->user, plan->counts[i] - (feed->taken - before));
	}
	return end;
}

enum intake_end intake_published(struct intake *intake, struct producer_sink *sink) {
	struct plan plan;
	struct visit visit = {0};
	enum intake_end end = INTAKE_IDLE;
	intake->cut = false;
	for (;;) {
		make_plan(intake, &plan, &visit);
		if (plan.count == 0)
			break;
		if ((uint64_t)plan.records * SPANRING_RECORD_BYTES >= INTAKE_BULK_BYTES) {
			read_bulk(intake, &plan);
			read_again(intake, &plan);
		} else {
			read_small(intake, &plan);
		}
		enum intake_end one = drain_plan(intake, &plan, sink);
		if (one == INTAKE_FULL)
			return INTAKE_FULL;
		if (one == INTAKE_MORE)
			end = INTAKE_MORE;
	}
	return end;
}

static enum intake_end take_behind(struct intake *intake, struct producer_sink *sink, struct feed *feed, bool living,
                                   uint64_t allowance) {
	uint32_t room = feed_room_behind(feed);
	uint32_t limit = living ? BEHIND_RECORDS : intake->room_records;
	limit = limit > allowance ? (uint32_t)allowance : limit;
	uint32_t count = room < limit ? room : limit;
	if (count == 0)
		return INTAKE_IDLE;
	int rc = ring_reader_behind(&feed->reader, feed->taken, count, living, intake->records, &count);
	if (rc < 0) {
		feed_quarantine(feed, rc);
		return INTAKE_IDLE;
	}
	if (count == 0)
		return INTAKE_IDLE;
	intake->records_read += count;
	uint64_t before = feed->taken;
	/* What a dead thread left at the end of its last group will not be completed. */
	bool last = !living && count < limit;
	users_take(feed->producer->user, count);
	if (drain_some(feed, sink, intake->records, count, last) == DRAIN_FULL)
		return INTAKE_FULL;
	return feed->taken != before ? INTAKE_MORE : INTAKE_IDLE;
}

static void set_dry(struct roster *roster, bool dry) {
	for (uint32_t i = 0; i < roster->producer_count; i++)
		roster->producers[i]->dry = dry && roster->producers[i]->phase == PRODUCER_ENDING;
}

/* Without the registration that membarrier needs, the program publishes every record: there is nothing to find. */
static bool may_hide(const struct feed *feed) {
	return (feed->producer->identity->flags & SPANRING_PROCESS_HAS_MEMBARRIER) && feed_hides_records(feed);
}

enum intake_end intake_behind(struct intake *intake, struct producer_sink *sink, bool living) {
	const struct users *users = &intake->roster->users;
	enum intake_end end = INTAKE_IDLE;
	set_dry(intake->roster, true);
	for (uint32_t i = 0; i < intake->roster->feed_count; i++) {
		struct feed *feed = intake->roster->feeds[i];
		struct producer *producer = feed->producer;
		bool ending = producer->phase == PRODUCER_ENDING;
		if (feed->closed || (!ending && !(living && producer->phase == PRODUCER_LIVE)) || feed_look(feed) < 0)
			continue;
		if (!ending && !may_hide(feed))
			continue;
		uint64_t allowance = users_allowance(users, producer->user);
		if (allowance < DRAIN_GROUP_RECORDS_MAX) {
			users_hold_back(users, producer->user);
			intake->cut = intake->cut || !producer->user->over_rate;
			producer->dry = false;
			continue;
		}
		enum intake_end one = take_behind(intake, sink, feed, !ending, allowance);
		if (one == INTAKE_FULL) {
			set_dry(intake->roster, false);
			return INTAKE_FULL;
		}
		if (one == INTAKE_MORE)
			end = INTAKE_MORE;
		/* A published record that its tag does not prove is left to intake_published, which refuses it. */
		if (ending && !feed->quarantine && (one == INTAKE_MORE || feed->look.head > feed->taken))
			producer->dry = false;
	}
	return end;
}
