/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the status that is about programs and their rings. */
#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "status.h"
#include "status_parts.h"

#include <string.h>

#define LAG_READS_MAX 1024u /* in one answer, a microsecond each */

/* What one answer may still take. */
struct budget {
	struct agent *agent;
	uint64_t now_ns;
	uint32_t rings; /* still to be listed */
	uint32_t reads; /* of a record, to see how old it is */
};

static void write_tally(struct json *json, const struct tally *tally) {
	json_u64(json, "rings", tally->rings);
	json_u64(json, "rings_quarantined", tally->quarantined);
	json_u64(json, "begun", tally->begun);
	json_u64(json, "open", tally->open);
	json_u64(json, "open_async", tally->async_open);
	json_u64(json, "dropped", tally_dropped(tally));
	json_u64(json, "dropped_full", tally->dropped_full);
	json_u64(json, "dropped_depth", tally->dropped_depth);
	json_u64(json, "dropped_no_ring", tally->dropped_no_ring);
	json_u64(json, "dropped_reentry", tally->dropped_reentry);
	json_u64(json, "sampled_out", tally_sampled_out(tally));
	json_u64(json, "sampled_out_short", tally->sampled_out_short);
	json_u64(json, "stored", tally->stored);
	json_u64(json, "rejected", tally->rejected);
	json_u64(json, "lost_records", tally->lost);
	json_u64(json, "records_in_rings", tally->waiting);
	json_u64(json, "bytes_in_rings", tally->waiting * SPANRING_RECORD_BYTES);
	json_f64(json, "fill_ratio_max", tally->fill_ratio_max);
}

static uint64_t ended_of(const struct tally *tally) {
	return tally->begun > tally->open ? tally->begun - tally->open : 0;
}

static void write_pace(struct json *json, const struct pace *pace, uint64_t now_ns, uint64_t ended, uint64_t lag_ns) {
	json_u64(json, "ended", ended);
	json_f64(json, "rate_per_s", pace->per_second);
	json_f64(json, "rate_mean_per_s", pace_mean(pace, now_ns, ended));
	json_u64(json, "lag_ns", lag_ns);
}

static const char *ring_state(const struct feed *feed) {
	static const char *const words[] = {[RING_READER_LIVE] = "live",
	                                    [RING_READER_RETIRED] = "retired",
	                                    [RING_READER_DIED] = "died",
	                                    [RING_READER_UNSETTLED] = "unsettled"};
	return feed->quarantine ? "quarantined" : words[ring_reader_life(&feed->look)];
}

static void write_ring(struct json *json, const struct feed *feed, const struct budget *budget, uint64_t lag_ns) {
	struct tally tally = {0};
	tally_add_feed(feed, &tally);
	json_open(json, NULL, '{');
	json_u64(json, "ring", feed->books.ring_index);
	json_u64(json, "tid", feed->thread.tid ? feed->thread.tid : feed->look.tid);
	json_text_n(json, "thread", feed->thread.name, strnlen(feed->thread.name, sizeof(feed->thread.name)));
	json_text(json, "state", ring_state(feed));
	json_text(json, "quarantine_reason", feed->quarantine ? feed_quarantine_word(feed->quarantine) : "");
	json_u64(json, "capacity_records", feed->reader.capacity);
	json_u64(json, "records_in_ring", tally.waiting);
	json_f64(json, "fill_ratio", tally.fill_ratio_max);
	write_pace(json, &feed->pace, budget->now_ns, ended_of(&tally), lag_ns);
	json_u64(json, "open", tally.open);
	json_u64(json, "dropped", tally_dropped(&tally));
	json_u64(json, "sampled_out", tally_sampled_out(&tally));
	json_u64(json, "stored", tally.stored);
	json_u64(json, "rejected", tally.rejected);
	json_u64(json, "lost_records", tally.lost);
	json_close(json);
}

/* Those in quarantine first: a bounded list must not leave out what went wrong. */
static void write_rings(struct json *json, const struct producer *producer, const uint64_t *lags_ns,
                        struct budget *budget) {
	json_open(json, "ring_list", '[');
	for (int others = 0; others < 2; others++)
		for (uint32_t i = 0; i < producer->feed_count && budget->rings > 0; i++) {
			if ((producer->feeds[i]->quarantine == 0) != others)
				continue;
			write_ring(json, producer->feeds[i], budget, lags_ns[i]);
			budget->rings--;
		}
	json_close(json);
}

static void write_process(struct json *json, struct producer *producer, struct budget *budget) {
	const struct process_reader_identity *identity = producer->identity;
	const char *state = producer->phase != PRODUCER_LIVE ? "ending" : producer->exited ? "exited" : "running";
	uint64_t lags_ns[SPANRING_RINGS_MAX];
	uint64_t lag_ns = 0;
	struct tally tally = {0};
	tally_add_producer(producer, &tally);
	for (uint32_t i = 0; i < producer->feed_count; i++) {
		lags_ns[i] = 0;
		if (budget->reads == 0 || producer->feeds[i]->look.head <= producer->feeds[i]->stored)
			continue;
		lags_ns[i] = pace_lag_ns(budget->agent, producer->feeds[i], budget->now_ns);
		budget->reads--;
		lag_ns = lags_ns[i] > lag_ns ? lags_ns[i] : lag_ns;
	}
	json_open(json, NULL, '{');
	json_u64(json, "pid", identity->pid);
	json_u64(json, "uid", producer->reader.uid);
	json_text(json, "service", identity->service);
	json_text(json, "instance", producer->name);
	json_text(json, "state", state);
	json_bool(json, "claims_other_uid", (producer->claim & STORE_CLAIM_UID) != 0);
	json_bool(json, "claims_other_pid", (producer->claim & STORE_CLAIM_PID) != 0);
	json_u64(json, "rings_refused", producer->refused_count);
	write_pace(json, &producer->pace, budget->now_ns, ended_of(&tally), lag_ns);
	write_tally(json, &tally);
	write_rings(json, producer, lags_ns, budget);
	json_close(json);
}

static int busiest_first(const void *left, const void *right) {
	const struct producer *a = *(struct producer *const *)left;
	const struct producer *b = *(struct producer *const *)right;
	if (a->pace.per_second != b->pace.per_second)
		return a->pace.per_second > b->pace.per_second ? -1 : 1;
	return strcmp(a->name, b->name);
}

static void write_processes(struct json *json, struct budget *budget) {
	const struct roster *roster = &budget->agent->roster;
	uint32_t count = roster->producer_count;
	CLEANUP_FREE struct producer **order = calloc(count + 1, sizeof(struct producer *));
	json_open(json, "process_list", '[');
	if (order && count > 0) {
		memcpy(order, roster->producers, count * sizeof(struct producer *));
		if (count > STATUS_PROCESSES_MAX)
			qsort(order, count, sizeof(*order), busiest_first);
		for (uint32_t i = 0; i < count && i < STATUS_PROCESSES_MAX; i++)
			write_process(json, order[i], budget);
	}
	json_close(json);
}

/* What each user has of its quotas; all of the first ones. */
static void write_users(struct json *json, const struct users *users) {
	const struct users_quota *quota = &users->quota;
	json_u64(json, "quota_programs", quota->programs);
	json_u64(json, "quota_rings", quota->rings);
	json_u64(json, "quota_bytes", quota->bytes);
	json_u64(json, "quota_spans", quota->records_per_second);
	json_u64(json, "quota_names", quota->names);
	json_u64(json, "users", users->count);
	json_open(json, "user_list", '[');
	for (uint32_t i = 0; i < users->count && i < STATUS_USERS_MAX; i++) {
		const struct user *user = users->items[i];
		json_open(json, NULL, '{');
		json_u64(json, "user", user->uid);
		json_u64(json, "programs", user->programs);
		json_u64(json, "programs_waiting", user->programs_waiting);
		json_u64(json, "user_rings", user->rings);
		json_u64(json, "rings_waiting", user->rings_waiting);
		json_u64(json, "rings_lost", user->rings_lost);
		json_u64(json, "ring_bytes", user->ring_bytes);
		json_u64(json, "records_taken", user->records);
		json_u64(json, "turns_held_back", user->held_back);
		json_u64(json, "names_lost", user->names_lost);
		json_close(json);
	}
	json_close(json);
}

/* The rate of all: of the programs that are there now. */
static void write_total(struct json *json, const struct budget *budget) {
	const struct roster *roster = &budget->agent->roster;
	struct tally total = {0};
	double per_second = 0;
	for (uint32_t i = 0; i < roster->producer_count; i++) {
		tally_add_producer(roster->producers[i], &total);
		per_second += roster->producers[i]->pace.per_second;
	}
	json_open(json, "total", '{');
	json_u64(json, "ended", ended_of(&total));
	json_f64(json, "rate_per_s", per_second);
	json_u64(json, "lag_ns", pace_agent_lag_ns(budget->agent, budget->now_ns));
	write_tally(json, &total);
	json_close(json);
}

void status_list_write(struct agent *agent, bool with_rings, struct json *json) {
	struct budget budget = {.agent = agent,
	                        .now_ns = clock_monotonic_ns(),
	                        .rings = with_rings ? STATUS_RINGS_MAX : 0,
	                        .reads = LAG_READS_MAX};
	for (uint32_t i = 0; i < agent->roster.producer_count; i++)
		tally_look(agent->roster.producers[i]);
	write_processes(json, &budget);
	write_users(json, &agent->roster.users);
	write_total(json, &budget);
}
