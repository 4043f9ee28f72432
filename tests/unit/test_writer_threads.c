/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that come and go, and children of every kind. */
#include "support/cmocka.h"

#include "ring_view.h"
#include "support/child.h"
#include "support/seed.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SHORT_THREADS 500u
#define SHORT_SPANS 50u
#define AT_ONCE 4u

static void *short_thread(void *argument) {
	(void)argument;
	for (unsigned i = 0; i < SHORT_SPANS; i++) {
		SPANRING_SPAN(span, "short");
	}
	return NULL;
}

static void short_threads(void) {
	for (unsigned n = 0; n < SHORT_THREADS; n += AT_ONCE) {
		pthread_t threads[AT_ONCE];
		for (unsigned i = 0; i < AT_ONCE; i++)
			CHECK(pthread_create(&threads[i], NULL, short_thread, NULL) == 0);
		for (unsigned i = 0; i < AT_ONCE; i++)
			CHECK(pthread_join(threads[i], NULL) == 0);
	}
}

static void test_rings_are_reused(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, short_threads, VIEW_EXIT));
	/* A thread more may be on its way out while the next ones begin; full rings are left alone. */
	assert_in_range(view->ring_count, 1, 3 * AT_ONCE);
	assert_int_equal(view_count(view, SPANRING_RECORD_THREAD), SHORT_THREADS);
	uint64_t spans = view_count(view, SPANRING_RECORD_SPAN);
	for (unsigned i = 0; i < view->ring_count; i++) {
		assert_int_equal(view->rings[i].header.state, SPANRING_RING_RETIRED);
		assert_int_equal(view->rings[i].owner_word, 0);
		assert_int_equal(view->rings[i].header.head, view->rings[i].count);
		spans += view->rings[i].header.dropped_full;
	}
	assert_int_equal(spans, SHORT_THREADS * SHORT_SPANS);
	view_close(view);
}

static void *leaves_spans_open(void *argument) {
	(void)argument;
	SPANRING_BEGIN(outer, "outer");
	SPANRING_BEGIN(inner, "inner");
	SPANRING_SET_U64(inner, "k", outer.span_id);
	return NULL;
}

static void *is_cancelled(void *argument) {
	SPANRING_BEGIN(span, "cancelled");
	(void)span;
	(void)pthread_barrier_wait(argument);
	for (;;)
		(void)pause();
	return NULL;
}

static void threads_with_open_spans(void) {
	pthread_t thread;
	pthread_barrier_t barrier;
	CHECK(pthread_create(&thread, NULL, leaves_spans_open, NULL) == 0);
	CHECK(pthread_join(thread, NULL) == 0);
	CHECK(pthread_barrier_init(&barrier, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, is_cancelled, &barrier) == 0);
	(void)pthread_barrier_wait(&barrier);
	CHECK(pthread_cancel(thread) == 0 && pthread_join(thread, NULL) == 0);
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == 3 && counters.open == 0);
}

static void test_thread_exit_ends_open_spans(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, threads_with_open_spans, VIEW_LEAVE_AT_ONCE));
	static const char *const names[] = {"inner", "outer", "cancelled"};
	assert_int_equal(view->ring_count, 1);
	for (unsigned i = 0; i < 3; i++)
		assert_true(view_span(view, names[i])->tail.bits & SPANRING_BITS_UNFINISHED);
	view_close(view);
}

/* Threads that still run at exit keep their rings; their calls stay safe. */
static void *runs_for_ever(void *argument) {
	(void)pthread_barrier_wait(argument);
	for (;;) {
		SPANRING_SPAN(span, "for ever");
		SPANRING_SET_STRING(span, "k", "a value that is longer than thirty-two bytes, so that it continues");
	}
	return NULL;
}

static void exit_among_threads(void) {
	pthread_barrier_t barrier;
	pthread_t thread;
	CHECK(pthread_barrier_init(&barrier, NULL, 5) == 0);
	for (int i = 0; i < 4; i++)
		CHECK(pthread_create(&thread, NULL, runs_for_ever, &barrier) == 0);
	(void)pthread_barrier_wait(&barrier);
	SPANRING_BEGIN(span, "main");
	(void)span;
}

static void test_exit_among_threads(void **state) {
	(void)state;
	for (int round = 0; round < 20; round++) {
		struct view_instance *view =
		    view_open(view_scratch.rings, view_run(view_scratch.rings, exit_among_threads, VIEW_EXIT));
		assert_int_equal(view->header->state, SPANRING_PROCESS_EXITED);
		assert_true(view_span(view, "main")->tail.bits & SPANRING_BITS_UNFINISHED);
		view_close(view);
		view_renew();
	}
}

static struct spanring_site shared_site = SPANRING_SITE_INIT("shared site", SPANRING_KIND_INTERNAL);
static struct spanring_key shared_key = SPANRING_KEY_INIT("shared key");

struct shared {
	pid_t child;
	uint64_t parent_begun;
};

static struct shared *shared;

static void child_of_fork(struct spanring_span inherited) {
	spanring_end(inherited);
	spanring_set_u64(inherited, &shared_key, 1);
	struct spanring_span span = spanring_begin(&shared_site);
	CHECK(span.span_id != 0 && spanring_context_current().span_id == span.span_id);
	spanring_set_u64(span, &shared_key, 2);
	SPANRING_BEGIN(own, "child's own");
	spanring_end(own);
	spanring_end(span);
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == 2 && counters.misuse == 2);
}

static void wait_for(pid_t pid) {
	int status;
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void forks(void) {
	struct spanring_span open = spanring_begin(&shared_site);
	spanring_set_u64(open, &shared_key, 0);
	pid_t pid = child_fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		child_of_fork(open);
		exit(0);
	}
	wait_for(pid);
	shared->child = pid;
	spanring_end(open);
}

static void test_fork(void **state) {
	(void)state;
	struct view_instance *parent = view_open(view_scratch.rings, view_run(view_scratch.rings, forks, VIEW_EXIT));
	struct view_instance *child = view_open(view_scratch.rings, shared->child);
	assert_non_null(child);
	assert_memory_not_equal(child->header->instance, parent->header->instance, SPANRING_INSTANCE_BYTES);
	assert_int_equal(view_count(parent, SPANRING_RECORD_SPAN), 1);
	assert_int_equal(parent->rings[0].count, 3);
	assert_int_equal(view_count(child, SPANRING_RECORD_SPAN), 2);
	const struct spanring_span_record *span = view_span(child, "shared site");
	assert_int_equal(span->tail.ref, view_span(parent, "shared site")->tail.ref);
	assert_int_equal(span->parent_id, 0);
	assert_true(span->trace_lo != view_span(parent, "shared site")->trace_lo);
	assert_true(span->trace_hi != view_span(parent, "shared site")->trace_hi);
	assert_non_null(view_attribute(child, span->span_id, "shared key"));
	assert_int_equal(view_span(child, "child's own")->parent_id, span->span_id);
	assert_int_equal(child->header->misuse, 2);
	assert_int_equal(parent->header->misuse, 0);
	view_close(parent);
	view_close(child);
}

/*
 * A child made behind the back of libc runs no fork hooks; only the wiped page tells it what it is. The kernel cannot tell of
 * the death of its thread, so it is counted, not traced, and its parent's ring stays untouched. Where that ring is mapped in the
 * parent, the child has a page that faults: the C library's list of robust mutexes still leads there.
 */
static void raw_clones(void) {
	struct spanring_span open = spanring_begin(&shared_site);
	pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECK(mmap(NULL, SPANRING_RING_DATA_OFFSET + SPANRING_RING_BYTES_DEFAULT, PROT_NONE,
		           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
		spanring_end(open);
		CHECK(spanring_begin(&shared_site).span_id == 0);
		struct spanring_counters counters;
		spanring_counters_read(&counters);
		CHECK(counters.threads_untraced == 1 && counters.dropped_no_ring == 1 && counters.misuse == 1);
		_exit(0);
	}
	wait_for(pid);
	shared->child = pid;
	spanring_end(open);
}

static void test_raw_clone(void **state) {
	(void)state;
	struct view_instance *parent =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, raw_clones, VIEW_EXIT));
	struct view_instance *child = view_open(view_scratch.rings, shared->child);
	assert_int_equal(view_count(parent, SPANRING_RECORD_SPAN), 1);
	assert_int_equal(parent->rings[0].count, 2);
	assert_non_null(child);
	assert_int_equal(child->ring_count, 0);
	view_close(parent);
	view_close(child);
}

#define FORKS 50u

static void *interns(void *argument) {
	static struct spanring_site sites[512];
	const bool *stop = argument;
	for (unsigned i = 0; !__atomic_load_n(stop, __ATOMIC_RELAXED); i = (i + 1) % 512) {
		sites[i] = (struct spanring_site)SPANRING_SITE_INIT("interned", SPANRING_KIND_INTERNAL);
		sites[i].line = i;
		spanring_end(spanring_begin(&sites[i]));
	}
	return NULL;
}

/* Forks while another thread holds the library's lock most of the time: no child may hang or crash. */
static void forks_among_threads(void) {
	bool stop = false;
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, interns, &stop) == 0);
	for (unsigned i = 0; i < seed_rounds(FORKS); i++) {
		pid_t pid = child_fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			spanring_end(spanring_begin(&shared_site));
			struct spanring_counters counters;
			spanring_counters_read(&counters);
			CHECK(counters.begun == 1 && counters.ended == 1);
			exit(0);
		}
		wait_for(pid);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void test_fork_among_threads(void **state) {
	(void)state;
	setenv("SPANRING_RING_BYTES", "65536", 1);
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, forks_among_threads, VIEW_EXIT)));
	unsetenv("SPANRING_RING_BYTES");
	assert_int_equal(view_count_instances(view_scratch.rings), seed_rounds(FORKS) + 1);
}

static void executes(void) {
	spanring_end(spanring_begin(&shared_site));
	SPANRING_BEGIN(open, "open at exec");
	(void)open;
	(void)execl("/bin/true", "true", (char *)NULL);
	_exit(1);
}

static void test_exec_leaves_a_dead_ring(void **state) {
	(void)state;
	pid_t pid = view_run(view_scratch.rings, executes, VIEW_EXIT);
	struct view_instance *view = view_open(view_scratch.rings, pid);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
	assert_int_equal(view->rings[0].header.begun_open & SPANRING_OPEN_MASK, 1);
	assert_true(view->rings[0].owner_word & 0x40000000u);
	view_close(view);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_rings_are_reused),
	    VIEW_TEST(test_thread_exit_ends_open_spans),
	    VIEW_TEST(test_exit_among_threads),
	    VIEW_TEST(test_fork),
	    VIEW_TEST(test_raw_clone),
	    VIEW_TEST(test_fork_among_threads),
	    VIEW_TEST(test_exec_leaves_a_dead_ring),
	};
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("writer threads", tests, NULL, NULL);
}
