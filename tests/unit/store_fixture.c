/* SPDX-License-Identifier: Apache-2.0 */
#include "store_fixture.h"

#include "support/cmocka.h"

#include "libstore/segment.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void store_fixture_make(struct store_fixture *fixture) {
	memset(fixture, 0, sizeof(*fixture));
	scratch_make(&fixture->scratch);
	assert_int_equal(batch_new(&fixture->batch), 0);
	store_fixture_catalog(fixture);
}

void store_fixture_remove(struct store_fixture *fixture) {
	(void)store_writer_close(fixture->writer);
	batch_free(fixture->batch);
	catalog_free(fixture->catalog);
	scratch_remove(&fixture->scratch);
}

void store_fixture_open(struct store_fixture *fixture) {
	struct store_writer_options options = {.durability = STORE_DURABILITY_NORMAL,
	                                       .boot_id = "fifteen letters",
	                                       .wall_offset_ns = FIXTURE_WALL_OFFSET_NS,
	                                       .agent_version = "test"};
	char text[512] = "";
	int holder = 0;
	int error = store_writer_open(fixture->scratch.store, &options, &fixture->writer, &holder, text, sizeof(text));
	if (error || *text)
		fail_msg("store_writer_open: %d %s", error, text);
}

void store_fixture_close(struct store_fixture *fixture) {
	assert_int_equal(store_writer_close(fixture->writer), 0);
	fixture->writer = NULL;
}

void store_fixture_catalog(struct store_fixture *fixture) {
	catalog_free(fixture->catalog);
	assert_int_equal(catalog_new(&fixture->catalog), 0);
	for (uint32_t i = 1; i <= FIXTURE_IDS; i++) {
		char name[32];
		uint32_t name_id = 0;
		uint32_t id = 0;
		(void)snprintf(name, sizeof(name), "name %u", i);
		assert_int_equal(catalog_string(fixture->catalog, name, strlen(name), &name_id), 0);
		struct store_site site = {name_id, 0, i, 0, 0, 0};
		assert_int_equal(catalog_site(fixture->catalog, &site, &id), 0);
		struct store_process process = {
		    .instance = {(uint8_t)(1 + i % 2)}, .pid = 100 + i % 2, .service = name_id};
		uint32_t process_id = 0;
		assert_int_equal(catalog_process(fixture->catalog, &process, &process_id), 0);
		struct store_thread thread = {.process = process_id, .ring_index = i, .tid = i, .name = name_id};
		assert_int_equal(catalog_thread(fixture->catalog, &thread, &id), 0);
	}
}

struct store_cursor store_fixture_cursor(uint64_t position) {
	struct store_cursor cursor = {.instance = {2},
	                              .ring_index = 7,
	                              .state = STORE_RING_LIVE,
	                              .position = position,
	                              .begun = position + 3,
	                              .open = 3,
	                              .stored_spans = position};
	return cursor;
}

int store_fixture_commit(struct store_fixture *fixture, uint64_t position) {
	struct store_cursor cursor = store_fixture_cursor(position);
	struct store_process_account account = {.instance = {2}, .state = STORE_PROCESS_RUNNING, .time_ns = position};
	struct store_memory_sample sample = {
	    .process = 1, .time_ns = position, .rss_bytes = position * 4096, .descriptors = position + 1};
	struct store_commit commit = {.catalog = fixture->catalog,
	                              .batch = fixture->batch,
	                              .cursors = &cursor,
	                              .cursor_count = 1,
	                              .accounts = &account,
	                              .account_count = 1,
	                              .samples = &sample,
	                              .sample_count = 1};
	struct store_receipt receipt;
	return store_writer_commit(fixture->writer, &commit, &receipt);
}

static int only_segments(const struct dirent *entry) {
	return segment_is_name(entry->d_name);
}

void store_fixture_segment(const struct store_fixture *fixture, unsigned n, char path[SCRATCH_PATH_BYTES]) {
	struct dirent **entries = NULL;
	int count = scandir(fixture->scratch.store, &entries, only_segments, alphasort);
	path[0] = 0;
	for (int i = 0; i < count; i++) {
		if ((unsigned)i == n)
			(void)snprintf(path, SCRATCH_PATH_BYTES, "%.250s/%.250s", fixture->scratch.store,
			               entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
}
