/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program killed at a random instant leaves files that account for every span: nested spans with an attribute each, in a
 * ring small enough to fill up now and then, SIGKILL after a random time, then the rule of ring_abi.h.
 */
#include "support/cmocka.h"

#include "ring_view.h"
#include "support/child.h"
#include "support/seed.h"

#include <errno.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>

#define ROUNDS 100u
#define DELAY_NS_MAX 3000000u

static void work(int ready_fd) {
	setenv("SPANRING_DIR", view_scratch.rings, 1);
	setenv("SPANRING_RING_BYTES", "1048576", 1);
	for (unsigned i = 0;; i++) {
		SPANRING_BEGIN(a, "a");
		SPANRING_BEGIN(b, "b");
		SPANRING_BEGIN(c, "c");
		SPANRING_SET_STRING(c, "k", "sixty bytes of text, so that one record is not enough for it");
		spanring_end(c);
		spanring_end(b);
		spanring_end(a);
		if (i == 0)
			CHECK(write(ready_fd, "", 1) == 1);
	}
}

static pid_t start(void) {
	int ready[2];
	char byte;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(ready[0]);
		work(ready[1]);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void check_account(const struct view_ring *ring, uint64_t spans, uint64_t last_span_id) {
	const struct spanring_ring_header *header = &ring->header;
	uint64_t begun = header->begun_open >> SPANRING_BEGUN_SHIFT, open = header->begun_open & SPANRING_OPEN_MASK;
	uint64_t ended = spans + header->dropped_full;
	assert_in_range(open, 0, 3);
	for (uint64_t i = 0; i < open; i++)
		assert_int_equal(ring->stack[i].parent_id, i == 0 ? 0 : ring->stack[i - 1].span_id);
	if (ended == begun - open)
		return;
	/* Killed between the record (or the drop) and the word: the top of the stack is the span that ended. */
	assert_int_equal(ended, begun - open + 1);
	assert_true(open > 0);
	if (header->dropped_full == 0)
		assert_int_equal(ring->stack[open - 1].span_id, last_span_id);
}

static void check_ring(const struct view_ring *ring) {
	uint64_t spans = 0, last_span_id = 0;
	for (uint64_t r = 0; r < ring->count; r++) {
		const union spanring_record *record = &ring->records[r];
		if (record->span.tail.type == SPANRING_RECORD_SPAN) {
			assert_true(record->span.span_id != 0 && record->span.trace_hi != 0);
			last_span_id = record->span.span_id;
			spans++;
		}
		/* Whole, unless the kill came between its two records. */
		if (record->span.tail.type == SPANRING_RECORD_ATTRIBUTE && r + 1 < ring->count)
			assert_int_equal(record[1].span.tail.type, SPANRING_RECORD_CONTINUATION);
	}
	assert_true(ring->owner_word & 0x40000000u); /* FUTEX_OWNER_DIED */
	check_account(ring, spans, last_span_id);
}

static void test_killed_anywhere(void **state) {
	(void)state;
	struct seed seed = seed_start("test_writer_killed");
	for (unsigned round = 0; round < seed_rounds(ROUNDS); round++) {
		struct timespec delay = {.tv_nsec = (long)seed_below(&seed, DELAY_NS_MAX)};
		pid_t pid = start();
		int status;
		(void)nanosleep(&delay, NULL);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		struct view_instance *view = view_open(view_scratch.rings, pid);
		assert_non_null(view);
		check_ring(&view->rings[0]);
		view_close(view);
		view_renew();
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_killed_anywhere),
	};
	return cmocka_run_group_tests_name("writer killed", tests, NULL, NULL);
}
