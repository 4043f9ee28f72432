/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups: bins come back byte for byte, rows and totals come back from a store whether it is open, sealed or taken over, and what was changed
 * is named.
 */
#include "support/cmocka.h"

#include "store_fixture.h"

#include "base/errs.h"
#include "libstore/reader.h"
#include "support/seed.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROCESSES 2u
#define STEPS 12u

/* What a store should say of one site of one process. */
struct sum {
	uint64_t count;
	uint64_t errors;
	uint64_t sum_ns;
	uint64_t min_ns;
	uint64_t max_ns;
	uint64_t heap_spans;
	int64_t heap_net_units;
	uint64_t bins[ROLLUP_BINS_MAX];
};

struct sums {
	struct sum of[PROCESSES + 1][FIXTURE_IDS + 1];
	unsigned rows;
};

static uint32_t fill_bins(struct seed *seed, struct store_rollup_bin *bins, unsigned shape) {
	uint32_t count = 0;
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++) {
		bool there = shape == 0 || (shape == 1 && bin % 2) || (shape == 2 && bin == ROLLUP_BINS_MAX - 1) ||
		             (shape >= 4 && seed_below(seed, shape) == 0);
		if (!there)
			continue;
		uint64_t value = 1 + (seed_next(seed) >> (12 + seed_below(seed, 52)));
		bins[count++] = (struct store_rollup_bin){.count = value, .bin = bin};
	}
	return count;
}

static uint64_t sum_of(const struct store_rollup_bin *bins, uint32_t count) {
	uint64_t sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += bins[i].count;
	return sum;
}

static void bins_come_back(void **state) {
	static struct store_rollup_bin bins[ROLLUP_BINS_MAX];
	static struct store_rollup_bin back[ROLLUP_BINS_MAX];
	static uint8_t bytes[ROLLUP_BINS_BYTES_MAX];
	struct seed seed = seed_start("rollup bins");
	(void)state;
	for (unsigned i = 0; i < 10 + seed_rounds(1000); i++) {
		unsigned shape = i < 10 ? i : 4 + (unsigned)seed_below(&seed, 400);
		uint32_t count = fill_bins(&seed, bins, shape);
		uint32_t byte_count = rollup_encode_bins(bins, count, bytes);
		uint32_t back_count = 0;
		uint64_t sum = 0;
		assert_true(byte_count <= ROLLUP_BINS_BYTES_MAX);
		assert_int_equal(rollup_decode_bins(bytes, byte_count, back, &back_count, &sum), 0);
		assert_int_equal(back_count, count);
		assert_memory_equal(back, bins, count * sizeof(bins[0]));
		assert_int_equal(sum, sum_of(bins, count));
		/* No part of it says the same. */
		if (byte_count > 0) {
			uint32_t part = (uint32_t)seed_below(&seed, byte_count);
			if (rollup_decode_bins(bytes, part, back, &back_count, &sum) == 0)
				assert_true(back_count < count);
		}
	}
	for (uint32_t i = 0; i < ROLLUP_BINS_MAX; i++)
		bins[i] = (struct store_rollup_bin){.count = i ? 1 : UINT64_MAX - ROLLUP_BINS_MAX, .bin = i};
	assert_true(rollup_encode_bins(bins, ROLLUP_BINS_MAX, bytes) <= ROLLUP_BINS_BYTES_MAX);
}

static void expect_bad(const void *bytes, size_t byte_count) {
	static struct store_rollup_bin bins[ROLLUP_BINS_MAX];
	uint8_t *copy = malloc(byte_count ? byte_count : 1);
	uint32_t count = 0;
	uint64_t sum = 0;
	assert_non_null(copy);
	memcpy(copy, bytes, byte_count);
	assert_int_equal(rollup_decode_bins(copy, byte_count, bins, &count, &sum), ERR_DAMAGED);
	free(copy);
}

static void other_spellings_are_refused(void **state) {
	static uint8_t large[ROLLUP_BINS_BYTES_MAX + 1];
	(void)state;
	expect_bad("\x00", 1);                                                  /* no length */
	expect_bad("\x00\x00", 2);                                              /* no count */
	expect_bad("\x80\x00\x00\x00", 4);                                      /* a byte too many for 0 */
	expect_bad("\x00\x00\x05\x00\x00\x05", 6);                              /* two runs that are one */
	expect_bad("\xc0\x13\x00\x00", 4);                                      /* bin 2496 */
	expect_bad("\xbf\x13\x01\x00\x00", 5);                                  /* a run beyond the last bin */
	expect_bad("\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12);     /* 2^64 */
	expect_bad("\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x03", 12);     /* more than 64 bits */
	expect_bad("\x00\x01\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 13); /* together 2^64 */
	expect_bad("\x00\x00\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00", 13); /* eleven bytes */
	expect_bad("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00", 12);     /* a gap that would wrap */
	expect_bad(large, sizeof(large));
}

static void add(struct sums *sums, const struct store_rollup *rollup) {
	assert_in_range(rollup->process, 0, PROCESSES);
	assert_in_range(rollup->site, 1, FIXTURE_IDS);
	struct sum *sum = &sums->of[rollup->process][rollup->site];
	if (!sum->count || rollup->min_ns < sum->min_ns)
		sum->min_ns = rollup->min_ns;
	if (!sum->count || rollup->max_ns > sum->max_ns)
		sum->max_ns = rollup->max_ns;
	sum->count += rollup->count;
	sum->errors += rollup->errors;
	sum->sum_ns += rollup->sum_ns;
	sum->heap_spans += rollup->heap_spans;
	sum->heap_net_units += rollup->heap_net_units;
	for (uint32_t i = 0; i < rollup->bin_count; i++)
		sum->bins[rollup->bins[i].bin] += rollup->bins[i].count;
	sums->rows++;
}

static int collect(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	(void)segment;
	assert_true(rollup->process != 0);
	add(context, rollup);
	return 0;
}

/* What the store says; the number of damages, with those of verify if it is asked for. */
static size_t read_sums(const char *path, bool verify, struct sums *ret_sums) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	size_t damages = 0;
	memset(ret_sums, 0, sizeof(*ret_sums));
	if (store_reader_open(path, &reader, text, sizeof(text)) != 0)
		return 1;
	assert_int_equal(store_reader_rollups(reader, collect, ret_sums), 0);
	if (verify)
		assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	(void)store_reader_damage(reader, &damages);
	store_reader_close(reader);
	return damages;
}

struct together {
	struct sums sums; /* of[0]: rows of all processes */
	unsigned processes;
};

static int take_process(void *context, uint32_t process) {
	struct together *together = context;
	assert_in_range(process, 1, PROCESSES);
	together->processes++;
	return 0;
}

static int take_together(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct together *together = context;
	(void)segment;
	add(&together->sums, rollup);
	return 0;
}

/* As read_sums, of rows that may be of all processes. */
static size_t read_together(const char *path, struct together *ret_together) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	size_t damages = 0;
	memset(ret_together, 0, sizeof(*ret_together));
	if (store_reader_open(path, &reader, text, sizeof(text)) != 0)
		return 1;
	assert_int_equal(store_reader_site_rollups(reader, take_process, take_together, ret_together), 0);
	(void)store_reader_damage(reader, &damages);
	store_reader_close(reader);
	return damages;
}

static void put_together(struct sums *sums) {
	for (uint32_t process = 1; process <= PROCESSES; process++) {
		for (uint32_t site = 1; site <= FIXTURE_IDS; site++) {
			struct sum *from = &sums->of[process][site];
			struct sum *to = &sums->of[0][site];
			if (from->count && (!to->count || from->min_ns < to->min_ns))
				to->min_ns = from->min_ns;
			to->max_ns = from->max_ns > to->max_ns ? from->max_ns : to->max_ns;
			to->count += from->count;
			to->errors += from->errors;
			to->sum_ns += from->sum_ns;
			to->heap_spans += from->heap_spans;
			to->heap_net_units += from->heap_net_units;
			for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++)
				to->bins[bin] += from->bins[bin];
		}
	}
}

static bool same(const struct sums *a, const struct sums *b) {
	return memcmp(a->of, b->of, sizeof(a->of)) == 0;
}

struct step {
	struct store_rollup rollups[4];
	struct store_rollup_bin bins[4][ROLLUP_BINS_MAX];
};

/* Some sites of both processes; the clock drifts a little. */
static void fill_step(struct step *step, struct seed *seed, uint64_t number) {
	for (uint32_t i = 0; i < 4; i++) {
		struct store_rollup *rollup = &step->rollups[i];
		memset(rollup, 0, sizeof(*rollup));
		rollup->process = 1 + i % 2;
		rollup->site = 2 + i / 2;
		rollup->since_ns = number * 1000;
		rollup->until_ns = number * 1000 + 1000;
		rollup->ns_per_tick_q32 = (UINT64_C(1) << 31) + seed_below(seed, 50000);
		rollup->bins = step->bins[i];
		rollup->bin_count = 0;
		for (uint32_t bin = 500; bin < 800; bin += 1 + (uint32_t)seed_below(seed, 9))
			step->bins[i][rollup->bin_count++] =
			    (struct store_rollup_bin){.count = 1 + seed_below(seed, 300), .bin = bin};
		rollup->count = sum_of(step->bins[i], rollup->bin_count);
		rollup->errors = seed_below(seed, 5);
		rollup->sum_ns = seed_below(seed, UINT64_C(1) << 40);
		rollup->min_ns = 100 + seed_below(seed, 1000);
		rollup->max_ns = 5000 + seed_below(seed, 100000);
		rollup->heap_net_units = (int64_t)seed_below(seed, 200) - 100;
		rollup->heap_spans = seed_below(seed, 9);
	}
}

static struct store_rollup_total total_of(const struct step *step, uint32_t index, uint64_t time_ns) {
	struct store_rollup_total total = {.instance = {(uint8_t)(index % 2 + 1)},
	                                   .site = 70 + index / 2,
	                                   .time_ns = time_ns,
	                                   .count = step->rollups[index].count,
	                                   .errors = 3,
	                                   .sum_ticks = UINT64_MAX,
	                                   .min_ticks = 1,
	                                   .max_ticks = UINT64_MAX,
	                                   .heap_net_units = -5,
	                                   .bins = step->bins[index],
	                                   .bin_count = step->rollups[index].bin_count};
	return total;
}

static int commit_step(struct store_fixture *fixture, const struct step *step, uint64_t time_ns) {
	struct store_rollup_total totals[4];
	struct store_receipt receipt;
	for (uint32_t i = 0; i < 4; i++)
		totals[i] = total_of(step, i, time_ns);
	struct store_commit commit = {.catalog = fixture->catalog,
	                              .rollups = step->rollups,
	                              .rollup_count = 4,
	                              .rollup_totals = totals,
	                              .rollup_total_count = 4};
	return store_writer_commit(fixture->writer, &commit, &receipt);
}

struct scene {
	struct store_fixture fixture;
	struct seed seed;
	struct step step; /* the last one */
	struct sums expected;
	struct sums found;
	char path[SCRATCH_PATH_BYTES];
};

static int make(void **state) {
	struct scene *scene = calloc(1, sizeof(*scene));
	assert_non_null(scene);
	scene->seed = seed_start("store rollups");
	store_fixture_make(&scene->fixture);
	store_fixture_open(&scene->fixture);
	store_fixture_catalog(&scene->fixture);
	for (uint64_t i = 1; i <= STEPS; i++) {
		fill_step(&scene->step, &scene->seed, i);
		for (unsigned k = 0; k < 4; k++)
			add(&scene->expected, &scene->step.rollups[k]);
		assert_int_equal(commit_step(&scene->fixture, &scene->step, i), 0);
	}
	store_fixture_segment(&scene->fixture, 0, scene->path);
	*state = scene;
	return 0;
}

static int clean(void **state) {
	struct scene *scene = *state;
	if (scene->fixture.writer)
		store_fixture_close(&scene->fixture);
	store_fixture_remove(&scene->fixture);
	free(scene);
	return 0;
}

static void a_store_holds_what_was_committed(void **state) {
	struct scene *scene = *state;
	assert_int_equal(read_sums(scene->path, true, &scene->found), 0);
	assert_true(same(&scene->found, &scene->expected));
	assert_int_equal(scene->found.rows, STEPS * 4);
	store_fixture_close(&scene->fixture);
	/* Sealed: a row per site and process, and the same sums. */
	assert_int_equal(read_sums(scene->fixture.scratch.store, true, &scene->found), 0);
	assert_true(same(&scene->found, &scene->expected));
	assert_int_equal(scene->found.rows, 4);
}

/* A row per site of an open segment and process, of a sealed one of all processes together: also where their clocks differ. */
static void processes_are_put_together(void **state) {
	struct scene *scene = *state;
	static struct together together;
	assert_int_equal(read_together(scene->path, &together), 0);
	assert_true(same(&together.sums, &scene->expected));
	assert_int_equal(together.processes, 0);
	store_fixture_close(&scene->fixture);
	put_together(&scene->expected);
	assert_int_equal(read_together(scene->fixture.scratch.store, &together), 0);
	assert_int_equal(together.processes, PROCESSES);
	assert_int_equal(together.sums.rows, 2);
	assert_memory_equal(together.sums.of[0], scene->expected.of[0], sizeof(together.sums.of[0]));
	assert_int_equal(read_sums(scene->path, true, &scene->found), 0);
}

static void processes_of_other_clocks_have_rows_of_their_own(void **state) {
	struct scene *scene = *state;
	static struct together together;
	store_fixture_catalog(&scene->fixture);
	memset(&scene->expected, 0, sizeof(scene->expected));
	for (uint64_t step = 1; step <= STEPS; step++) {
		fill_step(&scene->step, &scene->seed, step);
		for (unsigned i = 0; i < 4; i++) {
			if (i % 2)
				scene->step.rollups[i].ns_per_tick_q32 += scene->step.rollups[i].ns_per_tick_q32 / 100;
			add(&scene->expected, &scene->step.rollups[i]);
		}
		assert_int_equal(commit_step(&scene->fixture, &scene->step, 100 + step), 0);
	}
	store_fixture_close(&scene->fixture);
	store_fixture_segment(&scene->fixture, 1, scene->path);
	put_together(&scene->expected);
	assert_int_equal(read_together(scene->path, &together), 0);
	assert_int_equal(together.sums.rows, 4);
	assert_memory_equal(together.sums.of[0], scene->expected.of[0], sizeof(together.sums.of[0]));
}

/* A clock that was measured anew, and runs otherwise, is not mixed with what was before. */
static void other_scales_stay_apart(void **state) {
	struct scene *scene = *state;
	fill_step(&scene->step, &scene->seed, STEPS + 1);
	for (unsigned i = 0; i < 4; i++) {
		scene->step.rollups[i].ns_per_tick_q32 += scene->step.rollups[i].ns_per_tick_q32 / 1000;
		add(&scene->expected, &scene->step.rollups[i]);
	}
	assert_int_equal(commit_step(&scene->fixture, &scene->step, STEPS + 1), 0);
	store_fixture_close(&scene->fixture);
	assert_int_equal(read_sums(scene->path, true, &scene->found), 0);
	assert_true(same(&scene->found, &scene->expected));
	assert_int_equal(scene->found.rows, 8);
}

/* A segment of one step has nothing to put together. */
static void few_steps_are_left_alone(void **state) {
	struct scene *scene = *state;
	char path[SCRATCH_PATH_BYTES];
	struct sums *sums = &scene->found;
	store_fixture_catalog(&scene->fixture);
	assert_int_equal(commit_step(&scene->fixture, &scene->step, 99), 0);
	store_fixture_close(&scene->fixture);
	store_fixture_segment(&scene->fixture, 1, path);
	assert_int_equal(read_sums(path, true, sums), 0);
	assert_int_equal(sums->rows, 4);
	int64_t wholes = -1;
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM rollup_segment", -1, &statement, NULL), 0);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	wholes = sqlite3_column_int64(statement, 0);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(wholes, 0);
}

struct expected_total {
	const struct scene *scene;
	uint64_t time_ns;
	unsigned seen;
};

static int check_total(void *context, const struct store_rollup_total *total) {
	struct expected_total *expected = context;
	uint32_t index = (total->site - 70) * 2 + total->instance[0] - 1u;
	struct store_rollup_total wanted = total_of(&expected->scene->step, index, expected->time_ns);
	assert_int_equal(total->bin_count, wanted.bin_count);
	assert_memory_equal(total->bins, wanted.bins, wanted.bin_count * sizeof(*wanted.bins));
	wanted.bins = total->bins;
	assert_memory_equal(total, &wanted, sizeof(wanted));
	expected->seen++;
	return 0;
}

static void expect_totals(struct scene *scene, uint64_t time_ns) {
	struct expected_total expected = {scene, time_ns, 0};
	for (uint8_t i = 1; i <= PROCESSES; i++) {
		uint8_t instance[STORE_INSTANCE_BYTES] = {i};
		assert_int_equal(store_writer_rollup_totals(scene->fixture.writer, instance, check_total, &expected),
		                 0);
		assert_int_equal(expected.seen, 2 * i);
	}
	uint8_t stranger[STORE_INSTANCE_BYTES] = {9};
	assert_int_equal(store_writer_rollup_totals(scene->fixture.writer, stranger, check_total, &expected), 0);
	assert_int_equal(expected.seen, 4);
}

/* The next writer goes on where the last one stopped, also when that one went on in a later segment. */
static void the_next_writer_finds_the_totals(void **state) {
	struct scene *scene = *state;
	store_fixture_close(&scene->fixture);
	store_fixture_open(&scene->fixture);
	expect_totals(scene, STEPS);
	store_fixture_catalog(&scene->fixture);
	fill_step(&scene->step, &scene->seed, 77);
	assert_int_equal(commit_step(&scene->fixture, &scene->step, STEPS + 9), 0);
	store_fixture_close(&scene->fixture);
	store_fixture_open(&scene->fixture);
	expect_totals(scene, STEPS + 9);
}

static void contradictions_are_refused(void **state) {
	struct scene *scene = *state;
	static struct step bad;
	for (unsigned i = 0; i < 6; i++) {
		fill_step(&bad, &scene->seed, 1);
		struct store_rollup *rollup = &bad.rollups[2];
		if (i == 0)
			rollup->count++;
		else if (i == 1)
			bad.bins[2][3].bin = bad.bins[2][2].bin;
		else if (i == 2)
			rollup->ns_per_tick_q32 = 0;
		else if (i == 3)
			rollup->min_ns = rollup->max_ns + 1;
		else if (i == 4)
			bad.bins[2][rollup->bin_count - 1].bin = ROLLUP_BINS_MAX;
		else
			rollup->site = 0;
		assert_int_equal(commit_step(&scene->fixture, &bad, 1000), -EINVAL);
		assert_non_null(strstr(store_writer_error(scene->fixture.writer), "contradicts itself"));
	}
	/* Nothing of these commits was stored, and the writer goes on. */
	assert_int_equal(read_sums(scene->path, false, &scene->found), 0);
	assert_true(same(&scene->found, &scene->expected));
	assert_int_equal(commit_step(&scene->fixture, &scene->step, STEPS + 1), 0);
}

static void run_sql(const char *path, const char *sql) {
	sqlite3 *db = NULL;
	char *words = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s: %s", sql, words);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void copy_file(const char *from, const char *to) {
	static char bytes[1 << 20];
	FILE *in = fopen(from, "re");
	FILE *out = fopen(to, "we");
	assert_true(in && out);
	size_t size = fread(bytes, 1, sizeof(bytes), in);
	assert_true(size > 0 && size < sizeof(bytes));
	assert_int_equal(fwrite(bytes, 1, size, out), size);
	assert_int_equal(fclose(in) | fclose(out), 0);
}

static void changes_are_named(void **state) {
	struct scene *scene = *state;
	static const struct {
		const char *sql;
		bool verify; /* a plain question does not touch it */
	} changes[] = {
	    {"UPDATE rollup_segment SET count=count+1 WHERE id=2", false},
	    {"UPDATE rollup_segment SET errors=0,checksum=0 WHERE id=1", false},
	    {"UPDATE rollup_segment SET bins=zeroblob(length(bins)) WHERE id=3", false},
	    {"UPDATE rollup_segment SET bins=x'' WHERE id=3", false},
	    {"UPDATE rollup_segment SET site=77 WHERE id=3", false},
	    {"UPDATE rollup_segment SET bins='text' WHERE id=3", false},
	    {"DELETE FROM rollup_segment WHERE id=4", false},
	    {"DELETE FROM rollup_segment WHERE id=1", false},
	    {"DELETE FROM rollup_segment", false},
	    {"DROP TABLE rollup_segment;CREATE TABLE rollup_segment(id INTEGER PRIMARY KEY)", false},
	    {"DROP TABLE rollup_segment", true},
	    {"UPDATE meta SET value=zeroblob(48) WHERE key='rollup_sums'", false},
	    {"DELETE FROM meta WHERE key='rollup_sums'", false},
	    {"UPDATE rollup_site SET sum_ns=sum_ns+1 WHERE id=1", true},
	    {"UPDATE rollup_site SET process=1 WHERE id=1", true},
	    {"DELETE FROM rollup_site WHERE id=2", true},
	    {"DELETE FROM rollup_site", true},
	    {"DROP TABLE rollup_site", true},
	    {"DELETE FROM meta WHERE key='rollup_sites'", false},
	    {"UPDATE rollup SET sum_ns=sum_ns+1 WHERE id=7", true},
	    {"DELETE FROM rollup WHERE id=48", true},
	    {"DELETE FROM rollup_total WHERE site=70", true},
	    {"UPDATE rollup_total SET count=count+1 WHERE site=71", true},
	    {"UPDATE rollup_total SET bins=x'00' WHERE site=71", true},
	    {"UPDATE rollup_total SET errors=errors+1 WHERE site=71", true},
	};
	char broken[SCRATCH_PATH_BYTES];
	store_fixture_close(&scene->fixture);
	(void)snprintf(broken, sizeof(broken), "%.480s/broken.db", scene->fixture.scratch.rings);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		copy_file(scene->path, broken);
		run_sql(broken, changes[i].sql);
		if (read_sums(broken, changes[i].verify, &scene->found) == 0)
			fail_msg("%s: no complaint", changes[i].sql);
	}
}

/* Rows of an open segment stand for themselves: each has its checksum. */
/* The question that reads them says so, too, and no other. */
static void changes_of_rows_together_are_named(void **state) {
	struct scene *scene = *state;
	static struct together together;
	static const char *const changes[] = {
	    "UPDATE rollup_site SET errors=errors+1 WHERE id=2",
	    "UPDATE rollup_site SET bins=x'' WHERE id=1",
	    "UPDATE rollup_site SET process=1 WHERE id=1",
	    "DELETE FROM rollup_site WHERE id=2",
	    "DELETE FROM rollup_site",
	};
	char broken[SCRATCH_PATH_BYTES];
	store_fixture_close(&scene->fixture);
	(void)snprintf(broken, sizeof(broken), "%.480s/broken.db", scene->fixture.scratch.rings);
	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		copy_file(scene->path, broken);
		run_sql(broken, changes[i]);
		assert_int_equal(read_sums(broken, false, &scene->found), 0);
		if (read_together(broken, &together) == 0)
			fail_msg("%s: no complaint", changes[i]);
	}
}

static void open_rows_are_checked(void **state) {
	struct scene *scene = *state;
	char broken[SCRATCH_PATH_BYTES];
	store_fixture_close(&scene->fixture);
	(void)snprintf(broken, sizeof(broken), "%.480s/broken.db", scene->fixture.scratch.rings);
	copy_file(scene->path, broken);
	run_sql(broken, "DELETE FROM seal;DELETE FROM meta WHERE key='sealed'");
	assert_int_equal(read_sums(broken, true, &scene->found), 0);
	assert_true(same(&scene->found, &scene->expected));
	run_sql(broken, "UPDATE rollup SET max_ns=max_ns+1 WHERE id=40");
	assert_int_equal(read_sums(broken, false, &scene->found), 1);
}

/* The first segments of version 1 have no rollups: they are read, and sealed, without. */
static void older_segments_have_none(void **state) {
	struct scene *scene = *state;
	store_fixture_close(&scene->fixture);
	run_sql(scene->path,
	        "DELETE FROM seal;DELETE FROM meta WHERE key IN ('rollup_sums','rollup_sites','sealed','tables');"
	        "DROP TABLE rollup;DROP TABLE rollup_segment;DROP TABLE rollup_site;DROP TABLE rollup_total");
	assert_int_equal(read_sums(scene->path, true, &scene->found), 0);
	assert_int_equal(scene->found.rows, 0);
	store_fixture_open(&scene->fixture);
	assert_int_equal(read_sums(scene->path, true, &scene->found), 0);
	assert_int_equal(scene->found.rows, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bins_come_back),
	    cmocka_unit_test(other_spellings_are_refused),
	    cmocka_unit_test_setup_teardown(a_store_holds_what_was_committed, make, clean),
	    cmocka_unit_test_setup_teardown(processes_are_put_together, make, clean),
	    cmocka_unit_test_setup_teardown(processes_of_other_clocks_have_rows_of_their_own, make, clean),
	    cmocka_unit_test_setup_teardown(other_scales_stay_apart, make, clean),
	    cmocka_unit_test_setup_teardown(few_steps_are_left_alone, make, clean),
	    cmocka_unit_test_setup_teardown(the_next_writer_finds_the_totals, make, clean),
	    cmocka_unit_test_setup_teardown(contradictions_are_refused, make, clean),
	    cmocka_unit_test_setup_teardown(changes_are_named, make, clean),
	    cmocka_unit_test_setup_teardown(changes_of_rows_together_are_named, make, clean),
	    cmocka_unit_test_setup_teardown(open_rows_are_checked, make, clean),
	    cmocka_unit_test_setup_teardown(older_segments_have_none, make, clean),
	};
	return cmocka_run_group_tests_name("store rollups", tests, NULL, NULL);
}
