/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: whatever file operation fails, and whichever way, nothing is lost, nothing is there twice, no program crashes or hangs, and what the
 * analyzer prints with exit code 0 is right.
 * Method: run a story with operation 1 failing, then with operation 2, and so on, until the story runs through with no failure met. The
 * long campaign takes every operation; otherwise one in some is taken, from a random one on. The files are on tmpfs: thousands of fsyncs are
 * not what is tested.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/fault_vfs.h"
#include "support/sanitizer.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"
#include "unit/store_fixture.h"
#include "unit/store_rows.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define OPERATIONS_MAX 3000u /* of one story; a loop that goes beyond never ends */
#define ATTEMPTS_MAX 20u     /* of one commit */
#define STRIDE_WRITER 5u     /* one operation in so many, divided by SPANRING_TEST_SCALE */
#define STRIDE_AGENT 12u
#define STRIDE_ANALYZER 3u
#define STRIDE_START 1u
#define COMMITS 4u
#define NEW_CATALOG_AT 3u
#define TOGETHER 3u /* operations that fail in a row, every other time */

static uint64_t stride(uint64_t step) {
	const char *text = getenv("SPANRING_TEST_SCALE");
	uint64_t scale = text ? strtoull(text, NULL, 10) : 1;
	step /= scale ? scale : 1;
	return step > 1 ? step * SANITIZER_SLOWDOWN : 1;
}

static void store_on_tmpfs(struct scratch *scratch) {
	(void)snprintf(scratch->store, sizeof(scratch->store), "%.400s/store", scratch->rings);
}

/* --- the store's writer ------------------------------------------------------------------------------------------- */

struct writer_story {
	struct store_fixture fixture;
	struct store_rows expected;
	struct seed seed;
	enum store_durability durability;
};

/* The open is tried again, too. */
static void open_writer(struct writer_story *story) {
	struct store_writer_options options = {
	    .durability = story->durability, .wall_offset_ns = FIXTURE_WALL_OFFSET_NS, .agent_version = "test"};
	char text[512] = "";
	int holder = 0;
	int error = -EIO;
	for (unsigned attempt = 0; error && attempt < ATTEMPTS_MAX; attempt++)
		error = store_writer_open(story->fixture.scratch.store, &options, &story->fixture.writer, &holder, text,
		                          sizeof(text));
	if (error)
		fail_msg("store_writer_open: %d %s", error, text);
}

static void commit_until_stored(struct writer_story *story, uint64_t position) {
	struct store_fixture *fixture = &story->fixture;
	store_rows_fill(fixture->batch, &story->seed, STORE_SHAPE_TREES, 200, FIXTURE_IDS);
	if (position == NEW_CATALOG_AT)
		store_fixture_catalog(fixture);
	int error = -EIO;
	for (unsigned attempt = 0; error && attempt < ATTEMPTS_MAX; attempt++) {
		error = store_fixture_commit(fixture, position);
		if (error && !strstr(store_writer_error(fixture->writer), fixture->scratch.store))
			fail_msg("%d without a word on the place: %s", error, store_writer_error(fixture->writer));
	}
	if (error)
		fail_msg("commit: %d %s", error, store_writer_error(fixture->writer));
	store_rows_add_batch(&story->expected, fixture->batch);
}

/* All rows, and each sample, once. */
static void check_store(struct writer_story *story) {
	struct store_rows found;
	struct store_reader *reader = NULL;
	char text[512];
	struct store_memory_sample *samples = NULL;
	size_t sample_count = 0;
	size_t damage = 0;
	assert_int_equal(store_rows_read(story->fixture.scratch.store, &found), 0);
	if (!store_rows_equal(&found, &story->expected))
		fail_msg("%zu spans stored, not %zu", found.span_count, story->expected.span_count);
	assert_int_equal(store_reader_open(story->fixture.scratch.store, &reader, text, sizeof(text)), 0);
	const struct store_overview *overview = store_reader_overview(reader);
	assert_int_equal(overview->rings[0].cursor.position, COMMITS);
	for (size_t i = 0; i < overview->segment_count; i++)
		assert_true(overview->segments[i].sealed);
	assert_int_equal(store_reader_samples(reader, &samples, &sample_count), 0);
	assert_int_equal(sample_count, COMMITS);
	free(samples);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	store_reader_close(reader);
	store_rows_free(&found);
}

/* False when no operation was left to fail. */
static bool run_writer_story(enum store_durability durability, enum fault_vfs_kind kind, uint64_t n) {
	struct writer_story story = {.seed = {.state = n}, .durability = durability};
	store_fixture_make(&story.fixture);
	store_on_tmpfs(&story.fixture.scratch);
	fault_vfs_arm(kind, n, n % 2 ? 1 : TOGETHER);
	open_writer(&story);
	for (uint64_t position = 1; position <= COMMITS; position++)
		commit_until_stored(&story, position);
	(void)store_writer_close(story.fixture.writer); /* a failed seal is for the next one */
	bool struck = fault_vfs_struck();
	fault_vfs_arm(FAULT_VFS_NONE, 0, 0);
	open_writer(&story);
	store_fixture_close(&story.fixture);
	check_store(&story);
	store_rows_free(&story.expected);
	store_fixture_remove(&story.fixture);
	return struck;
}

static void loop_writer(enum store_durability durability, struct seed *seed) {
	for (int kind = FAULT_VFS_NONE + 1; kind < FAULT_VFS_KINDS; kind++) {
		uint64_t step = kind == FAULT_VFS_SYNC ? 1 : stride(STRIDE_WRITER);
		uint64_t n = 1 + seed_below(seed, step);
		unsigned runs = 0;
		for (; run_writer_story(durability, (enum fault_vfs_kind)kind, n); n += step, runs++)
			assert_true(n < OPERATIONS_MAX);
		assert_true(runs > 1);
		(void)fprintf(stderr, "store writer, %s: %u of %" PRIu64 " operations failed in turn\n",
		              fault_vfs_names[kind], runs, n - 1);
	}
}

static void any_operation_of_the_writer_may_fail(void **state) {
	(void)state;
	struct seed seed = seed_start("fault_loop writer");
	loop_writer(STORE_DURABILITY_NORMAL, &seed);
}

static void any_operation_of_a_durable_writer_may_fail(void **state) {
	(void)state;
	struct seed seed = seed_start("fault_loop durable writer");
	loop_writer(STORE_DURABILITY_FULL, &seed);
}

/* --- a starting writer -------------------------------------------------------------------------------------------- */

/* Each file of the folder, as a kill would have left it. */
static void copy_folder(const char *from, const char *to) {
	DIR *folder = opendir(from);
	assert_non_null(folder);
	scratch_remove_tree(to);
	assert_int_equal(mkdir(to, 0700), 0);
	int to_fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		struct stat status;
		if (entry->d_name[0] == '.')
			continue;
		CLEANUP_FD int in = openat(dirfd(folder), entry->d_name, O_RDONLY | O_CLOEXEC);
		CLEANUP_FD int out = openat(to_fd, entry->d_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_int_equal(fstat(in, &status), 0);
		for (off_t at = 0; at < status.st_size;)
			assert_true(sendfile(out, in, &at, (size_t)(status.st_size - at)) > 0);
	}
	(void)close(to_fd);
	(void)closedir(folder);
}

/* Refused for now, or with the cursor of the last commit: without it spans would be stored twice. False: nothing was left to fail. */
static bool start_on_fault(const char *folder, enum fault_vfs_kind kind, uint64_t n, uint64_t count) {
	struct store_writer_options options = {.wall_offset_ns = FIXTURE_WALL_OFFSET_NS, .agent_version = "test"};
	struct store_writer *writer = NULL;
	char text[512] = "";
	int holder = 0;
	const struct store_cursor *cursors;
	size_t cursor_count = 0;
	fault_vfs_arm(kind, n, count);
	int error = store_writer_open(folder, &options, &writer, &holder, text, sizeof(text));
	bool struck = fault_vfs_struck();
	fault_vfs_arm(FAULT_VFS_NONE, 0, 0);
	if (error)
		return struck;
	assert_int_equal(store_writer_cursors(writer, &cursors, &cursor_count), 0);
	if (cursor_count != 1 || cursors[0].position != COMMITS)
		fail_msg("%s, operations %" PRIu64 " to %" PRIu64 ": begins at %" PRIu64 ", not at %u: %s",
		         fault_vfs_names[kind], n, n + count - 1, cursor_count ? cursors[0].position : 0, COMMITS,
		         text);
	(void)store_writer_close(writer);
	return struck;
}

static void a_segment_that_cannot_be_read_is_not_taken_for_damaged(void **state) {
	(void)state;
	struct seed seed = seed_start("fault_loop start");
	struct writer_story story = {.seed = seed};
	char kept[SCRATCH_PATH_BYTES];
	char now[SCRATCH_PATH_BYTES];
	store_fixture_make(&story.fixture);
	store_on_tmpfs(&story.fixture.scratch);
	(void)snprintf(kept, sizeof(kept), "%.400s/kept", story.fixture.scratch.rings);
	(void)snprintf(now, sizeof(now), "%.400s/now", story.fixture.scratch.rings);
	open_writer(&story);
	for (uint64_t position = 1; position <= COMMITS; position++)
		commit_until_stored(&story, position);
	copy_folder(story.fixture.scratch.store, kept);
	for (int kind = FAULT_VFS_NONE + 1; kind < FAULT_VFS_KINDS; kind++) {
		uint64_t step = stride(STRIDE_START);
		uint64_t n = 1 + seed_below(&seed, step);
		for (bool struck = true; struck; n += step) {
			copy_folder(kept, now);
			struck = start_on_fault(now, (enum fault_vfs_kind)kind, n, 1 + seed_below(&seed, TOGETHER));
			assert_true(n < OPERATIONS_MAX);
		}
	}
	store_fixture_close(&story.fixture);
	store_rows_free(&story.expected);
	store_fixture_remove(&story.fixture);
}

/* --- the agent ---------------------------------------------------------------------------------------------------- */

#define STORED_BEFORE 500u
#define TREES_OF_FIRST 150u
#define TREES_OF_SECOND 60u

/* Its first line, whatever it says; it may well be that there is none. Signals are in order from then on. */
static void wait_for_a_line(const struct child *child) {
	char byte = 0;
	while (byte != '\n' && read(child->err, &byte, 1) == 1)
		continue;
}

struct agent_story {
	struct session session;
	struct child first;
	char log[SCRATCH_PATH_BYTES + 16];
	char fault[64];
	char fault_log[SCRATCH_PATH_BYTES + 64];
};

/* A store with an unsealed segment, a ring half of which is stored, with its program alive, and one with its program gone. */
static void prepare(struct agent_story *story) {
	char ack[SCRATCH_PATH_BYTES + 8];
	char trees[16];
	struct session *session = &story->session;
	session_open(session);
	store_on_tmpfs(&session->scratch);
	(void)snprintf(story->log, sizeof(story->log), "%s/struck", session->scratch.files);
	(void)snprintf(ack, sizeof(ack), "%s/ack", session->scratch.files);
	const uint64_t *acknowledged = session_acknowledgements(ack);
	session_start_agent(session);
	(void)snprintf(trees, sizeof(trees), "%u", TREES_OF_FIRST);
	const char *first[] = {"--trees", trees, "--ack", ack, "--flush-every", "500", "--hang-depth", "1", NULL};
	story->first = session_producer(session, first);
	clock_wait_for_u64(&acknowledged[0], STORED_BEFORE + 1);
	session_kill_agent(session);
	clock_wait_for_u64(&acknowledged[15], 1); /* its last word: all done, one span open */
	(void)snprintf(trees, sizeof(trees), "%u", TREES_OF_SECOND);
	const char *second[] = {"--process", "1", "--trees", trees, NULL};
	struct child child = session_producer(session, second);
	(void)session_producer_finish(&child);
}

static void run_faulty_agent(struct agent_story *story, bool durable) {
	const char *environment[] = {story->fault, story->fault_log, NULL};
	const char *options[] = {"--durability", durable ? "full" : "normal", NULL};
	story->session.agent_program = "spanring-test-agent";
	session_spawn_agent(&story->session, options, environment);
	story->session.agent_program = NULL;
	wait_for_a_line(&story->session.agent);
	child_signal(&story->session.agent, SIGTERM);
	struct child_result result = child_finish(&story->session.agent);
	if (result.exit_code > EXIT_CODE_OUTPUT)
		fail_msg("%s: agent exits %d: %s", story->fault, result.exit_code, result.err);
	child_result_free(&result);
}

static void check_all_once(struct agent_story *story) {
	struct stored stored;
	struct session *session = &story->session;
	stored_load(session->scratch.store, &stored);
	uint64_t first = stored_count_of(&stored, 0, 0);
	uint64_t second = stored_count_of(&stored, 1, 0);
	uint64_t hung = stored_count_of(&stored, 255, 0);
	if (first != TREES_OF_FIRST * STORED_SPANS_PER_TREE || second != TREES_OF_SECOND * STORED_SPANS_PER_TREE ||
	    hung != 1)
		fail_msg("%s: %" PRIu64 ", %" PRIu64 " and %" PRIu64 " spans stored", story->fault, first, second,
		         hung);
	struct stored trees = stored;
	trees.count -= hung; /* the last one by number, and no tree */
	stored_check_tree(&trees);
	stored_free(&stored);
	(void)fprintf(stderr, "%s\n", story->fault); /* the last one named is the one that failed */
	session_check_audit(session);
	(void)session_check_segments(session);
}

static bool run_agent_story(enum fault_vfs_kind kind, uint64_t n) {
	struct agent_story story;
	memset(&story, 0, sizeof(story));
	prepare(&story);
	(void)snprintf(story.fault, sizeof(story.fault), FAULT_VFS_VARIABLE "=%s:%" PRIu64 ":%u", fault_vfs_names[kind],
	               n, n / 2 % 2 ? 1 : TOGETHER);
	(void)snprintf(story.fault_log, sizeof(story.fault_log), FAULT_VFS_LOG_VARIABLE "=%s", story.log);
	run_faulty_agent(&story, kind == FAULT_VFS_SYNC || n % 2);
	bool struck = access(story.log, F_OK) == 0;
	child_signal(&story.first, SIGUSR1);
	(void)session_producer_finish(&story.first);
	session_collect(&story.session);
	check_all_once(&story);
	session_close(&story.session);
	return struck;
}

static void any_operation_of_the_agent_may_fail(void **state) {
	(void)state;
	struct seed seed = seed_start("fault_loop");
	for (int kind = FAULT_VFS_NONE + 1; kind < FAULT_VFS_KINDS; kind++) {
		uint64_t step = kind == FAULT_VFS_SYNC ? 1 : stride(STRIDE_AGENT);
		uint64_t n = 1 + seed_below(&seed, step);
		unsigned runs = 0;
		for (; run_agent_story((enum fault_vfs_kind)kind, n); n += step, runs++)
			assert_true(n < OPERATIONS_MAX);
		(void)fprintf(stderr, "agent, %s: %u of about %" PRIu64 " operations failed in turn\n",
		              fault_vfs_names[kind], runs, n - 1);
	}
}

/* --- the analyzer ------------------------------------------------------------------------------------------------- */

struct question {
	const char *words[5];
};

static struct child_result ask(const char *program, const struct question *question, const char *store,
                               const char *const *environment) {
	const char *argv[8] = {child_program(program)};
	int count = 1;
	for (int i = 0; question->words[i]; i++)
		argv[count++] = question->words[i];
	argv[count++] = store;
	argv[count] = NULL;
	return child_run(argv, environment);
}

/* The right answer, or none and a word why. */
static bool run_question(const struct question *question, const char *store, const char *right, const char *fault) {
	char log[SCRATCH_PATH_BYTES + 16];
	char log_variable[SCRATCH_PATH_BYTES + 64];
	(void)snprintf(log, sizeof(log), "%s.struck", store);
	(void)snprintf(log_variable, sizeof(log_variable), FAULT_VFS_LOG_VARIABLE "=%s", log);
	const char *environment[] = {fault, log_variable, NULL};
	struct child_result result = ask("spanring-test-analyze", question, store, environment);
	bool struck = access(log, F_OK) == 0;
	(void)unlink(log);
	if (result.exit_code > EXIT_CODE_OUTPUT || (result.exit_code != 0 && !*result.err))
		fail_msg("%s %s: exit %d: %s", question->words[0], fault, result.exit_code, result.err);
	if (result.exit_code == 0 && strcmp(result.out, right) != 0)
		fail_msg("%s %s: another answer, and exit code 0: %s", question->words[0], fault, result.out);
	child_result_free(&result);
	return struck;
}

static void ask_until_clean(const struct question *question, const char *store, enum fault_vfs_kind kind, uint64_t n,
                            uint64_t step) {
	struct child_result right = ask("spanring-analyze", question, store, NULL);
	char fault[64];
	assert_int_equal(right.exit_code, 0);
	for (bool struck = true; struck; n += step) {
		(void)snprintf(fault, sizeof(fault), FAULT_VFS_VARIABLE "=%s:%" PRIu64, fault_vfs_names[kind], n);
		struck = run_question(question, store, right.out, fault);
		assert_true(n < OPERATIONS_MAX);
	}
	child_result_free(&right);
}

static void any_operation_of_the_analyzer_may_fail(void **state) {
	static const struct question questions[] = {
	    {{"verify", NULL}}, {{"audit", NULL}}, {{"latency", "--json", NULL}}, {{"slowest", "--json", NULL}}};
	static const enum fault_vfs_kind fault_kinds[] = {FAULT_VFS_EIO, FAULT_VFS_EINTR, FAULT_VFS_SHORT};
	(void)state;
	struct seed seed = seed_start("fault_loop analyzer");
	struct agent_story story;
	memset(&story, 0, sizeof(story));
	prepare(&story);
	child_signal(&story.first, SIGUSR1);
	(void)session_producer_finish(&story.first);
	session_collect(&story.session);
	for (size_t q = 0; q < sizeof(questions) / sizeof(questions[0]); q++)
		for (size_t k = 0; k < sizeof(fault_kinds) / sizeof(fault_kinds[0]); k++) {
			uint64_t step = stride(STRIDE_ANALYZER);
			ask_until_clean(&questions[q], story.session.scratch.store, fault_kinds[k],
			                1 + seed_below(&seed, step), step);
		}
	check_all_once(&story);
	session_close(&story.session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_operation_of_the_writer_may_fail),
	    cmocka_unit_test(any_operation_of_a_durable_writer_may_fail),
	    cmocka_unit_test(a_segment_that_cannot_be_read_is_not_taken_for_damaged),
	    cmocka_unit_test(any_operation_of_the_agent_may_fail),
	    cmocka_unit_test(any_operation_of_the_analyzer_may_fail),
	};
	return cmocka_run_group_tests_name("fault_loop", tests, NULL, NULL);
}
