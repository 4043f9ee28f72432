/* SPDX-License-Identifier: Apache-2.0 */
/* Segments that are counted out and removed: once, whatever happens between the two; readers and cursors outlive them. */
#include "support/cmocka.h"

#include "store_fixture.h"
#include "store_rows.h"

#include "libstore/reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPANS 500u

/* A batch, and with_books its cursor, in a segment of its own. */
static void commit_segment(struct store_fixture *fixture, struct seed *seed, uint64_t position, bool with_books) {
	struct store_receipt receipt;
	store_fixture_catalog(fixture);
	store_rows_fill(fixture->batch, seed, STORE_SHAPE_TREES, SPANS, FIXTURE_IDS);
	struct store_commit bare = {.catalog = fixture->catalog, .batch = fixture->batch};
	if (with_books)
		assert_int_equal(store_fixture_commit(fixture, position), 0);
	else
		assert_int_equal(store_writer_commit(fixture->writer, &bare, &receipt), 0);
}

static void evict(struct store_fixture *fixture, size_t victims) {
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	struct store_evict_sum sum;
	assert_int_equal(store_evict_list(fixture->scratch.store, &segments, &count), 0);
	for (size_t i = 0; i < count; i++)
		segments[i].reason = STORE_EVICT_AGE;
	int rc = store_writer_evict(fixture->writer, fixture->catalog, segments, count, victims, &sum);
	if (rc != 0)
		fail_msg("store_writer_evict: %d %s", rc, store_writer_error(fixture->writer));
	assert_int_equal(sum.segments, victims);
	store_evict_list_free(segments, count);
}

static struct store_reader *open_reader(const struct store_fixture *fixture) {
	struct store_reader *reader = NULL;
	char text[512];
	if (store_reader_open(fixture->scratch.store, &reader, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	return reader;
}

static void expect_evicted(const struct store_fixture *fixture, size_t segments_left, uint64_t evicted,
                           uint64_t ring_spans) {
	size_t damage = 0;
	struct store_reader *reader = open_reader(fixture);
	const struct store_overview *overview = store_reader_overview(reader);
	assert_int_equal(overview->segment_count, segments_left);
	assert_int_equal(overview->evictions.reasons[STORE_EVICT_AGE].segments, evicted);
	assert_int_equal(overview->evictions.reasons[STORE_EVICT_AGE].spans, evicted * SPANS);
	assert_int_equal(overview->ring_count, 1);
	assert_int_equal(overview->rings[0].evicted_spans, ring_spans);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	store_reader_close(reader);
}

static void a_file_left_behind_is_counted_once(void **state) {
	(void)state;
	struct seed seed = seed_start("store evict");
	struct store_fixture fixture;
	char path[SCRATCH_PATH_BYTES];
	char kept[SCRATCH_PATH_BYTES + 8];
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	for (uint64_t i = 1; i <= 4; i++)
		commit_segment(&fixture, &seed, i * 10, true);
	store_fixture_segment(&fixture, 0, path);
	(void)snprintf(kept, sizeof(kept), "%s.kept", path);
	assert_int_equal(link(path, kept), 0);
	evict(&fixture, 1);
	expect_evicted(&fixture, 3, 1, 10);
	/* as if the writer had been killed before the unlink */
	assert_int_equal(rename(kept, path), 0);
	expect_evicted(&fixture, 3, 1, 10);
	store_fixture_close(&fixture);
	expect_evicted(&fixture, 3, 1, 10);
	store_fixture_open(&fixture);
	assert_int_not_equal(access(path, F_OK), 0);
	/* a new segment is born with what the last one knows, and counts on */
	commit_segment(&fixture, &seed, 50, true);
	expect_evicted(&fixture, 4, 1, 10);
	evict(&fixture, 2);
	expect_evicted(&fixture, 2, 3, 30);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

static int count_rows(void *context, const struct store_columns *columns) {
	*(uint64_t *)context += columns->span_count;
	return 0;
}

static void a_reader_keeps_what_it_opened(void **state) {
	(void)state;
	struct seed seed = seed_start("store evict reader");
	struct store_fixture fixture;
	uint64_t rows = 0;
	size_t damage = 0;
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	for (uint64_t i = 1; i <= 4; i++)
		commit_segment(&fixture, &seed, i * 10, true);
	struct store_reader *reader = open_reader(&fixture);
	evict(&fixture, 3);
	struct store_scan scan = {.columns = STORE_COLUMN_START, .on_batch = count_rows, .context = &rows};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	assert_int_equal(rows, 4 * SPANS);
	store_reader_close(reader);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

/* A ring that this writer's agent does not read, but the next one may. */
static void the_only_cursor_of_a_living_ring_stays(void **state) {
	(void)state;
	struct seed seed = seed_start("store evict cursor");
	struct store_fixture fixture;
	const struct store_cursor *cursors = NULL;
	size_t count = 0;
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	commit_segment(&fixture, &seed, 10, true);
	for (uint64_t i = 0; i < 8; i++)
		commit_segment(&fixture, &seed, 0, false);
	evict(&fixture, 1);
	store_fixture_close(&fixture);
	store_fixture_open(&fixture);
	assert_int_equal(store_writer_cursors(fixture.writer, &cursors, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(cursors[0].position, 10);
	expect_evicted(&fixture, 8, 1, 10);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

static void the_open_segment_never_goes(void **state) {
	(void)state;
	struct seed seed = seed_start("store evict open");
	struct store_fixture fixture;
	struct store_evict_segment *segments = NULL;
	struct store_evict_sum sum;
	size_t count = 0;
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	commit_segment(&fixture, &seed, 10, true);
	commit_segment(&fixture, &seed, 20, true);
	assert_int_equal(store_evict_list(fixture.scratch.store, &segments, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(store_writer_evict(fixture.writer, fixture.catalog, segments, count, count, &sum), 0);
	assert_int_equal(sum.segments, 1);
	assert_int_equal(access(segments[1].path, F_OK), 0);
	store_evict_list_free(segments, count);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_left_behind_is_counted_once),
	    cmocka_unit_test(a_reader_keeps_what_it_opened),
	    cmocka_unit_test(the_only_cursor_of_a_living_ring_stays),
	    cmocka_unit_test(the_open_segment_never_goes),
	};
	return cmocka_run_group_tests_name("store_evict", tests, NULL, NULL);
}
