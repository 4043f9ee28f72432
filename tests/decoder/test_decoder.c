/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: docs/store-format.md says all that a reader has to know. Method: a second reader in another language, written from that document alone
 * (decode_segment.py), and libstore print the same segments as text, and the texts are the same byte for byte: of the golden segments, of random
 * ones with rows in every table, open, sealed, merged and after evictions, and of what real programs and a real agent leave. Of a segment
 * with a changed byte the second reader prints what it printed before, or refuses it.
 */
#include "dump_segment.h"
#include "rich_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"
#include "support/seed.h"
#include "support/session.h"

#include "libstore/evict.h"
#include "libstore/merge.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#define PATH_BYTES (SCRATCH_PATH_BYTES * 2)
#define COMMITS 14u
#define GOLDEN_BYTES_MAX (4u << 20)
#define TEXT_BYTES_MAX (256u << 20)

static const char *const golden[] = {"store-v1", "store-v1-rich", "store-v1-merged"};

/* Runs a shell command with these words as $1, $2, $3; its exit code. */
static int shell(const char *command, const char *first, const char *second, const char *third) {
	const char *argv[] = {"/bin/sh", "-c", command, "sh", first, second, third, NULL};
	struct child_result result = child_run(argv, NULL);
	int exit_code = result.exit_code;
	if (exit_code != 0 && exit_code != 3)
		print_error("%s%s\n", result.out, result.err);
	child_result_free(&result);
	return exit_code;
}

static void need_tools(void) {
	if (shell("python3 -c 'import sqlite3' && zstd --version", "", "", "") == 0)
		return;
	print_message("python3 with its sqlite3, or the program zstd, is not there\n");
	skip();
}

static char *read_text(const char *path, size_t *ret_bytes) {
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_in_range(status.st_size, 0, TEXT_BYTES_MAX);
	char *text = calloc(1, (size_t)status.st_size + 1);
	assert_non_null(text);
	for (*ret_bytes = 0; *ret_bytes < (size_t)status.st_size;) {
		ssize_t got = read(fd, text + *ret_bytes, (size_t)status.st_size - *ret_bytes);
		assert_true(got > 0);
		*ret_bytes += (size_t)got;
	}
	(void)close(fd);
	return text;
}

/* Two texts of the same rows. */
static void expect_same(const char *what, const char *path, const char *other_path) {
	size_t bytes = 0;
	size_t other_bytes = 0;
	char *text = read_text(path, &bytes);
	char *other = read_text(other_path, &other_bytes);
	size_t at = 0;
	size_t line = 0;
	while (at < bytes && at < other_bytes && text[at] == other[at])
		if (text[at++] == '\n')
			line = at;
	if (at < bytes || at < other_bytes) {
		text[line + strcspn(text + line, "\n")] = 0;
		other[line + strcspn(other + line, "\n")] = 0;
		fail_msg("%s, byte %zu:\n%s\n%s", what, at, text + line, other + line);
	}
	assert_true(bytes > 0);
	free(text);
	free(other);
}

static int decode(const char *segment, const char *to) {
	return shell("exec python3 -B '" SPANRING_DECODER "' '" SPANRING_FORMAT "' \"$1\" >\"$2\"", segment, to, "");
}

static void dump(const struct scratch *scratch, const char *segment, char text[PATH_BYTES]) {
	(void)snprintf(text, PATH_BYTES, "%s/dumped", scratch->files);
	FILE *to = fopen(text, "w");
	assert_non_null(to);
	dump_segment(segment, to);
	assert_int_equal(fclose(to), 0);
}

/* Both readers of one segment; their text is left in `text`. */
static void expect_agreement(const struct scratch *scratch, const char *segment, char text[PATH_BYTES]) {
	char decoded[PATH_BYTES];
	(void)snprintf(decoded, sizeof(decoded), "%s/decoded", scratch->files);
	dump(scratch, segment, text);
	if (decode(segment, decoded) != 0)
		fail_msg("%s is refused by the decoder", segment);
	expect_same(segment, text, decoded);
}

static size_t expect_agreement_on_all(const struct scratch *scratch) {
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	char text[PATH_BYTES];
	assert_int_equal(store_evict_list(scratch->store, &segments, &count), 0);
	for (size_t i = 0; i < count; i++)
		expect_agreement(scratch, segments[i].path, text);
	store_evict_list_free(segments, count);
	return count;
}

static void unpack(const char *name, const char *ending, const char *to) {
	char path[PATH_BYTES];
	size_t packed_bytes = 0;
	(void)snprintf(path, sizeof(path), "%s/%s.%s.zst", SPANRING_GOLDEN_DIRECTORY, name, ending);
	char *packed = read_text(path, &packed_bytes);
	char *plain = malloc(GOLDEN_BYTES_MAX);
	assert_non_null(plain);
	size_t bytes = ZSTD_decompress(plain, GOLDEN_BYTES_MAX, packed, packed_bytes);
	assert_false(ZSTD_isError(bytes));
	FILE *file = fopen(to, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(plain, 1, bytes, file), bytes);
	assert_int_equal(fclose(file), 0);
	free(packed);
	free(plain);
}

static void on_golden_segments(void (*check)(const struct scratch *scratch, const char *segment,
                                             char text[PATH_BYTES])) {
	struct scratch scratch;
	scratch_make(&scratch);
	for (size_t i = 0; i < sizeof(golden) / sizeof(golden[0]); i++) {
		char segment[PATH_BYTES];
		char expected[PATH_BYTES];
		char text[PATH_BYTES];
		(void)snprintf(segment, sizeof(segment), "%s/%s.db", scratch.files, golden[i]);
		(void)snprintf(expected, sizeof(expected), "%s/%s.expected", scratch.files, golden[i]);
		unpack(golden[i], "db", segment);
		unpack(golden[i], "jsonl", expected);
		check(&scratch, segment, text);
		expect_same(golden[i], text, expected);
	}
	scratch_remove(&scratch);
}

/* For ever, and with none of the tools. */
static void golden_segments_say_what_they_said(void **state) {
	(void)state;
	on_golden_segments(dump);
}

static void golden_segments_agree(void **state) {
	(void)state;
	need_tools();
	on_golden_segments(expect_agreement);
}

static struct store_writer *open_writer(const struct scratch *scratch) {
	static const struct store_writer_options options = {
	    .boot_id = "a boot in a test", .wall_offset_ns = UINT64_C(1700000000000000000), .agent_version = "test"};
	struct store_writer *writer = NULL;
	char text[512] = "";
	int holder = 0;
	if (store_writer_open(scratch->store, &options, &writer, &holder, text, sizeof(text)) != 0)
		fail_msg("%s", text);
	return writer;
}

static void merge_all(const struct scratch *scratch, struct store_writer *writer) {
	static const struct store_merge_options options = {.rows = 4000};
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	char text[512] = "";
	assert_int_equal(store_evict_list(scratch->store, &segments, &count), 0);
	for (size_t i = 0; i < count; i++) {
		struct store_merge *merge = NULL;
		int rc = store_merge_open(writer, segments[i].path, &options, &merge, text, sizeof(text));
		while (rc == 0 && merge && (rc = store_merge_step(merge, text, sizeof(text))) == 1)
			rc = 0;
		if (rc != 0)
			fail_msg("%s", text);
		store_merge_close(merge);
	}
	store_evict_list_free(segments, count);
}

static void random_stores(void **state) {
	struct seed seed = seed_start("decoder");
	struct scratch scratch;
	(void)state;
	need_tools();
	for (unsigned round = 0; round < seed_rounds(2); round++) {
		scratch_make(&scratch);
		struct store_writer *writer = open_writer(&scratch);
		struct catalog *catalog = rich_store_catalog(&seed);
		for (uint64_t i = 1; i <= COMMITS; i++)
			rich_store_commit(writer, catalog, &seed, i, i == COMMITS ? 3000 : 200);
		assert_int_equal(expect_agreement_on_all(&scratch), 1);
		assert_int_equal(store_writer_seal(writer), 0);
		assert_int_equal(expect_agreement_on_all(&scratch), 1);
		merge_all(&scratch, writer);
		assert_int_equal(expect_agreement_on_all(&scratch), 1);
		assert_int_equal(store_writer_close(writer), 0);
		catalog_free(catalog);
		scratch_remove(&scratch);
	}
}

static void evicted_stores(void **state) {
	struct seed seed = seed_start("decoder evicted");
	struct scratch scratch;
	struct catalog *catalogs[3];
	struct store_evict_segment *segments = NULL;
	struct store_evict_sum sum;
	size_t count = 0;
	(void)state;
	need_tools();
	scratch_make(&scratch);
	struct store_writer *writer = open_writer(&scratch);
	for (uint64_t i = 0; i < 3; i++) {
		catalogs[i] = rich_store_catalog(&seed);
		for (uint64_t n = 1; n <= 5; n++)
			rich_store_commit(writer, catalogs[i], &seed, i * 5 + n, 100);
	}
	assert_int_equal(store_evict_list(scratch.store, &segments, &count), 0);
	assert_int_equal(count, 3);
	segments[1].reason = STORE_EVICT_FREE;
	assert_int_equal(store_writer_evict(writer, catalogs[2], segments, count, 2, &sum), 0);
	store_evict_list_free(segments, count);
	assert_int_equal(expect_agreement_on_all(&scratch), 1);
	assert_int_equal(store_writer_close(writer), 0);
	assert_int_equal(expect_agreement_on_all(&scratch), 1);
	for (size_t i = 0; i < 3; i++)
		catalog_free(catalogs[i]);
	scratch_remove(&scratch);
}

static void run(const struct session *session, const char *program, const char *first, const char *second) {
	const char *environment[] = {session->environment, NULL};
	const char *argv[] = {child_program(program), first, second, NULL};
	struct child_result result = child_run(argv, environment);
	if (result.exit_code != 0)
		fail_msg("%s exits %d: %s", program, result.exit_code, result.err);
	child_result_free(&result);
}

/* Programs of every kind; one of them is killed with spans open. */
static void stores_of_an_agent(void **state) {
	static const char *const options[] = {"--tail-keep", "--tail-ratio", "0.25", "--tail-rare",
	                                      "0",           "--tail-first", "0",    NULL};
	static const char *const hanging[] = {"--process",    "1", "--threads", "2", "--trees", "100",
	                                      "--hang-depth", "7", NULL};
	struct session session;
	char log[PATH_BYTES];
	(void)state;
	need_tools();
	session_open(&session);
	session_spawn_agent(&session, options, NULL);
	child_wait_for_line(&session.agent, session.scratch.store);
	(void)snprintf(log, sizeof(log), "%s/log", session.scratch.files);
	run(&session, "spanring-test-tail", "400", log);
	run(&session, "spanring-test-rich", "40", NULL);
	session_stop_agent(&session);
	session_start_agent(&session);
	struct child producer = session_producer(&session, hanging);
	run(&session, "spanring-test-rich", "300", NULL);
	child_signal(&producer, SIGKILL);
	struct child_result result = child_finish(&producer);
	child_result_free(&result);
	session_stop_agent(&session);
	assert_true(expect_agreement_on_all(&session.scratch) >= 2);
	session_close(&session);
}

static void change_byte(const char *path, struct seed *seed, int undo, off_t *at, uint8_t *bit) {
	uint8_t byte = 0;
	struct stat status;
	int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	if (!undo) {
		*at = (off_t)seed_below(seed, (uint64_t)status.st_size);
		*bit = (uint8_t)(1u << seed_below(seed, 8));
	}
	assert_int_equal(pread(fd, &byte, 1, *at), 1);
	byte ^= *bit;
	assert_int_equal(pwrite(fd, &byte, 1, *at), 1);
	assert_int_equal(close(fd), 0);
}

static off_t place_of_instance(const char *segment) {
	uint8_t instance[STORE_INSTANCE_BYTES];
	size_t bytes = 0;
	char *file = read_text(segment, &bytes);
	memset(instance, 0xf1, sizeof(instance)); /* rich_store.c: process 1 */
	const char *place = memmem(file, bytes, instance, sizeof(instance));
	assert_non_null(place);
	off_t at = place - file;
	free(file);
	return at;
}

static void changed_segments(void **state) {
	struct seed seed = seed_start("decoder damage");
	struct scratch scratch;
	char segment[PATH_BYTES];
	char text[PATH_BYTES];
	char decoded[PATH_BYTES];
	unsigned rounds = seed_rounds(25);
	(void)state;
	need_tools();
	scratch_make(&scratch);
	(void)snprintf(segment, sizeof(segment), "%s/changed.db", scratch.files);
	(void)snprintf(decoded, sizeof(decoded), "%s/changed", scratch.files);
	unpack("store-v1-rich", "db", segment);
	expect_agreement(&scratch, segment, text);
	for (unsigned round = 0; round < rounds; round++) {
		off_t at = 0;
		uint8_t bit = 0;
		change_byte(segment, &seed, 0, &at, &bit);
		int exit_code = decode(segment, decoded);
		assert_true(exit_code == 0 || exit_code == 3);
		if (exit_code == 0)
			expect_same("a changed byte", text, decoded);
		change_byte(segment, &seed, 1, &at, &bit);
	}
	/* Many bytes of a small file mean nothing; those of an instance do. */
	off_t at = place_of_instance(segment);
	uint8_t bit = 1;
	change_byte(segment, &seed, 1, &at, &bit);
	assert_int_equal(decode(segment, decoded), 3);
	scratch_remove(&scratch);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(golden_segments_say_what_they_said),
	                                   cmocka_unit_test(golden_segments_agree),
	                                   cmocka_unit_test(random_stores),
	                                   cmocka_unit_test(evicted_stores),
	                                   cmocka_unit_test(stores_of_an_agent),
	                                   cmocka_unit_test(changed_segments)};
	return cmocka_run_group_tests_name("decoder", tests, NULL, NULL);
}
