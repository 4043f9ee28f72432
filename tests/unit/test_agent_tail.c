/* SPDX-License-Identifier: Apache-2.0 */
/* What tail keep does with a batch and with the rings it came from; the records are made by hand. */
#include "agent/tail/tail.h"
#include "agent_files.h"
#include "libshm/fault_guard.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include <spanring/spanring.h>

#include <stdlib.h>
#include <string.h>

#define WAIT_NS UINT64_C(1000000000)
#define NOW_NS UINT64_C(1000000000000)
#define MEMORY_BYTES (1u << 20)
#define FAILED 0x80u
#define ATTRIBUTE 0x40u
#define ROOT 0x20u

struct fixture {
	struct agent_files files;
	struct producer *producer;
	struct feed *feed;
	struct clock_model clock;
	struct producer_sink sink;
	struct tail_rules rules;
	uint64_t written;
	uint64_t now_ns;
};

static void start(struct fixture *fixture, const char *ratio) {
	tail_free(fixture->sink.tail);
	assert_true(tail_choice_set_ratio(&fixture->rules, ratio));
	fixture->rules.wait_ns = WAIT_NS;
	assert_int_equal(tail_new(&fixture->rules, MEMORY_BYTES, &fixture->sink.tail), 0);
}

static int set_up(void **state) {
	static struct fixture fixture;
	fixture = (struct fixture){.now_ns = NOW_NS};
	agent_files_make(&fixture.files);
	assert_int_equal(fault_guard_install(), 0);
	assert_int_equal(producer_open(fixture.files.rings_fd, AGENT_FILES_NAME, 0, &fixture.producer), 0);
	assert_int_equal(feed_open(fixture.producer, AGENT_FILES_RING, 0, NULL, &fixture.feed), 0);
	assert_int_equal(batch_new(&fixture.sink.batch), 0);
	assert_int_equal(catalog_new(&fixture.sink.catalog), 0);
	fixture.sink.generation = 1;
	fixture.sink.clock = &fixture.clock;
	start(&fixture, "0");
	*state = &fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	tail_free(fixture->sink.tail);
	feed_free(fixture->feed);
	producer_free(fixture->producer);
	batch_free(fixture->sink.batch);
	catalog_free(fixture->sink.catalog);
	agent_files_remove(&fixture->files);
	return 0;
}

static uint64_t put_span(struct fixture *fixture, uint64_t trace_lo, unsigned flags) {
	union spanring_record record = agent_files_span(fixture->written + 1);
	record.span.trace_lo = trace_lo;
	record.span.parent_id = flags & ROOT ? 0 : 1000000;
	if (flags & FAILED)
		record.span.tail.bits = (uint8_t)(SPANRING_STATUS_ERROR << SPANRING_BITS_STATUS_SHIFT);
	agent_files_put(&fixture->files, fixture->written, record, SPANRING_RECORD_SPAN);
	return fixture->written++;
}

static void put_text(struct fixture *fixture, uint64_t trace_lo, const char *text) {
	union spanring_record record = agent_files_string(1, text, (uint32_t)strlen(text));
	record.attribute.trace_lo = trace_lo;
	agent_files_put(&fixture->files, fixture->written++, record, SPANRING_RECORD_ATTRIBUTE);
}

/* All that was written and is not taken, as the agent would read it. */
static void take(struct fixture *fixture) {
	uint64_t count = fixture->written - fixture->feed->taken;
	union spanring_record *copy = calloc(count + 1, sizeof(*copy));
	assert_non_null(copy);
	for (uint64_t i = 0; i < count; i++)
		copy[i] = fixture->files.records[(fixture->feed->taken + i) % AGENT_FILES_CAPACITY];
	assert_int_equal(tail_take(fixture->sink.tail, fixture->feed, &fixture->sink, copy, (uint32_t)count, false),
	                 DRAIN_DONE);
	assert_true(fixture->feed->taken == fixture->written);
	free(copy);
}

static void decide(struct fixture *fixture, bool may_wait) {
	tail_decide(fixture->sink.tail, &fixture->sink, fixture->now_ns, may_wait);
}

static void a_trace_waits_for_its_root(void **state) {
	struct fixture *fixture = *state;
	put_text(fixture, 7, "first");
	(void)put_span(fixture, 7, 0);
	take(fixture);
	decide(fixture, true);
	assert_true(batch_empty(fixture->sink.batch));
	assert_true(fixture->feed->taken == 0 && fixture->feed->books.stored_spans == 0);
	assert_int_equal(fixture->feed->books.stored_attributes, 0);
	assert_int_equal(fixture->sink.batch->text_bytes, 0);
	assert_int_equal(tail_waiting_spans(fixture->sink.tail), 1);
	/* Its root fails: all of it stays. */
	(void)put_span(fixture, 7, ROOT | FAILED);
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->sink.batch->span_count, 2);
	assert_int_equal(fixture->sink.batch->attribute_count, 1);
	assert_int_equal(fixture->sink.batch->spans[0].weight, 0);
	assert_true(fixture->feed->taken == 3 && fixture->feed->books.stored_spans == 2);
	assert_int_equal(tail_waiting_spans(fixture->sink.tail), 0);
	/* So does what comes of it later. */
	(void)put_span(fixture, 7, 0);
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->sink.batch->span_count, 3);
}

static void an_ordinary_trace_is_counted_out(void **state) {
	struct fixture *fixture = *state;
	(void)put_span(fixture, 7, 0);
	put_text(fixture, 7, "gone");
	(void)put_span(fixture, 7, ROOT);
	take(fixture);
	decide(fixture, true);
	assert_true(batch_empty(fixture->sink.batch));
	assert_int_equal(fixture->feed->taken, 3);
	const struct store_cursor *books = &fixture->feed->books;
	assert_true(books->stored_spans == 0 && books->thinned_spans == 2);
	assert_true(books->stored_attributes == 0 && books->thinned_attributes == 1);
	struct store_cursor cursor;
	feed_cursor(fixture->feed, false, &cursor);
	assert_int_equal(cursor.sampled_out, 2);
	/* It fails after all: kept from here on, and said so. */
	(void)put_span(fixture, 7, FAILED);
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->sink.batch->span_count, 1);
	assert_int_equal(books->traces_in_part, 1);
}

static void what_the_hash_keeps_has_its_weight(void **state) {
	struct fixture *fixture = *state;
	unsigned kept = 0;
	start(fixture, "0.5");
	for (uint64_t trace = 1; trace <= 200; trace++) {
		(void)put_span(fixture, trace, 0);
		(void)put_span(fixture, trace, ROOT);
		kept += tail_choice_by_hash(&fixture->rules, trace);
	}
	take(fixture);
	decide(fixture, true);
	assert_true(kept > 50 && kept < 150);
	assert_int_equal(fixture->sink.batch->span_count, 2 * kept);
	for (uint32_t i = 0; i < fixture->sink.batch->span_count; i++)
		assert_int_equal(fixture->sink.batch->spans[i].weight, 2 * STORE_WEIGHT_ONE);
	assert_int_equal(fixture->feed->books.weighted_spans, 2 * kept);
	assert_int_equal(fixture->feed->books.stored_spans + fixture->feed->books.thinned_spans, 400);
}

/* If only those waited that are left out otherwise, spans would be kept with another probability than their weight says. */
static void ordinary_traces_wait_alike(void **state) {
	struct fixture *fixture = *state;
	uint64_t kept[2] = {0, 0};
	start(fixture, "0.5");
	/* A chunk of those that the hash keeps, then of the others. */
	for (unsigned other = 0; other < 2; other++)
		for (uint64_t trace = 1; kept[other] < (other ? 100 : 128); trace++)
			if (tail_choice_by_hash(&fixture->rules, trace) == !other) {
				(void)put_span(fixture, trace, 0);
				kept[other]++;
			}
	take(fixture);
	decide(fixture, true);
	assert_true(batch_empty(fixture->sink.batch));
	assert_int_equal(fixture->feed->taken, 0);
	/* Some of them fail in the end: each of their spans stands for itself. */
	for (uint64_t trace = 1; trace <= 40; trace++)
		(void)put_span(fixture, trace, ROOT | FAILED);
	take(fixture);
	decide(fixture, false);
	for (uint32_t i = 0; i < fixture->sink.batch->span_count; i++) {
		const struct store_span *span = &fixture->sink.batch->spans[i];
		assert_int_equal(span->weight, span->trace_lo <= 40 ? 0 : 2 * STORE_WEIGHT_ONE);
	}
}

static void nobody_waits_for_ever(void **state) {
	struct fixture *fixture = *state;
	(void)put_span(fixture, 7, 0);
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->feed->taken, 0);
	fixture->now_ns += WAIT_NS - 1;
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->feed->taken, 0);
	fixture->now_ns++;
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->feed->taken, 1);
	assert_int_equal(fixture->feed->books.thinned_spans, 1);
	/* At the end of the agent at once. */
	(void)put_span(fixture, 8, 0);
	take(fixture);
	decide(fixture, false);
	assert_int_equal(fixture->feed->taken, 2);
}

static void a_ring_waits_up_to_a_quarter(void **state) {
	struct fixture *fixture = *state;
	uint64_t quarter = fixture->feed->reader.capacity / 4;
	(void)put_span(fixture, 7, 0);
	for (uint64_t i = 1; i < quarter; i++)
		(void)put_span(fixture, 8, ROOT);
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->feed->taken, 0);
	(void)put_span(fixture, 8, ROOT);
	take(fixture);
	decide(fixture, true);
	assert_true(fixture->feed->taken == quarter + 1);
}

static void records_that_go_back_are_judged_again(void **state) {
	struct fixture *fixture = *state;
	for (unsigned i = 0; i < 200; i++)
		(void)put_span(fixture, 9, ROOT | FAILED);
	uint64_t broken = put_span(fixture, 7, 0);
	fixture->files.records[broken].span.span_id = 0;
	(void)put_span(fixture, 7, 0);
	take(fixture);
	assert_int_equal(fixture->feed->books.rejected_spans, 1);
	decide(fixture, true);
	/* As far as the chunk that has the first of those that wait. */
	assert_int_equal(fixture->feed->taken, 128);
	assert_int_equal(fixture->feed->books.rejected_spans, 0);
	assert_int_equal(fixture->feed->books.stored_spans, 128);
	assert_int_equal(fixture->sink.batch->span_count, 128);
	batch_clear(fixture->sink.batch);
	take(fixture);
	assert_int_equal(fixture->feed->books.rejected_spans, 1);
	decide(fixture, false);
	assert_int_equal(fixture->feed->taken, 202);
	assert_int_equal(fixture->feed->books.rejected_spans, 1);
	assert_int_equal(fixture->feed->books.stored_spans, 200);
	assert_int_equal(fixture->feed->books.thinned_spans, 1);
}

/* An attribute that comes long before the first span of its trace holds the ring where it stands. */
static void attributes_wait_with_their_trace(void **state) {
	struct fixture *fixture = *state;
	put_text(fixture, 7, "early");
	for (unsigned i = 0; i < 200; i++)
		(void)put_span(fixture, 9, ROOT | FAILED);
	(void)put_span(fixture, 7, 0);
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->feed->taken, 0);
	(void)put_span(fixture, 7, ROOT | FAILED);
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->sink.batch->attribute_count, 1);
	assert_int_equal(fixture->sink.batch->span_count, 202);
}

static void texts_move_with_their_attributes(void **state) {
	struct fixture *fixture = *state;
	put_text(fixture, 7, "of an ordinary trace");
	put_text(fixture, 8, "of a failed one");
	put_text(fixture, 7, "and more");
	put_text(fixture, 8, "too");
	(void)put_span(fixture, 7, ROOT);
	(void)put_span(fixture, 8, ROOT | FAILED);
	take(fixture);
	decide(fixture, true);
	const struct batch *batch = fixture->sink.batch;
	assert_int_equal(batch->attribute_count, 2);
	assert_int_equal(batch->text_bytes, strlen("of a failed onetoo"));
	assert_memory_equal(batch->text, "of a failed onetoo", batch->text_bytes);
	assert_true(batch->attributes[1].value == strlen("of a failed one") && batch->attributes[1].text_bytes == 3);
}

static void the_books_of_an_ending_process_stay_open(void **state) {
	struct fixture *fixture = *state;
	fixture->producer->phase = PRODUCER_ENDING;
	fixture->producer->exited = true;
	fixture->producer->dry = true;
	(void)put_span(fixture, 7, 0);
	take(fixture);
	decide(fixture, true);
	assert_false(fixture->producer->dry);
	assert_true(tail_waits_for_ended(fixture->sink.tail));
	/* One that died in the middle of a trace keeps it. */
	fixture->producer->exited = false;
	take(fixture);
	decide(fixture, true);
	assert_false(tail_waits_for_ended(fixture->sink.tail));
	assert_int_equal(fixture->sink.batch->span_count, 1);
	assert_int_equal(fixture->sink.batch->spans[0].weight, 0);
}

/* Its thread has left the ring, and what waits there is not lost. */
static void a_retired_ring_lives_while_records_wait(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor cursor;
	(void)put_span(fixture, 7, 0);
	fixture->files.ring->head = fixture->written;
	fixture->files.ring->state = SPANRING_RING_RETIRED;
	take(fixture);
	decide(fixture, true);
	assert_int_equal(feed_look(fixture->feed), 0);
	feed_cursor(fixture->feed, false, &cursor);
	assert_int_equal(cursor.state, STORE_RING_LIVE);
	take(fixture);
	decide(fixture, false);
	feed_cursor(fixture->feed, false, &cursor);
	assert_int_equal(cursor.state, STORE_RING_RETIRED);
}

static void first_and_rare_names_stay(void **state) {
	struct fixture *fixture = *state;
	fixture->rules.first = 3;
	start(fixture, "0");
	for (uint64_t trace = 1; trace <= 10; trace++)
		(void)put_span(fixture, trace, ROOT);
	take(fixture);
	decide(fixture, true);
	assert_int_equal(fixture->sink.batch->span_count, 3);
	fixture->rules.first = 0;
	fixture->rules.rare = 5;
	start(fixture, "0");
	batch_clear(fixture->sink.batch);
	for (unsigned window = 0; window < 3; window++) {
		for (uint64_t trace = 1; trace <= 10; trace++)
			(void)put_span(fixture, 100 * window + 20 + trace, ROOT);
		take(fixture);
		decide(fixture, true);
		/* ten in the window before are not rare */
		assert_int_equal(fixture->sink.batch->span_count, 4);
		fixture->now_ns += UINT64_C(61) * 1000000000;
	}
}

/* Whatever comes in which order: what was written is stored or counted out, once, and a trace that failed is whole. */
static void random_stories_add_up(void **state) {
	struct fixture *fixture = *state;
	struct seed seed = seed_start("agent_tail");
	unsigned rounds = seed_rounds(20);
	start(fixture, "0.3");
	for (unsigned round = 0; round < rounds; round++) {
		uint64_t written = 0;
		uint64_t failed = 0;
		uint64_t failed_stored = 0;
		uint64_t before = fixture->feed->books.stored_spans + fixture->feed->books.thinned_spans;
		for (unsigned step = 0; step < 60; step++) {
			uint64_t base = ((uint64_t)round << 32) + seed_below(&seed, 40) + step / 10 * 40;
			bool fails = base % 3 == 0;
			for (uint64_t spans = seed_below(&seed, 4); spans > 0; spans--, written++, failed += fails)
				(void)put_span(fixture, base, fails && spans == 1 ? FAILED : 0);
			if (seed_below(&seed, 3))
				continue;
			take(fixture);
			decide(fixture, step < 59);
			for (uint32_t i = 0; i < fixture->sink.batch->span_count; i++)
				failed_stored += (fixture->sink.batch->spans[i].trace_lo & UINT32_MAX) % 3 == 0;
			batch_clear(fixture->sink.batch);
			assert_int_equal(feed_ready(fixture->feed), 0);
		}
		take(fixture);
		decide(fixture, false);
		for (uint32_t i = 0; i < fixture->sink.batch->span_count; i++)
			failed_stored += (fixture->sink.batch->spans[i].trace_lo & UINT32_MAX) % 3 == 0;
		batch_clear(fixture->sink.batch);
		assert_true(fixture->feed->taken == fixture->written);
		assert_true(fixture->feed->books.stored_spans + fixture->feed->books.thinned_spans - before == written);
		assert_true(failed_stored <= failed);
		feed_stored(fixture->feed, fixture->feed->taken);
	}
}

#define TEST(story) cmocka_unit_test_setup_teardown(story, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(a_trace_waits_for_its_root),
	    TEST(an_ordinary_trace_is_counted_out),
	    TEST(what_the_hash_keeps_has_its_weight),
	    TEST(ordinary_traces_wait_alike),
	    TEST(nobody_waits_for_ever),
	    TEST(a_ring_waits_up_to_a_quarter),
	    TEST(records_that_go_back_are_judged_again),
	    TEST(attributes_wait_with_their_trace),
	    TEST(texts_move_with_their_attributes),
	    TEST(the_books_of_an_ending_process_stay_open),
	    TEST(a_retired_ring_lives_while_records_wait),
	    TEST(first_and_rare_names_stay),
	    TEST(random_stories_add_up),
	};
	return cmocka_run_group_tests_name("agent_tail", tests, NULL, NULL);
}
