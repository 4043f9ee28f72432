/* SPDX-License-Identifier: Apache-2.0 */
#include "call_store.h"

#include "support/cmocka.h"

#include "base/clock.h"
#include "libstore/writer.h"

#include <spanring/spanring.h>

#include <stdlib.h>
#include <string.h>

#define START_NS (UINT64_C(50) * NS_PER_S)
#define ABSENT_ID UINT64_C(0xdead0000)

const char *const call_names[CALL_NAMES] = {"GET /users", "query",     "parse",
                                            "render",     "cache.get", "=evil <b>&\"';\x1b[31m\xe2\x80\xae</script>"};
const char *const call_names_json[CALL_NAMES] = {
    "GET /users", "query", "parse", "render", "cache.get", "=evil <b>&\\\"';\\u001b[31m\\u202e</script>"};
const char *const call_names_csv[CALL_NAMES] = {
    "GET /users", "query", "parse", "render", "cache.get", "\"'=evil <b>&\"\"';\x1b[31m\xe2\x80\xae</script>\""};

static void make_child(struct seed *seed, struct call_span *spans, size_t at, size_t first) {
	struct call_span *span = &spans[at];
	uint64_t kind = seed_below(seed, 20);
	span->parent = kind == 0 ? -2 : (int32_t)(first + seed_below(seed, at - first));
	const struct call_span *parent = &spans[span->parent < 0 ? (int32_t)first : span->parent];
	span->start_ns = parent->start_ns + seed_below(seed, parent->duration_ns + 1);
	span->duration_ns = seed_below(seed, parent->duration_ns + parent->duration_ns / 4 + 1);
	/* most are stored with their parents, some before, some after */
	span->batch = seed_below(seed, 4) ? parent->batch : (uint32_t)seed_below(seed, CALL_BATCHES);
}

void call_forest_make(struct seed *seed, struct call_span *ret_spans, size_t count) {
	size_t first = 0;
	for (size_t at = 0; at < count; at++) {
		struct call_span *span = &ret_spans[at];
		*span = (struct call_span){.parent = -1,
		                           .start_ns = START_NS + seed_below(seed, NS_PER_S),
		                           .duration_ns = 1000 + seed_below(seed, 1000000),
		                           .batch = (uint32_t)seed_below(seed, CALL_BATCHES)};
		if (at == 0 || seed_below(seed, 12) == 0)
			first = at;
		else
			make_child(seed, ret_spans, at, first);
		span->trace = first;
		span->name = (uint32_t)seed_below(seed, CALL_NAMES);
		span->heap_units = (uint32_t)seed_below(seed, 1000);
		span->error = seed_below(seed, 10) == 0;
		span->open = seed_below(seed, 50) == 0;
	}
}

struct making {
	struct store_writer *writer;
	struct catalog *catalog;
	struct batch *batch;
	uint32_t thread;
	uint32_t sites[CALL_NAMES];
};

static uint32_t string_of(struct making *making, const char *text) {
	uint32_t id = 0;
	assert_int_equal(catalog_string(making->catalog, text, strlen(text), &id), 0);
	return id;
}

/* Names in another order in each segment, so that no number of a segment is taken for another's. */
static void new_segment(struct making *making, uint32_t segment) {
	struct store_process process = {.pid = 100, .ppid = 1, .uid = 1000, .clock_kind = 1};
	struct store_thread thread = {.tid = 101, .start_ns = NS_PER_S};
	catalog_free(making->catalog);
	assert_int_equal(catalog_new(&making->catalog), 0);
	memset(process.instance, 0x77, sizeof(process.instance));
	process.attach_wall_ns = CALL_WALL_OFFSET_NS;
	process.executable = string_of(making, "/usr/bin/shop");
	process.command = string_of(making, "shop");
	process.service = string_of(making, "shop");
	assert_int_equal(catalog_process(making->catalog, &process, &thread.process), 0);
	thread.name = string_of(making, "worker");
	assert_int_equal(catalog_thread(making->catalog, &thread, &making->thread), 0);
	for (uint32_t i = 0; i < CALL_NAMES; i++) {
		uint32_t name = segment ? CALL_NAMES - 1 - i : i;
		struct store_site site = {.name = string_of(making, call_names[name]),
		                          .file = string_of(making, name < 3 ? "/src/a.c" : "/src/b.c"),
		                          /* one name moved from one build to the next */
		                          .line = 10 + name + (segment && name == 4 ? 10 : 0)};
		assert_int_equal(catalog_site(making->catalog, &site, &making->sites[name]), 0);
	}
}

static void add(struct making *making, const struct call_span *spans, size_t at) {
	const struct call_span *call = &spans[at];
	struct store_span span = {.trace_hi = 7,
	                          .trace_lo = 1000 + call->trace,
	                          .span_id = 1 + at,
	                          .parent_id = call->parent >= 0 ? 1 + (uint64_t)call->parent : 0,
	                          .start_ns = call->start_ns,
	                          .duration_ns = call->duration_ns,
	                          .site = making->sites[call->name],
	                          .thread = making->thread,
	                          .status = call->error ? SPANRING_STATUS_ERROR : SPANRING_STATUS_UNSET,
	                          .heap_alloc_units = call->heap_units,
	                          .weight = call->weight,
	                          .flags = (uint8_t)(STORE_SPAN_HEAP | (call->open ? STORE_SPAN_OPEN : 0))};
	if (call->parent == -2)
		span.parent_id = ABSENT_ID + at;
	assert_true(batch_has_room(making->batch, 1, 0, 0, 0));
	batch_add_span(making->batch, &span);
}

static void commit(struct making *making, const struct store_cursor *cursor) {
	struct store_process_account account = {.state = STORE_PROCESS_DIED, .rings_made = 1};
	memset(account.instance, 0x77, sizeof(account.instance));
	struct store_commit commit = {.catalog = making->catalog,
	                              .batch = making->batch,
	                              .cursors = cursor,
	                              .cursor_count = 1,
	                              .accounts = &account,
	                              .account_count = 1};
	struct store_receipt receipt;
	if (store_writer_commit(making->writer, &commit, &receipt) != 0)
		fail_msg("%s", store_writer_error(making->writer));
	batch_clear(making->batch);
}

void call_store_make(const char *directory, const struct call_span *spans, size_t count) {
	struct store_writer_options options = {.wall_offset_ns = CALL_WALL_OFFSET_NS, .agent_version = "test"};
	struct store_cursor cursor = {.state = STORE_RING_LIVE};
	struct making making = {0};
	char text[512] = "";
	int holder = 0;
	memset(options.boot_id, 0xb0, sizeof(options.boot_id));
	memset(cursor.instance, 0x77, sizeof(cursor.instance));
	if (store_writer_open(directory, &options, &making.writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	assert_int_equal(batch_new(&making.batch), 0);
	for (uint32_t i = 0; i < CALL_BATCHES; i++) {
		uint32_t half = CALL_BATCHES / 2;
		uint32_t number = i < half ? 2 * i : 2 * (i - half) + 1;
		if (i % half == 0)
			new_segment(&making, i / half);
		for (size_t at = 0; at < count; at++) {
			if (spans[at].batch != number)
				continue;
			add(&making, spans, at);
			cursor.stored_spans++;
			cursor.open += spans[at].open;
			cursor.weighted_spans += spans[at].weight > 0;
		}
		cursor.position = cursor.begun = cursor.stored_spans;
		if (i == CALL_BATCHES - 1)
			cursor.state = STORE_RING_DIED;
		commit(&making, &cursor);
	}
	assert_int_equal(store_writer_close(making.writer), 0);
	catalog_free(making.catalog);
	batch_free(making.batch);
}

static uint64_t end_of(const struct call_span *span) {
	return span->start_ns + span->duration_ns;
}

uint64_t call_self_ns(const struct call_span *spans, size_t count, size_t span) {
	uint64_t at = spans[span].start_ns;
	uint64_t self = 0;
	/* from each point to the next one at which some child begins or ends */
	while (at < end_of(&spans[span])) {
		uint64_t next = end_of(&spans[span]);
		bool covered = false;
		for (size_t i = span + 1; i < count && spans[i].trace == spans[span].trace; i++) {
			if (spans[i].parent != (int32_t)span)
				continue;
			covered |= spans[i].start_ns <= at && end_of(&spans[i]) > at;
			if (spans[i].start_ns > at && spans[i].start_ns < next)
				next = spans[i].start_ns;
			if (end_of(&spans[i]) > at && end_of(&spans[i]) < next)
				next = end_of(&spans[i]);
		}
		self += covered ? 0 : next - at;
		at = next;
	}
	return self;
}

bool call_is_nested(const struct call_span *spans, size_t span) {
	for (int32_t at = spans[span].parent; at >= 0; at = spans[at].parent)
		if (spans[at].name == spans[span].name)
			return true;
	return false;
}
