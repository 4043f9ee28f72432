/* SPDX-License-Identifier: Apache-2.0 */
/* The async file, sound and hostile, as its reader and the agent take it; above all the slots of a process that was killed while it ended a span. */
#include "agent/intake/async.h"
#include "agent/intake/drain.h"
#include "agent/intake/unfinished.h"
#include "agent_files.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "support/cmocka.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS SPANRING_ASYNC_STEP_SLOTS
#define FILE_BYTES AGENT_FILES_ASYNC_BYTES(SLOTS)

struct fixture {
	struct agent_files files;
	struct spanring_async_header *header; /* whole file, mapped */
	struct spanring_async_slot *slots;
	struct spanring_open_span *stack; /* of the ring */
	struct roster roster;
	struct producer *producer;
	struct feed *feed;
	struct clock_model clock;
	struct producer_sink sink;
	struct flush_job *job;
};

/* Ids 201, 202, ... in slots 0, 1, ... */
static struct spanring_async_slot *put(struct fixture *fixture, uint32_t index, uint32_t state) {
	fixture->slots[index] =
	    (struct spanring_async_slot){.span = {.span_id = 201 + index,
	                                          .trace_lo = 7,
	                                          .start_ticks = 1000,
	                                          .tail = {.ref = AGENT_FILES_SITE, .type = SPANRING_RECORD_SPAN}},
	                                 .state = UINT64_C(5) << SPANRING_ASYNC_GENERATION_SHIFT | state,
	                                 .begin_tid = 77};
	return &fixture->slots[index];
}

static int set_up(void **state) {
	static struct fixture fixture;
	fixture = (struct fixture){0};
	agent_files_make(&fixture.files);
	fixture.header = agent_files_async(&fixture.files, SLOTS);
	fixture.slots = (void *)((char *)fixture.header + SPANRING_ASYNC_SLOTS_OFFSET);
	fixture.stack = (void *)((char *)fixture.files.ring + SPANRING_RING_STACK_OFFSET);
	assert_int_equal(fault_guard_install(), 0);
	assert_int_equal(roster_init(&fixture.roster), 0);
	assert_int_equal(producer_open(fixture.files.rings_fd, AGENT_FILES_NAME, 0, &fixture.producer), 0);
	assert_int_equal(roster_add_producer(&fixture.roster, fixture.producer), 0);
	assert_int_equal(feed_open(fixture.producer, AGENT_FILES_RING, 0, NULL, &fixture.feed), 0);
	assert_int_equal(roster_add_feed(&fixture.roster, fixture.producer, fixture.feed), 0);
	assert_int_equal(flush_job_new(&fixture.job), 0);
	assert_int_equal(catalog_new(&fixture.sink.catalog), 0);
	fixture.producer->gone_ns = 9000;
	fixture.sink.batch = fixture.job->batch;
	fixture.sink.generation = 1;
	fixture.sink.clock = &fixture.clock;
	*state = &fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	roster_done(&fixture->roster);
	flush_job_free(fixture->job);
	catalog_free(fixture->sink.catalog);
	munmap(fixture->header, FILE_BYTES);
	agent_files_remove(&fixture->files);
	return 0;
}

static void take(struct fixture *fixture) {
	assert_int_equal(async_open(fixture->producer, &fixture->roster), 0);
	assert_non_null(fixture->producer->async);
}

/* As handover.c closes a producer that is gone. */
static void close_all(struct fixture *fixture, struct store_cursor *ret_ring) {
	uint64_t rows = 0;
	fixture->producer->phase = PRODUCER_ENDING;
	assert_int_equal(feed_look(fixture->feed), 0);
	async_settle(fixture->producer);
	assert_int_equal(unfinished_close(fixture->feed, &fixture->sink, &rows), 0);
	fixture->job->unfinished_spans += rows;
	assert_int_equal(async_add(fixture->producer, &fixture->sink, fixture->job, true, false), 0);
	feed_cursor(fixture->feed, true, ret_ring);
}

static void open_spans_become_rows_once(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor ring;
	put(fixture, 0, SPANRING_ASYNC_OPEN);
	put(fixture, 3, SPANRING_ASYNC_OPEN)->span.tail.type = SPANRING_ENTRY_UNSAMPLED;
	put(fixture, 9, SPANRING_ASYNC_OPEN)->span.tail.ref = SPANRING_SITES_MAX + 1;
	put(fixture, SLOTS - 1, SPANRING_ASYNC_OPEN);
	take(fixture);
	async_look(fixture->producer, 1);
	assert_int_equal(fixture->producer->async->open, 4);
	assert_int_equal(async_add(fixture->producer, &fixture->sink, fixture->job, false, false), 0);
	assert_int_equal(fixture->job->cursor_count, 1);
	assert_int_equal(fixture->job->cursors[0].ring_index, STORE_RING_ASYNC);
	assert_int_equal(fixture->job->cursors[0].begun, 4);
	assert_int_equal(fixture->job->cursors[0].open, 4);
	assert_int_equal(fixture->job->cursors[0].state, STORE_RING_LIVE);
	async_note_sent(fixture->producer, &fixture->job->cursors[0]);
	assert_int_equal(async_add(fixture->producer, &fixture->sink, fixture->job, false, false), 0);
	assert_int_equal(fixture->job->cursor_count, 1);
	close_all(fixture, &ring);
	assert_int_equal(fixture->job->cursor_count, 2);
	assert_int_equal(fixture->job->cursors[1].state, STORE_RING_DIED);
	assert_int_equal(fixture->job->cursors[1].open, 4);
	assert_true(fixture->job->cursors[1].position > fixture->job->cursors[0].position);
	assert_int_equal(fixture->job->unfinished_spans, 2);
	assert_int_equal(fixture->sink.batch->span_count, 2);
	assert_int_equal(fixture->sink.batch->spans[0].span_id, 201);
	assert_int_equal(fixture->sink.batch->spans[0].flags, STORE_SPAN_OPEN);
	assert_int_equal(fixture->sink.batch->spans[0].duration_ns, 8000);
	assert_int_equal(fixture->sink.batch->spans[1].span_id, 201 + SLOTS - 1);
	async_note_sent(fixture->producer, &fixture->job->cursors[1]);
	assert_int_equal(async_add(fixture->producer, &fixture->sink, fixture->job, true, false), 0);
	assert_int_equal(fixture->job->cursor_count, 2);
	assert_int_equal(fixture->sink.batch->span_count, 2);
}

/* Killed behind the record and before the word, with a span open on the thread: that one has not ended. */
static void cut_off_behind_the_record(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor ring;
	fixture->stack[0] = (struct spanring_open_span){
	    .span_id = 101, .trace_lo = 7, .tail = {.ref = AGENT_FILES_SITE, .type = SPANRING_RECORD_SPAN}};
	fixture->files.ring->begun_open = UINT64_C(1) << SPANRING_BEGUN_SHIFT | 1;
	agent_files_put(&fixture->files, 0, agent_files_span(203), SPANRING_RECORD_SPAN);
	put(fixture, 2, SPANRING_ASYNC_ENDING_RECORD);
	assert_int_equal(drain_records(fixture->feed, &fixture->sink, fixture->files.records, 1, true), DRAIN_DONE);
	take(fixture);
	close_all(fixture, &ring);
	assert_int_equal(ring.begun, 2);
	assert_int_equal(ring.open, 1);
	assert_int_equal(fixture->sink.batch->span_count, 2);
	assert_int_equal(fixture->sink.batch->spans[1].span_id, 101);
	assert_int_equal(fixture->job->cursors[0].open, 0);
}

/* Behind the word: nothing is short. */
static void cut_off_behind_the_word(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor ring;
	fixture->files.ring->begun_open = UINT64_C(1) << SPANRING_BEGUN_SHIFT;
	agent_files_put(&fixture->files, 0, agent_files_span(203), SPANRING_RECORD_SPAN);
	put(fixture, 2, SPANRING_ASYNC_ENDING_RECORD);
	assert_int_equal(drain_records(fixture->feed, &fixture->sink, fixture->files.records, 1, true), DRAIN_DONE);
	take(fixture);
	close_all(fixture, &ring);
	assert_int_equal(ring.begun, 1);
	assert_int_equal(ring.open, 0);
	assert_int_equal(fixture->sink.batch->span_count, 1);
	assert_int_equal(fixture->job->cursors[0].open, 0);
}

static void cut_off_before_the_record(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor ring;
	/* Another span has the position, another ring is named, the counter has not come so far, the state makes no sense. */
	agent_files_put(&fixture->files, 0, agent_files_span(5), SPANRING_RECORD_SPAN);
	fixture->files.ring->begun_open = UINT64_C(2) << SPANRING_BEGUN_SHIFT;
	fixture->files.ring->dropped_full = 1;
	put(fixture, 0, SPANRING_ASYNC_ENDING_RECORD);
	put(fixture, 1, SPANRING_ASYNC_ENDING_RECORD)->end_count = 1;
	put(fixture, 2, SPANRING_ASYNC_ENDING_RECORD)->end_count = UINT64_MAX;
	put(fixture, 3, SPANRING_ASYNC_ENDING_RECORD)->end_ring = UINT32_MAX;
	put(fixture, 4, SPANRING_ASYNC_ENDING_FULL)->end_count = 2;
	put(fixture, 5, SPANRING_ASYNC_ENDING_SAMPLED)->end_count = 1;
	put(fixture, 6, SPANRING_ASYNC_ENDING_SHORT)->end_count = 1;
	put(fixture, 7, 1000);
	assert_int_equal(drain_records(fixture->feed, &fixture->sink, fixture->files.records, 1, true), DRAIN_DONE);
	take(fixture);
	close_all(fixture, &ring);
	assert_int_equal(ring.begun, 2);
	assert_int_equal(fixture->sink.batch->span_count, 1 + 8);
	assert_int_equal(fixture->job->cursors[0].open, 8);
}

static void cut_off_behind_a_drop(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor ring;
	fixture->files.ring->dropped_full = 4;
	fixture->files.ring->begun_open = UINT64_C(3) << SPANRING_BEGUN_SHIFT;
	put(fixture, 4, SPANRING_ASYNC_ENDING_FULL)->end_count = 4;
	take(fixture);
	close_all(fixture, &ring);
	assert_int_equal(ring.begun, 4);
	assert_int_equal(fixture->sink.batch->span_count, 0);
	assert_int_equal(fixture->job->cursors[0].open, 0);
}

static void a_restart_after_the_last_commit_adds_nothing(void **state) {
	struct fixture *fixture = *state;
	struct store_cursor ring;
	struct store_cursor last = {.ring_index = STORE_RING_ASYNC, .state = STORE_RING_DIED, .begun = 1, .open = 1};
	put(fixture, 0, SPANRING_ASYNC_OPEN);
	memcpy(last.instance, fixture->producer->instance, sizeof(last.instance));
	fixture->roster.users.items[0]->directory_fd = dup(fixture->files.rings_fd);
	assert_int_equal(roster_keep_resumes(&fixture->roster, &last, 1), 0);
	take(fixture);
	close_all(fixture, &ring);
	assert_int_equal(fixture->sink.batch->span_count, 0);
	assert_int_equal(fixture->job->cursor_count, 0);
}

static void without_room_nothing_is_added(void **state) {
	struct fixture *fixture = *state;
	struct store_span row = {.span_id = 1, .trace_lo = 1, .site = 1, .thread = 1};
	put(fixture, 0, SPANRING_ASYNC_OPEN);
	put(fixture, 1, SPANRING_ASYNC_OPEN);
	for (uint32_t i = 0; i < BATCH_SPANS_MAX - 1; i++)
		batch_add_span(fixture->sink.batch, &row);
	take(fixture);
	async_settle(fixture->producer);
	assert_int_equal(async_add(fixture->producer, &fixture->sink, fixture->job, true, false), ERR_FULL);
	assert_int_equal(fixture->sink.batch->span_count, BATCH_SPANS_MAX - 1);
	assert_int_equal(fixture->job->cursors[0].state, STORE_RING_LIVE);
	batch_clear(fixture->sink.batch);
	assert_int_equal(async_add(fixture->producer, &fixture->sink, fixture->job, true, false), 0);
	assert_int_equal(fixture->sink.batch->span_count, 2);
}

static void expect_refused(struct fixture *fixture, int error) {
	assert_int_equal(async_open(fixture->producer, &fixture->roster), error);
	assert_null(fixture->producer->async);
}

#define REFUSED(field, value, error)                                                                                   \
	do {                                                                                                           \
		struct spanring_async_header sound = *fixture->header;                                                 \
		fixture->header->field = (value);                                                                      \
		expect_refused(fixture, error);                                                                        \
		*fixture->header = sound;                                                                              \
	} while (0)

static void what_is_no_async_file_is_refused(void **state) {
	struct fixture *fixture = *state;
	REFUSED(magic, 1, ERR_FOREIGN);
	REFUSED(abi_version, SPANRING_ABI_VERSION + 1, ERR_NEWER);
	REFUSED(features_incompat, 1, ERR_NEWER);
	REFUSED(instance[3], 0xee, ERR_FOREIGN);
	REFUSED(header_bytes, 64, ERR_DAMAGED);
	REFUSED(slot_bytes, 64, ERR_DAMAGED);
	REFUSED(slots_max, 7, ERR_DAMAGED);
	REFUSED(slots_offset, 8192, ERR_DAMAGED);
	REFUSED(slot_count, SPANRING_ASYNC_SLOTS_MAX + 1, ERR_DAMAGED);
	take(fixture);
}

static void a_count_that_goes_back_is_damage(void **state) {
	struct fixture *fixture = *state;
	put(fixture, 0, SPANRING_ASYNC_OPEN);
	take(fixture);
	async_look(fixture->producer, 1);
	fixture->header->slot_count = 1;
	async_look(fixture->producer, 1 + ASYNC_LOOK_NS);
	assert_int_equal(fixture->producer->async->quarantine, ERR_DAMAGED);
	assert_int_equal(async_add(fixture->producer, &fixture->sink, fixture->job, true, false), 0);
	assert_int_equal(fixture->job->cursors[0].state, STORE_RING_QUARANTINED);
	assert_int_equal(fixture->sink.batch->span_count, 0);
}

static void a_file_that_is_cut_short_is_gone(void **state) {
	struct fixture *fixture = *state;
	agent_files_skip_faults();
	assert_int_equal(fault_guard_install(), 0); /* the runner of the tests has put its own handler there */
	take(fixture);
	int fd = openat(fixture->files.directory_fd, SPANRING_ASYNC_NAME, O_RDWR);
	assert_int_equal(ftruncate(fd, SPANRING_ASYNC_SLOTS_OFFSET), 0);
	close(fd);
	async_look(fixture->producer, 1);
	assert_int_equal(fixture->producer->async->quarantine, ERR_GONE);
}

#define WITH_FILES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    WITH_FILES(open_spans_become_rows_once),
	    WITH_FILES(cut_off_behind_the_record),
	    WITH_FILES(cut_off_behind_the_word),
	    WITH_FILES(cut_off_before_the_record),
	    WITH_FILES(cut_off_behind_a_drop),
	    WITH_FILES(a_restart_after_the_last_commit_adds_nothing),
	    WITH_FILES(without_room_nothing_is_added),
	    WITH_FILES(what_is_no_async_file_is_refused),
	    WITH_FILES(a_count_that_goes_back_is_damage),
	    WITH_FILES(a_file_that_is_cut_short_is_gone),
	};
	return cmocka_run_group_tests_name("agent_async", tests, NULL, NULL);
}
