/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: io_uring and poll keep the same promises, those of agent/loop/loop.h; and the agent's io_uring can do nothing else.
 * Method: every case runs on both, with real descriptors; requests that the agent never makes are put to a ring of its making.
 */
#include "agent/loop/loop.h"
#include "agent/loop/loop_backend.h"
#include "base/clock.h"
#include "base/errs.h"
#include "support/cmocka.h"

#include <fcntl.h>
#include <liburing.h>
#include <linux/futex.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FILE_BYTES 10000u
#define LONG_NS (60 * NS_PER_S) /* more than any wait that is to end by itself */
#define WAITS_MAX 1000000u

/* Before each case; the name of the test tells which one. */
struct given {
	enum loop_io io;
	struct loop *loop;
	int events[2];
	int file;
	unsigned char bytes[FILE_BYTES];
};

static unsigned char byte_at(size_t at) {
	return (unsigned char)(at * 31 + at / 251);
}

static int set_up(void **state, enum loop_io io) {
	static struct given given;
	char why[LOOP_WHY_BYTES];
	given = (struct given){.io = io};
	int rc = loop_open(io, &given.loop, why);
	if (rc < 0 && io == LOOP_IO_URING) {
		(void)printf("%s: skipped\n", why);
		*state = NULL;
		return 0;
	}
	assert_int_equal(rc, 0);
	for (int i = 0; i < 2; i++) {
		given.events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		assert_true(given.events[i] >= 0);
	}
	given.file = memfd_create("ring", MFD_CLOEXEC);
	assert_true(given.file >= 0);
	for (size_t i = 0; i < FILE_BYTES; i++)
		given.bytes[i] = byte_at(i);
	assert_int_equal(write(given.file, given.bytes, FILE_BYTES), FILE_BYTES);
	memset(given.bytes, 0, FILE_BYTES);
	*state = &given;
	return 0;
}

static int set_up_uring(void **state) {
	return set_up(state, LOOP_IO_URING);
}

static int set_up_posix(void **state) {
	return set_up(state, LOOP_IO_POSIX);
}

static int tear_down(void **state) {
	struct given *given = *state;
	if (!given)
		return 0;
	loop_close(given->loop);
	(void)close(given->events[0]);
	(void)close(given->events[1]);
	(void)close(given->file);
	return 0;
}

static struct given *given_of(void **state) {
	if (!*state)
		skip();
	return *state;
}

static void ring(int event) {
	uint64_t one = 1;
	assert_int_equal(write(event, &one, sizeof(one)), (ssize_t)sizeof(one));
}

static void clear(int event) {
	uint64_t count;
	assert_int_equal(read(event, &count, sizeof(count)), (ssize_t)sizeof(count));
}

/* What is ready, without waiting: asked several times, as an answer that is on its way may take one wait. */
static uint32_t ready_now(struct given *given) {
	uint32_t all = 0;
	for (int i = 0; i < 4; i++) {
		uint32_t ready = 0;
		assert_int_equal(loop_wait(given->loop, 0, &ready), 0);
		all |= ready;
	}
	return all;
}

static uint32_t wait_long(struct given *given) {
	uint32_t ready = 0;
	for (uint32_t i = 0; i < WAITS_MAX && !ready; i++)
		assert_int_equal(loop_wait(given->loop, LONG_NS, &ready), 0);
	return ready;
}

static void it_says_what_it_is(void **state) {
	struct given *given = given_of(state);
	assert_int_equal(loop_in_use(given->loop), given->io);
	assert_string_equal(loop_why(given->loop), "asked for");
}

static void a_source_is_ready_until_it_is_read(void **state) {
	struct given *given = given_of(state);
	loop_watch(given->loop, LOOP_BELL, given->events[0]);
	assert_int_equal(ready_now(given), 0);
	ring(given->events[0]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(wait_long(given), 1u << LOOP_BELL);
	clear(given->events[0]);
	assert_int_equal(ready_now(given), 0);
}

static void each_source_is_told_from_the_others(void **state) {
	struct given *given = given_of(state);
	loop_watch(given->loop, LOOP_STORE, given->events[0]);
	loop_watch(given->loop, LOOP_CHILD, given->events[1]);
	ring(given->events[1]);
	assert_int_equal(wait_long(given), 1u << LOOP_CHILD);
	ring(given->events[0]);
	assert_int_equal(ready_now(given), 1u << LOOP_CHILD | 1u << LOOP_STORE);
}

static void a_source_that_was_taken_out_is_silent(void **state) {
	struct given *given = given_of(state);
	loop_watch(given->loop, LOOP_BELL, given->events[0]);
	assert_int_equal(ready_now(given), 0);
	loop_watch(given->loop, LOOP_BELL, -1);
	ring(given->events[0]);
	assert_int_equal(ready_now(given), 0);
}

/* Its old descriptor may have become ready just before. */
static void a_source_changes_its_descriptor(void **state) {
	struct given *given = given_of(state);
	loop_watch(given->loop, LOOP_BELL, given->events[0]);
	assert_int_equal(ready_now(given), 0);
	ring(given->events[0]);
	loop_watch(given->loop, LOOP_BELL, given->events[1]);
	assert_int_equal(ready_now(given), 0);
	ring(given->events[1]);
	assert_int_equal(wait_long(given), 1u << LOOP_BELL);
}

static void a_descriptor_that_hung_up_is_ready(void **state) {
	struct given *given = given_of(state);
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	loop_watch(given->loop, LOOP_STATUS, ends[0]);
	assert_int_equal(ready_now(given), 0);
	(void)close(ends[1]);
	assert_int_equal(wait_long(given), 1u << LOOP_STATUS);
	loop_watch(given->loop, LOOP_STATUS, -1);
	(void)close(ends[0]);
}

/* Neither an error nor a loop that never sleeps: the others are still heard. */
static void a_closed_descriptor_is_taken_out(void **state) {
	struct given *given = given_of(state);
	int dead = eventfd(1, EFD_CLOEXEC);
	assert_true(dead >= 0);
	(void)close(dead);
	loop_watch(given->loop, LOOP_SIGNAL, dead);
	loop_watch(given->loop, LOOP_BELL, given->events[0]);
	assert_int_equal(ready_now(given), 0);
	/* Somebody else gets the number: not the source's any more. */
	assert_int_equal(dup2(given->events[1], dead), dead);
	ring(given->events[1]);
	assert_int_equal(ready_now(given), 0);
	ring(given->events[0]);
	assert_int_equal(wait_long(given), 1u << LOOP_BELL);
	(void)close(dead);
}

static void a_wait_ends_when_its_time_is_over(void **state) {
	struct given *given = given_of(state);
	uint32_t ready = 1;
	loop_watch(given->loop, LOOP_BELL, given->events[0]);
	uint64_t before = clock_monotonic_ns();
	while (clock_monotonic_ns() - before < 2 * NS_PER_MS)
		assert_int_equal(loop_wait(given->loop, NS_PER_MS, &ready), 0);
	assert_int_equal(ready, 0);
	ring(given->events[0]);
	assert_int_equal(loop_wait(given->loop, UINT64_MAX, &ready), 0);
	assert_int_equal(ready, 1u << LOOP_BELL);
}

#define SIGNALS 3
static volatile sig_atomic_t signals_seen;
static int signal_event;

static void on_signal(int number) {
	uint64_t one = 1;
	(void)number;
	if (++signals_seen < SIGNALS)
		return;
	ssize_t written = write(signal_event, &one, sizeof(one));
	(void)written;
}

static void a_signal_is_no_error(void **state) {
	struct given *given = given_of(state);
	struct sigaction action = {.sa_handler = on_signal};
	struct sigaction before;
	struct sigevent to_this_thread = {
	    .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1, ._sigev_un._tid = gettid()};
	struct itimerspec each = {.it_value.tv_nsec = 1000000, .it_interval.tv_nsec = 1000000};
	timer_t timer;
	signals_seen = 0;
	signal_event = given->events[0];
	loop_watch(given->loop, LOOP_BELL, given->events[0]);
	assert_int_equal(sigaction(SIGUSR1, &action, &before), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, &to_this_thread, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &each, NULL), 0);
	assert_int_equal(wait_long(given), 1u << LOOP_BELL);
	/* Reads are not cut by it either. */
	for (int i = 0; i < 100; i++) {
		struct loop_read one = {.fd = given->file, .to = given->bytes, .bytes = FILE_BYTES};
		assert_int_equal(loop_read(given->loop, &one, 1), 0);
		assert_int_equal(one.result, FILE_BYTES);
	}
	assert_int_equal(timer_delete(timer), 0);
	assert_int_equal(sigaction(SIGUSR1, &before, NULL), 0);
	assert_true(signals_seen >= SIGNALS);
}

static void a_full_set_of_reads_comes_back_whole(void **state) {
	struct given *given = given_of(state);
	struct loop_read reads[LOOP_READS_MAX];
	const uint32_t part = FILE_BYTES / LOOP_READS_MAX;
	for (uint32_t i = 0; i < LOOP_READS_MAX; i++) {
		uint32_t at = (LOOP_READS_MAX - 1 - i) * part;
		reads[i] = (struct loop_read){.fd = given->file, .offset = at, .to = given->bytes + at, .bytes = part};
	}
	assert_int_equal(loop_read(given->loop, reads, LOOP_READS_MAX), 0);
	for (uint32_t i = 0; i < LOOP_READS_MAX; i++)
		assert_int_equal(reads[i].result, part);
	for (size_t i = 0; i < (size_t)part * LOOP_READS_MAX; i++)
		assert_int_equal(given->bytes[i], byte_at(i));
}

static void no_more_than_a_full_set(void **state) {
	struct given *given = given_of(state);
	static struct loop_read reads[LOOP_READS_MAX + 1];
	assert_int_equal(loop_read(given->loop, reads, LOOP_READS_MAX + 1), ERR_LIMIT);
	assert_int_equal(loop_read(given->loop, reads, 0), 0);
}

static void each_read_has_a_result_of_its_own(void **state) {
	struct given *given = given_of(state);
	int closed = dup(given->file);
	(void)close(closed);
	struct loop_read reads[] = {
	    {.fd = given->file, .offset = FILE_BYTES - 10, .to = given->bytes, .bytes = 64},
	    {.fd = given->file, .offset = FILE_BYTES, .to = given->bytes + 100, .bytes = 64},
	    {.fd = closed, .offset = 0, .to = given->bytes + 200, .bytes = 64},
	    {.fd = given->file, .offset = 5, .to = given->bytes + 300, .bytes = 64},
	    {.fd = given->file, .offset = 0, .to = NULL, .bytes = 64},
	};
	assert_int_equal(loop_read(given->loop, reads, 5), 0);
	assert_int_equal(reads[0].result, 10);
	assert_int_equal(reads[1].result, 0);
	assert_int_equal(reads[2].result, -EBADF);
	assert_int_equal(reads[3].result, 64);
	assert_int_equal(reads[4].result, -EFAULT);
	assert_int_equal(given->bytes[9], byte_at(FILE_BYTES - 1));
	assert_int_equal(given->bytes[300], byte_at(5));
}

static void a_file_that_was_cut_reads_short(void **state) {
	struct given *given = given_of(state);
	struct loop_read one = {.fd = given->file, .to = given->bytes, .bytes = FILE_BYTES};
	assert_int_equal(ftruncate(given->file, 100), 0);
	assert_int_equal(loop_read(given->loop, &one, 1), 0);
	assert_int_equal(one.result, 100);
}

static void what_becomes_ready_during_reads_is_not_lost(void **state) {
	struct given *given = given_of(state);
	loop_watch(given->loop, LOOP_BELL, given->events[0]);
	assert_int_equal(ready_now(given), 0);
	ring(given->events[0]);
	struct loop_read one = {.fd = given->file, .to = given->bytes, .bytes = FILE_BYTES};
	assert_int_equal(loop_read(given->loop, &one, 1), 0);
	assert_int_equal(one.result, FILE_BYTES);
	assert_int_equal(wait_long(given), 1u << LOOP_BELL);
}

static int request(struct io_uring *uring, unsigned op, int fd, void *to, unsigned flags) {
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
	if (!sqe)
		abort(); /* each request is answered before the next one is made */
	io_uring_prep_rw((int)op, sqe, fd, to, op == IORING_OP_READ ? 8 : 0, 0);
	if (op == IORING_OP_POLL_ADD)
		sqe->poll32_events = POLLIN;
	sqe->flags |= (uint8_t)flags;
	assert_true(io_uring_submit(uring) >= 0);
	assert_int_equal(io_uring_wait_cqe(uring, &cqe), 0);
	int result = cqe->res;
	io_uring_cqe_seen(uring, cqe);
	return result;
}

/* Shared, as a program's page is. */
static uint32_t *shared_word(void) {
	uint32_t *word = mmap(NULL, sizeof(*word), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(word != MAP_FAILED);
	return word;
}

static long wake(const uint32_t *word) {
	return syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void a_futex_that_was_woken_is_ready_once(void **state) {
	struct given *given = given_of(state);
	uint32_t *word = shared_word();
	if (!loop_has_futex(given->loop)) {
		assert_int_equal(loop_arm_futex(given->loop, LOOP_BELL, word, 0), -ENOTSUP);
		(void)munmap(word, sizeof(*word));
		return;
	}
	assert_int_equal(wake(word), 0);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(loop_arm_futex(given->loop, LOOP_BELL, word, 0), 0);
		assert_int_equal(loop_arm_futex(given->loop, LOOP_BELL, word, 0), 0); /* not twice */
		assert_int_equal(ready_now(given), 0);
		assert_int_equal(wake(word), 1);
		assert_int_equal(wait_long(given), 1u << LOOP_BELL);
		assert_int_equal(ready_now(given), 0);
		assert_int_equal(wake(word), 0);
	}
	assert_int_equal(loop_arm_futex(given->loop, LOOP_BELL, word, 1), -EAGAIN);
	assert_int_equal(ready_now(given), 0);
	assert_int_equal(loop_arm_futex(given->loop, LOOP_BELL, word, 0), 0);
	assert_int_equal(wake(word), 1);
	assert_int_equal(wait_long(given), 1u << LOOP_BELL);
	(void)munmap(word, sizeof(*word));
}

static void a_futex_whose_file_was_cut_is_an_error(void **state) {
	struct given *given = given_of(state);
	int file = memfd_create("page", MFD_CLOEXEC);
	assert_int_equal(ftruncate(file, 4096), 0);
	uint32_t *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	assert_true(word != MAP_FAILED);
	if (loop_has_futex(given->loop)) {
		assert_int_equal(ftruncate(file, 0), 0);
		assert_int_equal(loop_arm_futex(given->loop, LOOP_BELL, word, 0), -EFAULT);
		assert_int_equal(ready_now(given), 0);
	}
	(void)munmap(word, 4096);
	(void)close(file);
}

static void the_ring_does_nothing_but_poll_read_and_wait(void **state) {
	(void)state;
	struct io_uring uring;
	bool has_futex = false;
	uint64_t count;
	int event = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop_uring_setup(&uring, &has_futex) < 0) {
		(void)close(event);
		skip();
	}
	assert_int_equal(request(&uring, IORING_OP_POLL_ADD, event, NULL, 0), POLLIN);
	assert_int_equal(request(&uring, IORING_OP_READ, event, &count, 0), 8);
	assert_int_equal(request(&uring, IORING_OP_POLL_REMOVE, -1, NULL, 0), -ENOENT);
	for (unsigned op = 0; op < IORING_OP_LAST; op++)
		if (op != IORING_OP_POLL_ADD && op != IORING_OP_POLL_REMOVE && op != IORING_OP_READ)
			assert_int_equal(request(&uring, op, event, &count, 0), -EACCES);
	/* To wake one is not to wait for one. */
	if (has_futex)
		assert_int_equal(request(&uring, LOOP_URING_FUTEX_WAIT + 1, 0, &count, 0), -EACCES);
	/* Nor with a flag that is not used; and nothing can be registered, least of all what would widen this. */
	assert_int_equal(request(&uring, IORING_OP_READ, event, &count, IOSQE_FIXED_FILE), -EACCES);
	assert_int_equal(io_uring_register_files(&uring, &event, 1), -EACCES);
	assert_int_equal(io_uring_register_eventfd(&uring, event), -EACCES);
	struct io_uring_restriction wider = {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE};
	assert_int_equal(io_uring_register((unsigned)uring.ring_fd, IORING_REGISTER_RESTRICTIONS, &wider, 1), -EACCES);
	io_uring_queue_exit(&uring);
	(void)close(event);
}

#define CASE(function)                                                                                                 \
	{#function " (uring)", function, set_up_uring, tear_down, NULL}, {                                             \
#function " (posix)", function, set_up_posix, tear_down, NULL                                          \
	}

int main(void) {
	const struct CMUnitTest tests[] = {
	    CASE(it_says_what_it_is),
	    CASE(a_source_is_ready_until_it_is_read),
	    CASE(each_source_is_told_from_the_others),
	    CASE(a_source_that_was_taken_out_is_silent),
	    CASE(a_source_changes_its_descriptor),
	    CASE(a_descriptor_that_hung_up_is_ready),
	    CASE(a_closed_descriptor_is_taken_out),
	    CASE(a_wait_ends_when_its_time_is_over),
	    CASE(a_signal_is_no_error),
	    CASE(a_full_set_of_reads_comes_back_whole),
	    CASE(no_more_than_a_full_set),
	    CASE(each_read_has_a_result_of_its_own),
	    CASE(a_file_that_was_cut_reads_short),
	    CASE(what_becomes_ready_during_reads_is_not_lost),
	    CASE(a_futex_that_was_woken_is_ready_once),
	    CASE(a_futex_whose_file_was_cut_is_an_error),
	    cmocka_unit_test(the_ring_does_nothing_but_poll_read_and_wait),
	};
	return cmocka_run_group_tests_name("agent_loop", tests, NULL, NULL);
}
