/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the golden segments with rows in every table, and their text:
 *
 *     SPANRING_TEST_SEED=1 make_rich_golden FOLDER
 *     zstd -19 FOLDER/store-v1-{rich,merged}.{db,jsonl}              into tests/golden, once per format version
 *
 * The first segment is sealed with both levels of rollups, and tells of one that was evicted; the second is the same after its batches were merged.
 */
#include "dump_segment.h"
#include "rich_store.h"

#include "support/cmocka.h"

#include "libstore/evict.h"
#include "libstore/merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *folder;

static void write_text(const char *name) {
	char path[512];
	(void)snprintf(path, sizeof(path), "%s/%s.db", folder, name);
	char *text_path = NULL;
	assert_true(asprintf(&text_path, "%s/%s.jsonl", folder, name) > 0);
	FILE *to = fopen(text_path, "w");
	assert_non_null(to);
	dump_segment(path, to);
	assert_int_equal(fclose(to), 0);
	free(text_path);
}

static void copy(const char *from, const char *name) {
	char buffer[65536];
	char path[512];
	size_t bytes = 0;
	(void)snprintf(path, sizeof(path), "%s/%s.db", folder, name);
	FILE *in = fopen(from, "rb");
	FILE *out = fopen(path, "wb");
	assert_true(in && out);
	while ((bytes = fread(buffer, 1, sizeof(buffer), in)) > 0)
		assert_int_equal(fwrite(buffer, 1, bytes, out), bytes);
	assert_int_equal(fclose(in) | fclose(out), 0);
	write_text(name);
}

static void evict_first(struct store_writer *writer, const char *store, const struct catalog *catalog) {
	struct store_evict_segment *segments = NULL;
	struct store_evict_sum sum;
	size_t count = 0;
	assert_int_equal(store_evict_list(store, &segments, &count), 0);
	assert_int_equal(store_writer_evict(writer, catalog, segments, count, 1, &sum), 0);
	store_evict_list_free(segments, count);
}

static void copy_merged(struct store_writer *writer, const char *store) {
	static const struct store_merge_options options = {.rows = 0};
	struct store_evict_segment *segments = NULL;
	struct store_merge *merge = NULL;
	size_t count = 0;
	char text[512];
	assert_int_equal(store_evict_list(store, &segments, &count), 0);
	assert_int_equal(count, 1);
	copy(segments[0].path, "store-v1-rich");
	assert_int_equal(store_merge_open(writer, segments[0].path, &options, &merge, text, sizeof(text)), 0);
	assert_non_null(merge);
	while (store_merge_step(merge, text, sizeof(text)) == 1)
		;
	store_merge_close(merge);
	copy(segments[0].path, "store-v1-merged");
	store_evict_list_free(segments, count);
}

static void make(void **state) {
	static const struct store_writer_options options = {
	    .boot_id = "golden boot id 1", .wall_offset_ns = UINT64_C(1760000000000000000), .agent_version = "golden"};
	struct seed seed = seed_start("golden");
	struct store_writer *writer = NULL;
	char store[512];
	char text[512];
	int holder = 0;
	(void)state;
	(void)snprintf(store, sizeof(store), "%s/store", folder);
	assert_int_equal(store_writer_open(store, &options, &writer, &holder, text, sizeof(text)), 0);
	struct catalog *first = rich_store_catalog(&seed);
	for (uint64_t i = 1; i < 7; i++)
		rich_store_commit(writer, first, &seed, i, 20);
	struct catalog *second = rich_store_catalog(&seed);
	for (uint64_t i = 7; i < 27; i++)
		rich_store_commit(writer, second, &seed, i, 60);
	evict_first(writer, store, second);
	assert_int_equal(store_writer_seal(writer), 0);
	copy_merged(writer, store);
	assert_int_equal(store_writer_close(writer), 0);
	catalog_free(first);
	catalog_free(second);
}

int main(int argc, char **argv) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(make)};
	if (argc != 2) {
		(void)fprintf(stderr, "usage: make_rich_golden FOLDER\n");
		return 2;
	}
	folder = argv[1];
	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
