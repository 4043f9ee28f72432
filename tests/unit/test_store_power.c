/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: loss of power at any moment damages no segment, costs no finished one anything, and with --durability full no commit that was
 * acknowledged; otherwise the last commits of the open segment at most, and those from the end on.
 * Method: one life of a store is noted, file operation by file operation; then power is lost after each of them in turn (in short campaigns
 * after one in some), with everything, nothing and some of what was not synchronised on the disk, and the next writer and a reader are let
 * loose on what is left.
 */
#include "store_fixture.h"
#include "store_rows.h"
#include "support/cmocka.h"
#include "support/power_log.h"
#include "support/sanitizer.h"
#include "support/seed.h"

#include "base/errs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define COMMITS 8u
#define COMMITS_PER_SEGMENT 3u
#define SPANS 60u
#define LOSSES 120u /* moments of a life, times the scale, with three kinds of loss each */

struct life {
	struct store_fixture fixture;
	struct store_rows rows[COMMITS + 1]; /* after so many commits */
	uint32_t acknowledged[COMMITS + 1];  /* length of the record when commit n had returned */
	uint32_t finished[COMMITS + 1];      /* when the segment of commit n was sealed */
	uint32_t length;
	enum store_durability durability;
	struct seed seed;
};

static void open_store(struct life *life, const char *folder, struct store_writer **ret_writer) {
	struct store_writer_options options = {
	    .durability = life->durability, .wall_offset_ns = FIXTURE_WALL_OFFSET_NS, .agent_version = "test"};
	char text[512] = "";
	int holder = 0;
	int error = store_writer_open(folder, &options, ret_writer, &holder, text, sizeof(text));
	if (error || *text)
		fail_msg("what power left does not open: %d %s", error, text);
}

static void add_rows(struct life *life, uint32_t commit) {
	for (uint32_t n = commit; n <= COMMITS; n++)
		store_rows_add_batch(&life->rows[n], life->fixture.batch);
}

/* Segments of COMMITS_PER_SEGMENT commits; the last one is sealed at the end. */
static void live(struct life *life) {
	struct store_fixture *fixture = &life->fixture;
	store_fixture_make(fixture);
	(void)snprintf(fixture->scratch.store, sizeof(fixture->scratch.store), "%.400s/store", fixture->scratch.rings);
	power_log_start(fixture->scratch.store);
	open_store(life, fixture->scratch.store, &fixture->writer);
	for (uint32_t commit = 1; commit <= COMMITS; commit++) {
		store_rows_fill(fixture->batch, &life->seed, STORE_SHAPE_TREES, SPANS, FIXTURE_IDS);
		bool next = commit > 1 && (commit - 1) % COMMITS_PER_SEGMENT == 0;
		if (next)
			store_fixture_catalog(fixture);
		assert_int_equal(store_fixture_commit(fixture, commit), 0);
		life->acknowledged[commit] = power_log_length();
		for (uint32_t before = 1; next && before < commit; before++)
			if (life->finished[before] == 0)
				life->finished[before] = power_log_length();
		add_rows(life, commit);
	}
	assert_int_equal(store_writer_close(fixture->writer), 0);
	fixture->writer = NULL;
	life->length = power_log_length();
	power_log_stop();
}

static bool is_sure(const struct life *life, uint32_t commit, uint32_t moment) {
	uint32_t since =
	    life->durability == STORE_DURABILITY_FULL ? life->acknowledged[commit] : life->finished[commit];
	return since != 0 && since <= moment;
}

/* A prefix of the commits, with all that had to be there, and its cursor. */
static void check_rows(struct life *life, const char *folder, uint32_t moment, const char *loss) {
	struct store_rows found;
	assert_int_equal(store_rows_read(folder, &found), 0);
	uint32_t there = 0;
	while (there < COMMITS && life->rows[there].span_count < found.span_count)
		there++;
	if (!store_rows_equal(&found, &life->rows[there]))
		fail_msg("after operation %u, %s lost: %zu spans, no beginning of what was stored", moment, loss,
		         found.span_count);
	for (uint32_t commit = there + 1; commit <= COMMITS; commit++)
		if (is_sure(life, commit, moment))
			fail_msg("after operation %u, %s lost: commit %u of %u is gone", moment, loss, commit, there);
	store_rows_free(&found);
	struct store_reader *reader = NULL;
	char text[512];
	assert_int_equal(store_reader_open(folder, &reader, text, sizeof(text)), 0);
	const struct store_overview *overview = store_reader_overview(reader);
	assert_int_equal(overview->ring_count, there > 0);
	if (there > 0)
		assert_int_equal(overview->rings[0].cursor.position, there);
	for (size_t i = 0; i < overview->segment_count; i++)
		assert_true(overview->segments[i].sealed);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	size_t damage = 0;
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	store_reader_close(reader);
}

static void lose_power(struct life *life, uint32_t moment, enum power_loss loss) {
	static const char *const words[POWER_LOSS_KINDS] = {"nothing", "everything", "something"};
	char folder[SCRATCH_PATH_BYTES];
	struct store_writer *writer = NULL;
	(void)snprintf(folder, sizeof(folder), "%.400s/left", life->fixture.scratch.rings);
	scratch_remove_tree(folder);
	assert_int_equal(mkdir(folder, 0700), 0);
	power_log_replay(moment, loss, &life->seed, folder);
	open_store(life, folder, &writer);
	assert_int_equal(store_writer_close(writer), 0);
	check_rows(life, folder, moment, words[loss]);
}

static void lose_power_everywhere(enum store_durability durability, const char *name) {
	struct life life = {.durability = durability, .seed = seed_start(name)};
	live(&life);
	uint32_t step = life.length / seed_rounds(LOSSES);
	step = step ? step : 1;
	uint32_t played = 0;
	for (uint32_t moment = (uint32_t)seed_below(&life.seed, step); moment <= life.length; moment += step)
		for (int loss = 0; loss < POWER_LOSS_KINDS; loss++, played++)
			lose_power(&life, moment, (enum power_loss)loss);
	for (int loss = 0; loss < POWER_LOSS_KINDS; loss++)
		lose_power(&life, life.length, (enum power_loss)loss);
	print_message("%u operations, power lost %u times\n", life.length, played);
	for (uint32_t n = 0; n <= COMMITS; n++)
		store_rows_free(&life.rows[n]);
	store_fixture_remove(&life.fixture);
}

static void nothing_acknowledged_is_lost_with_full_durability(void **state) {
	(void)state;
	lose_power_everywhere(STORE_DURABILITY_FULL, "store_power full");
}

static void no_finished_segment_is_lost_otherwise(void **state) {
	(void)state;
	lose_power_everywhere(STORE_DURABILITY_NORMAL, "store_power normal");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_acknowledged_is_lost_with_full_durability),
	    cmocka_unit_test(no_finished_segment_is_lost_otherwise),
	};
	return cmocka_run_group_tests_name("store_power", tests, NULL, NULL);
}
