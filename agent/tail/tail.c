/* SPDX-License-Identifier: Apache-2.0 */
#include "tail.h"

#include "agent/commit/flush.h"
#include "agent/settings/config.h"
#include "base/cleanup.h"
#include "tail_known.h"
#include "tail_names.h"
#include "tail_rows.h"

#include <assert.h>
#include <spanring/spanring.h>
#include <string.h>

#define CHUNK_RECORDS 128u
#define RING_SHARE 4u  /* at most this part of a ring waits */
#define BATCH_SHARE 2u /* and of a batch */
#define KEPT_WAITS 2u  /* a trace whose wait is over may still lie behind others that wait: it must not begin anew */
#define NO_CHUNK UINT32_MAX

_Static_assert(CHUNK_RECORDS >= DRAIN_GROUP_RECORDS_MAX, "a group fits into a chunk");

/* What the batch holds of one trace. */
struct tail_trace {
	uint64_t trace_lo;
	uint32_t chunk;  /* of its first row */
	uint8_t reasons; /* TAIL_* */
	bool ended;      /* its root is here */
	bool waits;
	bool kept;       /* for certain, for what it tells now or told before */
	bool in_part;    /* some of it was left out before it told */
	bool settled;    /* rows of it were decided */
	uint32_t weight; /* of its spans; 0: they are left out */
};

struct tail {
	struct tail_rules rules;
	struct tail_known known;
	struct tail_names names;
	struct tail_chunk *chunks;
	uint32_t chunk_count;
	uint32_t chunk_room;
	struct tail_trace *traces;
	uint32_t trace_count;
	uint32_t trace_room;
	uint32_t *slots; /* trace_lo -> number + 1; twice trace_room, a power of two */
	uint32_t slot_mask;
	uint64_t seed;
	uint32_t waiting_spans;
	bool waits_for_ended;
	struct tail_figures figures;
};

struct tail_rules tail_rules_of(const struct config *config) {
	struct tail_rules rules = {
	    .rare = config->tail_rare, .first = config->tail_first, .wait_ns = config->tail_wait_ns};
	(void)tail_choice_set_ratio(&rules, config->tail_ratio);
	(void)tail_choice_set_slow(&rules, config->tail_slow);
	return rules;
}

static uint32_t power_below(size_t count) {
	uint32_t power = 64;
	while ((size_t)power * 2 <= count && power < BATCH_SPANS_MAX)
		power *= 2;
	return power;
}

int tail_new(const struct tail_rules *rules, size_t memory_bytes, struct tail **ret_tail) {
	struct tail *tail = calloc(1, sizeof(*tail));
	if (!tail)
		return -ENOMEM;
	tail->rules = *rules;
	tail->chunk_room = power_below(memory_bytes / 8 / sizeof(*tail->chunks));
	tail->trace_room = power_below(memory_bytes / 2 / (sizeof(*tail->traces) + 2 * sizeof(*tail->slots)));
	tail->slot_mask = 2 * tail->trace_room - 1;
	tail->chunks = calloc(tail->chunk_room, sizeof(*tail->chunks));
	tail->traces = calloc(tail->trace_room, sizeof(*tail->traces));
	tail->slots = calloc((size_t)tail->slot_mask + 1, sizeof(*tail->slots));
	int rc = tail->chunks && tail->traces && tail->slots ? 0 : -ENOMEM;
	if (rc == 0)
		rc = tail_known_init(&tail->known, memory_bytes / 4);
	if (rc == 0)
		rc = tail_names_init(&tail->names, memory_bytes / 8);
	if (rc < 0) {
		tail_free(tail);
		return rc;
	}
	tail->seed = tail->known.seed[1] | 1;
	*ret_tail = tail;
	return 0;
}

void tail_free(struct tail *tail) {
	if (!tail)
		return;
	tail_names_done(&tail->names);
	tail_known_done(&tail->known);
	free(tail->chunks);
	free(tail->traces);
	free(tail->slots);
	free(tail);
}

/* --- taking ------------------------------------------------------------------------------------------------------ */

/* Each row may be another trace: as many as there is room for. */
static bool has_room(const struct tail *tail, const struct batch *batch) {
	uint32_t rows = 0;
	for (enum tail_kind kind = TAIL_SPAN; kind < TAIL_KINDS && tail->chunk_count; kind++)
		rows += tail_rows_of_kind(batch, kind) - tail->chunks[0].first[kind];
	return tail->chunk_count < tail->chunk_room && rows + CHUNK_RECORDS <= tail->trace_room;
}

/* The chunk that the next records of this feed belong to; false: there is no room for another one. */
static bool begin_chunk(struct tail *tail, struct feed *feed, const struct batch *batch) {
	struct tail_chunk *last = tail->chunk_count ? &tail->chunks[tail->chunk_count - 1] : NULL;
	if (!has_room(tail, batch))
		return false;
	if (!last || last->feed != feed || feed->taken - last->position >= CHUNK_RECORDS)
		tail->chunks[tail->chunk_count++] = tail_rows_chunk(feed, batch);
	return true;
}

enum drain_end tail_take(struct tail *tail, struct feed *feed, struct producer_sink *sink,
                         const union spanring_record *records, uint32_t count, bool last) {
	while (count > 0) {
		if (!begin_chunk(tail, feed, sink->batch))
			return DRAIN_FULL;
		uint32_t part = count < CHUNK_RECORDS ? count : CHUNK_RECORDS;
		uint64_t before = feed->taken;
		enum drain_end end = drain_records(feed, sink, records, part, last && part == count);
		uint32_t took = (uint32_t)(feed->taken - before);
		if (end == DRAIN_FULL || (end == DRAIN_WAIT && (part == count || took == 0)))
			return end;
		records += took;
		count -= took;
	}
	return DRAIN_DONE;
}

/* --- deciding ---------------------------------------------------------------------------------------------------- */

/* There is room for it: has_room. */
static struct tail_trace *find_trace(struct tail *tail, uint64_t trace_lo) {
	uint64_t hash = (trace_lo ^ tail->known.seed[0]) * tail->seed;
	uint32_t at = (uint32_t)(hash >> 32) & tail->slot_mask;
	for (; tail->slots[at]; at = (at + 1) & tail->slot_mask)
		if (tail->traces[tail->slots[at] - 1].trace_lo == trace_lo)
			return &tail->traces[tail->slots[at] - 1];
	assert(tail->trace_count < tail->trace_room);
	tail->traces[tail->trace_count] = (struct tail_trace){.trace_lo = trace_lo, .chunk = NO_CHUNK};
	tail->slots[at] = ++tail->trace_count;
	return &tail->traces[tail->trace_count - 1];
}

static bool enters(const struct store_span *span) {
	return span->parent_id == 0 || (span->flags & STORE_SPAN_REMOTE_PARENT);
}

static bool is_slow(const struct tail_rules *rules, struct tail_name *name, const struct store_span *span) {
	switch (rules->slow) {
	case TAIL_SLOW_FIXED:
		return span->duration_ns > rules->slow_ns;
	case TAIL_SLOW_PERCENTILE:
		if (!enters(span))
			return false;
		name->enters = true;
		return span->duration_ns > name->slow_ns;
	case TAIL_SLOW_NEVER:
		break;
	}
	return false;
}

/* What one span says of its trace. */
static uint8_t reasons_of(struct tail *tail, const struct producer_sink *sink, const struct store_span *span) {
	const struct tail_rules *rules = &tail->rules;
	struct tail_name *name = tail_names_of(&tail->names, sink->catalog, sink->generation, span->site);
	uint32_t reasons = span->status == SPANRING_STATUS_ERROR ? TAIL_FAILED : 0;
	if (is_slow(rules, name, span))
		reasons |= TAIL_SLOW;
	name->looked++;
	if (name == tail->names.names)
		return (uint8_t)reasons;
	if (name->count + name->looked <= rules->first)
		reasons |= TAIL_FIRST;
	if (name->window_before < rules->rare && name->window + name->looked < rules->rare)
		reasons |= TAIL_RARE;
	return (uint8_t)reasons;
}

static void look(struct tail *tail, const struct producer_sink *sink) {
	const struct batch *batch = sink->batch;
	struct tail_rows_walk walk = tail_rows_begin(batch, tail->chunks, tail->chunk_count);
	memset(tail->slots, 0, ((size_t)tail->slot_mask + 1) * sizeof(*tail->slots));
	tail->trace_count = 0;
	for (struct tail_row row; tail_rows_next(&walk, &row);) {
		struct tail_trace *trace = find_trace(tail, row.trace_lo);
		uint8_t reasons = row.span ? reasons_of(tail, sink, row.span) : 0;
		if (trace->chunk == NO_CHUNK)
			trace->chunk = row.chunk;
		const struct producer *producer = tail->chunks[row.chunk].feed->producer;
		if (producer->phase == PRODUCER_ENDING && !producer->exited)
			reasons |= TAIL_CUT;
		trace->reasons |= reasons;
		trace->ended = trace->ended || (row.span && row.span->parent_id == 0);
	}
	/* A trace that ended before its process died was not cut off. */
	for (uint32_t i = 0; i < tail->trace_count; i++)
		if (tail->traces[i].ended)
			tail->traces[i].reasons &= (uint8_t)~TAIL_CUT;
}

/* What earlier decisions say, and which traces want to wait. */
static void recall(struct tail *tail, uint64_t now_ns, bool may_wait) {
	const struct tail_rules *rules = &tail->rules;
	for (uint32_t i = 0; i < tail->trace_count; i++) {
		struct tail_trace *trace = &tail->traces[i];
		uint64_t since_ns = now_ns;
		enum tail_state state = tail_known_find(&tail->known, trace->trace_lo, &since_ns);
		/* What was decided before its process died was not cut off by that. */
		if (state == TAIL_ORDINARY)
			trace->reasons &= (uint8_t)~TAIL_CUT;
		trace->kept = trace->reasons || state == TAIL_KEPT;
		trace->weight = trace->kept ? STORE_WEIGHT_ONE : tail_choice_weight(rules, trace->trace_lo, 0);
		trace->in_part = trace->kept && state == TAIL_ORDINARY && !tail_choice_by_hash(rules, trace->trace_lo);
		bool open = !trace->kept && !trace->ended && state != TAIL_ORDINARY;
		trace->waits =
		    may_wait && open && now_ns < since_ns + rules->wait_ns &&
		    tail_known_put(&tail->known, trace->trace_lo, TAIL_WAITING, now_ns, rules->wait_ns * KEPT_WAITS);
	}
}

static bool may_go_back(const struct tail_chunk *chunk) {
	const struct feed *feed = chunk->feed;
	return !feed->quarantine && !feed->closed && !feed_flush_wanted(feed) &&
	       feed->taken - chunk->position <= feed->reader.capacity / RING_SHARE;
}

/* A trace with a row that cannot go back does not wait anywhere. */
static void refuse_waits(struct tail *tail, const struct batch *batch) {
	struct tail_rows_walk walk = tail_rows_begin(batch, tail->chunks, tail->chunk_count);
	for (struct tail_row row; tail_rows_next(&walk, &row);) {
		struct tail_trace *trace = find_trace(tail, row.trace_lo);
		if (!trace->waits || may_go_back(&tail->chunks[row.chunk]))
			continue;
		trace->waits = false;
		tail->figures.decided_early++;
	}
}

static void find_held(struct tail *tail, const struct batch *batch) {
	struct tail_rows_walk walk = tail_rows_begin(batch, tail->chunks, tail->chunk_count);
	uint64_t rows = 0;
	for (uint32_t i = 0; i < tail->chunk_count; i++)
		tail->chunks[i].feed->held_from = NO_CHUNK;
	for (struct tail_row row; tail_rows_next(&walk, &row);) {
		struct feed *feed = tail->chunks[row.chunk].feed;
		const struct tail_trace *trace = find_trace(tail, row.trace_lo);
		if (trace->waits && row.chunk < feed->held_from)
			feed->held_from = row.chunk;
	}
	for (uint32_t i = 0; i < tail->chunk_count; i++)
		if (i >= tail->chunks[i].feed->held_from)
			rows += tail_rows_of_chunk(batch, tail->chunks, tail->chunk_count, i);
	uint32_t room = batch->room_rows < tail->trace_room ? batch->room_rows : tail->trace_room;
	if (rows <= room / BATCH_SHARE)
		return;
	for (uint32_t i = 0; i < tail->chunk_count; i++)
		tail->chunks[i].feed->held_from = NO_CHUNK;
	for (uint32_t i = 0; i < tail->trace_count; i++) {
		tail->figures.decided_early += tail->traces[i].waits;
		tail->traces[i].waits = false;
	}
}

static void remember(struct tail *tail, uint64_t now_ns) {
	for (uint32_t i = 0; i < tail->trace_count; i++) {
		const struct tail_trace *trace = &tail->traces[i];
		if (!trace->settled)
			continue;
		(void)tail_known_put(&tail->known, trace->trace_lo, trace->kept ? TAIL_KEPT : TAIL_ORDINARY, now_ns,
		                     tail->rules.wait_ns * KEPT_WAITS);
		if (!trace->in_part)
			continue;
		tail->figures.traces_in_part++;
		tail->chunks[trace->chunk].feed->books.traces_in_part++;
	}
}

static void count_span(struct tail *tail, const struct producer_sink *sink, struct feed *feed,
                       const struct store_span *span, uint32_t weight) {
	struct tail_name *name = tail_names_of(&tail->names, sink->catalog, sink->generation, span->site);
	name->count++;
	name->window++;
	feed->books.weighted_spans += weight > STORE_WEIGHT_ONE;
	tail->figures.spans_thinned += weight == 0;
	tail->figures.spans_weighted += weight > STORE_WEIGHT_ONE;
	tail->figures.spans_kept += weight == STORE_WEIGHT_ONE;
}

/* A row that is not stored, as it was counted when it was taken. */
static void uncount(struct store_cursor *books, enum tail_kind kind, bool thinned) {
	books->stored_spans -= kind == TAIL_SPAN;
	books->stored_attributes -= kind == TAIL_ATTRIBUTE;
	books->stored_events -= kind == TAIL_EVENT;
	books->thinned_spans += thinned && kind == TAIL_SPAN;
	books->thinned_attributes += thinned && kind == TAIL_ATTRIBUTE;
	books->thinned_events += thinned && kind == TAIL_EVENT;
}

static void sift_row(struct tail *tail, const struct producer_sink *sink, const struct tail_row *row,
                     struct tail_rows_sieve *sieve) {
	struct feed *feed = tail->chunks[row->chunk].feed;
	if (row->chunk >= feed->held_from) {
		uncount(&feed->books, row->kind, false);
		tail->waiting_spans += row->span != NULL;
		tail->waits_for_ended = tail->waits_for_ended || feed->producer->phase == PRODUCER_ENDING;
		return;
	}
	struct tail_trace *trace = find_trace(tail, row->trace_lo);
	uint32_t weight = trace->weight;
	trace->settled = true;
	if (row->span)
		count_span(tail, sink, feed, row->span, weight);
	if (weight == 0)
		uncount(&feed->books, row->kind, true);
	else
		tail_rows_keep(sieve, row, weight > STORE_WEIGHT_ONE ? weight : 0);
}

static void sift(struct tail *tail, struct producer_sink *sink) {
	struct tail_rows_walk walk = tail_rows_begin(sink->batch, tail->chunks, tail->chunk_count);
	struct tail_rows_sieve sieve = tail_rows_sift(sink->batch, tail->chunks, tail->chunk_count);
	tail->waiting_spans = 0;
	tail->waits_for_ended = false;
	for (struct tail_row row; tail_rows_next(&walk, &row);)
		sift_row(tail, sink, &row, &sieve);
	tail_rows_end(&sieve);
	tail->figures.spans_put_back += tail->waiting_spans;
	for (uint32_t i = 0; i < tail->chunk_count; i++) {
		struct feed *feed = tail->chunks[i].feed;
		if (i != feed->held_from)
			continue;
		tail_rows_put_back(&tail->chunks[i]);
		feed->producer->dry = false;
	}
}

void tail_decide(struct tail *tail, struct producer_sink *sink, uint64_t now_ns, bool may_wait) {
	if (!tail)
		return;
	tail_names_begin(&tail->names, now_ns);
	look(tail, sink);
	recall(tail, now_ns, may_wait && tail->rules.wait_ns > 0);
	refuse_waits(tail, sink->batch);
	find_held(tail, sink->batch);
	sift(tail, sink);
	remember(tail, now_ns);
	tail->chunk_count = 0;
}

uint32_t tail_waiting_spans(const struct tail *tail) {
	return tail ? tail->waiting_spans : 0;
}

bool tail_waits_for_ended(const struct tail *tail) {
	return tail && tail->waits_for_ended;
}

void tail_learn(struct tail *tail, const struct producer_sink *sink, const struct flush_job *job) {
	if (!tail || tail->rules.slow != TAIL_SLOW_PERCENTILE)
		return;
	for (size_t i = 0; i < job->rollup_count; i++)
		tail_names_learn(&tail->names, sink->catalog, sink->generation, &job->rollups[i],
		                 tail->rules.slow_per_million);
}

void tail_write(const struct tail *tail, struct json *json) {
	json_bool(json, "tail_keep", tail != NULL);
	if (!tail)
		return;
	json_u64(json, "tail_spans_kept", tail->figures.spans_kept);
	json_u64(json, "tail_spans_weighted", tail->figures.spans_weighted);
	json_u64(json, "tail_spans_thinned", tail->figures.spans_thinned);
	json_u64(json, "tail_spans_waiting", tail->waiting_spans);
	json_u64(json, "tail_spans_put_back", tail->figures.spans_put_back);
	json_u64(json, "tail_traces_in_part", tail->figures.traces_in_part);
	json_u64(json, "tail_traces_decided_early", tail->figures.decided_early);
	json_u64(json, "tail_names", tail->names.count - 1);
}
