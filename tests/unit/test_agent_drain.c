/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/intake/drain.h"
#include "agent/intake/intake.h"
#include "agent/intake/roster.h"
#include "agent_files.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "support/cmocka.h"

#include <stdlib.h>
#include <string.h>

#define LONG_TEXT_BYTES 1000u

struct fixture {
	struct agent_files files;
	struct producer *producer;
	struct feed *feed;
	struct clock_model clock;
	struct producer_sink sink;
};

static int set_up(void **state) {
	static struct fixture fixture;
	fixture = (struct fixture){0};
	agent_files_make(&fixture.files);
	assert_int_equal(fault_guard_install(), 0);
	assert_int_equal(producer_open(fixture.files.rings_fd, AGENT_FILES_NAME, 0, &fixture.producer), 0);
	assert_int_equal(feed_open(fixture.producer, AGENT_FILES_RING, 0, NULL, &fixture.feed), 0);
	assert_int_equal(batch_new(&fixture.sink.batch), 0);
	assert_int_equal(catalog_new(&fixture.sink.catalog), 0);
	fixture.sink.generation = 1;
	fixture.sink.clock = &fixture.clock;
	*state = &fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	feed_free(fixture->feed);
	producer_free(fixture->producer);
	batch_free(fixture->sink.batch);
	catalog_free(fixture->sink.catalog);
	agent_files_remove(&fixture->files);
	return 0;
}

/* Writes a string of any length as a group from this position on; returns the number of records. */
static uint32_t put_string(struct fixture *fixture, uint64_t position, const char *text, uint32_t bytes) {
	uint32_t more = spanring_continuation_count(bytes);
	agent_files_put(&fixture->files, position, agent_files_string(5, text, bytes), SPANRING_RECORD_ATTRIBUTE);
	for (uint32_t i = 0; i < more; i++) {
		union spanring_record record = {0};
		uint32_t at = SPANRING_ATTRIBUTE_INLINE_BYTES + i * SPANRING_CONTINUATION_BYTES;
		uint32_t part = bytes - at < SPANRING_CONTINUATION_BYTES ? bytes - at : SPANRING_CONTINUATION_BYTES;
		memcpy(record.continuation.bytes, text + at, part);
		agent_files_put(&fixture->files, position + 1 + i, record, SPANRING_RECORD_CONTINUATION);
	}
	return 1 + more;
}

static enum drain_end drain(struct fixture *fixture, uint64_t position, uint32_t count, bool last) {
	return drain_records(fixture->feed, &fixture->sink, fixture->files.records + position % AGENT_FILES_CAPACITY,
	                     count, last);
}

static void a_span_becomes_a_row(void **state) {
	struct fixture *fixture = *state;
	union spanring_record record = agent_files_span(9);
	record.span.heap_alloc_units = 3;
	record.span.heap_net_units = -2;
	record.span.tail.bits = 2 | (2u << SPANRING_BITS_STATUS_SHIFT) | SPANRING_BITS_UNFINISHED | SPANRING_BITS_HEAP;
	agent_files_put(&fixture->files, 0, record, SPANRING_RECORD_SPAN);
	assert_int_equal(drain(fixture, 0, 1, false), DRAIN_DONE);
	assert_int_equal(fixture->sink.batch->span_count, 1);
	const struct store_span *row = fixture->sink.batch->spans;
	assert_int_equal(row->span_id, 9);
	assert_int_equal(row->parent_id, 4);
	assert_int_equal(row->trace_hi, 1);
	assert_int_equal(row->trace_lo, 2);
	assert_int_equal(row->start_ns, 1009);
	assert_int_equal(row->duration_ns, 9);
	assert_int_equal(row->kind, 2);
	assert_int_equal(row->status, 2);
	assert_int_equal(row->flags, STORE_SPAN_UNFINISHED | STORE_SPAN_HEAP);
	assert_int_equal(row->heap_alloc_units, 3);
	assert_int_equal(row->heap_net_units, -2);
	assert_true(row->site > 1 && row->thread == 1);
	assert_int_equal(fixture->feed->books.stored_spans, 1);
	assert_int_equal(fixture->feed->taken, 1);
}

static union spanring_record link_record(void) {
	union spanring_record record = {
	    .link = {.span_id = 3, .trace_lo = 4, .linked_trace_lo = 5, .linked_span_id = 6}};
	return record;
}

static void a_link_becomes_a_row(void **state) {
	struct fixture *fixture = *state;
	agent_files_put(&fixture->files, 0, link_record(), SPANRING_RECORD_LINK);
	assert_int_equal(drain(fixture, 0, 1, false), DRAIN_DONE);
	assert_int_equal(fixture->sink.batch->link_count, 1);
	const struct store_link *row = &fixture->sink.batch->links[0];
	assert_true(row->span_id == 3 && row->trace_lo == 4 && row->linked_trace_hi == 0);
	assert_true(row->linked_trace_lo == 5 && row->linked_span_id == 6);
	fixture->sink.batch->link_count = BATCH_LINKS_MAX;
	agent_files_put(&fixture->files, 1, link_record(), SPANRING_RECORD_LINK);
	assert_int_equal(drain(fixture, 1, 1, false), DRAIN_FULL);
	assert_int_equal(fixture->feed->taken, 1);
	assert_int_equal(fixture->feed->books.rejected_other, 0);
}

static void what_breaks_the_contract_is_counted_and_passed(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor *books = &fixture->feed->books;
	uint64_t at = 0;
	uint64_t spans = 0;
	uint64_t others = 0;
#define BAD_SPAN(field, value)                                                                                         \
	do {                                                                                                           \
		union spanring_record record = agent_files_span(3);                                                    \
		record.span.field = (value);                                                                           \
		agent_files_put(&fixture->files, at, record, SPANRING_RECORD_SPAN);                                    \
		assert_int_equal(drain(fixture, at++, 1, false), DRAIN_DONE);                                          \
		assert_int_equal(books->rejected_spans, ++spans);                                                      \
	} while (0)
	BAD_SPAN(span_id, 0);
	BAD_SPAN(trace_lo, (record.span.trace_hi = 0));
	BAD_SPAN(tail.ref, 0);
	BAD_SPAN(tail.ref, 3);
	BAD_SPAN(tail.ref, UINT32_MAX);
	BAD_SPAN(tail.bits, 5);
	BAD_SPAN(tail.bits, 3u << SPANRING_BITS_STATUS_SHIFT);
#undef BAD_SPAN
	agent_files_put(&fixture->files, at, agent_files_span(3), SPANRING_RECORD_SPAN);
	fixture->files.records[at].span.tail.lap++;
	assert_int_equal(drain(fixture, at++, 1, false), DRAIN_DONE);
	assert_int_equal(books->rejected_spans, ++spans);
#define BAD_OTHER(type, maker, field, value)                                                                           \
	do {                                                                                                           \
		union spanring_record record = maker;                                                                  \
		record.field = (value);                                                                                \
		agent_files_put(&fixture->files, at, record, type);                                                    \
		assert_int_equal(drain(fixture, at++, 1, false), DRAIN_DONE);                                          \
		assert_int_equal(books->rejected_other, ++others);                                                     \
	} while (0)
	BAD_OTHER(0, agent_files_span(3), span.parent_id, 0);
	BAD_OTHER(SPANRING_RECORD_GAUGE, agent_files_span(3), span.parent_id, 0);
	BAD_OTHER(SPANRING_RECORD_LINK, link_record(), link.span_id, 0);
	BAD_OTHER(SPANRING_RECORD_LINK, link_record(), link.linked_span_id, 0);
	BAD_OTHER(SPANRING_RECORD_LINK, link_record(), link.linked_trace_lo, 0);
	BAD_OTHER(255, agent_files_span(3), span.parent_id, 0);
	BAD_OTHER(SPANRING_RECORD_CONTINUATION, agent_files_span(3), span.parent_id, 0);
	BAD_OTHER(SPANRING_RECORD_ATTRIBUTE, agent_files_string(3, "a", 1), attribute.span_id, 0);
	BAD_OTHER(SPANRING_RECORD_ATTRIBUTE, agent_files_string(3, "a", 1), attribute.value_type, 0);
	BAD_OTHER(SPANRING_RECORD_ATTRIBUTE, agent_files_string(3, "a", 1), attribute.value_type, 6);
	BAD_OTHER(SPANRING_RECORD_ATTRIBUTE, agent_files_string(3, "a", 1), attribute.value_type, SPANRING_VALUE_I64);
	BAD_OTHER(SPANRING_RECORD_ATTRIBUTE, agent_files_string(3, "a", 1), attribute.string_bytes, 4097);
	BAD_OTHER(SPANRING_RECORD_ATTRIBUTE, agent_files_string(3, "a", 1), attribute.tail.ref, 99);
	BAD_OTHER(SPANRING_RECORD_EVENT, agent_files_span(3), event.span_id, 0);
#undef BAD_OTHER
	assert_true(batch_empty(fixture->sink.batch));
	assert_int_equal(fixture->feed->taken, at);
}

static void strings_of_every_length_come_whole(void **state) {
	struct fixture *fixture = *state;
	static const uint32_t lengths[] = {0, 1, 31, 32, 33, 87, 88, 89, 144, 145, 4095, 4096};
	char text[SPANRING_STRING_VALUE_MAX];
	uint64_t at = 0;
	for (uint32_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	for (uint32_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		uint32_t records = put_string(fixture, at, text, lengths[i]);
		assert_true(records <= DRAIN_GROUP_RECORDS_MAX);
		assert_int_equal(drain(fixture, at, records, false), DRAIN_DONE);
		const struct store_attribute *row = &fixture->sink.batch->attributes[i];
		assert_int_equal(row->type, SPANRING_VALUE_STRING);
		assert_int_equal(row->text_bytes, lengths[i]);
		assert_memory_equal(fixture->sink.batch->text + row->value, text, lengths[i]);
		at += records;
	}
	assert_int_equal(fixture->feed->books.rejected_other, 0);
	assert_int_equal(fixture->feed->taken, at);
}

static void a_group_cut_by_the_copy_waits_for_its_rest(void **state) {
	struct fixture *fixture = *state;
	char text[LONG_TEXT_BYTES];
	memset(text, 'w', sizeof(text));
	agent_files_put(&fixture->files, 0, agent_files_span(1), SPANRING_RECORD_SPAN);
	uint32_t records = put_string(fixture, 1, text, sizeof(text));
	agent_files_put(&fixture->files, 1 + records, agent_files_span(2), SPANRING_RECORD_SPAN);
	for (uint32_t seen = 1; seen <= records; seen++) {
		assert_int_equal(drain(fixture, fixture->feed->taken, seen - (uint32_t)fixture->feed->taken, false),
		                 seen == 1 ? DRAIN_DONE : DRAIN_WAIT);
		assert_int_equal(fixture->feed->taken, 1);
		assert_int_equal(fixture->sink.batch->attribute_count, 0);
	}
	assert_int_equal(drain(fixture, 1, records + 1, false), DRAIN_DONE);
	assert_int_equal(fixture->sink.batch->attribute_count, 1);
	assert_int_equal(fixture->sink.batch->attributes[0].text_bytes, sizeof(text));
	assert_int_equal(fixture->sink.batch->span_count, 2);
	assert_int_equal(fixture->feed->books.rejected_other, 0);
}

static void a_group_that_will_never_end_is_rejected_record_by_record(void **state) {
	struct fixture *fixture = *state;
	char text[LONG_TEXT_BYTES];
	memset(text, 'w', sizeof(text));
	uint32_t records = put_string(fixture, 0, text, sizeof(text));
	assert_int_equal(drain(fixture, 0, records - 1, true), DRAIN_DONE);
	assert_int_equal(fixture->feed->books.rejected_other, records - 1);
	assert_int_equal(fixture->feed->taken, records - 1);
}

static void a_group_with_a_hole_is_rejected_and_what_follows_kept(void **state) {
	struct fixture *fixture = *state;
	char text[LONG_TEXT_BYTES];
	memset(text, 'w', sizeof(text));
	uint32_t records = put_string(fixture, 0, text, sizeof(text));
	agent_files_put(&fixture->files, 3, agent_files_span(8), SPANRING_RECORD_SPAN);
	assert_int_equal(drain(fixture, 0, records, false), DRAIN_DONE);
	assert_int_equal(fixture->sink.batch->attribute_count, 0);
	assert_int_equal(fixture->sink.batch->span_count, 1);
	assert_int_equal(fixture->feed->books.rejected_other, records - 1);
}

static void thread_records_name_the_thread_of_what_follows(void **state) {
	struct fixture *fixture = *state;
	for (uint32_t i = 0; i < 3; i++) {
		union spanring_record thread = {.thread = {.tid = 100 + i, .start_ticks = 1 + i, .name = "worker"}};
		agent_files_put(&fixture->files, 2 * i, thread, SPANRING_RECORD_THREAD);
		agent_files_put(&fixture->files, 2 * i + 1, agent_files_span(1 + i), SPANRING_RECORD_SPAN);
	}
	assert_int_equal(drain(fixture, 0, 6, false), DRAIN_DONE);
	const struct store_span *rows = fixture->sink.batch->spans;
	assert_int_equal(fixture->sink.batch->span_count, 3);
	assert_true(rows[0].thread != rows[1].thread && rows[1].thread != rows[2].thread);
	assert_int_equal(fixture->feed->thread.tid, 102);
	assert_string_equal(fixture->feed->thread.name, "worker");
}

static void a_full_batch_leaves_the_record_in_its_ring(void **state) {
	struct fixture *fixture = *state;
	agent_files_put(&fixture->files, 0, agent_files_span(1), SPANRING_RECORD_SPAN);
	fixture->sink.batch->span_count = BATCH_SPANS_MAX;
	assert_int_equal(drain(fixture, 0, 1, false), DRAIN_FULL);
	assert_int_equal(fixture->feed->taken, 0);
	assert_int_equal(fixture->feed->books.stored_spans, 0);
	batch_clear(fixture->sink.batch);
	assert_int_equal(drain(fixture, 0, 1, false), DRAIN_DONE);
	assert_int_equal(fixture->feed->taken, 1);
}

static void times_that_cannot_be_are_held_and_counted(void **state) {
	struct fixture *fixture = *state;
	union spanring_record record = agent_files_span(1);
	record.span.start_ticks = UINT64_MAX - 5;
	record.span.duration_ticks = 10;
	agent_files_put(&fixture->files, 0, record, SPANRING_RECORD_SPAN);
	assert_int_equal(drain(fixture, 0, 1, false), DRAIN_DONE);
	assert_int_equal(fixture->sink.clamped, 1);
	assert_true(fixture->sink.batch->spans[0].start_ns <= INT64_MAX);
	assert_int_equal(fixture->sink.batch->spans[0].duration_ns, 0);
}

static void a_new_catalog_gets_its_names_again(void **state) {
	struct fixture *fixture = *state;
	struct catalog *catalog;
	agent_files_put(&fixture->files, 0, agent_files_span(1), SPANRING_RECORD_SPAN);
	agent_files_put(&fixture->files, 1, agent_files_span(2), SPANRING_RECORD_SPAN);
	assert_int_equal(drain(fixture, 0, 1, false), DRAIN_DONE);
	catalog_free(fixture->sink.catalog);
	assert_int_equal(catalog_new(&catalog), 0);
	uint32_t taken;
	assert_int_equal(catalog_string(catalog, "first", 5, &taken), 0);
	fixture->sink.catalog = catalog;
	fixture->sink.generation = 2;
	assert_int_equal(drain(fixture, 1, 1, false), DRAIN_DONE);
	uint32_t name;
	struct store_site site = {.line = 7};
	assert_int_equal(catalog_string(catalog, "work", 4, &site.name), 0);
	assert_int_equal(catalog_string(catalog, "work.c", 6, &site.file), 0);
	assert_int_equal(catalog_site(catalog, &site, &name), 0);
	assert_int_equal(fixture->sink.batch->spans[1].site, name);
	assert_int_equal(fixture->feed->thread.generation, 2);
}

static void a_restart_resumes_at_the_cursor_of_the_store(void **state) {
	struct fixture *fixture = *state;
	struct feed *feed;
	fixture->files.ring->head = 500;
	fixture->files.ring->tail = 100;
	struct store_cursor cursor = {.position = 300, .stored_spans = 290, .rejected_other = 10};
	assert_int_equal(feed_open(fixture->producer, AGENT_FILES_RING, 0, &cursor, &feed), 0);
	assert_int_equal(feed->taken, 300);
	assert_int_equal(feed->books.stored_spans, 290);
	assert_int_equal(fixture->files.ring->tail, 300);
	assert_int_equal(feed_ready(feed), 200);
	feed_free(feed);
	/* Behind what another agent took: counted. */
	cursor.position = 250;
	assert_int_equal(feed_open(fixture->producer, AGENT_FILES_RING, 0, &cursor, &feed), 0);
	assert_int_equal(feed->taken, 300);
	assert_int_equal(feed->books.lost_records, 50);
	assert_int_equal(feed->books.reason, ENODATA);
	feed_free(feed);
	/* Of another ring altogether: nothing of it is believed. */
	cursor.position = 300 + AGENT_FILES_CAPACITY + 1;
	assert_int_equal(feed_open(fixture->producer, AGENT_FILES_RING, 0, &cursor, &feed), 0);
	assert_int_equal(feed->quarantine, ERR_DAMAGED);
	assert_int_equal(feed_ready(feed), 0);
	feed_free(feed);
}

static void a_restart_finds_the_thread_that_holds_the_ring(void **state) {
	struct fixture *fixture = *state;
	struct feed *feed;
	union spanring_record thread = {.thread = {.tid = 4321, .start_ticks = 5, .name = "deep"}};
	agent_files_put(&fixture->files, 10, thread, SPANRING_RECORD_THREAD);
	fixture->files.ring->head = 600;
	struct store_cursor cursor = {.position = 600};
	assert_int_equal(feed_open(fixture->producer, AGENT_FILES_RING, 0, &cursor, &feed), 0);
	assert_int_equal(feed->thread.tid, 4321);
	assert_string_equal(feed->thread.name, "deep");
	feed_free(feed);
	/* A slot that the writer may be at work on proves nothing. */
	fixture->files.ring->head = AGENT_FILES_CAPACITY;
	fixture->files.ring->tail = 0;
	cursor.position = AGENT_FILES_CAPACITY;
	assert_int_equal(feed_open(fixture->producer, AGENT_FILES_RING, 0, &cursor, &feed), 0);
	assert_int_equal(feed->thread.tid, fixture->files.ring->tid);
	feed_free(feed);
}

static void books_of_a_killed_thread_are_set_right(void **state) {
	struct fixture *fixture = *state;
	struct feed *feed = fixture->feed;
	struct store_cursor row;
	feed->books.stored_spans = 10;
	feed->look = (struct ring_reader_look){.begun = 12, .open = 3, .state = SPANRING_RING_ACTIVE};
	feed_cursor(feed, false, &row);
	assert_int_equal(row.open, 3);
	assert_int_equal(row.state, STORE_RING_LIVE);
	feed_cursor(feed, true, &row);
	assert_int_equal(row.open, 2);
	assert_int_equal(row.begun, 12);
	assert_int_equal(row.state, STORE_RING_DIED);
	/* Killed in a begin that was too deep. */
	feed->look = (struct ring_reader_look){.begun = 137, .open = SPANRING_DEPTH_MAX, .state = SPANRING_RING_ACTIVE};
	feed_cursor(feed, true, &row);
	assert_int_equal(row.begun, 138);
	assert_int_equal(row.open, SPANRING_DEPTH_MAX);
	/* More than one short is not what a kill can leave: shown as it is. */
	feed->look = (struct ring_reader_look){.begun = 11, .open = 3, .state = SPANRING_RING_ACTIVE};
	feed_cursor(feed, true, &row);
	assert_int_equal(row.begun - row.open, 8);
	/* Spans that were written over were rejected as something else. */
	feed->books.rejected_other = 5;
	feed->look = (struct ring_reader_look){.begun = 14, .open = 1, .state = SPANRING_RING_ACTIVE};
	feed_cursor(feed, true, &row);
	assert_int_equal(row.rejected_spans, 3);
	assert_int_equal(row.rejected_other, 2);
	/* A ring in quarantine has begun at least what was found of it. */
	feed_quarantine(feed, ERR_GONE);
	feed->look = (struct ring_reader_look){.begun = 4, .open = 1};
	feed_cursor(feed, false, &row);
	assert_int_equal(row.state, STORE_RING_QUARANTINED);
	assert_int_equal(row.begun, 11);
	assert_int_equal(row.reason, ESHUTDOWN);
}

static void what_a_dead_thread_left_behind_its_head_is_taken(void **state) {
	struct fixture *fixture = *state;
	struct roster roster;
	struct intake intake;
	char text[LONG_TEXT_BYTES];
	memset(text, 'w', sizeof(text));
	assert_int_equal(roster_init(&roster), 0);
	assert_int_equal(roster_add_producer(&roster, fixture->producer), 0);
	assert_int_equal(roster_add_feed(&roster, fixture->producer, fixture->feed), 0);
	assert_int_equal(intake_init(&intake, NULL, &roster), 0);
	for (uint64_t i = 0; i < 40; i++)
		agent_files_put(&fixture->files, i, agent_files_span(1 + i), SPANRING_RECORD_SPAN);
	/* Killed in the middle of a group. */
	uint32_t records = put_string(fixture, 40, text, sizeof(text));
	memset(&fixture->files.records[40 + records - 1], 0, sizeof(union spanring_record));
	fixture->files.ring->head = 30;
	fixture->files.ring->begun_open = UINT64_C(40) << SPANRING_BEGUN_SHIFT;
	assert_int_equal(intake_published(&intake, &fixture->sink), INTAKE_MORE);
	assert_int_equal(fixture->sink.batch->span_count, 30);
	/* Alive and not registered for membarrier: only the head counts. */
	assert_int_equal(intake_behind(&intake, &fixture->sink, true), INTAKE_IDLE);
	fixture->producer->phase = PRODUCER_ENDING;
	while (!fixture->producer->dry)
		(void)intake_behind(&intake, &fixture->sink, false);
	assert_int_equal(fixture->sink.batch->span_count, 40);
	assert_int_equal(fixture->feed->taken, 40 + records - 1);
	assert_int_equal(fixture->feed->books.rejected_other, records - 1);
	intake_done(&intake);
	free(roster.producers);
	free(roster.feeds);
	users_done(&roster.users);
	free(fixture->producer->feeds);
	fixture->producer->feeds = NULL;
	fixture->producer->feed_count = 0;
}

static void a_quiet_thread_is_read_behind_its_head_when_it_can_be_fenced(void **state) {
	struct fixture *fixture = *state;
	struct roster roster;
	struct intake intake;
	assert_int_equal(roster_init(&roster), 0);
	assert_int_equal(roster_add_producer(&roster, fixture->producer), 0);
	assert_int_equal(roster_add_feed(&roster, fixture->producer, fixture->feed), 0);
	assert_int_equal(intake_init(&intake, NULL, &roster), 0);
	fixture->producer->identity->flags |= SPANRING_PROCESS_HAS_MEMBARRIER;
	for (uint64_t i = 0; i < 7; i++)
		agent_files_put(&fixture->files, i, agent_files_span(1 + i), SPANRING_RECORD_SPAN);
	fixture->files.ring->begun_open = (UINT64_C(8) << SPANRING_BEGUN_SHIFT) | 1;
	assert_int_equal(intake_behind(&intake, &fixture->sink, true), INTAKE_MORE);
	assert_int_equal(fixture->feed->taken, 7);
	assert_int_equal(intake_behind(&intake, &fixture->sink, true), INTAKE_IDLE);
	/* The head comes after; nothing is taken twice. */
	fixture->files.ring->head = 7;
	assert_int_equal(intake_published(&intake, &fixture->sink), INTAKE_IDLE);
	assert_int_equal(fixture->sink.batch->span_count, 7);
	intake_done(&intake);
	free(roster.producers);
	free(roster.feeds);
	users_done(&roster.users);
	free(fixture->producer->feeds);
	fixture->producer->feeds = NULL;
	fixture->producer->feed_count = 0;
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_span_becomes_a_row),
	    TEST(a_link_becomes_a_row),
	    TEST(what_breaks_the_contract_is_counted_and_passed),
	    TEST(strings_of_every_length_come_whole),
	    TEST(a_group_cut_by_the_copy_waits_for_its_rest),
	    TEST(a_group_that_will_never_end_is_rejected_record_by_record),
	    TEST(a_group_with_a_hole_is_rejected_and_what_follows_kept),
	    TEST(thread_records_name_the_thread_of_what_follows),
	    TEST(a_full_batch_leaves_the_record_in_its_ring),
	    TEST(times_that_cannot_be_are_held_and_counted),
	    TEST(a_new_catalog_gets_its_names_again),
	    TEST(a_restart_resumes_at_the_cursor_of_the_store),
	    TEST(a_restart_finds_the_thread_that_holds_the_ring),
	    TEST(books_of_a_killed_thread_are_set_right),
	    TEST(what_a_dead_thread_left_behind_its_head_is_taken),
	    TEST(a_quiet_thread_is_read_behind_its_head_when_it_can_be_fenced),
	};
	return cmocka_run_group_tests_name("agent_drain", tests, NULL, NULL);
}
