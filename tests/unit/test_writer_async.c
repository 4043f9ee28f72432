/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: async spans and attached contexts do what async.h says: any thread may end a span, once; what is stale, full or foreign is counted and
 * harms nothing; the books are exact all the time.
 * Method: scenarios in child processes, their files read afterwards by the tests' own reader.
 */
#include "support/cmocka.h"

#include "ring_view.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spanring/async.h>
#include <spanring/async_abi.h>
#include <string.h>
#include <sys/wait.h>

static struct spanring_site site = SPANRING_SITE_INIT("async", SPANRING_KIND_CLIENT);
static struct spanring_site thread_site = SPANRING_SITE_INIT("ordinary", SPANRING_KIND_INTERNAL);

static struct spanring_counters counters_now(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == counters.ended + counters.open);
	return counters;
}

/* --- the async file, read as the contract says --------------------------------------------------------------------- */

struct async_view {
	struct spanring_async_header header;
	struct spanring_async_slot *slots;
};

static struct async_view *view_async(const char *directory, const struct view_instance *instance) {
	char path[1200];
	(void)snprintf(path, sizeof(path), "%s/%s/" SPANRING_ASYNC_NAME, directory, instance->name);
	int fd = open(path, O_RDONLY);
	if (fd < 0)
		return NULL;
	struct async_view *view = calloc(1, sizeof(*view));
	assert_int_equal(pread(fd, &view->header, sizeof(view->header), 0), (ssize_t)sizeof(view->header));
	assert_true(view->header.magic == SPANRING_ASYNC_MAGIC);
	assert_int_equal(view->header.slots_offset, SPANRING_ASYNC_SLOTS_OFFSET);
	assert_int_equal(view->header.slot_bytes, sizeof(struct spanring_async_slot));
	assert_memory_equal(view->header.instance, instance->header->instance, SPANRING_INSTANCE_BYTES);
	size_t bytes = view->header.slot_count * sizeof(struct spanring_async_slot);
	view->slots = calloc(1, bytes);
	assert_int_equal(pread(fd, view->slots, bytes, SPANRING_ASYNC_SLOTS_OFFSET), (ssize_t)bytes);
	close(fd);
	return view;
}

static unsigned view_open_slots(const struct async_view *view) {
	unsigned count = 0;
	for (uint32_t i = 0; i < view->header.slot_count; i++)
		count += (uint32_t)view->slots[i].state == SPANRING_ASYNC_OPEN;
	return count;
}

static void async_view_free(struct async_view *view) {
	free(view->slots);
	free(view);
}

/* --- begin and end ------------------------------------------------------------------------------------------------- */

static void *end_it(void *argument) {
	const struct spanring_async *span = argument;
	spanring_async_end(*span);
	return NULL;
}

static void elsewhere(void) {
	pthread_t thread;
	struct spanring_async span = spanring_async_begin(&site);
	CHECK(span.span_id != 0);
	CHECK(counters_now().open == 1 && counters_now().begun == 1);
	/* Not on the stack: what comes next is no child of it. */
	CHECK(spanring_context_current().span_id == 0);
	CHECK(pthread_create(&thread, NULL, end_it, &span) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(counters_now().open == 0 && counters_now().ended == 1 && counters_now().misuse == 0);
}

static void test_ended_on_another_thread(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, elsewhere, VIEW_EXIT));
	assert_int_equal(view->ring_count, 2);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
	const struct spanring_span_record *span = view_span(view, "async");
	assert_int_equal(span->parent_id, 0);
	assert_int_equal(span->tail.bits & SPANRING_BITS_KIND_MASK, SPANRING_KIND_CLIENT);
	/* Begun and ended in the ring of the one that ended it. */
	assert_int_equal(view->rings[0].header.begun_open, 0);
	assert_int_equal(view->rings[1].header.begun_open, UINT64_C(1) << SPANRING_BEGUN_SHIFT);
	struct async_view *async = view_async(view_scratch.rings, view);
	assert_int_equal(async->header.slot_count, SPANRING_ASYNC_STEP_SLOTS);
	assert_int_equal(view_open_slots(async), 0);
	async_view_free(async);
	view_close(view);
}

static void parents(void) {
	struct spanring_span outer = spanring_begin(&thread_site);
	struct spanring_async child = spanring_async_begin(&site);
	struct spanring_context context = spanring_async_context(child);
	struct spanring_context outer_context = spanring_context_of(outer);
	CHECK(context.span_id == child.span_id && context.trace_lo == outer_context.trace_lo);
	struct spanring_begin_options options = {&context, SPANRING_KIND_SERVER, true};
	struct spanring_async grandchild = spanring_async_begin_with(&site, &options);
	spanring_end(outer);
	spanring_async_end(child);
	spanring_async_end(grandchild);
	CHECK(counters_now().misuse == 0 && counters_now().open == 0);
}

static void test_parents(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, parents, VIEW_EXIT));
	const struct spanring_span_record *outer = &view_record(view, SPANRING_RECORD_SPAN, 0)->span;
	const struct spanring_span_record *child = &view_record(view, SPANRING_RECORD_SPAN, 1)->span;
	const struct spanring_span_record *grandchild = &view_record(view, SPANRING_RECORD_SPAN, 2)->span;
	assert_true(child->parent_id == outer->span_id && grandchild->parent_id == child->span_id);
	assert_true(grandchild->trace_lo == outer->trace_lo && grandchild->trace_hi == outer->trace_hi);
	assert_int_equal(grandchild->tail.bits & SPANRING_BITS_KIND_MASK, SPANRING_KIND_SERVER);
	assert_true(grandchild->tail.bits & SPANRING_BITS_REMOTE_PARENT);
	view_close(view);
}

static void misuse(void) {
	struct spanring_async span = spanring_async_begin(&site);
	struct spanring_async empty = {0, 0, 0};
	struct spanring_async foreign = {span.span_id + 1, span.slot, span.generation};
	struct spanring_async far_away = {span.span_id, UINT32_MAX, span.generation};
	struct spanring_async never = {span.span_id, span.slot + 1, span.generation};
	spanring_async_end(empty);
	SPANRING_ASYNC_SET_U64(empty, "k", 1);
	CHECK(spanring_async_context(empty).span_id == 0 && counters_now().misuse == 0);
	spanring_async_end(foreign);
	spanring_async_end(far_away);
	spanring_async_end(never);
	CHECK(spanring_async_context(foreign).span_id == 0);
	SPANRING_ASYNC_SET_U64(never, "k", 1);
	CHECK(counters_now().misuse == 5 && counters_now().open == 1);
	spanring_async_end(span);
	spanring_async_end(span);
	SPANRING_ASYNC_SET_U64(span, "k", 1);
	spanring_async_set_status(span, SPANRING_STATUS_ERROR, "late");
	CHECK(counters_now().misuse == 8 && counters_now().ended == 1);
	/* The slot is used again; the old handle stays stale. */
	struct spanring_async second = spanring_async_begin(&site);
	CHECK(second.slot == span.slot && second.generation != span.generation);
	spanring_async_end(span);
	CHECK(counters_now().misuse == 9 && counters_now().open == 1);
	spanring_async_end(second);
}

static void test_stale_double_and_foreign(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, misuse, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 2);
	assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE), 0);
	assert_int_equal(view->header->misuse, 9);
	view_close(view);
}

static void carry(void) {
	static struct spanring_key key = SPANRING_KEY_INIT("text");
	struct spanring_async span = spanring_async_begin(&site);
	const struct spanring_context linked = {1, 2, 3, 0, 0};
	const struct spanring_attribute attributes[] = {spanring_attribute_i64(&key, -5),
	                                                spanring_attribute_string(&key, "within")};
	SPANRING_ASYNC_SET_BOOL(span, "yes", true);
	SPANRING_ASYNC_SET_I64(span, "i64", -1);
	SPANRING_ASYNC_SET_U64(span, "u64", 2);
	SPANRING_ASYNC_SET_F64(span, "f64", 0.5);
	SPANRING_ASYNC_SET_STRING(span, "text", "forty bytes are more than a record holds");
	spanring_async_set_attributes(span, attributes, 2);
	SPANRING_ASYNC_EVENT(span, "first");
	spanring_async_event_with(span, &key, attributes, 2);
	spanring_async_link(span, &linked);
	spanring_async_set_status(span, SPANRING_STATUS_ERROR, "gone wrong");
	spanring_async_end(span);
	CHECK(counters_now().misuse == 0);
}

static void test_carries_what_a_span_carries(void **state) {
	(void)state;
	char value[SPANRING_STRING_VALUE_MAX];
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, carry, VIEW_EXIT));
	const struct spanring_span_record *span = view_span(view, "async");
	assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE), 10);
	assert_int_equal(view_count(view, SPANRING_RECORD_EVENT), 2);
	assert_int_equal(view_record(view, SPANRING_RECORD_EVENT, 1)->event.event_index, 2);
	assert_int_equal(view_count(view, SPANRING_RECORD_LINK), 1);
	assert_int_equal(span->tail.bits >> SPANRING_BITS_STATUS_SHIFT & SPANRING_BITS_STATUS_MASK,
	                 SPANRING_STATUS_ERROR);
	const struct spanring_attribute_record *text = view_attribute(view, span->span_id, "text");
	assert_int_equal(view_string_value(view, text, value), 40);
	assert_memory_equal(value, "forty bytes are more than a record holds", 40);
	assert_non_null(view_attribute(view, span->span_id, "otel.status_description"));
	view_close(view);
}

static void attribute_limit(void) {
	setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3", 1);
	struct spanring_async span = spanring_async_begin(&site);
	for (int i = 0; i < 5; i++)
		SPANRING_ASYNC_SET_I64(span, "n", i);
	CHECK(counters_now().attributes_over_limit == 2);
	spanring_async_end(span);
}

static void test_limits_hold(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, attribute_limit, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE), 3);
	view_close(view);
}

/* --- many ---------------------------------------------------------------------------------------------------------- */

#define MANY 300u

static void many(void) {
	static struct spanring_async spans[MANY];
	struct spanring_span outer = spanring_begin(&thread_site);
	struct spanring_context parent = spanring_context_of(outer);
	CHECK(spanring_async_begin_many(&site, &parent, MANY, spans) == MANY);
	CHECK(counters_now().open == MANY + 1);
	spanring_async_end_many(spans, MANY);
	spanring_async_end_many(spans, MANY);
	CHECK(counters_now().misuse == MANY && counters_now().open == 1);
	spanring_end(outer);
	CHECK(spanring_async_begin_many(&site, NULL, 3, spans) == 3);
	CHECK(spanring_async_context(spans[0]).trace_lo != spanring_async_context(spans[1]).trace_lo);
	spanring_async_end_many(spans, 3);
}

static void test_many(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, many, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), MANY + 4);
	const struct spanring_span_record *first = &view_record(view, SPANRING_RECORD_SPAN, 0)->span;
	for (unsigned i = 1; i < MANY; i++) {
		const struct spanring_span_record *span = &view_record(view, SPANRING_RECORD_SPAN, i)->span;
		assert_true(span->parent_id == first->parent_id && span->start_ticks == first->start_ticks &&
		            span->duration_ticks == first->duration_ticks && span->span_id == first->span_id + i);
	}
	view_close(view);
}

#define OVER 100u

static void full(void) {
	static struct spanring_async spans[SPANRING_ASYNC_SLOTS_MAX + OVER];
	struct spanring_async one = spanring_async_begin(&site);
	struct spanring_context parent = spanring_async_context(one);
	uint32_t begun = spanring_async_begin_many(&site, &parent, SPANRING_ASYNC_SLOTS_MAX + OVER, spans);
	CHECK(begun == SPANRING_ASYNC_SLOTS_MAX - 1 && spans[begun].span_id == 0 && spans[begun - 1].span_id != 0);
	CHECK(spanring_async_begin(&site).span_id == 0);
	struct spanring_counters counters = counters_now();
	CHECK(counters.open == SPANRING_ASYNC_SLOTS_MAX && counters.dropped_async == OVER + 2);
	CHECK(counters.dropped_depth == OVER + 2 && counters.ended == OVER + 2);
	spanring_async_end(one);
	CHECK(spanring_async_begin(&site).span_id != 0);
}

static void test_full_table(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, full, VIEW_LEAVE_AT_ONCE));
	struct async_view *async = view_async(view_scratch.rings, view);
	assert_int_equal(async->header.slot_count, SPANRING_ASYNC_SLOTS_MAX);
	assert_int_equal(view_open_slots(async), SPANRING_ASYNC_SLOTS_MAX);
	assert_int_equal(view->header->dropped_async, OVER + 2);
	async_view_free(async);
	view_close(view);
}

static void full_ring(void) {
	setenv("SPANRING_RING_BYTES", "65536", 1);
	for (unsigned i = 0; i < 3000; i++)
		spanring_async_end(spanring_async_begin(&site));
	struct spanring_counters counters = counters_now();
	CHECK(counters.ended == 3000 && counters.open == 0 && counters.dropped_full == 3000 - 1023);
}

static void test_full_ring_drops_exactly(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, full_ring, VIEW_EXIT));
	assert_int_equal(view->rings[0].header.begun_open, UINT64_C(3000) << SPANRING_BEGUN_SHIFT);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1023);
	view_close(view);
}

/* --- several threads ----------------------------------------------------------------------------------------------- */

#define THREADS 4u
#define ROUNDS 2000u
#define BOARD 64u

static struct {
	struct spanring_async spans[BOARD];
	uint32_t turns[BOARD]; /* a handle is written once per turn, then released */
	uint64_t begun, ended;
} board;

/* Each place of the board goes round: one thread begins there, and all try to end what they find. */
static void *play(void *argument) {
	uint64_t number = (uint64_t)(uintptr_t)argument, begun = 0;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t place = (round * 7u + (uint32_t)number * 16u) % BOARD;
		if (place / 16u == number) {
			board.spans[place] = spanring_async_begin(&site);
			begun++;
			__atomic_fetch_add(&board.turns[place], 1, __ATOMIC_RELEASE);
			SPANRING_ASYNC_SET_U64(board.spans[place], "round", round);
			spanring_async_end(board.spans[place]);
		} else {
			struct spanring_async own = spanring_async_begin(&site);
			SPANRING_ASYNC_EVENT(own, "own");
			spanring_async_end(own);
			begun++;
		}
	}
	__atomic_fetch_add(&board.begun, begun, __ATOMIC_RELAXED);
	return NULL;
}

static void crowd(void) {
	setenv("SPANRING_RING_BYTES", "1048576", 1);
	pthread_t threads[THREADS];
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, play, (void *)i) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	struct spanring_counters counters = counters_now();
	CHECK(counters.begun == THREADS * ROUNDS && counters.open == 0 && counters.misuse == 0);
}

static void test_threads_beside_each_other(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, crowd, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), THREADS * ROUNDS);
	view_close(view);
}

static pthread_barrier_t gate;
static struct spanring_async contested[ROUNDS];

static void *fight(void *argument) {
	uint64_t number = (uint64_t)(uintptr_t)argument;
	for (uint32_t i = 0; i < ROUNDS; i++) {
		if (i % 200 == 0)
			pthread_barrier_wait(&gate);
		if ((i + number) % 3 == 0)
			SPANRING_ASYNC_SET_U64(contested[i], "who", number);
		spanring_async_end(contested[i]);
	}
	return NULL;
}

/* All end the same spans: of each, one does. Slots are used again meanwhile by nobody, so each failure is a misuse. */
static void contest(void) {
	pthread_t threads[THREADS];
	CHECK(pthread_barrier_init(&gate, NULL, THREADS) == 0);
	CHECK(spanring_async_begin_many(&site, NULL, ROUNDS, contested) == ROUNDS);
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECK(pthread_create(&threads[i], NULL, fight, (void *)i) == 0);
	for (unsigned i = 0; i < THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	struct spanring_counters counters = counters_now();
	CHECK(counters.ended == ROUNDS && counters.open == 0);
	CHECK(counters.misuse >= (THREADS - 1) * ROUNDS);
}

static void test_one_of_many_ends_a_span(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, contest, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), ROUNDS);
	view_close(view);
}

/* --- ends of processes ---------------------------------------------------------------------------------------------- */

static void killed(void) {
	struct spanring_async spans[5];
	spanring_async_begin_many(&site, NULL, 5, spans);
	spanring_async_end(spans[2]);
}

static void test_survives_a_kill(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, killed, VIEW_LEAVE_AT_ONCE));
	struct async_view *async = view_async(view_scratch.rings, view);
	assert_int_equal(view_open_slots(async), 4);
	assert_int_equal((uint32_t)async->slots[2].state, SPANRING_ASYNC_FREE);
	assert_true(async->slots[0].span.span_id != 0 && async->slots[0].span.tail.type == SPANRING_RECORD_SPAN);
	async_view_free(async);
	view_close(view);
}

static void forked(void) {
	struct spanring_async span = spanring_async_begin(&site);
	struct spanring_context context = spanring_async_context(span);
	pid_t pid = fork();
	if (pid == 0) {
		spanring_async_end(span);
		struct spanring_async own = spanring_async_begin(&site);
		CHECK(own.slot == span.slot && own.generation == span.generation);
		spanring_async_end(span);
		SPANRING_ASYNC_SET_U64(span, "k", 1);
		CHECK(counters_now().misuse == 3 && counters_now().open == 1);
		spanring_async_end(own);
		CHECK(counters_now().begun == 1 && counters_now().ended == 1);
		_exit(7);
	}
	int status;
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK(counters_now().misuse == 0 && counters_now().open == 1);
	CHECK(spanring_async_context(span).trace_lo == context.trace_lo);
	spanring_async_end(span);
	CHECK(counters_now().open == 0);
}

static void test_stale_in_a_forked_child(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, forked, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
	view_close(view);
}

static void switched_off(void) {
	setenv("SPANRING_DISABLED", "1", 1);
	struct spanring_async spans[3];
	struct spanring_context context = {1, 2, 3, 0, 0};
	CHECK(spanring_async_begin(&site).span_id == 0);
	CHECK(spanring_async_begin_many(&site, NULL, 3, spans) == 0 && spans[2].span_id == 0);
	CHECK(spanring_context_attach(&context).id == 0);
	spanring_async_end_many(spans, 3);
	CHECK(counters_now().misuse == 0 && counters_now().begun == 0);
}

static void test_switched_off(void **state) {
	(void)state;
	assert_null(view_open(view_scratch.rings, view_run(view_scratch.rings, switched_off, VIEW_EXIT)));
}

/* --- contexts ------------------------------------------------------------------------------------------------------- */

static void attach(void) {
	const struct spanring_context first = {11, 12, 13, 0, 0}, second = {21, 22, 23, 0, 0};
	struct spanring_span outer = spanring_begin(&thread_site);
	struct spanring_attachment one = spanring_context_attach(&first);
	CHECK(spanring_context_current().span_id == 13);
	struct spanring_span child = spanring_begin(&thread_site);
	struct spanring_attachment two = spanring_context_attach(&second);
	struct spanring_async async = spanring_async_begin(&site);
	CHECK(spanring_async_context(async).trace_lo == 22);
	/* Contexts are no spans. */
	CHECK(counters_now().begun == 3 && counters_now().open == 3);
	spanring_context_detach(two);
	CHECK(spanring_context_current().span_id == child.span_id);
	spanring_end(child);
	spanring_context_detach(one);
	CHECK(spanring_context_current().span_id == outer.span_id);
	spanring_async_end(async);
	spanring_end(outer);
	CHECK(counters_now().misuse == 0 && counters_now().begun == 3 && counters_now().ended == 3);
}

static void test_attached_contexts_are_parents(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, attach, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 3);
	const struct spanring_span_record *child = &view_record(view, SPANRING_RECORD_SPAN, 0)->span;
	const struct spanring_span_record *async = &view_record(view, SPANRING_RECORD_SPAN, 1)->span;
	const struct spanring_span_record *outer = &view_record(view, SPANRING_RECORD_SPAN, 2)->span;
	assert_true(child->trace_hi == 11 && child->trace_lo == 12 && child->parent_id == 13);
	assert_true(async->trace_hi == 21 && async->trace_lo == 22 && async->parent_id == 23);
	assert_true(outer->parent_id == 0 && outer->trace_lo != 12);
	assert_int_equal(view->rings[0].header.begun_open, UINT64_C(3) << SPANRING_BEGUN_SHIFT);
	view_close(view);
}

/* A context that carries the id of a span of the same thread is not taken for that span. */
static void own_span(void) {
	struct spanring_span outer = spanring_begin(&thread_site);
	struct spanring_span inner = spanring_begin(&thread_site);
	struct spanring_context context = spanring_context_of(outer);
	struct spanring_attachment attachment = spanring_context_attach(&context);
	struct spanring_span child = spanring_begin(&thread_site);
	spanring_end(child);
	spanring_end(outer);
	CHECK(counters_now().open == 1 && counters_now().misuse == 0);
	CHECK(spanring_context_current().span_id == outer.span_id);
	spanring_context_detach(attachment);
	spanring_end(inner);
	CHECK(counters_now().open == 0 && counters_now().misuse == 0 && counters_now().begun == 3);
}

static void test_context_of_a_span_of_the_same_thread(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, own_span, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 3);
	const struct spanring_span_record *child = &view_record(view, SPANRING_RECORD_SPAN, 0)->span;
	const struct spanring_span_record *outer = &view_record(view, SPANRING_RECORD_SPAN, 1)->span;
	assert_true(child->parent_id == outer->span_id);
	view_close(view);
}

static void *detach_it(void *argument) {
	const struct spanring_attachment *attachment = argument;
	spanring_context_detach(*attachment);
	return NULL;
}

static void out_of_order(void) {
	const struct spanring_context first = {11, 12, 13, 0, 0}, second = {21, 22, 23, 0, 0};
	pthread_t thread;
	struct spanring_attachment none = {0};
	struct spanring_attachment one = spanring_context_attach(&first);
	struct spanring_span span = spanring_begin(&thread_site);
	struct spanring_attachment two = spanring_context_attach(&second);
	spanring_context_detach(none);
	CHECK(counters_now().misuse == 0);
	spanring_context_detach(one); /* below a span and a context that stay */
	CHECK(counters_now().misuse == 1 && counters_now().open == 1);
	CHECK(spanring_context_current().span_id == 23);
	spanring_context_detach(one);
	CHECK(counters_now().misuse == 2);
	CHECK(pthread_create(&thread, NULL, detach_it, &two) == 0 && pthread_join(thread, NULL) == 0);
	CHECK(counters_now().misuse == 3 && spanring_context_current().span_id == 23);
	spanring_context_detach(two);
	spanring_end(span);
	CHECK(counters_now().misuse == 3 && counters_now().begun == 1 && counters_now().open == 0);
}

static void test_detached_out_of_order(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, out_of_order, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
	assert_true(view_span(view, "ordinary")->parent_id == 13);
	assert_int_equal(view->rings[0].header.begun_open, UINT64_C(1) << SPANRING_BEGUN_SHIFT);
	view_close(view);
}

static void too_deep(void) {
	const struct spanring_context context = {11, 12, 13, 0, 0}, nothing = {0, 0, 0, 0, 0};
	struct spanring_attachment attachments[SPANRING_DEPTH_MAX + 2];
	CHECK(spanring_context_attach(&nothing).id == 0);
	for (unsigned i = 0; i < SPANRING_DEPTH_MAX + 2; i++) {
		attachments[i] = spanring_context_attach(&context);
		CHECK((attachments[i].id != 0) == (i < SPANRING_DEPTH_MAX));
	}
	CHECK(counters_now().dropped_contexts == 2);
	for (unsigned i = SPANRING_DEPTH_MAX + 2; i > 0; i--)
		spanring_context_detach(attachments[i - 1]);
	CHECK(counters_now().misuse == 0 && counters_now().begun == 0 && counters_now().open == 0);
	(void)spanring_context_attach(&context); /* still there at exit */
}

static void test_contexts_too_deep(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, too_deep, VIEW_EXIT));
	assert_int_equal(view->rings[0].header.begun_open, 0);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 0);
	view_close(view);
}

/* --- samplers ------------------------------------------------------------------------------------------------------- */

static void left_out(void) {
	setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off", 1);
	const struct spanring_context kept = {11, 12, 13, 0, 0}, not_kept = {21, 22, 23, SPANRING_CONTEXT_UNSAMPLED, 0};
	struct spanring_async root = spanring_async_begin(&site);
	CHECK(spanring_async_context(root).flags == SPANRING_CONTEXT_UNSAMPLED);
	SPANRING_ASYNC_SET_U64(root, "k", 1);
	struct spanring_attachment one = spanring_context_attach(&kept);
	struct spanring_span recorded = spanring_begin(&thread_site);
	struct spanring_attachment two = spanring_context_attach(&not_kept);
	struct spanring_span lost = spanring_begin(&thread_site);
	struct spanring_async lost_too = spanring_async_begin(&site);
	CHECK(spanring_async_context(lost_too).flags == SPANRING_CONTEXT_UNSAMPLED);
	spanring_async_end(lost_too);
	spanring_end(lost);
	spanring_context_detach(two);
	spanring_end(recorded);
	spanring_context_detach(one);
	spanring_async_end(root);
	struct spanring_counters counters = counters_now();
	CHECK(counters.begun == 4 && counters.ended == 4 && counters.sampled_out == 3 && counters.misuse == 0);
}

static void left_out_without_statistics(void) {
	setenv("SPANRING_STATISTICS", "0", 1);
	left_out();
}

static void test_samplers_are_obeyed(void **state) {
	(void)state;
	void (*const scenarios[])(void) = {left_out, left_out_without_statistics};
	for (unsigned i = 0; i < 2; i++) {
		struct view_instance *view =
		    view_open(view_scratch.rings, view_run(view_scratch.rings, scenarios[i], VIEW_EXIT));
		assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
		assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE), 0);
		assert_int_equal(view_span(view, "ordinary")->parent_id, 13);
		assert_int_equal(view->rings[0].header.begun_open, UINT64_C(4) << SPANRING_BEGUN_SHIFT);
		view_close(view);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_ended_on_another_thread),
	    VIEW_TEST(test_parents),
	    VIEW_TEST(test_stale_double_and_foreign),
	    VIEW_TEST(test_carries_what_a_span_carries),
	    VIEW_TEST(test_limits_hold),
	    VIEW_TEST(test_many),
	    VIEW_TEST(test_full_table),
	    VIEW_TEST(test_full_ring_drops_exactly),
	    VIEW_TEST(test_threads_beside_each_other),
	    VIEW_TEST(test_one_of_many_ends_a_span),
	    VIEW_TEST(test_survives_a_kill),
	    VIEW_TEST(test_stale_in_a_forked_child),
	    VIEW_TEST(test_switched_off),
	    VIEW_TEST(test_attached_contexts_are_parents),
	    VIEW_TEST(test_context_of_a_span_of_the_same_thread),
	    VIEW_TEST(test_detached_out_of_order),
	    VIEW_TEST(test_contexts_too_deep),
	    VIEW_TEST(test_samplers_are_obeyed),
	};
	return cmocka_run_group_tests_name("writer async", tests, NULL, NULL);
}
