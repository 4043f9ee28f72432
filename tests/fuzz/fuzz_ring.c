/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that writes anything it likes into its own ring. The input is laid over a sound ring: the moving words of
 * the header, the header's fixed part, then records from position 0 on, and the same bytes over the stack of open spans.
 * Whatever it holds: no fault, everything taken is a row, a rejection or a THREAD record, and no more rows of open spans
 * come than the books call open. If the input says so, a second thread changes words of the mapping all the while.
 *
 *     0    8 bytes   head        16   8 bytes   begun_open
 *     8    8 bytes   tail        24   8 bytes   owner word, state
 *     32   1 byte    how many bytes of the header, from its start, follow and replace it
 *     33   1 byte    if it is odd: where the second thread begins to change words
 *     ...            the rest: records
 */
#include "agent/intake/intake.h"
#include "agent/intake/roster.h"
#include "agent/intake/unfinished.h"
#include "agent_files.h"
#include "libshm/fault_guard.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_BYTES 32u
#define FIXED_AT (WORDS_BYTES + 2u) /* the bytes of the header */
#define INPUT_BYTES_MAX 8192u
#define ROUNDS 20000u
#define THREAD_INPUTS 8u /* one in so many has the second thread */
#define TURNS_MAX 64u    /* a bounded number of turns must get everything */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct {
	struct agent_files files;
	struct spanring_ring_header sound;
	struct producer_sink sink;
	struct clock_model clock;
	bool ready;
} target;

/* --- the second thread --------------------------------------------------------------------------------------------- */

static struct {
	pthread_t thread;
	sem_t go;
	uint64_t state;
	uint32_t stop;    /* atomic */
	uint32_t changes; /* atomic; of this input */
} meddler;

/* Words of the header, the stack or the records, by turns; what it finds there moved a bit, or anything. */
static void *meddle(void *context) {
	struct seed seed;
	(void)context;
	for (;;) {
		while (sem_wait(&meddler.go) < 0)
			;
		seed.state = meddler.state;
		while (!__atomic_load_n(&meddler.stop, __ATOMIC_ACQUIRE)) {
			uint64_t bytes = seed_below(&seed, 2) ? sizeof(struct spanring_ring_header)
			                                      : SPANRING_RING_DATA_OFFSET + INPUT_BYTES_MAX;
			uint64_t *word =
			    (uint64_t *)(void *)((char *)target.files.ring + seed_below(&seed, bytes / 8) * 8);
			uint64_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
			uint64_t pick = seed_below(&seed, 4);
			__atomic_store_n(word,
			                 pick < 2 ? before + pick * 2 - 1 : seed_next(&seed) >> seed_below(&seed, 64),
			                 __ATOMIC_RELAXED);
			__atomic_add_fetch(&meddler.changes, 1, __ATOMIC_RELEASE);
		}
		__atomic_store_n(&meddler.stop, 0, __ATOMIC_RELEASE); /* its last word for this input */
	}
	return NULL;
}

static void begin_meddling(uint64_t state) {
	static bool runs;
	if (!runs) {
		assert_int_equal(sem_init(&meddler.go, 0, 0), 0);
		assert_int_equal(pthread_create(&meddler.thread, NULL, meddle, NULL), 0);
		runs = true;
	}
	meddler.state = state;
	__atomic_store_n(&meddler.changes, 0, __ATOMIC_RELEASE);
	(void)sem_post(&meddler.go);
	while (__atomic_load_n(&meddler.changes, __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
}

static void end_meddling(void) {
	__atomic_store_n(&meddler.stop, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&meddler.stop, __ATOMIC_ACQUIRE))
		(void)sched_yield();
}

/* --- one input ----------------------------------------------------------------------------------------------------- */

static void prepare(void) {
	agent_files_make(&target.files);
	target.sound = *target.files.ring;
	assert_int_equal(fault_guard_install(), 0);
	assert_int_equal(batch_new(&target.sink.batch), 0);
	assert_int_equal(catalog_new(&target.sink.catalog), 0);
	target.sink.generation = 1;
	target.sink.clock = &target.clock;
	target.ready = true;
}

static void lay_over(const uint8_t *data, size_t bytes) {
	struct spanring_ring_header *header = target.files.ring;
	uint8_t input[INPUT_BYTES_MAX] = {0};
	memcpy(input, data, bytes < sizeof(input) ? bytes : sizeof(input));
	*header = target.sound;
	memset(target.files.records, 0, SPANRING_RING_BYTES_MIN);
	size_t fixed = input[WORDS_BYTES];
	memcpy(header, input + FIXED_AT, fixed);
	memcpy(&header->head, input, 8);
	memcpy(&header->tail, input + 8, 8);
	memcpy(&header->begun_open, input + 16, 8);
	memcpy(header->owner_mutex, input + 24, 4);
	memcpy(&header->state, input + 28, 4);
	size_t at = FIXED_AT + fixed;
	memcpy(target.files.records, input + at, sizeof(input) - at);
	/* The stack of open spans: the same bytes again. */
	memcpy((char *)header + SPANRING_RING_STACK_OFFSET, input + at,
	       sizeof(input) - at < SPANRING_DEPTH_MAX * sizeof(struct spanring_open_span)
	           ? sizeof(input) - at
	           : SPANRING_DEPTH_MAX * sizeof(struct spanring_open_span));
}

static void take_all(struct producer *producer, struct feed *feed, bool meddled) {
	struct roster roster;
	struct intake intake;
	assert_int_equal(roster_init(&roster), 0);
	assert_int_equal(roster_add_producer(&roster, producer), 0);
	assert_int_equal(roster_add_feed(&roster, producer, feed), 0);
	assert_int_equal(intake_init(&intake, NULL, &roster), 0);
	producer->identity->flags |= SPANRING_PROCESS_HAS_MEMBARRIER;
	uint64_t before = feed->taken;
	batch_clear(target.sink.batch);
	(void)intake_published(&intake, &target.sink);
	(void)intake_behind(&intake, &target.sink, true);
	producer->phase = PRODUCER_ENDING;
	for (uint32_t turn = 0; !producer->dry; turn++) {
		if (meddled && turn == TURNS_MAX / 2) {
			end_meddling(); /* from here on it must come to an end */
			meddled = false;
		}
		assert_true(turn < TURNS_MAX);
		(void)intake_published(&intake, &target.sink);
		(void)intake_behind(&intake, &target.sink, false);
	}
	struct store_cursor row;
	feed_cursor(feed, true, &row);
	uint64_t counted =
	    row.stored_spans + row.stored_attributes + row.stored_events + row.rejected_spans + row.rejected_other;
	assert_true(counted <= feed->taken - before);
	assert_int_equal(row.stored_spans, target.sink.batch->span_count);
	assert_int_equal(row.stored_attributes, target.sink.batch->attribute_count);
	assert_true(feed->taken - before <= AGENT_FILES_CAPACITY);
	uint64_t open_rows = 0;
	uint32_t spans = target.sink.batch->span_count;
	(void)unfinished_close(feed, &target.sink, &open_rows);
	feed_cursor(feed, true, &row);
	assert_true(open_rows <= row.open);
	assert_int_equal(target.sink.batch->span_count, spans + open_rows);
	if (meddled)
		end_meddling();
	intake_done(&intake);
	roster_done(&roster);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
	struct producer *producer;
	struct feed *feed;
	if (!target.ready)
		prepare();
	lay_over(data, bytes);
	target.sink.generation++;
	assert_int_equal(producer_open(target.files.rings_fd, AGENT_FILES_NAME, 0, &producer), 0);
	bool meddled = bytes > WORDS_BYTES + 1 && data[WORDS_BYTES + 1] % 2 == 1;
	bool there = feed_open(producer, AGENT_FILES_RING, 0, NULL, &feed) == 0;
	if (there && meddled)
		begin_meddling(data[WORDS_BYTES + 1]);
	if (there)
		take_all(producer, feed, meddled);
	else
		producer_free(producer);
	return 0;
}

#ifndef SPANRING_FUZZ
static size_t sound_input(uint8_t ret_input[INPUT_BYTES_MAX], struct seed *seed) {
	uint64_t count = seed_below(seed, 100);
	uint64_t words[4] = {seed_below(seed, count + 1), 0, count << SPANRING_BEGUN_SHIFT, 0};
	union spanring_record *records = malloc(INPUT_BYTES_MAX);
	for (uint64_t i = 0; i < count; i++) {
		uint8_t type = (uint8_t)(1 + seed_below(seed, 6));
		records[i] = type == SPANRING_RECORD_ATTRIBUTE
		                 ? agent_files_string(i, "a text of no less than thirty-two bytes",
		                                      (uint32_t)seed_below(seed, 200))
		                 : agent_files_span(1 + i);
		records[i].span.tail.type = type;
		records[i].span.tail.lap = 1;
	}
	memset(ret_input, 0, INPUT_BYTES_MAX);
	memcpy(ret_input, words, sizeof(words));
	memcpy(ret_input + FIXED_AT, records, count * sizeof(*records));
	ret_input[WORDS_BYTES + 1] = (uint8_t)(seed_below(seed, THREAD_INPUTS) ? 0 : seed_next(seed) | 1);
	free(records);
	return FIXED_AT + count * sizeof(*records);
}

static void mutations_of_a_sound_ring_are_survived(void **state) {
	(void)state;
	struct seed seed = seed_start("fuzz_ring");
	uint8_t input[INPUT_BYTES_MAX];
	for (uint32_t round = 0; round < seed_rounds(ROUNDS); round++) {
		size_t bytes = sound_input(input, &seed);
		uint64_t flips = seed_below(&seed, 6);
		for (uint64_t i = 0; i < flips; i++)
			input[seed_below(&seed, i % 2 ? WORDS_BYTES + 1 : bytes)] ^= (uint8_t)seed_next(&seed);
		(void)LLVMFuzzerTestOneInput(input, bytes);
	}
	agent_files_remove(&target.files);
	batch_free(target.sink.batch);
	catalog_free(target.sink.catalog);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(mutations_of_a_sound_ring_are_survived)};
	return cmocka_run_group_tests_name("fuzz_ring", tests, NULL, NULL);
}
#endif
