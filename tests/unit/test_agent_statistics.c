/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics files, sound and hostile, as the agent reads them, and the rows that it makes of them. */
#include "agent/commit/flush.h"
#include "agent/intake/roster.h"
#include "agent_files.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "libshm/statistics_reader.h"
#include "support/cmocka.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCKS 4u
#define FILE_BYTES AGENT_FILES_STATISTICS_BYTES(BLOCKS)
#define STATISTICS_NAME "statistics-0000"
#define ANCHOR_NS 500u

struct fixture {
	struct agent_files files;
	struct spanring_statistics_header *header; /* whole file, mapped */
	struct spanring_site_statistics *blocks;
	struct producer *producer;
	struct roster roster;
	struct statistics_room room;
	struct producer_sink sink;
	struct clock_model clock;
	struct flush_job *job;
	struct log log;
};

/* --- a program's side -------------------------------------------------------------------------------------------- */

static void count_span(struct fixture *fixture, uint32_t block, uint64_t ticks) {
	struct spanring_site_statistics *statistics = &fixture->blocks[block];
	statistics->bins[spanring_statistics_bin(ticks)]++;
	statistics->sum_ticks += ticks;
	if (ticks < statistics->min_ticks)
		statistics->min_ticks = ticks;
	if (ticks > statistics->max_ticks)
		statistics->max_ticks = ticks;
	fixture->files.ring->begun_open += UINT64_C(1) << SPANRING_BEGUN_SHIFT;
}

/* --- the agent's side -------------------------------------------------------------------------------------------- */

static void meet(struct fixture *fixture) {
	struct feed *feed;
	assert_int_equal(producer_open(fixture->files.rings_fd, AGENT_FILES_NAME, 0, &fixture->producer), 0);
	assert_int_equal(roster_add_producer(&fixture->roster, fixture->producer), 0);
	assert_int_equal(feed_open(fixture->producer, AGENT_FILES_RING, 0, NULL, &feed), 0);
	assert_int_equal(roster_add_feed(&fixture->roster, fixture->producer, feed), 0);
}

/* Another agent, that knows nothing. */
static void meet_again(struct fixture *fixture) {
	roster_remove_producer(&fixture->roster, fixture->producer);
	meet(fixture);
}

static int set_up(void **state) {
	static struct fixture fixture;
	fixture = (struct fixture){.log = {.program = "test", .level = LOG_LEVEL_ERROR}};
	agent_files_make(&fixture.files);
	fixture.files.process->anchor_monotonic_ns = ANCHOR_NS;
	fixture.files.process->control_flags = SPANRING_CONTROL_STATISTICS;
	fixture.header = agent_files_statistics(&fixture.files, BLOCKS);
	fixture.blocks = (void *)((char *)fixture.header + SPANRING_STATISTICS_BLOCKS_OFFSET);
	assert_int_equal(fault_guard_install(), 0);
	assert_int_equal(roster_init(&fixture.roster), 0);
	assert_int_equal(statistics_init(&fixture.room, &fixture.log), 0);
	assert_int_equal(flush_job_new(&fixture.job), 0);
	assert_int_equal(catalog_new(&fixture.sink.catalog), 0);
	fixture.sink.generation = 1;
	fixture.sink.clock = &fixture.clock;
	meet(&fixture);
	*state = &fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	roster_done(&fixture->roster);
	assert_int_equal(fixture->room.bytes, 0); /* every byte that was counted in was counted out */
	statistics_done(&fixture->room);
	flush_job_free(fixture->job);
	catalog_free(fixture->sink.catalog);
	(void)munmap(fixture->header, FILE_BYTES);
	agent_files_remove(&fixture->files);
	return 0;
}

static void read_round(struct fixture *fixture, uint64_t now_ns) {
	statistics_round(&fixture->roster);
	while (statistics_turn(&fixture->room, &fixture->roster, now_ns))
		continue;
}

static void hand_over(struct fixture *fixture, bool all) {
	flush_job_clear_rollups(fixture->job);
	assert_int_equal(statistics_hand_over(&fixture->room, fixture->producer, &fixture->sink, fixture->job, all), 0);
	for (size_t i = 0; i < fixture->job->rollup_count; i++)
		assert_int_equal(store_rollup_check(&fixture->job->rollups[i]), 0);
	for (size_t i = 0; i < fixture->job->rollup_total_count; i++)
		assert_int_equal(store_rollup_total_check(&fixture->job->rollup_totals[i]), 0);
}

static void round_and_send(struct fixture *fixture, uint64_t now_ns) {
	read_round(fixture, now_ns);
	hand_over(fixture, false);
	statistics_sent(&fixture->room, fixture->producer);
}

static const struct store_rollup *only_row(const struct fixture *fixture) {
	assert_int_equal(fixture->job->rollup_count, 1);
	assert_int_equal(fixture->job->rollup_total_count, 1);
	return &fixture->job->rollups[0];
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static void a_row_is_what_came_since(void **state) {
	struct fixture *fixture = *state;
	count_span(fixture, 1, 100);
	count_span(fixture, 1, 5000);
	fixture->blocks[1].errors = 1;
	round_and_send(fixture, 1000);
	const struct store_rollup *row = only_row(fixture);
	assert_int_equal(row->count, 2);
	assert_int_equal(row->errors, 1);
	assert_int_equal(row->sum_ns, 5100);
	assert_int_equal(row->min_ns, 100);
	assert_int_equal(row->max_ns, 5000);
	assert_int_equal(row->since_ns, ANCHOR_NS);
	assert_int_equal(row->until_ns, 1000);
	assert_true(row->ns_per_tick_q32 == UINT64_C(1) << 32);
	assert_int_equal(fixture->job->rollup_totals[0].count, 2);
	assert_int_equal(fixture->job->rollup_totals[0].site, AGENT_FILES_SITE);

	count_span(fixture, 1, 200);
	round_and_send(fixture, 2000);
	row = only_row(fixture);
	assert_int_equal(row->count, 1);
	assert_int_equal(row->errors, 0);
	assert_int_equal(row->sum_ns, 200);
	assert_int_equal(row->since_ns, 1000);
	/* No record of this step, so only the bin is known. */
	assert_in_range(row->min_ns, 198, 200);
	assert_in_range(row->max_ns, 200, 203);
	assert_int_equal(fixture->job->rollup_totals[0].count, 3);

	round_and_send(fixture, 3000);
	assert_int_equal(fixture->job->rollup_count, 0);
	assert_int_equal(fixture->job->rollup_total_count, 0);
	hand_over(fixture, true);
	assert_int_equal(fixture->job->rollup_count, 0);
	assert_int_equal(fixture->job->rollup_total_count, 1);
	assert_int_equal(fixture->job->rollup_totals[0].time_ns, 2000);
}

static void a_job_that_did_not_go_takes_nothing_along(void **state) {
	struct fixture *fixture = *state;
	count_span(fixture, 1, 100);
	read_round(fixture, 1000);
	hand_over(fixture, false);
	count_span(fixture, 1, 100);
	round_and_send(fixture, 2000);
	assert_int_equal(only_row(fixture)->count, 2);
}

static void threads_are_added_up(void **state) {
	struct fixture *fixture = *state;
	count_span(fixture, 0, 7);
	count_span(fixture, 1, 100);
	round_and_send(fixture, 1000);
	assert_int_equal(fixture->job->rollup_count, 2);
	/* The second thread is known by its file alone: its ring may be over a limit. */
	fixture->files.process->rings_made = 2;
	assert_int_equal(linkat(fixture->files.directory_fd, STATISTICS_NAME, fixture->files.directory_fd, "one", 0),
	                 0);
	int from = openat(fixture->files.directory_fd, "one", O_RDONLY | O_CLOEXEC);
	int to = openat(fixture->files.directory_fd, "statistics-0001", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(from >= 0 && to >= 0);
	char bytes[FILE_BYTES];
	assert_int_equal(pread(from, bytes, FILE_BYTES, 0), FILE_BYTES);
	((struct spanring_statistics_header *)(void *)bytes)->ring_index = 1;
	assert_int_equal(pwrite(to, bytes, FILE_BYTES, 0), FILE_BYTES);
	(void)close(from);
	(void)close(to);
	assert_int_equal(unlinkat(fixture->files.directory_fd, "one", 0), 0);
	round_and_send(fixture, 2000);
	assert_int_equal(fixture->job->rollup_count, 2);
	assert_int_equal(fixture->job->rollups[0].count, 1);
	assert_int_equal(fixture->job->rollup_totals[0].count, 2);
}

/* --- exactly once ------------------------------------------------------------------------------------------------ */

/* What a store would give back: the totals of the job. */
static void remember_job(struct fixture *fixture) {
	size_t count = fixture->job->rollup_total_count;
	fixture->room.resumes = calloc(count, sizeof(*fixture->room.resumes));
	assert_non_null(fixture->room.resumes);
	for (size_t i = 0; i < count; i++) {
		const struct store_rollup_total *total = &fixture->job->rollup_totals[i];
		uint64_t bins[ROLLUP_BINS_MAX] = {0};
		struct statistics_resume *resume = &fixture->room.resumes[i];
		*resume = (struct statistics_resume){.site = total->site,
		                                     .time_ns = total->time_ns,
		                                     .stored = {.count = total->count,
		                                                .sum_ticks = total->sum_ticks,
		                                                .min_ticks = total->min_ticks,
		                                                .max_ticks = total->max_ticks}};
		memcpy(resume->instance, total->instance, sizeof(resume->instance));
		for (uint32_t b = 0; b < total->bin_count; b++)
			bins[total->bins[b].bin] = total->bins[b].count;
		assert_int_equal(statistics_sum_encode(fixture->room.scratch, bins, &resume->stored), 0);
		fixture->room.bytes += resume->stored.bins_bytes;
	}
	fixture->room.resume_count = fixture->room.resume_room = count;
}

static void another_agent_goes_on_where_the_store_is(void **state) {
	struct fixture *fixture = *state;
	for (uint64_t i = 0; i < 1000; i++)
		count_span(fixture, 1, 50 * i);
	round_and_send(fixture, 1000);
	assert_int_equal(only_row(fixture)->count, 1000);
	remember_job(fixture);
	count_span(fixture, 1, 7);
	meet_again(fixture);
	hand_over(fixture, true); /* before the first round: the total as it is stored, and no row */
	assert_int_equal(fixture->job->rollup_count, 0);
	assert_int_equal(fixture->job->rollup_total_count, 1);
	assert_int_equal(fixture->job->rollup_totals[0].count, 1000);
	round_and_send(fixture, 2000);
	const struct store_rollup *row = only_row(fixture);
	assert_int_equal(row->count, 1);
	assert_int_equal(row->sum_ns, 7);
	assert_int_equal(row->since_ns, 1000);
	assert_int_equal(fixture->job->rollup_totals[0].count, 1001);
}

static void less_than_is_stored_is_given_up(void **state) {
	struct fixture *fixture = *state;
	count_span(fixture, 1, 100);
	count_span(fixture, 1, 200);
	round_and_send(fixture, 1000);
	remember_job(fixture);
	fixture->blocks[1].bins[spanring_statistics_bin(100)]--;
	count_span(fixture, 1, 900);
	meet_again(fixture);
	round_and_send(fixture, 2000);
	assert_int_equal(fixture->job->rollup_count, 0);
	assert_int_equal(fixture->producer->statistics.given_up, ERR_DAMAGED);
	assert_int_equal(statistics_state(fixture->producer), STORE_STATISTICS_BROKEN);
	assert_int_equal(fixture->room.figures.given_up, 1);
	assert_true(statistics_is_final(fixture->producer)); /* nothing waits for it */
}

static void what_is_stored_beyond_reckoning_is_given_up(void **state) {
	struct fixture *fixture = *state;
	fixture->room.resumes = calloc(1, sizeof(*fixture->room.resumes));
	assert_non_null(fixture->room.resumes);
	memcpy(fixture->room.resumes[0].instance, fixture->producer->instance, SPANRING_INSTANCE_BYTES);
	fixture->room.resume_count = fixture->room.resume_room = 1;
	count_span(fixture, 1, 100);
	round_and_send(fixture, 1000);
	assert_int_equal(fixture->producer->statistics.given_up, ERR_LIMIT);
}

/* --- distrust ---------------------------------------------------------------------------------------------------- */

static int open_file(struct fixture *fixture, struct statistics_reader *reader) {
	struct ring_reader_expect expect = {.uid = getuid()};
	memcpy(expect.instance, fixture->files.process->instance, sizeof(expect.instance));
	int rc = statistics_reader_open(fixture->files.directory_fd, &expect, reader);
	if (rc == 0)
		statistics_reader_close(reader);
	return rc;
}

#define REFUSED(field, value, error)                                                                                   \
	do {                                                                                                           \
		struct spanring_statistics_header sound = *fixture->header;                                            \
		fixture->header->field = (value);                                                                      \
		assert_int_equal(open_file(fixture, &reader), (error));                                                \
		*fixture->header = sound;                                                                              \
	} while (0)

static void a_header_that_lies_is_refused(void **state) {
	struct fixture *fixture = *state;
	struct statistics_reader reader;
	assert_int_equal(open_file(fixture, &reader), 0);
	REFUSED(magic, SPANRING_RING_MAGIC, ERR_FOREIGN);
	REFUSED(abi_version, SPANRING_ABI_VERSION + 1, ERR_NEWER);
	REFUSED(header_bytes, 64, ERR_DAMAGED);
	REFUSED(instance[3], 77, ERR_FOREIGN);
	REFUSED(ring_index, 1, ERR_FOREIGN);
	REFUSED(block_bytes, 4096, ERR_DAMAGED);
	REFUSED(blocks_max, SPANRING_STATISTICS_BLOCKS_MAX + 1, ERR_DAMAGED);
	REFUSED(bins, SPANRING_STATISTICS_BINS - 1, ERR_DAMAGED);
	REFUSED(block_count, BLOCKS + 1, ERR_DAMAGED);
	REFUSED(block_count, SPANRING_STATISTICS_BLOCKS_MAX + 1, ERR_DAMAGED);
	REFUSED(block_count, UINT32_MAX, ERR_DAMAGED);
	assert_int_equal(open_file(fixture, &reader), 0);
}

static void a_file_cut_short_is_refused(void **state) {
	struct fixture *fixture = *state;
	struct statistics_reader reader;
	struct ring_reader_expect expect = {.uid = getuid()};
	uint64_t count;
	agent_files_skip_faults();
	assert_int_equal(fault_guard_install(), 0); /* again: the runner takes its signals back for each test */
	memcpy(expect.instance, fixture->files.process->instance, sizeof(expect.instance));
	assert_int_equal(statistics_reader_open(fixture->files.directory_fd, &expect, &reader), 0);
	int fd = openat(fixture->files.directory_fd, STATISTICS_NAME, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, SPANRING_STATISTICS_BLOCKS_OFFSET), 0);
	assert_int_equal(statistics_reader_block(&reader, 1, fixture->room.block, &count), ERR_GONE);
	statistics_reader_close(&reader);
	assert_int_equal(open_file(fixture, &reader), ERR_DAMAGED);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_int_equal(open_file(fixture, &reader), ERR_FOREIGN);
	assert_int_equal(ftruncate(fd, FILE_BYTES), 0);
	(void)close(fd);
}

/* Each breaks the file after a first honest reading; what was read stays, what came after does not. */
static void expect_broken(struct fixture *fixture) {
	round_and_send(fixture, 2000);
	assert_int_equal(fixture->job->rollup_count, 0);
	assert_int_equal(fixture->producer->statistics.broken_rings, 1);
	assert_int_equal(fixture->producer->statistics.given_up, 0);
	assert_int_equal(statistics_state(fixture->producer), STORE_STATISTICS_BROKEN);
	fixture->blocks[1].bins[9] += 5;
	fixture->files.ring->begun_open += UINT64_C(5) << SPANRING_BEGUN_SHIFT;
	round_and_send(fixture, 3000);
	assert_int_equal(fixture->job->rollup_count, 0);
	hand_over(fixture, true);
	assert_int_equal(fixture->job->rollup_total_count, 1);
	assert_int_equal(fixture->job->rollup_totals[0].count, 2);
}

static void read_honestly(struct fixture *fixture) {
	count_span(fixture, 1, 100);
	count_span(fixture, 1, 200);
	round_and_send(fixture, 1000);
	assert_int_equal(only_row(fixture)->count, 2);
	assert_int_equal(statistics_state(fixture->producer), STORE_STATISTICS_WHOLE);
	fixture->files.ring->begun_open += UINT64_C(1) << SPANRING_BEGUN_SHIFT;
}

static void a_bin_that_goes_back(void **state) {
	struct fixture *fixture = *state;
	read_honestly(fixture);
	fixture->blocks[1].bins[spanring_statistics_bin(100)]--;
	fixture->blocks[1].bins[50] += 3;
	expect_broken(fixture);
}

static void errors_that_go_back(void **state) {
	struct fixture *fixture = *state;
	fixture->blocks[1].errors = 2;
	read_honestly(fixture);
	fixture->blocks[1].errors = 1;
	expect_broken(fixture);
}

static void a_site_that_changes(void **state) {
	struct fixture *fixture = *state;
	read_honestly(fixture);
	fixture->blocks[1].site = 3;
	expect_broken(fixture);
}

static void fewer_blocks_than_before(void **state) {
	struct fixture *fixture = *state;
	read_honestly(fixture);
	fixture->header->block_count = 1;
	expect_broken(fixture);
}

static void a_site_that_is_not_there(void **state) {
	struct fixture *fixture = *state;
	read_honestly(fixture);
	count_span(fixture, 2, 100); /* site 3 of 2 */
	fixture->header->block_count = 3;
	expect_broken(fixture);
}

static void a_site_that_is_there_twice(void **state) {
	struct fixture *fixture = *state;
	read_honestly(fixture);
	fixture->blocks[2].site = AGENT_FILES_SITE;
	fixture->header->block_count = 3;
	expect_broken(fixture);
}

static void more_spans_than_there_can_be(void **state) {
	struct fixture *fixture = *state;
	read_honestly(fixture);
	fixture->blocks[1].bins[7] = UINT64_MAX;
	fixture->blocks[1].bins[8] = 3;
	expect_broken(fixture);
}

static void a_file_that_goes_away(void **state) {
	struct fixture *fixture = *state;
	read_honestly(fixture);
	assert_int_equal(unlinkat(fixture->files.directory_fd, STATISTICS_NAME, 0), 0);
	expect_broken(fixture);
}

static void a_program_without_statistics_has_none(void **state) {
	struct fixture *fixture = *state;
	assert_int_equal(unlinkat(fixture->files.directory_fd, STATISTICS_NAME, 0), 0);
	round_and_send(fixture, 1000);
	assert_int_equal(fixture->job->rollup_count, 0);
	assert_int_equal(statistics_state(fixture->producer), STORE_STATISTICS_NONE);
	assert_int_equal(fixture->producer->statistics.broken_rings, 0);
}

static void switched_on_the_way_they_are_a_part(void **state) {
	struct fixture *fixture = *state;
	count_span(fixture, 1, 100);
	fixture->files.process->control_flags |= SPANRING_CONTROL_SWITCHED;
	round_and_send(fixture, 1000);
	assert_int_equal(statistics_state(fixture->producer), STORE_STATISTICS_PART);
}

/* --- duties ------------------------------------------------------------------------------------------------------ */

static void a_thread_that_ended_nothing_is_passed_over(void **state) {
	struct fixture *fixture = *state;
	count_span(fixture, 1, 100);
	read_round(fixture, 1000);
	uint64_t before = fixture->room.figures.blocks_read;
	assert_true(before > 0);
	read_round(fixture, 2000);
	assert_int_equal(fixture->room.figures.blocks_read, before);
	count_span(fixture, 1, 100);
	read_round(fixture, 3000);
	assert_true(fixture->room.figures.blocks_read > before);
}

static void the_books_wait_for_the_last_round(void **state) {
	struct fixture *fixture = *state;
	count_span(fixture, 1, 100);
	read_round(fixture, 1000);
	fixture->producer->phase = PRODUCER_ENDING;
	fixture->producer->dry = true;
	assert_false(producer_is_settled(fixture->producer));
	/* Counted after the word that tells of it was read last. */
	fixture->blocks[1].bins[3]++;
	statistics_last_round(fixture->producer);
	while (statistics_turn(&fixture->room, &fixture->roster, 2000))
		continue;
	assert_true(producer_is_settled(fixture->producer));
	hand_over(fixture, false);
	assert_int_equal(only_row(fixture)->count, 2);
}

static void extremes_stay_within_their_bins(void **state) {
	struct statistics_sum before = {.count = 2, .min_ticks = 10, .max_ticks = 1000};
	struct statistics_sum after = {.count = 3, .min_ticks = 10, .max_ticks = 1000};
	struct store_rollup_bin bin = {.bin = spanring_statistics_bin(500), .count = 1};
	struct store_rollup row;
	(void)state;
	statistics_sum_row(&before, &after, &bin, 1, UINT64_C(1) << 32, &row);
	assert_true(row.min_ns == spanring_statistics_bin_floor(bin.bin));
	assert_true(row.max_ns == spanring_statistics_bin_floor(bin.bin + 1) - 1);
	/* Killed between bin and record of the smallest: the bin is right. */
	bin.bin = 4;
	statistics_sum_row(&before, &after, &bin, 1, UINT64_C(1) << 32, &row);
	assert_true(row.min_ns == 4 && row.max_ns == 4);
	/* A figure that came too late for its bin goes alone, and is exact. */
	after.count = 2;
	after.min_ticks = 4;
	statistics_sum_row(&before, &after, NULL, 0, UINT64_C(1) << 32, &row);
	assert_true(row.count == 0 && row.min_ns == 4 && row.max_ns == 1000);
	/* Half a nanosecond per tick. */
	statistics_sum_row(&before, &after, NULL, 0, UINT64_C(1) << 31, &row);
	assert_true(row.min_ns == 2 && row.max_ns == 500);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    TEST(a_row_is_what_came_since),
	    TEST(a_job_that_did_not_go_takes_nothing_along),
	    TEST(threads_are_added_up),
	    TEST(another_agent_goes_on_where_the_store_is),
	    TEST(less_than_is_stored_is_given_up),
	    TEST(what_is_stored_beyond_reckoning_is_given_up),
	    TEST(a_header_that_lies_is_refused),
	    TEST(a_file_cut_short_is_refused),
	    TEST(a_bin_that_goes_back),
	    TEST(errors_that_go_back),
	    TEST(a_site_that_changes),
	    TEST(fewer_blocks_than_before),
	    TEST(a_site_that_is_not_there),
	    TEST(a_site_that_is_there_twice),
	    TEST(more_spans_than_there_can_be),
	    TEST(a_file_that_goes_away),
	    TEST(a_program_without_statistics_has_none),
	    TEST(switched_on_the_way_they_are_a_part),
	    TEST(a_thread_that_ended_nothing_is_passed_over),
	    TEST(the_books_wait_for_the_last_round),
	    cmocka_unit_test(extremes_stay_within_their_bins),
	};
	return cmocka_run_group_tests_name("agent_statistics", tests, NULL, NULL);
}
