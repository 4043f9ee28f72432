/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a line of the log is one line and says what was meant, whatever the texts in it hold; a flood of lines costs a few lines, and none is
 * left out without being counted.
 * Method: random bytes through both forms, the JSON one taken apart by SQLite; the limit in a time of its own; real lines read back from a
 * file in place of standard error.
 */
#include "support/cmocka.h"
#include "support/seed.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log_limit.h"
#include "base/log_line.h"
#include "base/text.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROUNDS 4000u
#define RANDOM_BYTES_MAX 600u
#define FLOOD 100000u

static sqlite3_stmt *prepare(sqlite3 *db, const char *query) {
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, query, -1, &statement, NULL), SQLITE_OK);
	return statement;
}

struct reader {
	sqlite3 *db;
	sqlite3_stmt *extract;
};

static void reader_open(struct reader *ret_reader) {
	assert_int_equal(sqlite3_open(":memory:", &ret_reader->db), SQLITE_OK);
	ret_reader->extract = prepare(ret_reader->db, "SELECT json_extract(?1, ?2) WHERE json_valid(?1)");
}

static void reader_close(struct reader *reader) {
	assert_int_equal(sqlite3_finalize(reader->extract), SQLITE_OK);
	assert_int_equal(sqlite3_close(reader->db), SQLITE_OK);
}

/* The value at a path of a document that must be JSON. */
static void check_value(struct reader *reader, const char *line, size_t bytes, const char *path, const char *expected) {
	sqlite3_stmt *statement = reader->extract;
	assert_int_equal(sqlite3_bind_text(statement, 1, line, (int)bytes, SQLITE_STATIC), SQLITE_OK);
	assert_int_equal(sqlite3_bind_text(statement, 2, path, -1, SQLITE_STATIC), SQLITE_OK);
	if (sqlite3_step(statement) != SQLITE_ROW)
		fail_msg("no JSON: %.*s", (int)bytes, line);
	const char *value = (const char *)sqlite3_column_text(statement, 0);
	assert_string_equal(value ? value : "(null)", expected);
	assert_int_equal(sqlite3_reset(statement), SQLITE_OK);
}

/* What a reader of JSON must get back: the text with U+FFFD for each byte that is no UTF-8. */
static void replaced(const char *text, char *ret_text) {
	size_t bytes = strlen(text);
	size_t out = 0;
	for (size_t at = 0; at < bytes;) {
		uint32_t code;
		size_t length = text_utf8_sequence(text + at, bytes - at, &code);
		memcpy(ret_text + out, length ? text + at : "\xef\xbf\xbd", length ? length : 3);
		out += length ? length : 3;
		at += length ? length : 1;
	}
	ret_text[out] = '\0';
}

static void random_text(struct seed *seed, char ret_text[RANDOM_BYTES_MAX + 1]) {
	static const char *const pieces[] = {"\n",   "\x1b[2J",          "\"", "\\", "\xe2\x80\xae",
	                                     "\xff", "\xf0\x9f\x98\x80", "<3>"};
	size_t wanted = seed_below(seed, RANDOM_BYTES_MAX - 8);
	size_t at = 0;
	while (at < wanted) {
		const char *piece = pieces[seed_below(seed, sizeof(pieces) / sizeof(pieces[0]))];
		if (seed_below(seed, 2) == 0) {
			ret_text[at++] = (char)(1 + seed_below(seed, 255));
			continue;
		}
		memcpy(ret_text + at, piece, strlen(piece));
		at += strlen(piece);
	}
	ret_text[at] = '\0';
}

/* One line, nothing in it that a terminal or a reader of lines could take for more. */
static void check_one_line(const char *line, size_t bytes) {
	assert_true(bytes > 1 && bytes <= LOG_LINE_BYTES_MAX);
	assert_int_equal(line[bytes - 1], '\n');
	for (size_t at = 0; at < bytes - 1;) {
		uint32_t code = 0;
		size_t length = text_utf8_sequence(line + at, bytes - 1 - at, &code);
		assert_true(length > 0);
		assert_false(text_is_dangerous(code));
		at += length;
	}
}

static void any_bytes_make_one_sound_line(void **state) {
	(void)state;
	struct seed seed = seed_start("log");
	struct reader reader;
	reader_open(&reader);
	for (unsigned round = 0; round < seed_rounds(ROUNDS); round++) {
		char message[RANDOM_BYTES_MAX + 1];
		char name[RANDOM_BYTES_MAX + 1];
		char expected[3 * RANDOM_BYTES_MAX + 1];
		char text[LOG_LINE_BYTES_MAX];
		random_text(&seed, message);
		random_text(&seed, name);
		struct log_field fields[] = {LOG_TEXT("name", name), LOG_NUMBER("number", UINT64_MAX), {0}};
		struct log_line line = {.level = LOG_LEVEL_WARNING,
		                        .program = "test",
		                        .event = "ring_refused",
		                        .message = message,
		                        .fields = fields,
		                        .pid = 4711};
		size_t bytes = log_line_json(&line, text);
		check_one_line(text, bytes);
		replaced(message, expected);
		check_value(&reader, text, bytes, "$.msg", expected);
		replaced(name, expected);
		check_value(&reader, text, bytes, "$.name", expected);
		check_one_line(text, log_line_text(&line, text));
		assert_memory_equal(text, "test: warning: ", 15);
	}
	reader_close(&reader);
}

static void a_line_has_its_form(void **state) {
	(void)state;
	char text[LOG_LINE_BYTES_MAX + 1];
	struct log_field fields[] = {LOG_TEXT("store", "/s"), LOG_NUMBER("bytes", 7), {0}};
	struct log_line line = {.level = LOG_LEVEL_ERROR,
	                        .program = "spanring-agent",
	                        .event = "store_failing",
	                        .message = "no room",
	                        .fields = fields,
	                        .left_out = 12,
	                        .wall_ns = UINT64_C(1760000000000000007),
	                        .pid = 42,
	                        .journal = true};
	text[log_line_json(&line, text)] = '\0';
	assert_string_equal(
	    text, "<3>{\"ts\":\"2025-10-09T08:53:20.000000007Z\",\"level\":\"error\",\"event\":\"store_failing\","
	          "\"msg\":\"no room\",\"program\":\"spanring-agent\",\"pid\":42,\"left_out\":12,"
	          "\"store\":\"/s\",\"bytes\":7}\n");
	text[log_line_text(&line, text)] = '\0';
	assert_string_equal(text, "<3>spanring-agent: error: no room (12 more lines like this were left out)\n");
	line = (struct log_line){.level = LOG_LEVEL_INFO, .program = "p", .message = "up", .wall_ns = NS_PER_S};
	text[log_line_json(&line, text)] = '\0';
	assert_string_equal(text, "{\"ts\":\"1970-01-01T00:00:01.000000000Z\",\"level\":\"info\",\"event\":\"message\","
	                          "\"msg\":\"up\",\"program\":\"p\",\"pid\":0}\n");
	text[log_line_text(&line, text)] = '\0';
	assert_string_equal(text, "p: up\n");
}

/* Texts far above what fits: still one object, with what fits of the fields. */
static void what_does_not_fit_is_cut(void **state) {
	(void)state;
	static char message[2 * LOG_LINE_MESSAGE_BYTES_MAX];
	static char value[LOG_LINE_BYTES_MAX];
	char text[LOG_LINE_BYTES_MAX];
	struct reader reader;
	struct log_field fields[40] = {{0}};
	memset(message, '\x01', sizeof(message) - 1);
	memset(value, '\x02', sizeof(value) - 1);
	for (size_t i = 0; i + 1 < sizeof(fields) / sizeof(fields[0]); i++)
		fields[i] = (struct log_field)LOG_TEXT("key", value);
	struct log_line line = {.program = "test", .message = message, .fields = fields};
	reader_open(&reader);
	size_t bytes = log_line_json(&line, text);
	check_one_line(text, bytes);
	check_value(&reader, text, bytes, "$.program", "test");
	check_one_line(text, log_line_text(&line, text));
	reader_close(&reader);
}

static void a_flood_costs_a_burst_and_is_counted(void **state) {
	(void)state;
	static struct log_limit limit = LOG_LIMIT_INIT;
	static const char flood[] = "flood";
	static const char other[] = "other";
	struct log_limit_bucket bucket;
	uint64_t now_ns = 5;
	uint64_t left_out = 0;
	unsigned written = 0;
	for (unsigned i = 0; i < FLOOD; i++)
		written += log_limit_take(&limit, flood, LOG_LEVEL_ERROR, "the \xc3\xa9 line", now_ns, &left_out);
	assert_int_equal(written, LOG_LIMIT_BURST);
	assert_int_equal(left_out, 0);
	assert_true(log_limit_take(&limit, other, LOG_LEVEL_ERROR, "", now_ns, &left_out));
	assert_false(log_limit_untold(&limit, now_ns + LOG_LIMIT_TELL_NS - 1, &bucket));

	now_ns += LOG_LIMIT_REFILL_NS;
	assert_true(log_limit_take(&limit, flood, LOG_LEVEL_ERROR, "", now_ns, &left_out));
	assert_int_equal(left_out, FLOOD - LOG_LIMIT_BURST);
	assert_false(log_limit_take(&limit, flood, LOG_LEVEL_WARNING, "the last", now_ns, &left_out));
	assert_true(log_limit_untold(&limit, now_ns + LOG_LIMIT_TELL_NS, &bucket));
	assert_int_equal(bucket.left_out, 1);
	assert_string_equal(bucket.like, "the last");
	assert_ptr_equal(bucket.kind, flood);
	assert_int_equal(bucket.level, LOG_LEVEL_WARNING);
	assert_false(log_limit_untold(&limit, UINT64_MAX / 2, &bucket));
	assert_true(log_limit_take(&limit, flood, LOG_LEVEL_ERROR, "", UINT64_MAX / 2, &left_out));
	assert_int_equal(left_out, 0);
}

/* More kinds than buckets: some share one, none is lost. */
static void any_number_of_kinds_is_bounded(void **state) {
	(void)state;
	static struct log_limit limit = LOG_LIMIT_INIT;
	static const char kinds[4 * LOG_LIMIT_KINDS_MAX];
	uint64_t written = 0;
	uint64_t told = 0;
	for (unsigned i = 0; i < FLOOD; i++) {
		uint64_t left_out = 0;
		written += log_limit_take(&limit, &kinds[i % sizeof(kinds)], LOG_LEVEL_ERROR, "", 1, &left_out);
		told += left_out;
	}
	assert_int_equal(written, LOG_LIMIT_KINDS_MAX * LOG_LIMIT_BURST);
	for (struct log_limit_bucket bucket; log_limit_untold(&limit, UINT64_MAX / 2, &bucket);)
		told += bucket.left_out;
	assert_int_equal(written + told, FLOOD);
}

static size_t read_lines(int fd, char *ret_text, size_t text_bytes) {
	ssize_t got = pread(fd, ret_text, text_bytes - 1, 0);
	assert_true(got >= 0);
	ret_text[got] = '\0';
	size_t lines = 0;
	for (const char *at = ret_text; (at = strchr(at, '\n')); at++)
		lines++;
	return lines;
}

/* Real lines, into a file that stands for the journal. */
static void lines_are_written_once_and_limited(void **state) {
	(void)state;
	static struct log_limit limit = LOG_LIMIT_INIT;
	static char text[1u << 16];
	char path[] = "/tmp/spanring-test-log-XXXXXX";
	char stream[64];
	struct stat status;
	int file = mkstemp(path);
	int kept = dup(STDERR_FILENO);
	assert_true(file >= 0 && kept >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(fstat(file, &status), 0);
	(void)snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)status.st_dev,
	               (unsigned long long)status.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", stream, 1), 0);
	bool before = log_is_journal();
	assert_int_equal(dup2(file, STDERR_FILENO), STDERR_FILENO);
	bool journal = log_is_journal();
	struct log log = {.program = "test", .level = LOG_LEVEL_WARNING, .journal = journal, .limit = &limit};
	for (unsigned i = 0; i < 1000; i++)
		log_event(&log, LOG_LEVEL_WARNING, "flood", NULL, "line %u", i);
	log_info(&log, "not wanted");
	log_error(&log, "the %s", "end");
	log_say_left_out(&log); /* too early */
	assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
	assert_int_equal(unsetenv("JOURNAL_STREAM"), 0);
	assert_false(before);
	assert_true(journal);
	assert_false(log_is_journal());
	assert_int_equal(read_lines(file, text, sizeof(text)), LOG_LIMIT_BURST + 1);
	assert_memory_equal(text, "<4>test: warning: line 0\n<4>test: warning: line 1\n", 50);
	assert_non_null(strstr(text, "line 19\n<3>test: error: the end\n"));
	(void)close(file);
	(void)close(kept);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_bytes_make_one_sound_line),  cmocka_unit_test(a_line_has_its_form),
	    cmocka_unit_test(what_does_not_fit_is_cut),       cmocka_unit_test(a_flood_costs_a_burst_and_is_counted),
	    cmocka_unit_test(any_number_of_kinds_is_bounded), cmocka_unit_test(lines_are_written_once_and_limited),
	};
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
