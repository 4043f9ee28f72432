/* SPDX-License-Identifier: Apache-2.0 */
/* The merging thread: what it may cost, counted; what it leaves alone; that it ends at once. */
#include "support/cmocka.h"

#include "agent/commit/merger.h"
#include "store_fixture.h"
#include "store_rows.h"
#include "support/clock_wait.h"
#include "support/seed.h"

#include "libstore/reader.h"

#include <stdio.h>
#include <string.h>

#define BATCHES 30u
#define CAP (UINT64_C(4) << 30) /* what a sanitizer keeps of freed memory counts as the own */

static void write_segment(struct store_fixture *fixture, struct seed *seed) {
	store_fixture_catalog(fixture);
	for (uint64_t i = 1; i <= BATCHES; i++) {
		store_rows_fill(fixture->batch, seed, STORE_SHAPE_TREES, 200, FIXTURE_IDS);
		assert_int_equal(store_fixture_commit(fixture, i), 0);
	}
}

static uint64_t batches_of(const struct store_fixture *fixture, size_t segment) {
	struct store_reader *reader = NULL;
	char text[512];
	assert_int_equal(store_reader_open(fixture->scratch.store, &reader, text, sizeof(text)), 0);
	uint64_t batches = store_reader_overview(reader)->segments[segment].batches;
	store_reader_close(reader);
	return batches;
}

static void the_pause_follows_from_the_work(void **state) {
	(void)state;
	assert_int_equal(merger_pause_ns(1000, 5), 19000);
	assert_int_equal(merger_pause_ns(1000, 50), 1000);
	assert_int_equal(merger_pause_ns(1000, 1), 99000);
	assert_int_equal(merger_pause_ns(1000, 100), 0);
	/* an hour of work does not overflow */
	assert_int_equal(merger_pause_ns(3600 * UINT64_C(1000000000), 1), 99 * 3600 * UINT64_C(1000000000));
}

/* Two closed segments and an open one; a low budget, so that pauses are most of it. */
static void closed_segments_are_merged_within_the_budget(void **state) {
	(void)state;
	struct seed seed = seed_start("agent_merger");
	struct store_fixture fixture;
	struct merger *merger = NULL;
	struct merger_figures figures;
	struct merger_options options = {.budget_percent = 60, .memory_cap_bytes = CAP};
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	for (int i = 0; i < 3; i++)
		write_segment(&fixture, &seed);
	assert_int_equal(merger_open(fixture.writer, fixture.scratch.store, &options, &merger), 0);
	merger_allow(merger, 0);
	merger_allow(merger, store_writer_closed_below(fixture.writer));
	do {
		clock_wait_ns(NS_PER_MS);
		merger_figures(merger, &figures);
	} while (figures.segments < 2);
	merger_close(merger);
	assert_int_equal(figures.segments, 2);
	assert_int_equal(figures.failures, 0);
	assert_int_equal(figures.batches_before, 2 * BATCHES);
	assert_int_equal(figures.batches_after, 2);
	assert_true(figures.cpu_ns > 0);
	/* what was counted of the last step may still lack its pause */
	assert_true(figures.paused_ns + NS_PER_S / 10 >= merger_pause_ns(figures.cpu_ns, 60));
	assert_true(figures.paused_ns > 0);
	assert_int_equal(batches_of(&fixture, 0), 1);
	assert_int_equal(batches_of(&fixture, 1), 1);
	assert_int_equal(batches_of(&fixture, 2), BATCHES);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

/* With one percent its first pause is long; the end does not wait for it, and the segment stays as it was. */
static void the_end_does_not_wait(void **state) {
	(void)state;
	struct seed seed = seed_start("agent_merger end");
	struct store_fixture fixture;
	struct merger *merger = NULL;
	struct merger_options options = {.budget_percent = 1, .memory_cap_bytes = CAP};
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	write_segment(&fixture, &seed);
	assert_int_equal(store_writer_seal(fixture.writer), 0);
	assert_int_equal(merger_open(fixture.writer, fixture.scratch.store, &options, &merger), 0);
	merger_allow(merger, UINT64_MAX);
	merger_close(merger);
	uint64_t batches = batches_of(&fixture, 0);
	assert_true(batches == BATCHES || batches == 1);
	/* what is left is merged by the one that is asked to finish */
	assert_int_equal(merger_open(fixture.writer, fixture.scratch.store, &options, &merger), 0);
	merger_allow(merger, UINT64_MAX);
	merger_finish(merger);
	merger_close(merger);
	assert_int_equal(batches_of(&fixture, 0), 1);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

/* No budget, no memory: nothing happens, and nobody waits. */
static void without_budget_or_memory_nothing_is_merged(void **state) {
	(void)state;
	struct seed seed = seed_start("agent_merger none");
	struct store_fixture fixture;
	struct merger *merger = NULL;
	struct merger_figures figures;
	struct merger_options options = {.budget_percent = 0, .memory_cap_bytes = CAP};
	store_fixture_make(&fixture);
	store_fixture_open(&fixture);
	write_segment(&fixture, &seed);
	assert_int_equal(store_writer_seal(fixture.writer), 0);
	assert_int_equal(merger_open(fixture.writer, fixture.scratch.store, &options, &merger), 0);
	assert_null(merger);
	merger_allow(merger, UINT64_MAX);
	merger_finish(merger);
	merger_figures(merger, &figures);
	assert_int_equal(figures.segments, 0);
	merger_close(merger);
	options = (struct merger_options){.budget_percent = 100, .memory_cap_bytes = 1};
	assert_int_equal(merger_open(fixture.writer, fixture.scratch.store, &options, &merger), 0);
	merger_allow(merger, UINT64_MAX);
	merger_finish(merger);
	merger_close(merger);
	assert_int_equal(batches_of(&fixture, 0), BATCHES);
	store_fixture_close(&fixture);
	store_fixture_remove(&fixture);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_pause_follows_from_the_work),
	    cmocka_unit_test(closed_segments_are_merged_within_the_budget),
	    cmocka_unit_test(the_end_does_not_wait),
	    cmocka_unit_test(without_budget_or_memory_nothing_is_merged),
	};
	return cmocka_run_group_tests_name("agent merger", tests, NULL, NULL);
}
