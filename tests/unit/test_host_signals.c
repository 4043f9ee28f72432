/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row B33 (threat T13): signal handlers that write spans over a thread that writes spans. What a handler begins is stored, or refused
 * and counted; nothing of the interrupted thread is lost; no record is torn, no id is given twice, nothing hangs.
 *
 * Method: not chance but every place. A call is run with the processor's trap flag set, so that the kernel raises SIGTRAP after
 * each instruction; at the n-th one the handler writes its spans, and n goes from the first instruction of the call to its last.
 * Where there is no trap flag a timer signal of 1 kHz, which is there in addition, has to find the places.
 */
#include "support/cmocka.h"

#include "ring_view.h"
#include "support/sanitizer.h"
#include "support/seed.h"

#include <pthread.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>

#define RING_BYTES "16777216"
#define HANG_SECONDS 60u
/* A call of fewer instructions is interrupted at each of them, a longer one at so many places, from a random first on. */
#define SHORT_CALL 600u
#define PLACES 60u
#define NEW_THREADS 60u
#define NEW_SITES_MAX 2000u
#define STEPS_MAX 400000u
#define TIMER_SIGNALS 300u
#define TIMER_SPANS_MAX 100000000u
#define TIMER_USEC 1000
#define ALTERNATE_STACK_BYTES 8192u
#define TRAP_FLAG 0x100

static struct spanring_site outer_site = SPANRING_SITE_INIT("outer", SPANRING_KIND_INTERNAL);
static struct spanring_site inner_site = SPANRING_SITE_INIT("inner", SPANRING_KIND_INTERNAL);
static struct spanring_site innermost_site = SPANRING_SITE_INIT("innermost", SPANRING_KIND_INTERNAL);
static struct spanring_key key = SPANRING_KEY_INIT("key");

/* What the program knows it did, handlers included. */
static struct tally {
	uint64_t outer;
	uint64_t inner;
	uint64_t refused;
	uint64_t missed;  /* outer ones that were refused: never */
	uint64_t dropped; /* by a full ring, as the library says */
} tally;

static void write_inner(void) {
	struct spanring_span inner = spanring_begin(&inner_site);
	struct spanring_span innermost = spanring_begin(&innermost_site);
	spanring_set_string(innermost, &key, "a value that is longer than thirty-two bytes, so that it continues");
	tally.inner += 2;
	tally.refused += (inner.span_id == 0 ? 1u : 0u) + (innermost.span_id == 0 ? 1u : 0u);
	spanring_end(innermost);
	spanring_end(inner);
}

static struct spanring_span begin_outer(void) {
	struct spanring_span span = spanring_begin(&outer_site);
	tally.outer++;
	tally.missed += span.span_id == 0;
	return span;
}

/* --- every instruction ----------------------------------------------------------------------------------------------- */

static struct {
	volatile sig_atomic_t stepping;
	volatile sig_atomic_t fired;
	volatile uint32_t step;
	uint32_t target;
} trap;

static void on_trap(int number, siginfo_t *info, void *context) {
	(void)number;
	(void)info;
#if defined(__x86_64__)
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
	if (trap.stepping)
		*flags |= TRAP_FLAG;
	else
		*flags &= ~TRAP_FLAG;
	if (!trap.stepping || trap.step++ != trap.target)
		return;
	trap.fired = 1;
	trap.stepping = 0;
	*flags &= ~TRAP_FLAG;
	write_inner();
#else
	(void)context;
#endif
}

/* Run the call with a handler at its target-th instruction. False: it has fewer. */
static bool interrupted_at(void (*call)(void), uint32_t target) {
	trap.target = target;
	trap.step = 0;
	trap.fired = 0;
	trap.stepping = 1;
	(void)raise(SIGTRAP);
	call();
	trap.stepping = 0;
	return trap.fired != 0;
}

static uint32_t count_instructions(void (*call)(void)) {
	CHECK(!interrupted_at(call, STEPS_MAX));
	return trap.step;
}

static void interrupt_everywhere(void (*call)(void)) {
	struct seed seed = seed_start("host_signals");
	uint32_t length = count_instructions(call);
	uint32_t step = length <= SHORT_CALL ? 1u : length / seed_rounds(PLACES) + 1u;
	for (uint32_t target = (uint32_t)seed_below(&seed, step); interrupted_at(call, target); target += step)
		CHECK(target < STEPS_MAX);
}

static void call_spans(void) {
	struct spanring_span span = begin_outer();
	spanring_end(span);
}

static void call_nested(void) {
	struct spanring_span first = begin_outer();
	struct spanring_span second = begin_outer();
	spanring_end(first); /* out of order: its entry moves to the top */
	spanring_end(second);
}

static void call_carried(void) {
	struct spanring_span span = begin_outer();
	const struct spanring_context here = spanring_context_of(span);
	spanring_set_u64(span, &key, 7);
	spanring_set_string(span, &key, "a text of more than thirty-two bytes, in two records");
	spanring_event(span, &key);
	spanring_link(span, &here);
	spanring_set_status(span, SPANRING_STATUS_ERROR, "a description");
	spanring_end(span);
}

static void call_explicit(void) {
	const struct spanring_context parent = {1, 2, 3, 0, 0};
	const struct spanring_begin_options options = {&parent, SPANRING_KIND_CLIENT, true};
	struct spanring_span span = spanring_begin_with(&outer_site, &options);
	tally.outer++;
	tally.missed += span.span_id == 0;
	spanring_end(span);
}

static void call_rare(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	(void)spanring_flush(0);
	struct spanring_span span = begin_outer();
	spanring_end(span);
	spanring_end(span); /* a second end: misuse, counted */
}

/* A site of its own each time, so that it has to be interned, under the library's lock. */
static void call_new_site(void) {
	static struct spanring_site sites[NEW_SITES_MAX];
	static unsigned used;
	struct spanring_site *site = &sites[used++];
	CHECK(used < sizeof(sites) / sizeof(sites[0]));
	*site = outer_site;
	site->id = site->tag = 0;
	site->line = used;
	struct spanring_span span = spanring_begin(site);
	tally.outer++;
	tally.missed += span.span_id == 0;
	spanring_end(span);
}

static void *first_span(void *target) {
	(void)interrupted_at(call_spans, *(const uint32_t *)target);
	return NULL;
}

static void on_new_threads(void) {
	pthread_t thread;
	uint32_t target = STEPS_MAX, last = 0;
	/* The second one takes the ring of the first over, as all that follow. */
	for (unsigned i = 0; i < 2; i++) {
		CHECK(pthread_create(&thread, NULL, first_span, &target) == 0 && pthread_join(thread, NULL) == 0);
		last = trap.step;
	}
	for (unsigned i = 0; i < seed_rounds(NEW_THREADS); i++) {
		target = (uint32_t)((uint64_t)last * i / seed_rounds(NEW_THREADS));
		CHECK(pthread_create(&thread, NULL, first_span, &target) == 0 && pthread_join(thread, NULL) == 0);
	}
}

/* --- what is left behind -------------------------------------------------------------------------------------------- */

static struct tally *shared_tally;

static void check_counters(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(tally.missed == 0);
	CHECK(counters.open == 0 && counters.dropped_depth == 0);
	tally.dropped = counters.dropped_full;
	/* Refused is counted: what is not in a record is in a counter of drops. */
	CHECK(counters.begun == tally.outer + tally.inner);
	CHECK(counters.ended == counters.begun);
	*shared_tally = tally;
}

static int by_id(const void *left, const void *right) {
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

static bool is_whole(const struct view_instance *view, const struct spanring_span_record *span) {
	char name[SPANRING_NAME_BYTES_MAX + 1];
	(void)view_site_name(view, span->tail.ref, name);
	bool is_outer = strcmp(name, "outer") == 0;
	if (!is_outer && strcmp(name, "inner") != 0 && strcmp(name, "innermost") != 0)
		return false;
	/* No call here takes an hour, and no clock stood at 0 when it began. */
	return span->span_id != 0 && span->parent_id != span->span_id && (span->trace_hi | span->trace_lo) != 0 &&
	       span->start_ticks != 0 && span->duration_ticks < UINT64_C(1) << 44;
}

static uint64_t *collect_ids(const struct view_instance *view, uint64_t *ret_count) {
	uint64_t *ids = calloc(view_count(view, SPANRING_RECORD_SPAN) + 1u, sizeof(*ids));
	*ret_count = 0;
	assert_non_null(ids);
	for (unsigned i = 0; i < view->ring_count; i++)
		for (uint64_t n = 0; n < view->rings[i].count; n++) {
			const struct spanring_span_record *span = &view->rings[i].records[n].span;
			if (span->tail.type != SPANRING_RECORD_SPAN)
				continue;
			assert_true(is_whole(view, span));
			ids[(*ret_count)++] = span->span_id;
		}
	qsort(ids, *ret_count, sizeof(*ids), by_id);
	return ids;
}

static void check_records(pid_t pid) {
	struct view_instance *view = view_open(view_scratch.rings, pid);
	uint64_t count;
	uint64_t *ids = collect_ids(view, &count);
	for (uint64_t i = 1; i < count; i++)
		assert_true(ids[i] != ids[i - 1]);
	free(ids);
	assert_int_equal(count,
	                 shared_tally->outer + shared_tally->inner - shared_tally->refused - shared_tally->dropped);
	assert_true(shared_tally->inner > shared_tally->refused);
	(void)printf("%u spans, %u of handlers, %u of them refused and counted\n", (unsigned)count,
	             (unsigned)shared_tally->inner, (unsigned)shared_tally->refused);
	view_close(view);
}

static void install(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
	CHECK(sigaction(number, &action, NULL) == 0);
	(void)alarm(HANG_SECONDS);
}

static void (*stepped_call)(void);

static void step_through(void) {
	install(SIGTRAP, on_trap, 0);
	/* All that happens once happened, also on the handler's way. */
	write_inner();
	call_carried();
	interrupt_everywhere(stepped_call);
	check_counters();
}

static void check_stepped(void (*call)(void)) {
#if !defined(__x86_64__)
	skip();
#endif
	if (SANITIZER_SLOWDOWN > 1)
		skip(); /* ThreadSanitizer puts signals off; the instructions of both are not those of the product */
	stepped_call = call;
	setenv("SPANRING_RING_BYTES", RING_BYTES, 1);
	check_records(view_run(view_scratch.rings, step_through, VIEW_EXIT));
}

static void test_handler_inside_begin_and_end(void **state) {
	(void)state;
	check_stepped(call_spans);
}

static void test_handler_inside_an_end_out_of_order(void **state) {
	(void)state;
	check_stepped(call_nested);
}

static void test_handler_inside_attributes(void **state) {
	(void)state;
	check_stepped(call_carried);
}

static void test_handler_inside_explicit_parents(void **state) {
	(void)state;
	check_stepped(call_explicit);
}

static void test_handler_inside_rare_calls(void **state) {
	(void)state;
	check_stepped(call_rare);
}

static void test_handler_inside_a_new_site(void **state) {
	(void)state;
	check_stepped(call_new_site);
}

static void first_spans(void) {
	install(SIGTRAP, on_trap, 0);
	write_inner();
	on_new_threads();
	check_counters();
}

static void test_handler_inside_the_first_span_of_a_thread(void **state) {
	(void)state;
#if !defined(__x86_64__)
	skip();
#endif
	if (SANITIZER_SLOWDOWN > 1)
		skip();
	unsetenv("SPANRING_RING_BYTES");
	pid_t pid = view_run(view_scratch.rings, first_spans, VIEW_EXIT);
	check_records(pid);
	/* One thread after another beside the first: nobody took a second ring, none was left behind. */
	struct view_instance *view = view_open(view_scratch.rings, pid);
	assert_int_equal(view->ring_count, 2);
	view_close(view);
}

/* --- 1 kHz ------------------------------------------------------------------------------------------------------------ */

static void on_timer(int number, siginfo_t *info, void *context) {
	(void)number;
	(void)info;
	(void)context;
	write_inner();
}

static void write_over_timer(void) {
	const struct itimerval every = {{0, TIMER_USEC}, {0, TIMER_USEC}};
	const struct itimerval never = {{0, 0}, {0, 0}};
	install(SIGPROF, on_timer, SA_RESTART);
	write_inner();
	CHECK(setitimer(ITIMER_PROF, &every, NULL) == 0);
	uint64_t enough = 2u * seed_rounds(TIMER_SIGNALS);
	for (uint64_t i = 0; __atomic_load_n(&tally.inner, __ATOMIC_RELAXED) < enough; i++) {
		CHECK(i < TIMER_SPANS_MAX);
		call_carried();
		call_nested();
		call_explicit();
	}
	CHECK(setitimer(ITIMER_PROF, &never, NULL) == 0);
	check_counters();
}

static void test_timer_signal(void **state) {
	(void)state;
	setenv("SPANRING_RING_BYTES", RING_BYTES, 1);
	check_records(view_run(view_scratch.rings, write_over_timer, VIEW_EXIT));
}

/* --- crash handler ------------------------------------------------------------------------------------------------------ */

static void on_crash(int number, siginfo_t *info, void *context) {
	(void)number;
	(void)info;
	(void)context;
	SPANRING_BEGIN(span, "crash");
	SPANRING_SET_STRING(span, "crash.text", "a value that is longer than thirty-two bytes, so that it continues");
	spanring_end(span);
	(void)spanring_flush(0);
	_exit(span.span_id == 0 ? 99 : 0);
}

static void crash(void) {
	/* The stack ends in a page that faults: what needs more than 8 KiB dies of it. */
	uint8_t *stack = mmap(NULL, 2u * ALTERNATE_STACK_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(stack != MAP_FAILED);
	stack += ALTERNATE_STACK_BYTES;
	CHECK(mprotect(stack, ALTERNATE_STACK_BYTES, PROT_READ | PROT_WRITE) == 0);
	stack_t alternate = {.ss_sp = stack, .ss_size = ALTERNATE_STACK_BYTES};
	CHECK(sigaltstack(&alternate, NULL) == 0);
	install(SIGSEGV, on_crash, SA_ONSTACK);
	call_carried();
	*(volatile uint8_t *)(stack - 1u) = 1;
}

static void test_crash_handler_on_a_small_stack(void **state) {
	(void)state;
	if (SANITIZER_SLOWDOWN > 1)
		skip(); /* frames of a sanitizer are larger */
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, crash, VIEW_LEAVE_AT_ONCE));
	assert_non_null(view_span(view, "crash"));
	view_close(view);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_handler_inside_begin_and_end),
	    VIEW_TEST(test_handler_inside_an_end_out_of_order),
	    VIEW_TEST(test_handler_inside_attributes),
	    VIEW_TEST(test_handler_inside_explicit_parents),
	    VIEW_TEST(test_handler_inside_rare_calls),
	    VIEW_TEST(test_handler_inside_a_new_site),
	    VIEW_TEST(test_handler_inside_the_first_span_of_a_thread),
	    VIEW_TEST(test_timer_signal),
	    VIEW_TEST(test_crash_handler_on_a_small_stack),
	};
	shared_tally = mmap(NULL, sizeof(*shared_tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared_tally == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("host signals", tests, NULL, NULL);
}
