/* SPDX-License-Identifier: Apache-2.0 */
/* Test mode and its process: how it is switched on, threads, forks, two runs alike, and no trace outside the process. */
#include "support/cmocka.h"

#include "ring_view.h"

#include "support/child.h"
#include "support/sanitizer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spanring/async.h>
#include <spanring/testing.h>
#include <string.h>
#include <sys/wait.h>

#define START SPANRING_TESTING_CLOCK_NS
#define STEP SPANRING_TESTING_STEP_NS
#define THREADS 4u
/* Three records each; those of all threads fit one ring, since one that ends early leaves its ring to one that begins late. */
#define SPANS (1200u / SANITIZER_SLOWDOWN)
#define TEXT_BYTES 65536u

static void run(void (*scenario)(void)) {
	(void)view_run(view_scratch.rings, scenario, VIEW_EXIT);
}

static void one(const char *name) {
	static struct spanring_site site = SPANRING_SITE_INIT("one", SPANRING_KIND_INTERNAL);
	struct spanring_span span = spanring_begin(&site);
	SPANRING_SET_STRING(span, "name", name);
	spanring_end(span);
}

/* --- on and off --------------------------------------------------------------------------------------------------- */

static void by_environment(void) {
	setenv("SPANRING_TEST_MODE", "True", 1);
	one("first");
	CHECK(spanring_testing_active() && spanring_testing_count() == 1);
	CHECK(spanring_testing_start() == 0 && spanring_testing_start() == 0 && spanring_testing_count() == 1);
}

static void by_environment_before_a_span(void) {
	setenv("SPANRING_TEST_MODE", "1", 1);
	CHECK(spanring_testing_clock_set(5 * START) == 0);
	one("first");
	CHECK(spanring_testing_find("one")->start_ns == 5 * START);
}

static void check_refused(void) {
	CHECK(!spanring_testing_active() && spanring_testing_reset() == -ENODEV);
	CHECK(spanring_testing_count() == 0 && !spanring_testing_next(NULL) && !spanring_testing_next_open(NULL));
	CHECK(spanring_testing_lost() == 0 && spanring_testing_text(NULL, 0) == 0);
	CHECK(spanring_testing_clock_now() == 0 && spanring_testing_clock_set(1) == -ENODEV);
	CHECK(spanring_testing_clock_advance(1) == -ENODEV && spanring_testing_clock_step(1) == -ENODEV);
}

/* What makes no sense counts as absent; a traced process stays one. */
static void in_earnest(void) {
	struct spanring_counters counters;
	setenv("SPANRING_TEST_MODE", "yes", 1);
	check_refused();
	one("real");
	check_refused();
	CHECK(spanring_testing_start() == -EBUSY);
	check_refused();
	spanring_counters_read(&counters);
	CHECK(counters.ended == 1);
}

static void switched_off(void) {
	setenv("OTEL_SDK_DISABLED", "true", 1);
	CHECK(spanring_testing_start() == -ECANCELED);
	one("nothing");
	check_refused();
}

static void shut_down(void) {
	spanring_shutdown();
	CHECK(spanring_testing_start() == -ECANCELED);
	check_refused();
}

static void test_on_and_off(void **state) {
	(void)state;
	run(by_environment);
	run(by_environment_before_a_span);
	run(switched_off);
	run(shut_down);
	assert_int_equal(view_count_instances(view_scratch.rings), 0);
	run(in_earnest);
	assert_int_equal(view_count_instances(view_scratch.rings), 1);
}

static void with_limits_and_sampler(void) {
	setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "1", 1);
	setenv("OTEL_TRACES_SAMPLER", "traceidratio", 1);
	setenv("OTEL_TRACES_SAMPLER_ARG", "0.5", 1);
	CHECK(spanring_testing_start() == 0);
	for (int i = 0; i < 100; i++) {
		SPANRING_BEGIN(span, "limited");
		SPANRING_SET_I64(span, "first", i);
		SPANRING_SET_I64(span, "second", i);
		spanring_end(span);
	}
	/* The same traces in every run: these are the first that are kept. */
	const struct spanring_testing_span *first = spanring_testing_next(NULL);
	CHECK(spanring_testing_count() == 54 && first->attribute_count == 1 && first->attributes->value.i64 == 1);
	CHECK(spanring_testing_lost() == 0);
}

static void test_limits_and_sampler_count(void **state) {
	(void)state;
	run(with_limits_and_sampler);
}

/* --- threads ------------------------------------------------------------------------------------------------------ */

static pthread_barrier_t barrier;

static void *many_spans(void *context) {
	(void)context;
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < SPANS; i++) {
		SPANRING_SPAN(outer, "outer");
		SPANRING_SPAN(inner, "inner");
		SPANRING_SET_U64(inner, "number", i);
	}
	return NULL;
}

static void check_order(void) {
	uint64_t next_id[THREADS + 1] = {0};
	uint64_t end_ns = 0;
	const struct spanring_testing_span *span = spanring_testing_next(NULL);
	for (; span; span = spanring_testing_next(span)) {
		CHECK(span->start_ns + span->duration_ns > end_ns);
		end_ns = span->start_ns + span->duration_ns;
		CHECK(span->thread >= 1 && span->thread <= THREADS && span->trace_hi == span->thread);
		if (span->name[0] == 'o')
			continue;
		CHECK(span->attribute_count == 1 && span->attributes->value.u64 == next_id[span->thread]++);
		CHECK(spanring_testing_span_of(span->parent_id)->trace_lo == span->trace_lo);
	}
	for (unsigned i = 1; i <= THREADS; i++)
		CHECK(next_id[i] == SPANS);
}

/* Read while they write: what is seen grows and stays in order. */
static void many_threads(void) {
	pthread_t threads[THREADS];
	uint64_t before = 0;
	CHECK(spanring_testing_start() == 0);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, many_spans, NULL) == 0);
	while (before < (uint64_t)2 * THREADS * SPANS) {
		uint64_t count = spanring_testing_count();
		const struct spanring_testing_span *open = spanring_testing_next_open(NULL);
		CHECK(count >= before && spanring_testing_lost() == 0);
		for (; open; open = spanring_testing_next_open(open))
			CHECK(open->start_ns > START && open->name[0] != '\0');
		before = count;
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&barrier);
	CHECK(spanring_testing_count() == (uint64_t)2 * THREADS * SPANS);
	check_order();
}

static void test_threads(void **state) {
	(void)state;
	run(many_threads);
}

static void *leaves_a_span_open(void *context) {
	SPANRING_BEGIN(span, "left");
	(void)context;
	(void)span;
	return NULL;
}

static void *waits_inside(void *context) {
	(void)context;
	SPANRING_BEGIN(span, "waiting");
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	spanring_end(span);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	one("after the reset");
	return NULL;
}

static void threads_and_reset(void) {
	pthread_t thread;
	CHECK(spanring_testing_start() == 0);
	one("main");
	CHECK(pthread_create(&thread, NULL, leaves_a_span_open, NULL) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(spanring_testing_find("left")->is_unfinished && spanring_testing_find("left")->thread == 2);
	pthread_barrier_init(&barrier, NULL, 2);
	CHECK(pthread_create(&thread, NULL, waits_inside, NULL) == 0);
	pthread_barrier_wait(&barrier);
	CHECK(strcmp(spanring_testing_next_open(NULL)->name, "waiting") == 0);
	CHECK(spanring_testing_reset() == -EBUSY && spanring_testing_count() == 2);
	pthread_barrier_wait(&barrier);
	pthread_barrier_wait(&barrier);
	CHECK(spanring_testing_find("waiting")->thread == 3 && spanring_testing_reset() == 0);
	one("main again");
	pthread_barrier_wait(&barrier);
	CHECK(pthread_join(thread, NULL) == 0);
	pthread_barrier_destroy(&barrier);
	const struct spanring_testing_span *main_span = spanring_testing_next(NULL);
	CHECK(main_span->span_id == 1 && main_span->thread == 1 && main_span->start_ns == START + STEP);
	CHECK(spanring_testing_next(main_span)->thread == 2 && spanring_testing_count() == 2);
	CHECK(spanring_testing_next(main_span)->span_id == (UINT64_C(1) << 32) + 1);
}

static void test_threads_and_reset(void **state) {
	(void)state;
	run(threads_and_reset);
}

static struct spanring_async begun_async;

static void *ends_async(void *context) {
	static struct spanring_key key = SPANRING_KEY_INIT("reply");
	(void)context;
	one("first here");
	SPANRING_ASYNC_SET_STRING(begun_async, "status", "done");
	spanring_async_event(begun_async, &key);
	spanring_async_set_status(begun_async, SPANRING_STATUS_ERROR, "refused");
	spanring_async_end(begun_async);
	return NULL;
}

static void async_spans(void) {
	static struct spanring_site site = SPANRING_SITE_INIT("request", SPANRING_KIND_CLIENT);
	static struct spanring_key key = SPANRING_KEY_INIT("sent");
	pthread_t thread;
	CHECK(spanring_testing_start() == 0);
	begun_async = spanring_async_begin(&site);
	spanring_async_event(begun_async, &key);
	CHECK(spanring_testing_reset() == -EBUSY);
	const struct spanring_testing_span *open = spanring_testing_next_open(NULL);
	CHECK(strcmp(open->name, "request") == 0 && open->is_open && !spanring_testing_next_open(open));
	CHECK(pthread_create(&thread, NULL, ends_async, NULL) == 0 && pthread_join(thread, NULL) == 0);
	const struct spanring_testing_span *span = spanring_testing_find("request");
	CHECK(span == open && !span->is_open && span->thread == 1 && span->kind == SPANRING_KIND_CLIENT);
	CHECK(span->event_count == 2 && strcmp(span->events->name, "sent") == 0);
	CHECK(strcmp(span->events->next->name, "reply") == 0 && strcmp(span->status_description, "refused") == 0);
	CHECK(strcmp(span->attributes->value.string, "done") == 0 && span->attribute_count == 1);
	CHECK(!spanring_testing_next_open(NULL) && spanring_testing_reset() == 0 && spanring_testing_count() == 0);
}

static void *begins_async(void *context) {
	static struct spanring_site site = SPANRING_SITE_INIT("request", SPANRING_KIND_CLIENT);
	static struct spanring_key sent = SPANRING_KEY_INIT("sent");
	static struct spanring_key size = SPANRING_KEY_INIT("size");
	const struct spanring_attribute with[] = {spanring_attribute_u64(&size, 7)};
	(void)context;
	begun_async = spanring_async_begin(&site);
	spanring_async_event_with(begun_async, &sent, with, 1);
	spanring_async_set_status(begun_async, SPANRING_STATUS_ERROR, "refused");
	return NULL;
}

/* The ring that is read first has what came last. */
static void async_spans_out_of_order(void) {
	static struct spanring_key key = SPANRING_KEY_INIT("reply");
	pthread_t thread;
	CHECK(spanring_testing_start() == 0);
	one("first ring");
	CHECK(pthread_create(&thread, NULL, begins_async, NULL) == 0 && pthread_join(thread, NULL) == 0);
	spanring_async_event(begun_async, &key);
	spanring_async_end(begun_async);
	const struct spanring_testing_span *span = spanring_testing_find("request");
	const struct spanring_testing_event *sent = span->events;
	CHECK(span->thread == 2 && span->event_count == 2 && strcmp(span->status_description, "refused") == 0);
	CHECK(strcmp(sent->name, "sent") == 0 && sent->attribute_count == 1 && sent->attributes->value.u64 == 7);
	CHECK(strcmp(sent->next->name, "reply") == 0 && !sent->next->next && sent->next->attribute_count == 0);
	CHECK(spanring_testing_lost() == 0);
}

static void test_async_spans(void **state) {
	(void)state;
	run(async_spans);
	run(async_spans_out_of_order);
	assert_int_equal(view_count_instances(view_scratch.rings), 0);
}

/* --- fork --------------------------------------------------------------------------------------------------------- */

static void in_child(struct spanring_span inherited) {
	struct spanring_counters counters;
	CHECK(spanring_testing_count() == 0 && !spanring_testing_next_open(NULL) && spanring_testing_active());
	CHECK(spanring_testing_clock_now() == START);
	spanring_end(inherited);
	one("child");
	const struct spanring_testing_span *span = spanring_testing_next(NULL);
	CHECK(span->span_id == 1 && span->parent_id == 0 && span->start_ns == START + STEP);
	CHECK(strcmp(span->attributes->value.string, "child") == 0 && spanring_testing_count() == 1);
	spanring_counters_read(&counters);
	CHECK(counters.misuse == 1 && counters.begun == 1);
}

static void forks(void) {
	int status;
	CHECK(spanring_testing_start() == 0);
	one("parent");
	SPANRING_BEGIN(span, "open");
	CHECK(spanring_testing_count() == 1);
	pid_t pid = child_fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		in_child(span);
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	spanring_end(span);
	CHECK(spanring_testing_count() == 2 && spanring_testing_find("open")->span_id == 2);
}

static void test_fork(void **state) {
	(void)state;
	run(forks);
	assert_int_equal(view_count_instances(view_scratch.rings), 0);
}

/* --- two runs ----------------------------------------------------------------------------------------------------- */

static void *work(void *context) {
	SPANRING_SPAN(span, "work");
	SPANRING_SET_STRING(span, "who", context);
	SPANRING_EVENT(span, "half");
	one("nested");
	return NULL;
}

static const char *text_path;

static void write_text(void) {
	static char text[TEXT_BYTES];
	pthread_t thread;
	CHECK(spanring_testing_start() == 0);
	for (int i = 0; i < 20; i++) {
		one("before");
		CHECK(pthread_create(&thread, NULL, work, "worker") == 0 && pthread_join(thread, NULL) == 0);
	}
	uint64_t bytes = spanring_testing_text(text, sizeof(text));
	CHECK(bytes > 1000 && bytes < sizeof(text));
	FILE *file = fopen(text_path, "w");
	CHECK(file && fwrite(text, 1, bytes, file) == bytes && fclose(file) == 0);
}

static void run_and_read(const char *name, char ret_text[TEXT_BYTES]) {
	static char path[SCRATCH_PATH_BYTES + 16];
	(void)snprintf(path, sizeof(path), "%s/%s", view_scratch.files, name);
	text_path = path;
	run(write_text);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	size_t bytes = fread(ret_text, 1, TEXT_BYTES - 1, file);
	ret_text[bytes] = '\0';
	(void)fclose(file);
}

static void test_two_runs_are_alike(void **state) {
	static char first[TEXT_BYTES], second[TEXT_BYTES];
	(void)state;
	run_and_read("first", first);
	run_and_read("second", second);
	assert_true(strlen(first) > 1000);
	assert_string_equal(first, second);
}

/* --- nothing outside ---------------------------------------------------------------------------------------------- */

static unsigned entries_in(const char *path) {
	unsigned count = 0;
	DIR *dir = opendir(path);
	if (!dir)
		return 0;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static bool is_mapped(const char *part) {
	char line[1024];
	bool found = false;
	FILE *maps = fopen("/proc/self/maps", "re");
	CHECK(maps != NULL);
	while (fgets(line, sizeof(line), maps))
		found = found || strstr(line, part) != NULL;
	(void)fclose(maps);
	return found;
}

static void leaves_nothing(void) {
	unsigned descriptors = entries_in("/proc/self/fd");
	pthread_t thread;
	CHECK(spanring_testing_start() == 0);
	one("main");
	CHECK(pthread_create(&thread, NULL, work, "worker") == 0 && pthread_join(thread, NULL) == 0);
	CHECK(spanring_testing_count() == 3 && spanring_flush(1000000000) == 0);
	CHECK(entries_in("/proc/self/fd") == descriptors);
	CHECK(entries_in(getenv("SPANRING_DIR")) == 2);
	CHECK(!is_mapped(getenv("SPANRING_DIR")) && !is_mapped("memfd") && !is_mapped("/dev/shm"));
}

/* No directory is made either. */
static void makes_no_directory(void) {
	setenv("SPANRING_DIR", "/proc/no/such/place", 1);
	CHECK(spanring_testing_start() == 0);
	one("anywhere");
	CHECK(spanring_testing_count() == 1 && spanring_testing_lost() == 0);
}

static void test_nothing_outside(void **state) {
	(void)state;
	run(leaves_nothing);
	assert_int_equal(entries_in(view_scratch.rings), 2);
	run(makes_no_directory);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_on_and_off),
	    VIEW_TEST(test_limits_and_sampler_count),
	    VIEW_TEST(test_threads),
	    VIEW_TEST(test_threads_and_reset),
	    VIEW_TEST(test_async_spans),
	    VIEW_TEST(test_fork),
	    VIEW_TEST(test_two_runs_are_alike),
	    VIEW_TEST(test_nothing_outside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
