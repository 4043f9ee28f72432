/* SPDX-License-Identifier: Apache-2.0 */
/* Stacks of open spans, sound and hostile, as the reader of rings and the agent take them. */
#include "agent/intake/drain.h"
#include "agent/intake/unfinished.h"
#include "agent_files.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "libshm/ring_stack.h"
#include "support/cmocka.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct fixture {
	struct agent_files files;
	struct spanring_open_span *stack; /* of the ring file */
	struct producer *producer;
	struct feed *feed;
	struct clock_model clock;
	struct producer_sink sink;
	uint64_t rows;
};

static void open_feed(struct fixture *fixture, const struct store_cursor *stored) {
	assert_int_equal(fault_guard_install(), 0);
	assert_int_equal(producer_open(fixture->files.rings_fd, AGENT_FILES_NAME, 0, &fixture->producer), 0);
	assert_int_equal(feed_open(fixture->producer, AGENT_FILES_RING, 0, stored, &fixture->feed), 0);
	fixture->producer->gone_ns = 9000;
}

static void close_feed(struct fixture *fixture) {
	feed_free(fixture->feed);
	producer_free(fixture->producer);
}

static int set_up(void **state) {
	static struct fixture fixture;
	fixture = (struct fixture){0};
	agent_files_make(&fixture.files);
	fixture.stack = (void *)((char *)fixture.files.ring + SPANRING_RING_STACK_OFFSET);
	open_feed(&fixture, NULL);
	assert_int_equal(batch_new(&fixture.sink.batch), 0);
	assert_int_equal(catalog_new(&fixture.sink.catalog), 0);
	fixture.sink.generation = 1;
	fixture.sink.clock = &fixture.clock;
	*state = &fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	close_feed(fixture);
	batch_free(fixture->sink.batch);
	catalog_free(fixture->sink.catalog);
	agent_files_remove(&fixture->files);
	return 0;
}

static void set_open(struct fixture *fixture, uint64_t begun, uint64_t open) {
	fixture->files.ring->begun_open = begun << SPANRING_BEGUN_SHIFT | open;
	assert_int_equal(feed_look(fixture->feed), 0);
}

/* Ids 101, 102, ... each the child of the one before, begun a tick after it. */
static void push(struct fixture *fixture, uint32_t count) {
	for (uint32_t i = 0; i < count; i++)
		fixture->stack[i] =
		    (struct spanring_open_span){.span_id = 101 + i,
		                                .parent_id = i ? 100 + i : 0,
		                                .trace_lo = 7,
		                                .start_ticks = 1000 + i,
		                                .tail = {.ref = AGENT_FILES_SITE, .type = SPANRING_RECORD_SPAN}};
	set_open(fixture, count, count);
}

static int close_ring(struct fixture *fixture) {
	return unfinished_close(fixture->feed, &fixture->sink, &fixture->rows);
}

static void each_open_span_becomes_a_row(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor row;
	push(fixture, 3);
	fixture->stack[2].tail.bits = 2 | (2u << SPANRING_BITS_STATUS_SHIFT) | SPANRING_BITS_REMOTE_PARENT;
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->rows, 3);
	assert_int_equal(fixture->sink.batch->span_count, 3);
	const struct store_span *spans = fixture->sink.batch->spans;
	for (uint32_t i = 0; i < 3; i++) {
		assert_int_equal(spans[i].span_id, 101 + i);
		assert_int_equal(spans[i].parent_id, i ? 100 + i : 0);
		assert_int_equal(spans[i].start_ns, 1000 + i);
		assert_int_equal(spans[i].duration_ns, 9000 - 1000 - i);
		assert_int_equal(spans[i].trace_lo, 7);
	}
	assert_int_equal(spans[0].flags, STORE_SPAN_OPEN);
	assert_int_equal(spans[2].flags, STORE_SPAN_OPEN | STORE_SPAN_REMOTE_PARENT);
	assert_int_equal(spans[2].kind, 2);
	assert_int_equal(spans[2].status, 2);
	feed_cursor(fixture->feed, false, &row);
	assert_int_equal(row.state, STORE_RING_DIED);
	assert_int_equal(row.open, 3);
	assert_int_equal(row.stored_spans, 0);
	/* Once. */
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->rows, 3);
	assert_int_equal(fixture->sink.batch->span_count, 3);
}

static void the_age_reaches_the_last_finished_span(void **state) {
	struct fixture *fixture = *state;
	union spanring_record record = agent_files_span(5);
	push(fixture, 1);
	set_open(fixture, 2, 1);
	record.span.start_ticks = 20000;
	agent_files_put(&fixture->files, 0, record, SPANRING_RECORD_SPAN);
	assert_int_equal(drain_records(fixture->feed, &fixture->sink, fixture->files.records, 1, true), DRAIN_DONE);
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->sink.batch->span_count, 2);
	assert_int_equal(fixture->sink.batch->spans[1].duration_ns, 20005 - 1000);
}

/* Killed between its record and the word: it ended. */
static void a_span_whose_record_is_the_last_has_ended(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor row;
	push(fixture, 2);
	agent_files_put(&fixture->files, 0, agent_files_span(102), SPANRING_RECORD_SPAN);
	assert_int_equal(drain_records(fixture->feed, &fixture->sink, fixture->files.records, 1, true), DRAIN_DONE);
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->rows, 1);
	assert_int_equal(fixture->sink.batch->spans[1].span_id, 101);
	feed_cursor(fixture->feed, true, &row);
	assert_int_equal(row.open, 1);
	/* The same where a full stack makes the books call it a drop. */
	struct ring_stack stack;
	push(fixture, SPANRING_DEPTH_MAX);
	agent_files_put(&fixture->files, 1, agent_files_span(100 + SPANRING_DEPTH_MAX), SPANRING_RECORD_SPAN);
	assert_int_equal(ring_stack_read(&fixture->feed->reader, false, 2, &stack), 0);
	assert_int_equal(stack.count, SPANRING_DEPTH_MAX - 1);
	assert_int_equal(stack.refused, 0);
}

static void entries_that_make_no_sense_are_left_out(void **state) {
	struct fixture *fixture = *state;
	struct ring_stack stack;
	push(fixture, 9);
	fixture->stack[0].span_id = 0;
	fixture->stack[1].trace_lo = 0;
	fixture->stack[2].tail.ref = 0;
	fixture->stack[3].tail.ref = SPANRING_SITES_MAX + 1;
	fixture->stack[4].tail.bits = 5;
	fixture->stack[5].tail.bits = 3u << SPANRING_BITS_STATUS_SHIFT;
	fixture->stack[7].span_id = fixture->stack[6].span_id;
	fixture->stack[8].tail.ref = SPANRING_SITES_MAX; /* in bounds, but no such site */
	assert_int_equal(ring_stack_read(&fixture->feed->reader, false, 0, &stack), 0);
	assert_int_equal(stack.count, 2);
	assert_int_equal(stack.refused, 7);
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->rows, 1);
	assert_int_equal(fixture->sink.batch->spans[0].span_id, 107);
	assert_int_equal(ring_stack_read(&fixture->feed->reader, true, 0, &stack), 0);
	assert_int_equal(stack.count, 2);
}

/* As when its process was found to be gone. */
static void look_at_the_dead(struct fixture *fixture) {
	fixture->producer->phase = PRODUCER_ENDING;
	assert_int_equal(feed_look(fixture->feed), 0);
}

static void entries_that_are_no_recorded_span_have_no_row(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor row;
	struct ring_stack stack;
	uint32_t contexts = 0;
	push(fixture, 6);
	fixture->stack[0].tail.type = SPANRING_ENTRY_CONTEXT;
	fixture->stack[2].tail.type = SPANRING_ENTRY_UNSAMPLED;
	fixture->stack[2].span_id = 0; /* nobody looks at it */
	fixture->stack[3].tail.type = SPANRING_ENTRY_CONTEXT_UNSAMPLED;
	fixture->stack[4].tail.type = 77;
	assert_int_equal(ring_stack_contexts(&fixture->feed->reader, true, &contexts), 0);
	assert_int_equal(contexts, 2);
	assert_int_equal(ring_stack_read(&fixture->feed->reader, false, 0, &stack), 0);
	assert_int_equal(stack.contexts, 2);
	assert_int_equal(stack.unsampled, 1);
	assert_int_equal(stack.refused, 1);
	assert_int_equal(stack.count, 2);
	assert_int_equal(stack.places[0], 1);
	assert_int_equal(stack.places[1], 5);
	look_at_the_dead(fixture);
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->rows, 2);
	feed_cursor(fixture->feed, true, &row);
	/* Contexts are neither begun nor open; a span that is not sampled is both. */
	assert_int_equal(row.open, 4);
	assert_int_equal(row.begun - row.open, fixture->feed->look.begun - fixture->feed->look.open);
}

/* Begun and ended are counted by the word; what is sampled out has ended without a record. */
static void a_thread_killed_while_it_sampled_a_span_out(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor row;
	push(fixture, 3);
	uint64_t ended = fixture->files.ring->begun_open >> SPANRING_BEGUN_SHIFT;
	ended -= fixture->files.ring->begun_open & SPANRING_OPEN_MASK;
	fixture->stack[2].tail.type = SPANRING_ENTRY_UNSAMPLED;
	fixture->files.ring->sampled_out = ended;
	fixture->files.ring->sampled_out_short = 1; /* one more than the word says: the innermost */
	look_at_the_dead(fixture);
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->rows, 2);
	feed_cursor(fixture->feed, true, &row);
	assert_int_equal(row.open, 2);
	assert_int_equal(row.sampled_out + row.sampled_out_short, row.begun - row.open);
}

static void absurd_times_are_held_in_bounds(void **state) {
	struct fixture *fixture = *state;
	push(fixture, 2);
	fixture->stack[0].start_ticks = UINT64_MAX;
	fixture->stack[1].start_ticks = 0;
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->sink.batch->spans[0].duration_ns, 0);
	assert_int_equal(fixture->sink.batch->spans[1].duration_ns, 9000);
	assert_int_equal(fixture->sink.clamped, 1);
}

static void counts_beyond_the_stack_are_damage(void **state) {
	struct fixture *fixture = *state;
	struct ring_stack stack;
	push(fixture, 1);
	fixture->files.ring->begun_open = UINT64_C(1000) << SPANRING_BEGUN_SHIFT | (SPANRING_DEPTH_MAX + 1);
	assert_int_equal(ring_stack_read(&fixture->feed->reader, false, 0, &stack), ERR_DAMAGED);
	fixture->files.ring->begun_open = UINT64_C(1) << SPANRING_BEGUN_SHIFT | 2;
	assert_int_equal(ring_stack_read(&fixture->feed->reader, true, 0, &stack), ERR_DAMAGED);
	/* The books had seen one open span; the ring broke its promise since then: no rows, no DIED. */
	struct store_cursor row;
	assert_int_equal(close_ring(fixture), 0);
	feed_cursor(fixture->feed, true, &row);
	assert_int_equal(row.state, STORE_RING_QUARANTINED);
	assert_true(batch_empty(fixture->sink.batch));
}

static void a_file_that_is_cut_short_is_gone(void **state) {
	struct fixture *fixture = *state;
	struct ring_stack stack;
	agent_files_skip_faults();
	assert_int_equal(fault_guard_install(), 0); /* the runner put its own handlers in place */
	push(fixture, 3);
	assert_int_equal(ftruncate(fixture->feed->reader.fd, SPANRING_RING_STACK_OFFSET + 64), 0);
	assert_int_equal(ring_stack_read(&fixture->feed->reader, false, 0, &stack), ERR_GONE);
	assert_int_equal(ftruncate(fixture->feed->reader.fd, 0), 0);
	assert_int_equal(ring_stack_read(&fixture->feed->reader, false, 0, &stack), ERR_GONE);
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->feed->quarantine, ERR_GONE);
	assert_int_equal(ftruncate(fixture->feed->reader.fd, SPANRING_RING_DATA_OFFSET + SPANRING_RING_BYTES_MIN), 0);
}

static void without_room_nothing_is_added_and_it_stays_open(void **state) {
	struct fixture *fixture = *state;
	const struct store_span filler = {.span_id = 1};
	struct store_cursor row;
	push(fixture, 3);
	while (batch_has_room(fixture->sink.batch, 3, 0, 0, 0))
		batch_add_span(fixture->sink.batch, &filler);
	uint32_t before = fixture->sink.batch->span_count;
	assert_int_equal(close_ring(fixture), ERR_FULL);
	assert_int_equal(fixture->sink.batch->span_count, before);
	assert_int_equal(fixture->rows, 0);
	feed_cursor(fixture->feed, false, &row);
	assert_int_equal(row.state, STORE_RING_LIVE);
	batch_clear(fixture->sink.batch);
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->rows, 3);
}

static void a_process_that_said_goodbye_leaves_none(void **state) {
	struct fixture *fixture = *state;
	push(fixture, 3);
	fixture->producer->exited = true;
	assert_int_equal(close_ring(fixture), 0);
	assert_true(fixture->feed->closed);
	assert_true(batch_empty(fixture->sink.batch));
}

/* A ring that says that its thread left in good order, and has open spans, contradicts itself. */
static void a_retired_ring_has_none(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor row;
	fixture->files.ring->state = SPANRING_RING_RETIRED;
	push(fixture, 3);
	assert_int_equal(close_ring(fixture), 0);
	assert_true(batch_empty(fixture->sink.batch));
	feed_cursor(fixture->feed, true, &row);
	assert_int_equal(row.state, STORE_RING_RETIRED);
}

/* The store knows the ring as DIED: its open spans are there, whatever the ring says now. */
static void a_restart_after_the_last_commit_adds_nothing(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor died;
	struct store_cursor row;
	push(fixture, 3);
	assert_int_equal(close_ring(fixture), 0);
	feed_cursor(fixture->feed, true, &died);
	close_feed(fixture);
	batch_clear(fixture->sink.batch);
	open_feed(fixture, &died);
	assert_int_equal(close_ring(fixture), 0);
	assert_true(batch_empty(fixture->sink.batch));
	feed_cursor(fixture->feed, false, &row);
	assert_memory_equal(&row, &died, sizeof(row));
	/* Nothing is taken from it any more. */
	agent_files_put(&fixture->files, 0, agent_files_span(9), SPANRING_RECORD_SPAN);
	fixture->files.ring->head = 1;
	assert_int_equal(feed_ready(fixture->feed), 0);
	/* A cursor with any other state is from before: all of them come. */
	died.state = STORE_RING_LIVE;
	fixture->files.ring->head = 0;
	close_feed(fixture);
	open_feed(fixture, &died);
	assert_int_equal(close_ring(fixture), 0);
	assert_int_equal(fixture->sink.batch->span_count, 3);
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    WITH_FILES(each_open_span_becomes_a_row),
	    WITH_FILES(the_age_reaches_the_last_finished_span),
	    WITH_FILES(a_span_whose_record_is_the_last_has_ended),
	    WITH_FILES(entries_that_make_no_sense_are_left_out),
	    WITH_FILES(entries_that_are_no_recorded_span_have_no_row),
	    WITH_FILES(a_thread_killed_while_it_sampled_a_span_out),
	    WITH_FILES(absurd_times_are_held_in_bounds),
	    WITH_FILES(counts_beyond_the_stack_are_damage),
	    WITH_FILES(a_file_that_is_cut_short_is_gone),
	    WITH_FILES(without_room_nothing_is_added_and_it_stays_open),
	    WITH_FILES(a_process_that_said_goodbye_leaves_none),
	    WITH_FILES(a_retired_ring_has_none),
	    WITH_FILES(a_restart_after_the_last_commit_adds_nothing),
	};
	return cmocka_run_group_tests_name("agent_unfinished", tests, NULL, NULL);
}
