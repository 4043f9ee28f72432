/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the ring protocol is right: every record that a reader may take is whole, in order, and there once.
 * Method: the writer's own hot path fills a small ring in this process while a second thread drains it with the labelled reads of
 * ring_order.h; every word of every record is a function of its number. Both ends use one mapping, so that ThreadSanitizer sees both. A
 * second story reads by lap tags alone, as an agent does behind the head of a ring.
 */
#include "support/cmocka.h"
#include "support/seed.h"

#include "libshm/ring_writer.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/membarrier.h>

#define CAPACITY_SHIFT 8
#define CAPACITY (1u << CAPACITY_SHIFT)
#define RECORDS 2000000u

struct pipe_under_test {
	struct spanring__thread writer;
	struct spanring_ring_header *header;
	struct spanring_control control; /* nobody sleeps */
	uint64_t records;
	bool by_tag;
	uint64_t bad;
};

static uint64_t word_of(uint64_t number, unsigned index) {
	return (number + 1) * UINT64_C(0x9e3779b97f4a7c15) + index;
}

static void pipe_open(struct pipe_under_test *pipe) {
	memset(pipe, 0, sizeof(*pipe));
	size_t bytes = sizeof(struct spanring_ring_header) + CAPACITY * SPANRING_RECORD_BYTES;
	pipe->header =
	    aligned_alloc(SPANRING_PAGE_BYTES, (bytes + SPANRING_PAGE_BYTES - 1) & ~(SPANRING_PAGE_BYTES - 1));
	assert_non_null(pipe->header);
	memset(pipe->header, 0, bytes);
	pipe->writer.header = pipe->header;
	pipe->writer.slots = (union spanring_record *)(void *)(pipe->header + 1);
	pipe->writer.mask = CAPACITY - 1;
	pipe->writer.limit = CAPACITY;
	pipe->writer.capacity_shift = CAPACITY_SHIFT;
	pipe->writer.lap_word = ring_writer_tail_word(0, 0, 0, spanring_lap_tag(0));
	pipe->writer.publish_records = SPANRING_PUBLISH_RECORDS;
	pipe->writer.publish_ticks = 1000;
	pipe->writer.bell = &pipe->control;
	pipe->writer.slot = pipe->writer.slots;
	ring_writer_restop(&pipe->writer);
	pipe->records = seed_rounds(RECORDS);
}

static void *write_all(void *context) {
	struct pipe_under_test *pipe = context;
	struct spanring__thread *writer = &pipe->writer;
	for (uint64_t number = 0; number < pipe->records; number++) {
		while (!ring_writer_reserve(writer, 1))
			(void)sched_yield();
		uint64_t words[8];
		for (unsigned i = 0; i < 7; i++)
			words[i] = word_of(number, i);
		ring_writer_append(writer, words, (uint32_t)number, SPANRING_RECORD_SPAN, 0);
		ring_writer_publish_due(writer, number);
	}
	ring_writer_publish(writer, pipe->records);
	return NULL;
}

static bool whole(const uint64_t words[8], uint64_t number) {
	for (unsigned i = 0; i < 7; i++)
		if (words[i] != word_of(number, i))
			return false;
	return words[7] == ring_writer_tail_word((uint32_t)number, SPANRING_RECORD_SPAN, 0,
	                                         spanring_lap_tag(number >> CAPACITY_SHIFT));
}

static void copy_record(const union spanring_record *slot, uint64_t words[8]) {
	words[7] = ring_order_tag_read(slot);
	for (unsigned i = 0; i < 7; i++)
		words[i] = ring_order_get(&slot->words[i]);
}

/* How far records can be taken: up to the head, or as far as the tags are right. */
static uint64_t readable_until(const struct pipe_under_test *pipe, uint64_t cursor) {
	if (!pipe->by_tag)
		return ring_order_head_read(pipe->header);
	uint64_t until = cursor;
	while (until - cursor < CAPACITY) {
		uint64_t word = ring_order_tag_read(&pipe->writer.slots[until & (CAPACITY - 1)]);
		if (word >> 48 != spanring_lap_tag(until >> CAPACITY_SHIFT))
			break;
		until++;
	}
	if (until > cursor)
		(void)syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0);
	return until;
}

static void *read_all(void *context) {
	struct pipe_under_test *pipe = context;
	uint64_t cursor = 0;
	while (cursor < pipe->records) {
		uint64_t until = readable_until(pipe, cursor);
		if (until == cursor)
			(void)sched_yield();
		for (; cursor < until; cursor++) {
			uint64_t words[8];
			copy_record(&pipe->writer.slots[cursor & (CAPACITY - 1)], words);
			pipe->bad += !whole(words, cursor);
		}
		ring_order_tail_publish(pipe->header, cursor);
	}
	return NULL;
}

static void run(bool by_tag) {
	struct pipe_under_test *pipe = malloc(sizeof(*pipe));
	pthread_t reader;
	pthread_t writer;
	assert_non_null(pipe);
	pipe_open(pipe);
	pipe->by_tag = by_tag;
	assert_int_equal(pthread_create(&reader, NULL, read_all, pipe), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_all, pipe), 0);
	assert_int_equal(pthread_join(writer, NULL), 0);
	assert_int_equal(pthread_join(reader, NULL), 0);
	assert_int_equal(pipe->bad, 0);
	assert_int_equal(ring_order_head_read(pipe->header), pipe->records);
	free(pipe->header);
	free(pipe);
}

static void records_up_to_the_head(void **state) {
	(void)state;
	run(false);
}

static void records_by_their_tags(void **state) {
	(void)state;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) != 0) {
		(void)fprintf(stderr, "no membarrier here\n");
		skip();
	}
	run(true);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(records_up_to_the_head),
	    cmocka_unit_test(records_by_their_tags),
	};
	return cmocka_run_group_tests_name("ring_spsc", tests, NULL, NULL);
}
