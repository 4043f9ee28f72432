/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writer is given comes out of the reader: through real files, over several segments and lives of the
 * writer.
 */
#include "support/child.h"
#include "support/cmocka.h"

#include "store_fixture.h"
#include "store_rows.h"

#include "base/errs.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int make(void **state) {
	static struct store_fixture fixture;
	store_fixture_make(&fixture);
	*state = &fixture;
	return 0;
}

static int clean(void **state) {
	store_fixture_remove(*state);
	return 0;
}

static struct store_reader *open_reader(const char *path) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	if (store_reader_open(path, &reader, text, sizeof(text)))
		fail_msg("store_reader_open: %s", text);
	return reader;
}

static size_t damage_of(const struct store_reader *reader) {
	size_t count = 0;
	const struct store_damage *damage = store_reader_damage(reader, &count);
	for (size_t i = 0; i < count; i++)
		print_message("damage: %s\n", damage[i].text);
	return count;
}

/* Keys and names need no translation here: all catalogs of the fixture number their strings alike. */
static void check_rows(const char *store, struct store_rows *expected) {
	struct store_rows found;
	assert_int_equal(store_rows_read(store, &found), 0);
	assert_int_equal(found.span_count, expected->span_count);
	assert_true(store_rows_equal(&found, expected));
	store_rows_free(&found);
}

static void rows_and_names_come_back(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("store");
	struct store_rows expected = {0};
	store_fixture_open(fixture);
	for (uint64_t i = 1; i <= 5; i++) {
		store_rows_fill(fixture->batch, &seed, STORE_SHAPE_TREES, (uint32_t)(i * i * 200), FIXTURE_IDS);
		store_rows_add_batch(&expected, fixture->batch);
		assert_int_equal(store_fixture_commit(fixture, i * 1000), 0);
		check_rows(fixture->scratch.store, &expected); /* beside the writer */
	}
	store_fixture_close(fixture);
	check_rows(fixture->scratch.store, &expected);
	struct store_reader *reader = open_reader(fixture->scratch.store);
	const struct store_overview *overview = store_reader_overview(reader);
	assert_int_equal(overview->segment_count, 1);
	const struct store_segment_view *view = overview->segments;
	assert_true(view->sealed);
	assert_int_equal(view->batches, 5);
	assert_int_equal(view->spans, expected.span_count);
	assert_int_equal(view->attributes, expected.attribute_count);
	assert_int_equal(view->events, expected.event_count);
	assert_int_equal(view->sequence, 1);
	assert_int_equal(view->wall_offset_ns, FIXTURE_WALL_OFFSET_NS);
	assert_memory_equal(view->boot_id, "fifteen letters", 16);
	assert_int_equal(view->site_count, FIXTURE_IDS + 1);
	assert_string_equal(overview->names[view->sites[1].name], STORE_OVERFLOW_NAME);
	assert_string_equal(overview->names[view->sites[4].name], "name 3");
	assert_int_equal(view->thread_count, FIXTURE_IDS);
	assert_int_equal(overview->process_count, 2);
	assert_int_equal(overview->processes[0].pid, 101);
	assert_string_equal(overview->processes[0].service, "name 1");
	assert_int_equal(overview->processes[0].account.time_ns, 5000);
	assert_int_equal(overview->ring_count, 1);
	assert_int_equal(overview->rings[0].cursor.position, 5000);
	struct store_memory_sample *samples = NULL;
	size_t sample_count = 0;
	assert_int_equal(store_reader_samples(reader, &samples, &sample_count), 0);
	assert_int_equal(sample_count, 5);
	assert_int_equal(samples[4].rss_bytes, 5000 * 4096);
	assert_int_equal(samples[4].time_ns, FIXTURE_WALL_OFFSET_NS + 5000);
	assert_int_equal(samples[4].descriptors, 5001);
	free(samples);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	assert_int_equal(damage_of(reader), 0);
	store_reader_close(reader);
	store_rows_free(&expected);
}

/* Every figure, also those at the edges of what a column holds, in more than one commit and segment. */
static void samples_come_back_whole(void **state) {
	struct store_fixture *fixture = *state;
	struct store_memory_sample program = {.process = 2,
	                                      .threads = 3,
	                                      .time_ns = 4,
	                                      .rss_bytes = 5,
	                                      .pss_bytes = UINT64_MAX,
	                                      .anonymous_bytes = 6,
	                                      .swap_bytes = 7,
	                                      .cpu_user_ns = 8,
	                                      .cpu_system_ns = 9,
	                                      .faults_minor = 10,
	                                      .faults_major = 11,
	                                      .switches_voluntary = 12,
	                                      .switches_involuntary = UINT64_MAX,
	                                      .descriptors = 13,
	                                      .heap_allocated_bytes = UINT64_MAX - 1,
	                                      .heap_freed_bytes = 14,
	                                      .pss_ns = 15,
	                                      .pss_state = STORE_PSS_LEFT_OUT};
	struct store_memory_sample agent = program;
	agent.process = 0;
	agent.agent_pid = UINT32_MAX;
	agent.agent_start = UINT64_MAX;
	agent.pss_state = STORE_PSS_READ;
	agent.heap_allocated_bytes = UINT64_MAX; /* not counted of an agent */
	agent.heap_freed_bytes = UINT64_MAX;
	struct store_memory_sample samples[4] = {agent, program, agent, program};
	store_fixture_open(fixture);
	for (uint64_t i = 0; i < 4; i++) {
		if (i == 2)
			store_fixture_catalog(fixture);
		for (size_t at = 0; at < 4; at++)
			samples[at].time_ns = 4 * i + at;
		struct store_commit commit = {.catalog = fixture->catalog, .samples = samples, .sample_count = 4};
		struct store_receipt receipt;
		assert_int_equal(store_writer_commit(fixture->writer, &commit, &receipt), 0);
	}
	store_fixture_close(fixture);
	struct store_reader *reader = open_reader(fixture->scratch.store);
	struct store_memory_sample *found = NULL;
	size_t count = 0;
	assert_int_equal(store_reader_overview(reader)->segment_count, 2);
	assert_int_equal(store_reader_samples(reader, &found, &count), 0);
	assert_int_equal(count, 16);
	for (size_t i = 0; i < count; i++) {
		struct store_memory_sample expected = i % 2 ? program : agent;
		expected.time_ns = FIXTURE_WALL_OFFSET_NS + i;
		assert_memory_equal(&found[i], &expected, sizeof(expected));
	}
	free(found);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	assert_int_equal(damage_of(reader), 0);
	store_reader_close(reader);
}

static void commit_accounts(struct store_fixture *fixture, const struct store_process_account *accounts, size_t count) {
	struct store_commit commit = {.catalog = fixture->catalog, .accounts = accounts, .account_count = count};
	struct store_receipt receipt;
	assert_int_equal(store_writer_commit(fixture->writer, &commit, &receipt), 0);
}

/* With what they have in tables of their own, of which a later segment may know less. */
static void accounts_come_back_whole(void **state) {
	struct store_fixture *fixture = *state;
	struct store_process_account accounts[2] = {{.instance = {1},
	                                             .state = STORE_PROCESS_RUNNING,
	                                             .time_ns = 10,
	                                             .dropped_no_ring = 2,
	                                             .limits = {.values_cut = 4},
	                                             .statistics = STORE_STATISTICS_PART,
	                                             .statistics_overflowed = 5,
	                                             .dropped_async = 6,
	                                             .dropped_contexts = 7,
	                                             .dropped_reentry = 8},
	                                            {.instance = {2},
	                                             .state = STORE_PROCESS_DIED,
	                                             .time_ns = 10,
	                                             .ending = STORE_ENDING_SIGNAL,
	                                             .ending_value = 11}};
	store_fixture_open(fixture);
	commit_accounts(fixture, accounts, 2);
	store_fixture_catalog(fixture);
	accounts[0].time_ns = 20;
	accounts[0].dropped_reentry = 9;
	accounts[0].state = STORE_PROCESS_DIED;
	accounts[0].ending = STORE_ENDING_STATUS;
	commit_accounts(fixture, accounts, 1);
	store_fixture_catalog(fixture);
	struct store_process_account less = {.instance = {2}, .state = STORE_PROCESS_DIED, .time_ns = 30};
	commit_accounts(fixture, &less, 1);
	less = (struct store_process_account){
	    .instance = {1}, .state = STORE_PROCESS_DIED, .time_ns = 30, .dropped_no_ring = 2};
	commit_accounts(fixture, &less, 1);
	accounts[0].time_ns = accounts[1].time_ns = 30;
	store_fixture_close(fixture);
	struct store_reader *reader = open_reader(fixture->scratch.store);
	const struct store_overview *overview = store_reader_overview(reader);
	assert_int_equal(overview->segment_count, 3);
	assert_int_equal(overview->process_count, 2);
	for (size_t i = 0; i < 2; i++) {
		const struct store_process_view *view = &overview->processes[i];
		assert_memory_equal(&view->account, &accounts[view->instance[0] - 1], sizeof(view->account));
	}
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	assert_int_equal(damage_of(reader), 0);
	store_reader_close(reader);
}

/* A sealed file stands alone: mode 0600, no WAL beside it, and reading it leaves the directory as it was. */
static void a_sealed_segment_is_one_private_file(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("store sealed");
	char path[SCRATCH_PATH_BYTES];
	char beside[SCRATCH_PATH_BYTES + 8];
	struct stat before;
	struct stat after;
	store_fixture_open(fixture);
	store_rows_fill(fixture->batch, &seed, STORE_SHAPE_TREES, 100, FIXTURE_IDS);
	assert_int_equal(store_fixture_commit(fixture, 1), 0);
	store_fixture_close(fixture);
	store_fixture_segment(fixture, 0, path);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(before.st_mode & 07777, 0600);
	struct store_rows rows;
	assert_int_equal(store_rows_read(path, &rows), 0);
	assert_int_equal(rows.span_count, 100);
	store_rows_free(&rows);
	static const char *const suffixes[] = {"-wal", "-shm", "-journal", ".tmp"};
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		(void)snprintf(beside, sizeof(beside), "%s%s", path, suffixes[i]);
		assert_int_not_equal(access(beside, F_OK), 0);
	}
	assert_int_equal(stat(path, &after), 0);
	assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim));
	assert_int_equal(before.st_size, after.st_size);
}

static void a_new_catalog_means_a_new_segment(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("store rotate");
	struct store_rows expected = {0};
	char path[SCRATCH_PATH_BYTES];
	store_fixture_open(fixture);
	for (uint64_t i = 1; i <= 3; i++) {
		store_rows_fill(fixture->batch, &seed, STORE_SHAPE_TREES, 300, FIXTURE_IDS);
		store_rows_add_batch(&expected, fixture->batch);
		assert_int_equal(store_fixture_commit(fixture, i), 0);
		store_fixture_catalog(fixture);
	}
	store_fixture_close(fixture);
	check_rows(fixture->scratch.store, &expected);
	struct store_reader *reader = open_reader(fixture->scratch.store);
	const struct store_overview *overview = store_reader_overview(reader);
	assert_int_equal(overview->segment_count, 3);
	assert_int_equal(overview->process_count, 2);
	assert_int_equal(overview->name_count, FIXTURE_IDS + 1);
	assert_int_equal(overview->rings[0].cursor.position, 3);
	store_reader_close(reader);
	/* Cursors outlive the segments before the last. */
	store_fixture_segment(fixture, 0, path);
	assert_int_equal(unlink(path), 0);
	store_fixture_open(fixture);
	const struct store_cursor *cursors = NULL;
	size_t count = 0;
	assert_int_equal(store_writer_cursors(fixture->writer, &cursors, &count), 0);
	assert_int_equal(count, 1);
	struct store_cursor last = store_fixture_cursor(3);
	assert_memory_equal(&cursors[0], &last, sizeof(last));
	store_rows_free(&expected);
}

static void a_second_writer_is_refused(void **state) {
	struct store_fixture *fixture = *state;
	struct store_writer_options options = {0};
	struct store_writer *second = NULL;
	char text[512];
	int holder = 0;
	store_fixture_open(fixture);
	assert_int_equal(store_writer_open(fixture->scratch.store, &options, &second, &holder, text, sizeof(text)),
	                 ERR_HELD);
	assert_int_equal(holder, getpid());
	assert_non_null(strstr(text, "another agent"));
	store_fixture_close(fixture);
	store_fixture_open(fixture);
}

static void an_empty_store_opens(void **state) {
	struct store_fixture *fixture = *state;
	store_fixture_open(fixture);
	store_fixture_close(fixture);
	struct store_reader *reader = open_reader(fixture->scratch.store);
	assert_int_equal(store_reader_overview(reader)->segment_count, 0);
	store_reader_close(reader);
}

static int count_batch(void *context, const struct store_columns *columns) {
	(void)columns;
	++*(unsigned *)context;
	return 0;
}

static void scans_skip_what_cannot_match(void **state) {
	struct store_fixture *fixture = *state;
	store_fixture_open(fixture);
	for (uint64_t i = 1; i <= 8; i++) {
		struct store_span span = {.trace_lo = i * 1000003,
		                          .span_id = i,
		                          .start_ns = i * 1000,
		                          .duration_ns = i * 10,
		                          .site = 1,
		                          .thread = 1};
		batch_clear(fixture->batch);
		batch_add_span(fixture->batch, &span);
		assert_int_equal(store_fixture_commit(fixture, i), 0);
	}
	struct store_reader *reader = open_reader(fixture->scratch.store);
	unsigned batches = 0;
	struct store_scan scan = {.columns = STORE_COLUMN_START, .on_batch = count_batch, .context = &batches};
	scan.since_wall_ns = FIXTURE_WALL_OFFSET_NS + 3000;
	scan.until_wall_ns = FIXTURE_WALL_OFFSET_NS + 5000;
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	assert_int_equal(batches, 3);
	batches = 0;
	scan.since_wall_ns = scan.until_wall_ns = 0;
	scan.duration_ns_min = 75;
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	assert_int_equal(batches, 1);
	batches = 0;
	scan.duration_ns_min = 0;
	scan.has_trace = true;
	scan.trace_lo = 5 * 1000003;
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	assert_in_range(batches, 1, 2);
	assert_int_equal(damage_of(reader), 0);
	store_reader_close(reader);
}

/* Tells the parent each position that is committed. */
static void commit_for_ever(struct store_fixture *fixture, int out) {
	struct seed seed = {.state = 1};
	store_fixture_open(fixture);
	for (uint64_t position = 100;; position += 100) {
		store_rows_fill(fixture->batch, &seed, STORE_SHAPE_TREES, 100, FIXTURE_IDS);
		if (position % 1000 == 0)
			store_fixture_catalog(fixture);
		if (store_fixture_commit(fixture, position) ||
		    write(out, &position, sizeof(position)) != sizeof(position))
			_exit(1);
	}
}

static void a_killed_writer_loses_no_commit(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("store killed");
	uint64_t position = 0;
	uint64_t committed = 0;
	for (unsigned round = 0; round < seed_rounds(10); round++) {
		int pipes[2];
		scratch_remove_tree(fixture->scratch.store);
		assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
		pid_t child = child_fork();
		assert_true(child >= 0);
		if (child == 0)
			commit_for_ever(fixture, pipes[1]);
		(void)close(pipes[1]);
		committed = 0;
		for (uint64_t commits = 1 + seed_below(&seed, 30); commits > 0; commits--) {
			assert_int_equal(read(pipes[0], &position, sizeof(position)), sizeof(position));
			committed = position;
		}
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		while (read(pipes[0], &position, sizeof(position)) == (ssize_t)sizeof(position))
			committed = position;
		(void)close(pipes[0]);
		struct store_rows rows;
		assert_int_equal(store_rows_read(fixture->scratch.store, &rows), 0);
		store_fixture_open(fixture);
		const struct store_cursor *cursors = NULL;
		size_t count = 0;
		assert_int_equal(store_writer_cursors(fixture->writer, &cursors, &count), 0);
		assert_int_equal(count, 1);
		/* The last commit may have ended without being told. */
		assert_in_range(cursors[0].position, committed, committed + 100);
		assert_int_equal(rows.span_count, cursors[0].position);
		store_rows_free(&rows);
		store_fixture_close(fixture);
		struct store_reader *reader = open_reader(fixture->scratch.store);
		for (size_t i = 0; i < store_reader_overview(reader)->segment_count; i++)
			assert_true(store_reader_overview(reader)->segments[i].sealed);
		assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
		assert_int_equal(damage_of(reader), 0);
		store_reader_close(reader);
	}
}

static bool is_odd(void *context, const struct store_segment_view *segment) {
	(void)context;
	return segment->sequence % 2 == 1;
}

/* One reader, two walks step by step in turn, and a scan between them: all see the same rows; a walk can be left half way. */
static void walks_give_what_a_scan_gives(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("walks");
	struct store_rows expected = {0};
	struct store_rows odd = {0};
	struct store_rows found[2] = {{0}};
	struct store_walk *walks[3] = {NULL};
	struct store_columns columns;
	store_fixture_open(fixture);
	for (uint64_t i = 1; i <= 6; i++) {
		store_rows_fill(fixture->batch, &seed, (enum store_shape)(i % STORE_SHAPES), (uint32_t)(i * 100),
		                FIXTURE_IDS);
		store_rows_add_batch(&expected, fixture->batch);
		if (i <= 2 || i >= 5)
			store_rows_add_batch(&odd, fixture->batch);
		assert_int_equal(store_fixture_commit(fixture, i * 1000), 0);
		if (i % 2 == 0)
			store_fixture_catalog(fixture);
	}
	struct store_reader *reader = open_reader(fixture->scratch.store);
	assert_int_equal(store_reader_overview(reader)->segment_count, 3);
	struct store_scan all = {.columns = STORE_COLUMNS_ALL};
	struct store_scan some = {.columns = STORE_COLUMNS_ALL, .wants_segment = is_odd};
	assert_int_equal(store_walk_open(reader, &all, &walks[0]), 0);
	assert_int_equal(store_walk_open(reader, &some, &walks[1]), 0);
	assert_int_equal(store_walk_open(reader, &all, &walks[2]), 0);
	assert_int_equal(store_walk_next(walks[2], &columns), 1);
	for (bool more[2] = {true, true}; more[0] || more[1];)
		for (unsigned i = 0; i < 2; i++) {
			more[i] = more[i] && store_walk_next(walks[i], &columns) == 1;
			if (more[i])
				store_rows_add_columns(&found[i], &columns);
			check_rows(fixture->scratch.store, &expected);
		}
	assert_true(store_rows_equal(&found[0], &expected));
	assert_true(store_rows_equal(&found[1], &odd));
	assert_int_equal(damage_of(reader), 0);
	for (unsigned i = 0; i < 3; i++)
		store_walk_close(walks[i]);
	store_reader_close(reader);
	store_fixture_close(fixture);
	for (unsigned i = 0; i < 2; i++)
		store_rows_free(&found[i]);
	store_rows_free(&expected);
	store_rows_free(&odd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(rows_and_names_come_back, make, clean),
	    cmocka_unit_test_setup_teardown(samples_come_back_whole, make, clean),
	    cmocka_unit_test_setup_teardown(accounts_come_back_whole, make, clean),
	    cmocka_unit_test_setup_teardown(a_sealed_segment_is_one_private_file, make, clean),
	    cmocka_unit_test_setup_teardown(a_new_catalog_means_a_new_segment, make, clean),
	    cmocka_unit_test_setup_teardown(a_second_writer_is_refused, make, clean),
	    cmocka_unit_test_setup_teardown(an_empty_store_opens, make, clean),
	    cmocka_unit_test_setup_teardown(scans_skip_what_cannot_match, make, clean),
	    cmocka_unit_test_setup_teardown(walks_give_what_a_scan_gives, make, clean),
	    cmocka_unit_test_setup_teardown(a_killed_writer_loses_no_commit, make, clean),
	};
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
