/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row B34 (threat T14): threads that come and go by the thousand, that are cancelled inside a span, and that still write while the
 * program exits. Every span is counted once, by a record or a counter; rings are used again.
 * Method: the program runs beside an agent; its own counters, the books of the store and the number of its ring files are compared.
 */
#include "host_books.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include "unit/ring_view.h"

#include <dirent.h>
#include <pthread.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/mman.h>

#define SHORT_THREADS 2000u /* 20,000 in a campaign of scale 10 */
#define SPANS_PER_THREAD 50u
#define AT_ONCE 8u
#define CANCELLED_THREADS 40u
#define LIVE_WRITERS 64u
#define EXITS 3u

static struct scene {
	struct spanring_counters counters;
	unsigned rings;
} * scene;

static void *short_thread(void *argument) {
	(void)argument;
	for (unsigned i = 0; i < SPANS_PER_THREAD; i++) {
		SPANRING_SPAN(span, "short");
	}
	return NULL;
}

/* Files ring-NNNN of the only instance. */
static unsigned count_rings(void) {
	char path[2 * SCRATCH_PATH_BYTES];
	const struct dirent *entry;
	unsigned count = 0;
	DIR *top = opendir(getenv("SPANRING_DIR"));
	CHECK(top);
	while ((entry = readdir(top)))
		if (strlen(entry->d_name) == 2 * SPANRING_INSTANCE_BYTES)
			break;
	CHECK(entry);
	(void)snprintf(path, sizeof(path), "%s/%s", getenv("SPANRING_DIR"), entry->d_name);
	(void)closedir(top);
	DIR *instance = opendir(path);
	CHECK(instance);
	while ((entry = readdir(instance)))
		count += strncmp(entry->d_name, SPANRING_RING_PREFIX, strlen(SPANRING_RING_PREFIX)) == 0;
	(void)closedir(instance);
	return count;
}

static void short_threads(void) {
	for (unsigned n = 0; n < seed_rounds(SHORT_THREADS); n += AT_ONCE) {
		pthread_t threads[AT_ONCE];
		for (unsigned i = 0; i < AT_ONCE; i++)
			CHECK(pthread_create(&threads[i], NULL, short_thread, NULL) == 0);
		for (unsigned i = 0; i < AT_ONCE; i++)
			CHECK(pthread_join(threads[i], NULL) == 0);
	}
	spanring_counters_read(&scene->counters);
	scene->rings = count_rings();
}

static struct host_books run_beside_agent(void (*scenario)(void)) {
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	(void)view_run(session.scratch.rings, scenario, VIEW_EXIT);
	session_stop_agent(&session);
	struct host_books total = host_books_total(&session);
	session_close(&session);
	return total;
}

static void test_short_threads(void **state) {
	(void)state;
	struct host_books total = run_beside_agent(short_threads);
	const struct spanring_counters *counters = &scene->counters;
	uint64_t threads = (seed_rounds(SHORT_THREADS) + AT_ONCE - 1u) / AT_ONCE * AT_ONCE;
	uint64_t records = threads * (SPANS_PER_THREAD + 1u);
	uint64_t room = SPANRING_RING_BYTES_DEFAULT / SPANRING_RECORD_BYTES;
	assert_int_equal(counters->begun, threads * SPANS_PER_THREAD);
	assert_int_equal(counters->ended, counters->begun);
	assert_int_equal(counters->threads_untraced, 0);
	assert_int_equal(total.begun, counters->begun);
	assert_int_equal(total.dropped_full, counters->dropped_full);
	assert_int_equal(total.stored, total.begun - total.dropped_full);
	/* Those in use, those on their way out, and those that an agent without a processor has not emptied. */
	assert_in_range(scene->rings, 1, 4u * AT_ONCE + records / room);
}

static void *is_cancelled(void *argument) {
	SPANRING_BEGIN(outer, "outer");
	SPANRING_BEGIN(inner, "inner");
	(void)outer;
	(void)inner;
	(void)pthread_barrier_wait(argument);
	for (;;)
		(void)pause();
	return NULL;
}

static void cancelled_threads(void) {
	for (unsigned i = 0; i < seed_rounds(CANCELLED_THREADS); i++) {
		pthread_barrier_t barrier;
		pthread_t thread;
		CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
		CHECK(pthread_create(&thread, NULL, is_cancelled, &barrier) == 0);
		(void)pthread_barrier_wait(&barrier);
		CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, NULL) == 0);
		CHECK(pthread_barrier_destroy(&barrier) == 0);
	}
	spanring_counters_read(&scene->counters);
	scene->rings = count_rings();
}

static void test_cancelled_inside_a_span(void **state) {
	(void)state;
	struct host_books total = run_beside_agent(cancelled_threads);
	assert_int_equal(scene->counters.begun, 2u * seed_rounds(CANCELLED_THREADS));
	assert_int_equal(scene->counters.open, 0);
	assert_int_equal(total.stored, scene->counters.begun);
	assert_int_equal(total.open, 0);
	assert_in_range(scene->rings, 1, 2);
}

static void *writes_for_ever(void *argument) {
	(void)pthread_barrier_wait(argument);
	for (;;) {
		SPANRING_SPAN(outer, "outer");
		SPANRING_SPAN(inner, "inner");
		SPANRING_SET_STRING(inner, "k", "a value that is longer than thirty-two bytes, so that it continues");
	}
	return NULL;
}

static void exits_among_writers(void) {
	pthread_barrier_t barrier;
	pthread_t thread;
	CHECK(pthread_barrier_init(&barrier, NULL, LIVE_WRITERS + 1u) == 0);
	for (unsigned i = 0; i < LIVE_WRITERS; i++)
		CHECK(pthread_create(&thread, NULL, writes_for_ever, &barrier) == 0);
	(void)pthread_barrier_wait(&barrier);
}

/* The audit inside says that not one span of 64 threads, stopped wherever they were, is missing from the books. */
static void test_exit_among_writers(void **state) {
	(void)state;
	setenv("SPANRING_RING_BYTES", "65536", 1);
	for (unsigned i = 0; i < seed_rounds(EXITS); i++) {
		struct host_books total = run_beside_agent(exits_among_writers);
		assert_int_equal(total.begun, total.ended + total.open);
		assert_in_range(total.open, 0, 2u * LIVE_WRITERS);
	}
	unsetenv("SPANRING_RING_BYTES");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_short_threads),
	    cmocka_unit_test(test_cancelled_inside_a_span),
	    cmocka_unit_test(test_exit_among_writers),
	};
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("host_threads", tests, NULL, NULL);
}
