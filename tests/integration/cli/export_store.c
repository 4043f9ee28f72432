/* SPDX-License-Identifier: Apache-2.0 */
#include "export_store.h"

#include "support/cmocka.h"

#include <spanring/record.h>
#include <spanring/spanring.h>

#include <stdio.h>
#include <string.h>

#define TRACES 40u

static const char *const words[] = {"GET /",
                                    "q\"uo\\te",
                                    "tab\tand\nline\r",
                                    "a,b",
                                    "\xc3\xa9\xe2\x82\xac",
                                    "\xf0\x9f\x98\x80",
                                    "=HYPERLINK(\"http://x\")",
                                    "+1",
                                    "-5",
                                    "@x",
                                    "'=x",
                                    "'",
                                    "''",
                                    "42",
                                    "1e3",
                                    "true",
                                    "NaN",
                                    "</script><b>",
                                    "\x1b[31mred",
                                    "\xe2\x80\xae"
                                    "bidi",
                                    " blank ",
                                    "null"};
#define WORDS (sizeof(words) / sizeof(words[0]))
#define KEYS 12u
static const char *const keys[KEYS] = {"http.route", "a",       "a.0",      "a.1",     "list.0", "list.1",
                                       "list.2",     "q\"\\,=", "\xc3\xa9", "db.rows", "gap.0",  "gap.2"};

static uint32_t string_of(struct export_store *store, const char *text) {
	uint32_t id = 0;
	if (*text)
		assert_int_equal(catalog_string(store->catalog, text, strlen(text), &id), 0);
	return id;
}

static uint32_t below(struct export_store *store, uint32_t bound) {
	return (uint32_t)seed_below(&store->seed, bound);
}

static const char *word(struct export_store *store) {
	return words[below(store, WORDS)];
}

static void instance_of(uint32_t process, uint8_t ret_instance[STORE_INSTANCE_BYTES]) {
	memset(ret_instance, (int)(0x21 + process), STORE_INSTANCE_BYTES);
}

/* Two of the three have the same pid. */
static void add_processes(struct export_store *store) {
	static const char *const resources[EXPORT_PROCESSES] = {"host.name=a%2Cb,deployment.environment=test %25", "",
	                                                        "k=v=w"};
	static const uint32_t pids[EXPORT_PROCESSES] = {700, 700, 900};
	for (uint32_t i = 0; i < EXPORT_PROCESSES; i++) {
		uint32_t id = 0;
		char service[32];
		(void)snprintf(service, sizeof(service), "service-%u \"x\"", i);
		struct store_process process = {.pid = pids[i], .ppid = i, .uid = 1, .clock_kind = 1};
		instance_of(i, process.instance);
		process.service = string_of(store, service);
		process.executable = string_of(store, i ? "/usr/bin/x" : "");
		process.command = string_of(store, i ? "x --flag 'y'" : "");
		process.resource = string_of(store, resources[i]);
		assert_int_equal(catalog_process(store->catalog, &process, &id), 0);
		for (uint32_t t = 0; t < EXPORT_THREADS / EXPORT_PROCESSES; t++) {
			struct store_thread thread = {.process = id,
			                              .ring_index = t,
			                              .tid = 1000 + 10 * i + t,
			                              .name = string_of(store, t ? "=worker" : "")};
			assert_int_equal(catalog_thread(store->catalog, &thread, &store->threads[2 * i + t]), 0);
		}
	}
}

static uint32_t add_site(struct export_store *store, uint8_t kind) {
	bool scope = below(store, 2);
	struct store_site site = {.name = string_of(store, word(store)),
	                          .file = below(store, 2) ? string_of(store, "src/a,b.c") : 0,
	                          .kind = kind,
	                          .scope_name = scope ? string_of(store, word(store)) : 0,
	                          .scope_version = scope && below(store, 2) ? string_of(store, "1.0") : 0};
	uint32_t id = 0;
	site.line = site.file ? 1 + below(store, 100) : 0;
	assert_int_equal(catalog_site(store->catalog, &site, &id), 0);
	return id;
}

/* Half of the attributes, events and links lie in any batch, not in that of the span. */
static struct batch *batch_near(struct export_store *store, uint32_t batch) {
	return store->batches[below(store, 2) ? batch : below(store, EXPORT_BATCHES)];
}

static void add_value(struct export_store *store, const struct store_span *span, struct batch *batch, const char *key,
                      uint32_t event_index) {
	static const uint8_t types[] = {SPANRING_VALUE_BOOL, SPANRING_VALUE_I64, SPANRING_VALUE_U64, SPANRING_VALUE_F64,
	                                SPANRING_VALUE_STRING};
	static const double doubles[] = {0, 3, -1.5, 1e300, 0.1, 1795200000000000000.0};
	struct store_attribute row = {.trace_lo = span->trace_lo,
	                              .span_id = span->span_id,
	                              .key = string_of(store, key),
	                              .event_index = event_index,
	                              .type = types[below(store, 5)]};
	const char *text = below(store, 20) ? word(store) : "";
	row.value = seed_next(&store->seed);
	if (row.type == SPANRING_VALUE_BOOL)
		row.value &= 1;
	if (row.type == SPANRING_VALUE_U64)
		row.value |= UINT64_C(1) << 63; /* others come back signed */
	if (row.type == SPANRING_VALUE_F64)
		memcpy(&row.value, &doubles[below(store, 6)], sizeof(row.value));
	row.text_bytes = row.type == SPANRING_VALUE_STRING ? (uint32_t)strlen(text) : 0;
	batch_add_attribute(batch, &row, text);
}

static void add_details(struct export_store *store, const struct store_span *span, uint32_t batch) {
	for (uint32_t key = below(store, 4); key < KEYS; key += 1 + below(store, 6))
		add_value(store, span, batch_near(store, batch), keys[key], 0);
	uint32_t events = below(store, 4) ? 0 : 1 + below(store, 3);
	for (uint32_t i = 1; i <= events; i++) {
		struct store_event event = {.trace_lo = span->trace_lo,
		                            .span_id = span->span_id,
		                            .time_ns = span->start_ns + i,
		                            .name = string_of(store, word(store)),
		                            .event_index = i};
		batch_add_event(batch_near(store, batch), &event);
		if (below(store, 2))
			add_value(store, span, batch_near(store, batch), keys[below(store, KEYS)], i);
	}
	for (uint32_t i = below(store, 5) ? 0 : 1 + below(store, 2); i > 0; i--) {
		struct store_link link = {.trace_lo = span->trace_lo,
		                          .span_id = span->span_id,
		                          .linked_trace_hi = 7,
		                          .linked_trace_lo = seed_next(&store->seed),
		                          .linked_span_id = seed_next(&store->seed)};
		batch_add_link(batch_near(store, batch), &link);
	}
}

static uint8_t any_flags(struct export_store *store) {
	static const uint8_t choices[] = {0, 0, 0, STORE_SPAN_UNFINISHED, STORE_SPAN_OPEN, STORE_SPAN_HEAP};
	return choices[below(store, 6)];
}

static void add_spans(struct export_store *store) {
	for (uint32_t i = 0; i < EXPORT_SPANS; i++) {
		uint32_t thread = below(store, EXPORT_THREADS);
		uint32_t trace = below(store, TRACES);
		struct store_span span = {.trace_hi = 1 + trace % 3,
		                          .trace_lo = 1000 + trace,
		                          .span_id = 100 + i,
		                          .parent_id = below(store, 3) ? 100 + below(store, EXPORT_SPANS) : 0,
		                          .start_ns = 1000 + below(store, 1000000),
		                          .duration_ns = below(store, 100000),
		                          .thread = store->threads[thread],
		                          .kind = (uint8_t)below(store, 5),
		                          .status = (uint8_t)below(store, 3),
		                          .flags = any_flags(store)};
		if (span.parent_id && below(store, 4) == 0)
			span.flags |= STORE_SPAN_REMOTE_PARENT;
		if (span.flags & STORE_SPAN_HEAP) {
			span.heap_alloc_units = below(store, 1000);
			span.heap_net_units = (int32_t)below(store, 1000) - 500;
		}
		if (below(store, 8) == 0)
			span.weight = STORE_WEIGHT_ONE + below(store, 100000);
		span.site = add_site(store, span.kind);
		store->ended[thread / 2] += !(span.flags & STORE_SPAN_OPEN);
		store->open[thread / 2] += (span.flags & STORE_SPAN_OPEN) != 0;
		store->spans[i] = span;
		uint32_t batch = i * EXPORT_BATCHES / EXPORT_SPANS;
		batch_add_span(store->batches[batch], &span);
		add_details(store, &span, batch);
	}
}

static void commit_all(struct export_store *store) {
	struct store_cursor cursors[EXPORT_PROCESSES] = {0};
	struct store_process_account accounts[EXPORT_PROCESSES] = {0};
	struct store_memory_sample sample = {.process = 1,
	                                     .time_ns = EXPORT_SAMPLE_NS,
	                                     .rss_bytes = 123456,
	                                     .pss_bytes = UINT64_MAX,
	                                     .heap_allocated_bytes = UINT64_MAX,
	                                     .heap_freed_bytes = UINT64_MAX};
	for (uint32_t i = 0; i < EXPORT_PROCESSES; i++) {
		instance_of(i, cursors[i].instance);
		instance_of(i, accounts[i].instance);
		cursors[i].state = STORE_RING_DIED;
		cursors[i].position = store->ended[i];
		cursors[i].begun = store->ended[i] + store->open[i];
		cursors[i].open = store->open[i];
		cursors[i].stored_spans = store->ended[i];
		accounts[i].state = STORE_PROCESS_DIED;
		accounts[i].rings_made = 1;
	}
	for (uint32_t i = 0; i < EXPORT_BATCHES; i++) {
		bool last = i == EXPORT_BATCHES - 1;
		struct store_commit commit = {.catalog = store->catalog,
		                              .batch = store->batches[i],
		                              .cursors = cursors,
		                              .cursor_count = last ? EXPORT_PROCESSES : 0,
		                              .accounts = accounts,
		                              .account_count = last ? EXPORT_PROCESSES : 0,
		                              .samples = &sample,
		                              .sample_count = i == 0};
		if (store_writer_commit(store->writer, &commit, NULL) != 0)
			fail_msg("%s", store_writer_error(store->writer));
	}
}

void export_store_make(const char *directory, struct export_store *store) {
	struct store_writer_options options = {.wall_offset_ns = EXPORT_WALL_OFFSET_NS, .agent_version = "test"};
	char text[512] = "";
	int holder = 0;
	*store = (struct export_store){.seed = seed_start("export")};
	memset(options.boot_id, 0xb0, sizeof(options.boot_id));
	if (store_writer_open(directory, &options, &store->writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	assert_int_equal(catalog_new(&store->catalog), 0);
	for (uint32_t i = 0; i < EXPORT_BATCHES; i++)
		assert_int_equal(batch_new(&store->batches[i]), 0);
	add_processes(store);
	add_spans(store);
	commit_all(store);
	assert_int_equal(store_writer_close(store->writer), 0);
	catalog_free(store->catalog);
	for (uint32_t i = 0; i < EXPORT_BATCHES; i++)
		batch_free(store->batches[i]);
}

void export_store_make_apart(const char *directory, bool of_spans) {
	struct store_writer_options options = {.wall_offset_ns = EXPORT_WALL_OFFSET_NS, .agent_version = "test"};
	struct store_writer *writer = NULL;
	struct export_store store = {.seed = {0}};
	struct batch *batch = NULL;
	char text[512] = "";
	int holder = 0;
	if (store_writer_open(directory, &options, &writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	assert_int_equal(catalog_new(&store.catalog), 0);
	assert_int_equal(batch_new(&batch), 0);
	add_processes(&store);
	uint32_t key = string_of(&store, "found");
	for (uint32_t i = 0; i <= EXPORT_APART_BATCHES; i++) {
		for (uint32_t row = 0; row < BATCH_SPANS_MAX; row++) {
			bool stored = of_spans || (i < 2 && row == 0);
			const struct store_attribute attribute = {.trace_lo = 1,
			                                          .span_id = stored ? 1 + row : 1000000 + row,
			                                          .value = 1 + i,
			                                          .key = key,
			                                          .type = SPANRING_VALUE_I64};
			const struct store_span span = {
			    .trace_lo = 1, .span_id = 1 + row, .start_ns = 1000, .thread = store.threads[0]};
			if (i < EXPORT_APART_BATCHES)
				batch_add_attribute(batch, &attribute, NULL);
			else if (of_spans || row == 0)
				batch_add_span(batch, &span);
		}
		struct store_commit commit = {.catalog = store.catalog, .batch = batch};
		if (store_writer_commit(writer, &commit, NULL) != 0)
			fail_msg("%s", store_writer_error(writer));
		batch_clear(batch);
	}
	assert_int_equal(store_writer_close(writer), 0);
	catalog_free(store.catalog);
	batch_free(batch);
}
