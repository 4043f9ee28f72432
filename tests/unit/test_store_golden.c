/* SPDX-License-Identifier: Apache-2.0 */
/* A segment of each format version that was ever released, kept compressed, decodes to the rows it was made of. */
#include "support/cmocka.h"
#include "support/scratch.h"

#include "golden/golden_store.h"
#include "store_rows.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <zstd.h>

#define GOLDEN_BYTES_MAX (4u << 20)

static size_t read_file(const char *path, void *bytes, size_t max) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		fail_msg("%s cannot be opened", path);
	ssize_t got = read(fd, bytes, max);
	(void)close(fd);
	assert_true(got > 0 && (size_t)got < max);
	return (size_t)got;
}

static void unpack(const char *version, const char *to) {
	char path[SCRATCH_PATH_BYTES];
	char *packed = malloc(GOLDEN_BYTES_MAX);
	char *plain = malloc(GOLDEN_BYTES_MAX);
	assert_true(packed && plain);
	(void)snprintf(path, sizeof(path), "%s/store-%s.db.zst", SPANRING_GOLDEN_DIRECTORY, version);
	size_t packed_bytes = read_file(path, packed, GOLDEN_BYTES_MAX);
	size_t bytes = ZSTD_decompress(plain, GOLDEN_BYTES_MAX, packed, packed_bytes);
	assert_false(ZSTD_isError(bytes));
	int fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, plain, bytes), bytes);
	(void)close(fd);
	free(packed);
	free(plain);
}

static void check_overview(struct store_reader *reader) {
	const struct store_overview *overview = store_reader_overview(reader);
	assert_int_equal(overview->segment_count, 1);
	const struct store_segment_view *view = overview->segments;
	assert_true(view->sealed);
	assert_int_equal(view->spans, GOLDEN_SPANS);
	assert_int_equal(view->attributes, GOLDEN_ATTRIBUTES);
	assert_int_equal(view->events, GOLDEN_EVENTS);
	assert_true(view->wall_offset_ns == GOLDEN_WALL_OFFSET_NS);
	assert_memory_equal(view->boot_id, "golden boot id 1", 16);
	assert_int_equal(overview->name_count, 6);
	for (uint32_t i = 0; i < 5; i++)
		assert_string_equal(overview->names[i + 2], golden_names[i]);
	assert_int_equal(view->sites[3].line, 20);
	assert_string_equal(overview->names[view->sites[3].name], golden_names[1]);
	assert_int_equal(view->threads[2].tid, 43);
	assert_int_equal(overview->processes[0].pid, 42);
	assert_int_equal(overview->processes[0].account.rings_made, 2);
	assert_string_equal(overview->processes[0].service, "cart.c");
	assert_int_equal(overview->rings[0].cursor.position, GOLDEN_POSITION);
}

static void check_version(const char *version) {
	struct scratch scratch;
	char path[SCRATCH_PATH_BYTES];
	char text[512] = "";
	struct store_rows expected = {0};
	struct store_rows found = {0};
	struct store_reader *reader = NULL;
	struct batch *batch = NULL;
	scratch_make(&scratch);
	(void)snprintf(path, sizeof(path), "%.480s/golden.db", scratch.files);
	unpack(version, path);
	if (store_reader_open(path, &reader, text, sizeof(text)))
		fail_msg("%s", text);
	check_overview(reader);
	assert_int_equal(batch_new(&batch), 0);
	for (unsigned i = 0; i < GOLDEN_BATCHES; i++) {
		golden_fill(batch, i);
		store_rows_add_batch(&expected, batch);
	}
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = store_rows_collect, .context = &found};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	assert_true(store_rows_equal(&found, &expected));
	struct store_memory_sample *samples = NULL;
	size_t count = 0;
	assert_int_equal(store_reader_samples(reader, &samples, &count), 0);
	assert_int_equal(count, 1);
	assert_true(samples[0].rss_bytes == GOLDEN_SAMPLE_RSS_BYTES);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	(void)store_reader_damage(reader, &count);
	assert_int_equal(count, 0);
	free(samples);
	store_reader_close(reader);
	batch_free(batch);
	store_rows_free(&expected);
	store_rows_free(&found);
	scratch_remove(&scratch);
}

static void version_1(void **state) {
	(void)state;
	check_version("v1");
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(version_1)};
	return cmocka_run_group_tests_name("store golden", tests, NULL, NULL);
}
