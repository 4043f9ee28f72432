/* SPDX-License-Identifier: Apache-2.0 */
/* What happens at every limit of the writer: dropped or cut, counted to the unit, and the program goes on. */
#include "support/cmocka.h"

#include "ring_view.h"

#include <fcntl.h>
#include <pthread.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/mman.h>

#define SMALL_RING_BYTES "65536"
#define SMALL_RING_RECORDS 1024u

static struct spanring_counters counters_now(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	return counters;
}

#define DEEP 200

static void deep(void) {
	static struct spanring_site site = SPANRING_SITE_INIT("deep", SPANRING_KIND_INTERNAL);
	struct spanring_span spans[DEEP];
	for (int i = 0; i < DEEP; i++) {
		spans[i] = spanring_begin(&site);
		CHECK((spans[i].span_id != 0) == (i < (int)SPANRING_DEPTH_MAX));
	}
	CHECK(counters_now().open == SPANRING_DEPTH_MAX);
	for (int i = DEEP - 1; i >= 0; i--)
		spanring_end(spans[i]);
	struct spanring_counters counters = counters_now();
	CHECK(counters.begun == DEEP && counters.ended == DEEP && counters.open == 0);
	CHECK(counters.dropped_depth == DEEP - SPANRING_DEPTH_MAX && counters.misuse == 0);
}

static void test_depth(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, deep, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), SPANRING_DEPTH_MAX);
	assert_int_equal(view->rings[0].header.dropped_depth, DEEP - SPANRING_DEPTH_MAX);
	assert_int_equal(view->rings[0].header.begun_open, (uint64_t)DEEP << SPANRING_BEGUN_SHIFT);
	view_close(view);
}

#define OVERFLOWING 5000u

static void overflow(void) {
	setenv("SPANRING_RING_BYTES", SMALL_RING_BYTES, 1);
	for (unsigned i = 0; i < OVERFLOWING; i++) {
		SPANRING_SPAN(span, "overflow");
	}
	CHECK(counters_now().dropped_full == OVERFLOWING - (SMALL_RING_RECORDS - 1));
	SPANRING_SPAN(span, "late");
	SPANRING_SET_U64(span, "k", 1);
	SPANRING_SET_STRING(span, "s", "text");
	SPANRING_EVENT(span, "event");
	CHECK(counters_now().dropped_attributes == 2 && counters_now().dropped_events == 1);
}

static void test_full_ring_drops_exactly(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, overflow, VIEW_EXIT));
	const struct spanring_ring_header *header = &view->rings[0].header;
	uint64_t stored = view_count(view, SPANRING_RECORD_SPAN);
	assert_int_equal(header->capacity_records, SMALL_RING_RECORDS);
	assert_int_equal(header->head, SMALL_RING_RECORDS);
	assert_int_equal(stored, SMALL_RING_RECORDS - 1);
	assert_int_equal(header->begun_open >> SPANRING_BEGUN_SHIFT, OVERFLOWING + 1);
	assert_int_equal(header->dropped_full + stored, OVERFLOWING + 1);
	assert_true(header->first_drop_ticks != 0 && header->first_drop_ticks < header->last_drop_ticks);
	view_close(view);
}

/* Map the ring of this process as an agent would. */
static struct spanring_ring_header *map_own_ring(void) {
	char path[1200];
	struct view_instance *view = view_open(getenv("SPANRING_DIR"), getpid());
	CHECK(view);
	(void)snprintf(path, sizeof(path), "%s/%s/ring-0000", getenv("SPANRING_DIR"), view->name);
	view_close(view);
	int fd = open(path, O_RDWR);
	CHECK(fd >= 0);
	void *address = mmap(NULL, SPANRING_PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(address != MAP_FAILED);
	close(fd);
	return address;
}

#define LAPS 200u

static void drained(void) {
	setenv("SPANRING_RING_BYTES", SMALL_RING_BYTES, 1);
	static struct spanring_site site = SPANRING_SITE_INIT("drained", SPANRING_KIND_INTERNAL);
	spanring_end(spanring_begin(&site));
	struct spanring_ring_header *header = map_own_ring();
	for (unsigned lap = 0; lap < LAPS; lap++) {
		for (unsigned i = 0; i < SMALL_RING_RECORDS - 2; i++)
			spanring_end(spanring_begin(&site));
		spanring_flush(0);
		__atomic_store_n(&header->tail, header->head, __ATOMIC_RELEASE);
	}
	for (unsigned i = 0; i < SMALL_RING_RECORDS / 2; i++)
		spanring_end(spanring_begin(&site));
	CHECK(counters_now().dropped_full == 0);
}

static void test_many_laps(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, drained, VIEW_EXIT));
	const struct view_ring *ring = &view->rings[0];
	assert_int_equal(ring->header.head, 2 + LAPS * (SMALL_RING_RECORDS - 2) + SMALL_RING_RECORDS / 2);
	assert_int_equal(ring->count, SMALL_RING_RECORDS / 2);
	for (uint64_t r = 1; r < ring->count; r++)
		assert_int_equal(ring->records[r].span.span_id, ring->records[r - 1].span.span_id + 1);
	view_close(view);
}

/* A tail that goes back or beyond what was written is not believed, and costs nothing but room. */
static void lying_agent(void) {
	setenv("SPANRING_RING_BYTES", SMALL_RING_BYTES, 1);
	static struct spanring_site site = SPANRING_SITE_INIT("lied to", SPANRING_KIND_INTERNAL);
	spanring_end(spanring_begin(&site));
	struct spanring_ring_header *header = map_own_ring();
	__atomic_store_n(&header->tail, UINT64_MAX, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 2 * SMALL_RING_RECORDS; i++)
		spanring_end(spanring_begin(&site));
	CHECK(counters_now().dropped_full == SMALL_RING_RECORDS + 2);
	__atomic_store_n(&header->tail, SMALL_RING_RECORDS + 1, __ATOMIC_RELEASE);
	spanring_end(spanring_begin(&site));
	CHECK(counters_now().dropped_full == SMALL_RING_RECORDS + 3);
	__atomic_store_n(&header->tail, 10, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < 11; i++)
		spanring_end(spanring_begin(&site));
	CHECK(counters_now().dropped_full == SMALL_RING_RECORDS + 4);
	__atomic_store_n(&header->tail, 5, __ATOMIC_RELEASE);
	spanring_end(spanring_begin(&site));
	CHECK(counters_now().dropped_full == SMALL_RING_RECORDS + 5);
	CHECK(header->head == SMALL_RING_RECORDS + 10);
}

static void test_lying_agent(void **state) {
	(void)state;
	(void)view_run(view_scratch.rings, lying_agent, VIEW_EXIT);
}

/* A long string is written whole or not at all. */
static void groups(void) {
	setenv("SPANRING_RING_BYTES", SMALL_RING_BYTES, 1);
	static char text[SPANRING_STRING_VALUE_MAX + 1];
	memset(text, 'g', SPANRING_STRING_VALUE_MAX);
	SPANRING_SPAN(span, "groups");
	for (unsigned i = 0; i < 20; i++)
		SPANRING_SET_STRING(span, "long", text);
}

static void test_attribute_groups(void **state) {
	(void)state;
	uint32_t group = 1 + spanring_continuation_count(SPANRING_STRING_VALUE_MAX);
	uint32_t fit = (SMALL_RING_RECORDS - 1) / group;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, groups, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_ATTRIBUTE), fit);
	assert_int_equal(view_count(view, SPANRING_RECORD_CONTINUATION), fit * (group - 1));
	assert_int_equal(view->rings[0].header.dropped_attributes, 20 - fit);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
	view_close(view);
}

static char huge_name[65537];
static const char odd_name[] = "line\nfeed \x1b[31m \xff\xfe \"quoted\"";

static void names(void) {
	memset(huge_name, 'n', sizeof(huge_name) - 1);
	memcpy(huge_name + 254, "\xc3\xa9", 2);
	static struct spanring_site huge = SPANRING_SITE_INIT(huge_name, SPANRING_KIND_INTERNAL);
	static struct spanring_site odd = SPANRING_SITE_INIT(odd_name, 9);
	static struct spanring_site missing = SPANRING_SITE_INIT(NULL, SPANRING_KIND_INTERNAL);
	static struct spanring_site twin = SPANRING_SITE_INIT(NULL, SPANRING_KIND_INTERNAL);
	static struct spanring_site same;
	same = missing;
	spanring_end(spanring_begin(&huge));
	spanring_end(spanring_begin(&odd));
	spanring_end(spanring_begin(&missing));
	spanring_end(spanring_begin(&twin));
	spanring_end(spanring_begin(&same));
	CHECK(missing.id == same.id && missing.id != twin.id);
	CHECK(counters_now().names_cut == 1);
}

static void test_names(void **state) {
	(void)state;
	char text[SPANRING_NAME_BYTES_MAX + 1];
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, names, VIEW_EXIT));
	const struct spanring_span_record *huge = &view_record(view, SPANRING_RECORD_SPAN, 0)->span;
	const struct spanring_span_record *odd = &view_record(view, SPANRING_RECORD_SPAN, 1)->span;
	assert_int_equal(strlen(view_site_name(view, huge->tail.ref, text)), 254);
	assert_string_equal(view_site_name(view, odd->tail.ref, text), odd_name);
	assert_int_equal(view_kind(odd), SPANRING_KIND_INTERNAL);
	assert_non_null(view_span(view, "(unnamed)"));
	view_close(view);
}

#define MANY_SITES (SPANRING_SITES_MAX + 100u)
#define MANY_STRINGS (SPANRING_STRINGS_MAX + 100u)

static void tables_overflow(void) {
	setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "65535", 1);
	static struct spanring_site sites[MANY_SITES];
	static struct spanring_key keys[MANY_STRINGS];
	static char texts[MANY_STRINGS][8];
	for (unsigned i = 0; i < MANY_SITES; i++) {
		sites[i] = (struct spanring_site)SPANRING_SITE_INIT("many", SPANRING_KIND_INTERNAL);
		sites[i].line = i + 1;
		spanring_end(spanring_begin(&sites[i]));
	}
	CHECK(sites[SPANRING_SITES_MAX - 2].id == SPANRING_SITES_MAX);
	CHECK(sites[SPANRING_SITES_MAX - 1].id == SPANRING_SITE_OVERFLOW);
	SPANRING_SPAN(span, "lost name");
	for (unsigned i = 0; i < MANY_STRINGS; i++) {
		(void)snprintf(texts[i], sizeof(texts[i]), "k%u", i);
		keys[i].text = texts[i];
		spanring_set_u64(span, &keys[i], i);
	}
	CHECK(keys[MANY_STRINGS - 1].id == SPANRING_STRING_OVERFLOW);
}

static void test_tables_overflow(void **state) {
	(void)state;
	char text[SPANRING_NAME_BYTES_MAX + 1];
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, tables_overflow, VIEW_EXIT));
	assert_int_equal(view->header->site_count, SPANRING_SITES_MAX);
	assert_int_equal(view->header->sites_overflowed, MANY_SITES - (SPANRING_SITES_MAX - 1) + 1);
	assert_int_equal(view->header->string_count, SPANRING_STRINGS_MAX);
	assert_true(view->header->strings_overflowed > 100);
	assert_string_equal(view_site_name(view, SPANRING_SITE_OVERFLOW, text), SPANRING_OVERFLOW_NAME);
	(void)view_text(view, SPANRING_STRING_OVERFLOW, text);
	assert_string_equal(text, SPANRING_OVERFLOW_NAME);
	view_close(view);
}

#define MANY_THREADS (SPANRING_RINGS_MAX + 5u)

static pthread_barrier_t barrier;

static void *one_of_many(void *argument) {
	(void)argument;
	for (int i = 0; i < 3; i++) {
		SPANRING_SPAN(span, "one of many");
	}
	(void)pthread_barrier_wait(&barrier);
	return NULL;
}

static void too_many_threads(void) {
	static pthread_t threads[MANY_THREADS];
	pthread_attr_t attributes;
	setenv("SPANRING_RING_BYTES", SMALL_RING_BYTES, 1);
	CHECK(pthread_attr_init(&attributes) == 0 && pthread_attr_setstacksize(&attributes, 64 << 10) == 0);
	CHECK(pthread_barrier_init(&barrier, NULL, MANY_THREADS) == 0);
	for (unsigned i = 0; i < MANY_THREADS; i++)
		CHECK(pthread_create(&threads[i], &attributes, one_of_many, NULL) == 0);
	for (unsigned i = 0; i < MANY_THREADS; i++)
		CHECK(pthread_join(threads[i], NULL) == 0);
	struct spanring_counters counters = counters_now();
	CHECK(counters.threads_untraced == 5 && counters.dropped_no_ring == 15);
	CHECK(counters.begun == 3 * MANY_THREADS && counters.ended == counters.begun);
	CHECK(counters.reason == SPANRING_REASON_LIMIT);
}

static void test_too_many_threads(void **state) {
	(void)state;
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, too_many_threads, VIEW_EXIT));
	assert_int_equal(view->ring_count, SPANRING_RINGS_MAX);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 3 * SPANRING_RINGS_MAX);
	view_close(view);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_depth),           VIEW_TEST(test_full_ring_drops_exactly), VIEW_TEST(test_many_laps),
	    VIEW_TEST(test_lying_agent),     VIEW_TEST(test_attribute_groups),        VIEW_TEST(test_names),
	    VIEW_TEST(test_tables_overflow), VIEW_TEST(test_too_many_threads),
	};
	return cmocka_run_group_tests_name("writer limits", tests, NULL, NULL);
}
