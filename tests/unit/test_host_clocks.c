/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row B30 (threat T10): clocks that jump, stand still or go back. Spans are measured by CLOCK_MONOTONIC or the processor's counter
 * and nothing else, so the wall clock may do what it likes; a duration is never negative; a stopped program's span is as long as it was; and
 * no conversion ends in 2038 or 2106.
 * Method: clock_gettime is this program's own. It counts who asks for which clock, and moves either of them. No time is judged: a duration
 * must lie between two that were measured inside and around it.
 */
#include "support/cmocka.h"

#include "analyze/kernels/time_point.h"
#include "base/clock.h"
#include "base/units.h"
#include "ring_view.h"
#include "support/child.h"
#include "support/seed.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define DAY_NS (86400 * (int64_t)NS_PER_S)
#define HOUR_NS (3600 * (int64_t)NS_PER_S)
#define STOPPED_MS 500u /* 5 s in a campaign of scale 10 */

static struct {
	uint64_t monotonic;
	uint64_t other;
	int64_t wall_offset_ns;
	int64_t monotonic_offset_ns;
} clocks;

/* In place of the C library's. */
int clock_gettime(clockid_t clock, struct timespec *ret_time) {
	int64_t offset_ns = clock == CLOCK_MONOTONIC ? clocks.monotonic_offset_ns : clocks.wall_offset_ns;
	if (clock == CLOCK_MONOTONIC)
		clocks.monotonic++;
	else
		clocks.other++;
	if (syscall(SYS_clock_gettime, clock, ret_time) != 0)
		return -1;
	int64_t ns = ret_time->tv_sec * (int64_t)NS_PER_S + ret_time->tv_nsec + offset_ns;
	ret_time->tv_sec = (time_t)(ns / (int64_t)NS_PER_S);
	ret_time->tv_nsec = (long)(ns % (int64_t)NS_PER_S);
	return 0;
}

static struct scene {
	uint64_t inside;
	uint64_t go;
	uint64_t longest_ticks;
	uint64_t shortest_ticks;
} * scene;

static bool by_counter;

/* In the unit of the records. */
static uint64_t ticks(void) {
#if defined(__x86_64__)
	if (by_counter)
		return __rdtsc();
#endif
	return clock_monotonic_ns();
}

static void everything(void) {
	const struct spanring_context elsewhere = {1, 2, 3, 0, 0};
	SPANRING_BEGIN(outer, "outer");
	SPANRING_BEGIN(inner, "inner");
	SPANRING_SET_U64(inner, "k", 1);
	SPANRING_SET_STRING(inner, "k", "a value that is longer than thirty-two bytes, so that it continues");
	SPANRING_EVENT(inner, "event");
	spanring_link(inner, &elsewhere);
	spanring_set_status(inner, SPANRING_STATUS_ERROR, "text");
	spanring_end(outer);
	spanring_end(inner);
	(void)spanring_flush(0);
}

static void asks_one_clock(void) {
	everything();
	memset(&clocks, 0, sizeof(clocks));
	for (unsigned i = 0; i < 100; i++)
		everything();
	CHECK(clocks.other == 0);
	CHECK((clocks.monotonic > 0) != by_counter);
}

/* The clock that SPANRING_CLOCK names; false where the counter cannot be had. */
static bool choose(bool counter) {
	by_counter = counter;
	setenv("SPANRING_CLOCK", counter ? "tsc" : "monotonic", 1);
#if defined(__x86_64__)
	return true;
#else
	return !counter;
#endif
}

static bool has_counter(const struct view_instance *view) {
	return view->header->clock_kind != SPANRING_CLOCK_MONOTONIC;
}

static void test_no_wall_clock_on_the_span_path(void **state) {
	(void)state;
	choose(false);
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, asks_one_clock, VIEW_EXIT)));
	if (!choose(true))
		return;
	view_renew();
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, everything, VIEW_EXIT));
	bool counted = has_counter(view);
	view_close(view);
	if (counted)
		(void)view_run(view_scratch.rings, asks_one_clock, VIEW_EXIT);
}

static void wall_jumps(void) {
	static const int64_t jumps_ns[] = {DAY_NS, -HOUR_NS, -20 * 365 * DAY_NS, 90 * 365 * DAY_NS};
	for (unsigned i = 0; i < sizeof(jumps_ns) / sizeof(jumps_ns[0]); i++) {
		uint64_t around = clock_monotonic_ns();
		SPANRING_BEGIN(span, "jumped");
		clocks.wall_offset_ns += jumps_ns[i];
		spanring_end(span);
		uint64_t longest = clock_monotonic_ns() - around;
		scene->longest_ticks = longest > scene->longest_ticks ? longest : scene->longest_ticks;
	}
}

static void test_wall_clock_jumps(void **state) {
	(void)state;
	choose(false);
	scene->longest_ticks = 0;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, wall_jumps, VIEW_EXIT));
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(view_record(view, SPANRING_RECORD_SPAN, i)->span.duration_ticks, 0,
		                scene->longest_ticks);
	view_close(view);
}

static void goes_back(void) {
	SPANRING_BEGIN(before, "goes back");
	clocks.monotonic_offset_ns -= HOUR_NS;
	spanring_end(before);
	clocks.monotonic_offset_ns += HOUR_NS;
	SPANRING_BEGIN(after, "afterwards");
	spanring_end(after);
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == 2 && counters.ended == 2 && counters.dropped_full == 0);
}

static void test_a_clock_that_goes_back(void **state) {
	(void)state;
	choose(false);
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, goes_back, VIEW_EXIT));
	assert_int_equal(view_span(view, "goes back")->duration_ticks, 0);
	assert_true(view_span(view, "afterwards")->start_ticks >= view_span(view, "goes back")->start_ticks);
	view_close(view);
}

static void is_stopped(void) {
	SPANRING_BEGIN(warm, "warm");
	spanring_end(warm);
	uint64_t around = ticks();
	SPANRING_BEGIN(span, "stopped");
	uint64_t within = ticks();
	__atomic_store_n(&scene->inside, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&scene->go, __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
	scene->shortest_ticks = ticks() - within;
	spanring_end(span);
	scene->longest_ticks = ticks() - around;
}

static void stop_for_a_while(pid_t pid) {
	unsigned stopped_ms = seed_rounds(STOPPED_MS);
	const struct timespec while_stopped = {stopped_ms / 1000u, (long)(stopped_ms % 1000u) * 1000000};
	int status;
	while (__atomic_load_n(&scene->inside, __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
	assert_true(WIFSTOPPED(status));
	uint64_t from_ns = clock_monotonic_ns();
	(void)nanosleep(&while_stopped, NULL); /* what is measured, not a way to be in time */
	uint64_t stopped_ns = clock_monotonic_ns() - from_ns;
	__atomic_store_n(&scene->go, 1, __ATOMIC_RELEASE);
	assert_int_equal(kill(pid, SIGCONT), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	if (!by_counter)
		assert_true(scene->shortest_ticks >= stopped_ns);
}

static void check_stopped(void) {
	memset(scene, 0, sizeof(*scene));
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("SPANRING_DIR", view_scratch.rings, 1);
		is_stopped();
		exit(0);
	}
	stop_for_a_while(pid);
	struct view_instance *view = view_open(view_scratch.rings, pid);
	if (has_counter(view) == by_counter)
		assert_in_range(view_span(view, "stopped")->duration_ticks, scene->shortest_ticks,
		                scene->longest_ticks);
	view_close(view);
}

static void test_a_stopped_program(void **state) {
	(void)state;
	choose(false);
	check_stopped();
	if (choose(true))
		check_stopped();
}

static const struct {
	const char *text;
	uint64_t seconds;
} late_times[] = {
    {"2038-01-19T03:14:07Z", 2147483647}, {"2038-01-19T03:14:08Z", 2147483648}, {"2106-02-07T06:28:15Z", 4294967295},
    {"2106-02-07T06:28:16Z", 4294967296}, {"2200-01-01T00:00:00Z", 7258118400},
};

static uint64_t wanted_wall_s;

static void attaches_late(void) {
	clocks.wall_offset_ns = (int64_t)(wanted_wall_s * NS_PER_S) - (int64_t)clock_wall_ns();
	everything();
}

static void test_late_years(void **state) {
	(void)state;
	choose(false);
	for (size_t i = 0; i < sizeof(late_times) / sizeof(late_times[0]); i++) {
		uint64_t wall_ns = 0;
		char text[UNITS_TEXT_BYTES];
		assert_int_equal(time_point_parse(late_times[i].text, 0, &wall_ns), 0);
		assert_true(wall_ns == late_times[i].seconds * NS_PER_S);
		(void)units_format_wall(wall_ns, text);
		assert_memory_equal(text, late_times[i].text, strlen("2038-01-19T03:14:07"));
		wanted_wall_s = late_times[i].seconds;
		struct view_instance *view =
		    view_open(view_scratch.rings, view_run(view_scratch.rings, attaches_late, VIEW_EXIT));
		/* Not before that second, and not wrapped round. */
		assert_true(view->header->anchor_wall_ns >= wall_ns &&
		            view->header->anchor_wall_ns - wall_ns < (uint64_t)DAY_NS);
		view_close(view);
		view_renew();
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_no_wall_clock_on_the_span_path),
	    VIEW_TEST(test_wall_clock_jumps),
	    VIEW_TEST(test_a_clock_that_goes_back),
	    VIEW_TEST(test_a_stopped_program),
	    VIEW_TEST(test_late_years),
	};
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("host clocks", tests, NULL, NULL);
}
